"""The command `graphcert segment`: certify images, and train a network for it."""

from functools import partial
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.options import argument, chosen, option, options_of
from graphcert.cli.output import Answer
from graphcert.cli.over_inputs import certified_inputs, command_with_training, trained_network, training_begins, trains
from graphcert.errors import InputError
from graphcert.run.settings.image_run import SegmentSettings, read_settings
from graphcert.run.settings.stages import budget_values, norm_values

if TYPE_CHECKING:
    from graphcert.images.unet_training import Marking

_SCHEDULE, _SHAPE = ("steps", "batch", "learning_rate"), ("width", "depth", "cell")


def build_segment_app() -> typer.Typer:
    """The command and the one below it."""
    help = "Certify what a network says about images."
    return command_with_training(segment, train, SegmentSettings, _training_options(), help)


def _training_options() -> list[Parameter]:
    """What a network is trained from, and how."""
    must = {
        "out": (Path, "File to write the network to."), "images": (str, "Folder of training images."),
        "masks": (str, "Folder of their masks: one 8-bit class per pixel."),
    }  # fmt: skip
    may = {
        "sigma": (float, "The largest deviation of the noise, pixel values in [0, 1]; not with --ablate."),
        "names": (str, "Names of the classes, separated by commas."), "steps": (int, "Steps of training (default: 2000)."),
        "batch": (int, "Windows of images per step (default: 8)."),
        "learning_rate": (float, "The highest one (default: 0.004)."),
        "width": (int, "Channels of the first level (default: 32)."), "depth": (int, "Levels of the network (default: 4)."),
        "cell": (int, "Pixels per side that are gathered first (default: 4)."),
    }  # fmt: skip
    return [
        *(argument(name, kind, help, f"--{name}") for name, (kind, help) in must.items()),
        *options_of(SegmentSettings, ("val_images", "val_masks", "void", "select", "ablate", "tile")),
        *(option(name, kind | None, help) for name, (kind, help) in may.items()),
        option("seed", int, "Of weights, windows and noise; same seed, same network.", default=0),
    ]


def segment(context: typer.Context, **given: Any) -> Answer | None:
    """Certify images: `graphcert segment --images DIR --model FILE --sigma 0.25 --out RUN`.

    One sigma is isotropic noise and SegCertify; near:far with --cells adds localized noise and all pixels together. Writes
    pictures, results.csv and report.html.
    """
    if trains(context, given):
        return None
    interrupts.current.writes(given["out"])
    from graphcert.run.images import SegmentRun

    asked = chosen(given, SegmentSettings)
    readers: dict[str, Any] = {
        **{name: partial(near_far, f"--{name}") for name in ("sigma", "select", "ablate")}, "cells": _cells,
        "budgets": partial(norm_values, "--budgets"), "touched": partial(budget_values, "--touched"), "void": _labels,
    }  # fmt: skip
    asked |= {name: read(asked[name]) for name, read in readers.items() if name in asked}
    values = {} if given["settings"] is None else read_settings(given["settings"])
    return certified_inputs(SegmentRun, SegmentSettings.from_dict(values | asked), given, "results.csv")


def train(_: typer.Context, **given: Any) -> Answer:
    """Train a small U-Net under the noise it will be certified with; an interrupt keeps the best weights so far."""
    training_begins()
    from graphcert.images.unet_training import UNetTraining
    from graphcert.run.image_network import train_segmenter
    from graphcert.run.training import training_bar

    held_out, names, void = (given["val_images"], given["val_masks"]), given["names"], given["void"]
    if (held_out[0] is None) != (held_out[1] is None):
        raise InputError("validation needs both --val-images and --val-masks")
    marking = _marking(given)
    training = UNetTraining(**{name: given[name] for name in _SCHEDULE if given[name] is not None})
    with training_bar(training.steps, given["progress"]) as report:
        log = train_segmenter(
            given["out"], (given["images"], given["masks"]), given["sigma"] or 0.0,
            validation=None if held_out[0] is None else held_out,
            names=None if names is None else names.split(","), ignore=None if void is None else _labels(void),
            training=training, shape={name: given[name] for name in _SHAPE if given[name] is not None},
            seed=given["seed"], report=report, marking=marking,
        )[1]  # fmt: skip
    return trained_network(log, given["out"])


def _marking(given: dict[str, Any]) -> "Marking | None":
    """How the network is trained to see selected pixels, from the options."""
    from graphcert.images.unet_training import Marking

    select, ablate, tile = (given[name] for name in ("select", "ablate", "tile"))
    if (given["sigma"] is None) != (ablate is not None) or (select is not None and ablate is not None):
        raise InputError("training needs either --sigma, with --select if only some pixels are noised, or --ablate")
    if select is None and ablate is None:
        if tile is not None:
            raise InputError("tiles are selected together; give --select or --ablate with --tile")
        return None
    name = "--select" if ablate is None else "--ablate"
    rates = near_far(name, select if ablate is None else ablate)
    if len(rates) > 2:
        raise InputError(f"{name} takes a probability, or near:far, got {len(rates)} numbers")
    return Marking(rates[0], rates[-1], 1 if tile is None else tile, ablate is not None)


def near_far(name: str, text: str) -> tuple[float, ...]:
    """A number, or near:far."""
    try:
        return tuple(float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(f"{name} takes a number above 0, or near:far with --cells, got {text!r}") from None


def _cells(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise InputError(f"--cells takes rows × columns such as 3x5, got {text!r}") from None


def _labels(texts: list[str]) -> tuple[int, ...]:
    """Labels, several in one text or one in each."""
    from graphcert.images.image_files import void_labels

    try:
        return void_labels([int(part) for text in texts for part in text.split(",")])
    except InputError:
        raise
    except ValueError:
        raise InputError(f"--void takes labels of masks such as 255 or 11,255, got {' '.join(texts)!r}") from None
