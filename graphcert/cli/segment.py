"""The command `graphcert segment`: certify images, and train a network for it."""

import sys
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.given import refuse
from graphcert.cli.options import LookAgain
from graphcert.errors import InputError

app = typer.Typer(invoke_without_command=True, add_completion=False, help="Certify what a network says about images.")


Void = Annotated[
    list[str] | None,
    typer.Option("--void", "--ignore", help="Labels of masks that say nothing: 255, or 11,255; may be repeated."),
]


@app.callback()
def segment(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; an interrupted run continues there.")] = None,
    settings: Annotated[
        Path | None, typer.Option("--config", help="A file of settings (TOML, see experiments/); options go before it.")
    ] = None,
    images: Annotated[str | None, typer.Option(help="Folder of images.")] = None,
    masks: Annotated[
        str | None, typer.Option(help="Folder of masks of the same names: one 8-bit class per pixel.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help='File of a network from `graphcert segment train`; "unet" trains one first, with --train-….'),
    ] = None,
    train_images: Annotated[
        str | None, typer.Option(help="Training images, for --model unet and --elasticity.")
    ] = None,
    train_masks: Annotated[str | None, typer.Option(help="Their masks, for --model unet.")] = None,
    val_images: Annotated[str | None, typer.Option(help="Images that choose the weights to keep.")] = None,
    val_masks: Annotated[str | None, typer.Option(help="Their masks.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of training, for --model unet (default: 2000).")] = None,
    sigma: Annotated[
        str | None,
        typer.Option(help="Deviation of the noise, pixel values in [0, 1]; near:far with --cells.", metavar="SIGMA"),
    ] = None,
    cells: Annotated[
        str | None, typer.Option(help="Cells of localized noise, rows × columns such as 3x5.", metavar="ROWSxCOLUMNS")
    ] = None,
    elasticity: Annotated[
        float | None,
        typer.Option(
            help="r of noise that grows with the distance to the training images, such as 0.003; see the docs."
        ),
    ] = None,
    neighbours: Annotated[
        int | None, typer.Option(help="Training images whose distances count, with --elasticity (default: 20).")
    ] = None,
    lattice: Annotated[
        bool | None, typer.Option("--lattice/--no-lattice", help="Noise in whole 8-bit steps (default): exact claims.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Noisy images that bound probabilities (default: 1000).")] = None,
    pilot_samples: Annotated[int | None, typer.Option(help="Noisy images that choose classes (default: 100).")] = None,
    tau: Annotated[float | None, typer.Option(help="τ of SegCertify, from 1/2 to 1 (default: 0.75).")] = None,
    alpha: Annotated[float | None, typer.Option(help="Error rate of each family of claims, per image.")] = None,
    method: Annotated[str | None, typer.Option(help="SegCertify by holm (default) or bonferroni.")] = None,
    errors: Annotated[int | None, typer.Option(help="Wrong claims of SegCertify to tolerate per image.")] = None,
    budgets: Annotated[
        str | None, typer.Option(help='ℓ2 norms of the curves: "0.1,0.2,0.5" or first:last:step "0:1:0.1".')
    ] = None,
    collective: Annotated[
        bool | None, typer.Option("--collective/--alone", help="Certify all pixels together (with --cells).")
    ] = None,
    compare: Annotated[
        bool | None, typer.Option("--compare", help="Also vote under isotropic noise at equal pixel accuracy.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many images by name.")] = None,
    void: Void = None,
    seed: Annotated[int | None, typer.Option(help="Of the noise; same seed, same result.")] = None,
    look_again: LookAgain = False,
    workers: Annotated[int | None, typer.Option(help="Threads (default: one per processor).")] = None,
) -> None:
    """Certify images: `graphcert segment --images DIR --model FILE --sigma 0.25 --out RUN`.

    One sigma is isotropic noise and SegCertify; near:far with --cells adds localized noise and all pixels together. Writes
    pictures, results.csv and report.html.
    """
    if context.invoked_subcommand is not None:
        refuse(context, set(context.params), "{flags} before train would be ignored; name all options after it")
        return
    if out is None:
        raise InputError("name the folder of the run with --out, or train a network with `graphcert segment train`")
    interrupts.current.writes(out)
    from graphcert.run.images import SegmentRun
    from graphcert.run.settings.image_run import SegmentSettings, read_settings

    given: dict[str, Any] = {
        name: value
        for name in (field.name for field in fields(SegmentSettings))
        if (value := context.params.get(name)) not in (None, [], ())
    }
    readers: dict[str, Any] = {"sigma": _deviations, "cells": _cells, "budgets": _norms, "void": _labels}
    given |= {name: read(given[name]) for name, read in readers.items() if name in given}
    values = {} if settings is None else read_settings(settings)
    run = SegmentRun(out, workers=workers, progress=sys.stderr.isatty(), say=_say)
    content = run.certify(SegmentSettings.from_dict(values | given), look_again)
    for value, name, note in content.facts:
        typer.echo(f"{value:>8}  {name}: {note}")
    typer.echo(f"table: {run.path('results.csv')}")
    typer.echo(f"report: {run.path('report.html')}")


@app.command("train")
def train_command(
    out: Annotated[Path, typer.Option(help="File to write the network to.")],
    images: Annotated[str, typer.Option(help="Folder of training images.")],
    masks: Annotated[str, typer.Option(help="Folder of their masks: one 8-bit class per pixel.")],
    sigma: Annotated[float, typer.Option(help="The largest deviation of the noise, pixel values in [0, 1].")],
    val_images: Annotated[str | None, typer.Option(help="Images that choose the weights to keep.")] = None,
    val_masks: Annotated[str | None, typer.Option(help="Their masks.")] = None,
    names: Annotated[str | None, typer.Option(help="Names of the classes, separated by commas.")] = None,
    void: Void = None,
    steps: Annotated[int | None, typer.Option(help="Steps of training (default: 2000).")] = None,
    batch: Annotated[int | None, typer.Option(help="Windows of images per step (default: 8).")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The highest one (default: 0.004).")] = None,
    width: Annotated[int | None, typer.Option(help="Channels of the first level (default: 32).")] = None,
    depth: Annotated[int | None, typer.Option(help="Levels of the network (default: 4).")] = None,
    cell: Annotated[int | None, typer.Option(help="Pixels per side that are gathered first (default: 4).")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, windows and noise; same seed, same network.")] = 0,
) -> None:
    """Train a small U-Net under the noise it will be certified with; an interrupt keeps the best weights so far."""
    interrupts.current.advice = "training cannot be continued, start it again with"
    interrupts.current.patience = 20  # for the step at hand and the file
    from graphcert.run.image_network import train_segmenter, training_bar, training_words
    from graphcert.segmentation.unet_training import UNetTraining

    if (val_images is None) != (val_masks is None):
        raise InputError("validation needs both --val-images and --val-masks")
    schedule: dict[str, Any] = {"steps": steps, "batch": batch, "learning_rate": learning_rate}
    training = UNetTraining(**{key: value for key, value in schedule.items() if value is not None})
    shape = {"width": width, "depth": depth, "cell": cell}
    with training_bar(training.steps, sys.stderr.isatty()) as report:
        _, log = train_segmenter(
            out, (images, masks), sigma,
            validation=None if val_images is None or val_masks is None else (val_images, val_masks),
            names=None if names is None else names.split(","), ignore=None if void is None else _labels(void),
            training=training,
            shape={key: value for key, value in shape.items() if value is not None}, seed=seed, report=report,
        )  # fmt: skip
    for words in training_words(log):
        _say(words)
    typer.echo(f"network: {out} (weights of step {log.best_step})")


def _deviations(text: str) -> tuple[float, ...]:
    """A number, or near:far."""
    try:
        return tuple(float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(f"--sigma takes a number above 0, or near:far with --cells, got {text!r}") from None


def _cells(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise InputError(f"--cells takes rows × columns such as 3x5, got {text!r}") from None


def _labels(texts: list[str]) -> tuple[int, ...]:
    """Labels, several in one text or one in each."""
    from graphcert.segmentation.void import void_labels

    try:
        return void_labels([int(part) for text in texts for part in text.split(",")])
    except InputError:
        raise
    except ValueError:
        raise InputError(f"--void takes labels of masks such as 255 or 11,255, got {' '.join(texts)!r}") from None


def _norms(text: str) -> tuple[float, ...]:
    from graphcert.run.settings.sweeps import norm_values

    return norm_values("--budgets", text)


def _say(line: str) -> None:
    typer.echo(line, err=True)
