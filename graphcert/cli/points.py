"""The command `graphcert points`: certify the parts of point clouds, and train a network for it."""

from functools import partial
from inspect import Parameter
from pathlib import Path
from typing import Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.options import argument, chosen, option, options_of
from graphcert.cli.output import Answer
from graphcert.cli.over_inputs import certified_inputs, command_with_training, trained_network, training_begins, trains
from graphcert.cli.segment import near_far
from graphcert.errors import InputError
from graphcert.run.settings.point_run import NETWORKS, PointSettings, read_settings
from graphcert.run.settings.stages import norm_values

_TRAINED_BY = ("sigma", "rotation", "turn_sigma", "up", "points", "train_shapes", "train_input", "seed")
_SCHEDULE = ("steps", "batch", "learning_rate")


def build_points_app() -> typer.Typer:
    """The command and the one below it."""
    help = "Certify the parts that a network finds in point clouds."
    return command_with_training(points, train, PointSettings, _training_options(), help)


def _training_options() -> list[Parameter]:
    """What a network is trained from, and how."""
    return [
        argument("out", Path, "File to write the network to.", "--out"),
        option("model", str, f"The network: {' or '.join(NETWORKS)}.", default=NETWORKS[0]),
        *options_of(PointSettings, _TRAINED_BY),
        option("steps", int | None, "Steps of training."),
        option("batch", int | None, "Clouds per step."),
        option("learning_rate", float | None, "The highest one."),
    ]


def points(context: typer.Context, **given: Any) -> Answer | None:
    """Certify parts of point clouds: `graphcert points --shapes 20 --sigma 0.25 --out RUN`.

    One sigma is isotropic noise and SegCertify; near:far with --cells adds localized noise and all points together;
    --rotation certifies turns. Trains a network first unless --model names a file. Writes pictures, results.csv and
    report.html.
    """
    if trains(context, given):
        return None
    interrupts.current.writes(given["out"])
    from graphcert.run.points import PointRun

    values = {} if given["settings"] is None else read_settings(given["settings"])
    return certified_inputs(PointRun, PointSettings.from_dict(values | _asked(given)), given, "results.csv")


def train(_: typer.Context, **given: Any) -> Answer:
    """Train a network under the noise it will be certified with; an interrupt keeps the best weights so far."""
    training_begins()
    from graphcert.points.training import PointTraining
    from graphcert.run.point_network import train_network
    from graphcert.run.training import training_bar

    if given["model"] not in NETWORKS:
        raise InputError(f"--model names the network to train, {' or '.join(NETWORKS)}, got {given['model']!r}")
    source = {"shapes": 1} if given["train_input"] is None else {"input": given["train_input"]}
    settings = PointSettings.from_dict({**_asked(given), **source})
    if len(settings.sigma) > 1:
        raise InputError("training takes the largest deviation alone; give --sigma one number")
    training = PointTraining(**{name: given[name] for name in _SCHEDULE if given[name] is not None})
    with training_bar(training.steps, given["progress"]) as report:
        log = train_network(settings, training, given["out"], report)[1]
    return trained_network(log, given["out"], "point")


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given as options."""
    asked = chosen(given, PointSettings)
    readers: dict[str, Any] = {"sigma": partial(near_far, "--sigma"), "budgets": partial(norm_values, "--budgets")}
    return asked | {name: read(asked[name]) for name, read in readers.items() if name in asked}
