"""Street images of CamVid: SegCertify, localized noise with all pixels together, and tiles of which few may change."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from graphcert.experiments.experiment import Cell, Experiment, Lines, Published, Row, Table
from graphcert.experiments.grid import data_folder
from graphcert.experiments.steps import average_radius, many_claims
from graphcert.experiments.views import chosen, grouped, spread, spread_words
from graphcert.images import PixelCounts
from graphcert.images.unet_training import Marking, UNetTraining
from graphcert.report.images.content import SegmentationContent
from graphcert.run.image_network import train_segmenter
from graphcert.run.images import SegmentRun
from graphcert.run.settings.image_run import SegmentSettings

SIGMA, NEAR_FAR, CELLS = 0.25, (0.15, 0.5), (3, 5)
SELECT, TILE, TOUCHED = 0.9, 12, (1, 2, 3)
NORMS = tuple(round(0.05 * k, 2) for k in range(10))

ISOTROPIC, EQUAL = f"isotropic, σ = {SIGMA:g}", "isotropic at equal accuracy"
LOCALIZED, TILES = "localized, σ = {:g} to {:g}".format(*NEAR_FAR), f"tiles, selected {SELECT:g}, σ = {SIGMA:g}"
ALONE, TOGETHER = f"{LOCALIZED}, each pixel alone", f"{LOCALIZED}, all pixels together"
EVERYWHERE, FEW = "any pixels change", "few tiles change"


def cells(fast: bool, seeds: int) -> list[Cell]:
    """Two networks per seed: one for isotropic and localized noise, and one that sees which tiles are noised."""
    sizes = {"images": 1, "steps": 8, "samples": 80, "pilot": 10, "cells": [1, 2]}
    if not fast:
        sizes = {"images": 3, "steps": 300, "samples": 300, "pilot": 30, "cells": list(CELLS)}
    return [{"change": change, "seed": seed, **sizes} for seed in range(seeds) for change in (EVERYWHERE, FEW)]


def measure(cell: Cell, workers: int | None) -> list[Row]:
    """Train a network, and run `graphcert segment` with it."""
    with TemporaryDirectory() as place, many_claims():
        return list(_runs(cell, Path(place), workers))


def _runs(cell: Cell, folder: Path, workers: int | None) -> Iterator[Row]:
    places = {kind: data_folder("camvid") / kind for kind in ("train", "val", "test")}
    pairs = {kind: (str(place / "images"), str(place / "masks")) for kind, place in places.items()}
    few, network = cell["change"] == FEW, folder / "unet.pt"
    train_segmenter(
        network, pairs["train"], SIGMA if few else NEAR_FAR[1], validation=pairs["val"],
        training=UNetTraining(steps=cell["steps"]), seed=cell["seed"],
        marking=Marking(SELECT, SELECT, TILE) if few else None,
    )  # fmt: skip
    common = {
        "images": pairs["test"][0], "masks": pairs["test"][1], "model": str(network), "samples": cell["samples"],
        "pilot_samples": cell["pilot"], "tau": 0.75, "alpha": 0.01, "budgets": NORMS, "limit": cell["images"],
        "seed": cell["seed"],
    }  # fmt: skip
    asked: Mapping[str, dict[str, Any]] = {
        ISOTROPIC: {"sigma": SIGMA},
        LOCALIZED: {"sigma": NEAR_FAR, "cells": cell["cells"], "compare": True},
    }
    if few:
        asked = {TILES: {"sigma": SIGMA, "select": SELECT, "tile": TILE, "touched": TOUCHED}}
    for number, (noise, settings) in enumerate(asked.items()):
        run = SegmentRun(folder / str(number), workers=workers)
        content = run.certify(SegmentSettings.from_dict({**common, **settings}))
        yield from _rows(content, noise, {"data": "CamVid", "changes": cell["change"], "seed": cell["seed"]})


def _rows(content: SegmentationContent, noise: str, about: Row) -> Iterator[Row]:
    """What SegCertify claims of all images, and how many of their pixels survive changes of every norm."""
    known = [counts for one in content.claims if (counts := content.counts(one)) is not None]
    total: PixelCounts = reduce(add, known)
    shares = {
        "accuracy": total.accuracy, "mean IoU": total.mean_iou, "abstained": total.open_ratio,
        "claimed and correct": total.certified_accuracy,
    }  # fmt: skip
    yield from ({**about, "noise": noise, "measured": name, "share": share} for name, share in shares.items())
    if content.match is not None:
        yield {**about, "noise": EQUAL, "measured": "accuracy", "share": content.match.isotropic}
    for place, limit in enumerate(content.settings.limits() or (None,)):
        smallest = min(one.radii[place] for one in content.claims)
        touched = "any" if limit is None else f"≤ {limit}"
        yield {**about, "noise": noise, "tiles touched": touched, "radius of SegCertify": smallest}
    for method, correct in content.curves.correct.items():
        curves: dict[str, list[tuple[float, float]]] = {}
        for change, count in zip(content.changes, correct.tolist(), strict=True):
            line = f"≤ {change.touched} of the {noise}" if change.touched else _line(noise, method)
            curves.setdefault(line, []).append((float(change.norm or 0.0), count / content.labelled))
        for line, curve in curves.items():
            yield {**about, "method": line, "average radius": average_radius(curve)}
            for norm, share in curve:
                yield {**about, "method": line, "norm": norm, "certified accuracy": share}


def _line(noise: str, method: str) -> str:
    """The name of a curve: under isotropic noise every pixel is certified alone."""
    if method == "isotropic":
        return ISOTROPIC if noise == ISOTROPIC else EQUAL
    return f"{noise}, {method}"


def findings(rows: Sequence[Row]) -> list[str]:
    """What certifying all pixels together gains, against each alone and against isotropic noise at equal accuracy."""
    sentences = []
    for rival in (ALONE, EQUAL):
        gains = {}
        for (norm,) in grouped(chosen(rows, {"method": TOGETHER}), ("norm",)):
            ours, other = (
                spread(chosen(rows, {"method": name, "norm": norm}), "certified accuracy") for name in (TOGETHER, rival)
            )
            if ours is not None and other is not None:
                gains[norm] = 100 * (ours.mean - other.mean)
        best, worst = (choose(gains, key=lambda norm: gains[norm]) for choose in (max, min))
        sentences.append(
            f"{TOGETHER}, against {rival}: more certified accuracy at {sum(gain > 0 for gain in gains.values())} of "
            f"{len(gains)} norms, from {gains[worst]:+.1f} points at {worst:g} to {gains[best]:+.1f} at {best:g}; average "
            f"radius {_radius(rows, TOGETHER)} against {_radius(rows, rival)}."
        )
    sentences.append(
        "The published figures are about Pascal-VOC and Cityscapes, large networks and 10,000 samples and more; ours are "
        "about few small images, a U-Net that was trained for minutes and 300 samples. They do not compare methods."
    )
    return sentences


def _radius(rows: Sequence[Row], method: str) -> str:
    return spread_words(chosen(rows, {"method": method}), "average radius", percent=False)


EXPERIMENT = Experiment(
    name="camvid",
    title="Segmentation of street images: isotropic noise, localized noise and tiles",
    paper="Fischer, Baader, Vechev: Scalable Certified Segmentation via Randomized Smoothing (ICML 2021); localized noise "
    "after Schuchardt et al. (ICLR 2023), tiles after Scholten et al. (NeurIPS 2023)",
    cells=cells,
    measure=measure,
    tables=(
        Table("The smoothed network, and what SegCertify claims at τ = 0.75", ("noise",), "measured", "share"),
        Table(
            "Certified accuracy of labelled pixels, by the ℓ2 norm of a change", ("method",), "norm", "certified accuracy"
        ),
        Table(
            "Average radius of labelled pixels, in percent of the range of pixel values", ("method",), "data",
            "average radius",
        ),
    ),
    plots=(
        Lines(
            "curves", "Certified accuracy of labelled pixels against the ℓ2 norm of a change", "norm",
            "certified accuracy", "method", "changes",
        ),
    ),
    published=(
        Published(
            "Pascal-VOC, certified accuracy by norm; localized σ = 0.15 to 1, isotropic σ = 0.2",
            "data of Schuchardt et al. 2023, figure 3, in shares",
            ("method", "0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.8", "1"),
            (
                ("localized, linear program", ".836", ".800", ".759", ".706", ".640", ".501", ".410", ".238", ".071"),
                ("localized, each pixel alone", ".836", ".792", ".735", ".649", ".513", "0", "0", "0", "0"),
                ("isotropic, largest radius per pixel", ".839", ".806", ".759", ".704", ".631", ".536", ".002", "0", "0"),
            ),
        ),
        Published(
            "Pascal-VOC, average certifiable radius", "data of Schuchardt et al. 2023, figure 4",
            ("noise", "mean IoU", "linear program", "each pixel alone"),
            (
                ("localized, σ = 0.09 to 0.2", ".524", ".252", ".233"),
                ("isotropic, σ = 0.07", ".521", "–", ".184"),
                ("localized, σ = 0.15 to 0.4", ".347", ".395", ".335"),
                ("isotropic, σ = 0.15", ".385", "–", ".339"),
            ),
        ),
        Published(
            "Cityscapes, SegCertify, σ = 0.25", "second-hand: a summary of Anani et al., ICML 2024",
            ("network", "accuracy without noise", "certified accuracy", "abstained"),
            (("HRNetV2", ".90", "≈ .89", "7 %"),),
        ),
    ),
    setting="CamVid at 240 × 180 pixels, 11 classes. A small U-Net is trained for 300 steps on 120 images under the noise "
    "it votes under; the first 3 test images, the same for every seed; 300 samples, noise on the 8-bit lattice, α = 0.01 "
    "per image for SegCertify and again for the bounds of all pixels. Localized noise has 3 × 5 cells and is compared with "
    "isotropic noise under which as many pixels are right. Tiles of 12 × 12 pixels are noised with probability 0.9, and "
    "the network sees which.",
    findings=findings,
    needs=lambda fast: ("camvid",),
)  # fmt: skip
