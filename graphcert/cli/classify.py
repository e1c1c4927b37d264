"""The command `graphcert classify`: certify inputs that have one label each."""

from inspect import Parameter
from typing import Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.options import chosen
from graphcert.cli.output import Answer
from graphcert.cli.over_inputs import certified_inputs, options_of_run
from graphcert.run.settings.output_run import OutputSettings, read_settings


def classify_options() -> list[Parameter]:
    """What the command takes."""
    return options_of_run(OutputSettings)


def classify(_: typer.Context, **given: Any) -> Answer:
    """Certify inputs with one label each: `graphcert classify --inputs digits --sigma 0.25 --out RUN`.

    Inputs are images, points, vectors or graphs. Trains a small network under the noise unless --model names one. Writes
    results.csv, inputs.csv and report.html.
    """
    interrupts.current.writes(given["out"])
    from graphcert.run.inputs import RESULTS
    from graphcert.run.outputs import INPUTS, OutputRun

    values = {} if given["settings"] is None else read_settings(given["settings"])
    settings = OutputSettings.from_dict(values | chosen(given, OutputSettings))
    return certified_inputs(OutputRun, settings, given, RESULTS, INPUTS)
