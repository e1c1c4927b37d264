"""The command `graphcert classify`: certify inputs that have one label each."""

import sys
from inspect import Parameter
from pathlib import Path
from typing import Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.options import LOOK_AGAIN, WORKERS, argument, chosen, option, options_of, say
from graphcert.run.settings.output_run import OutputSettings, read_settings


def classify_options() -> list[Parameter]:
    """What the command takes."""
    settings = "A file of settings (TOML, see experiments/); options go before it."
    return [
        argument("out", Path, "Folder of the run; an interrupted run continues there.", "--out"),
        option("settings", Path | None, settings, "--config"), *options_of(OutputSettings), LOOK_AGAIN, WORKERS,
    ]  # fmt: skip


def classify(_: typer.Context, **given: Any) -> None:
    """Certify inputs with one label each: `graphcert classify --inputs digits --sigma 0.25 --out RUN`.

    Inputs are images, points, vectors or graphs. Trains a small network under the noise unless --model names one. Writes
    results.csv, inputs.csv and report.html.
    """
    out = given["out"]
    interrupts.current.writes(out)
    from graphcert.run.inputs import RESULTS
    from graphcert.run.outputs import INPUTS, OutputRun

    values = {} if given["settings"] is None else read_settings(given["settings"])
    run = OutputRun(out, workers=given["workers"], progress=sys.stderr.isatty(), say=say)
    content = run.certify(OutputSettings.from_dict(values | chosen(given, OutputSettings)), given["look_again"])
    for value, name, note in content.facts:
        typer.echo(f"{value:>8}  {name}: {note}")
    typer.echo(f"tables: {run.path(RESULTS)}, {run.path(INPUTS)}")
    typer.echo(f"report: {run.path('report.html')}")
