"""What the report of a run shows."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.report.frame.wording import NOTHING, number, percent
from graphcert.report.images.content import (
    Counts,
    Curves,
    ImageClaims,
    ImageSettings,
    Mask,
    Match,
    Piece,
    SegmentationContent,
)
from graphcert.report.images.page import conditions, guarantees, method_name, noise_words, notices, radius_words
from graphcert.segmentation import PixelCounts
from graphcert.segmentation.checkpoint import Segmenter
from graphcert.segmentation.void import NO_LABELLED_PIXEL
from graphcert.tradeoff.base import norm_words

_MOST_PIECES = 12
"""Images whose pictures are put into the page."""
_BESIDE = 2
"""Budgets shown as pictures besides the radius of SegCertify."""
_LINES = 5
"""Budgets in the table."""

Fact = tuple[str, str, str]
Isotropic = Sequence[tuple[Counts, Counts]]
"""(B,) certified pixels of every image, and those of them that are correct."""


def report_content(
    images: Sequence[NDArray[np.uint8]],
    judgements: Sequence[ImageClaims],
    segmenter: Segmenter,
    settings: ImageSettings,
    isotropic: Isotropic,
    match: Match | None,
    provenance: Mapping[str, Any],
    timings: Mapping[str, float],
) -> SegmentationContent:
    """Put everything together.

    Args:
        images, judgements: of the same images.
        isotropic: (B,) certified and correct pixels of every image under isotropic noise; empty without a comparison.
        match: the noise of the comparison, or None.
        provenance, timings: for the settings.
    """
    curves = _curves(judgements, settings, isotropic)
    pairs = list(zip(images, judgements, strict=True))[:_MOST_PIECES]
    count, classes, known = len(judgements), segmenter.model.classes, curves.labelled > 0
    elastic = settings.elasticity is not None
    drawn = _spread(_summed([one.certified["alone"] for one in judgements]) > 0, _BESIDE)
    return SegmentationContent(
        title="Certified segmentation",
        subtitle=[
            f"{number(count)} image{'s' * (count > 1)}",
            noise_words(settings),
            f"τ = {settings.tau:g}",
            f"α = {settings.alpha:g} per image",
        ],
        notices=notices(settings),
        facts=[*_at_budgets(curves), *_claimed(judgements, classes, settings, curves)],
        names=segmenter.names,
        palette=segmenter.palette,
        pieces=tuple(_piece(image, found, classes, settings, drawn) for image, found in pairs),
        curves=curves,
        guarantee=guarantees(settings, [one.radius for one in judgements], "together" in curves.certified),
        conditions=conditions(settings, [one.sigma for one in judgements], match),
        header=_header(known, elastic),
        rows=[_row(found, classes, known, elastic) for found in judgements],
        settings=_settings(settings, segmenter, provenance),
        timings=timings,
    )


def _curves(judgements: Sequence[ImageClaims], settings: ImageSettings, isotropic: Isotropic) -> Curves:
    """Counts over all images; the weakest method first."""
    certified, correct = (
        {method: _summed([one[method] for one in found]) for method in found[0]}
        for found in ([judgement.certified for judgement in judgements], [one.correct for one in judgements])
    )
    if settings.cells is None:
        name = "isotropic" if settings.elasticity is None else "elastic"
        certified, correct = ({name: found["alone"]} if found else {} for found in (certified, correct))
    if isotropic:
        certified = {"isotropic": _summed([pair[0] for pair in isotropic]), **certified}
        correct = {"isotropic": _summed([pair[1] for pair in isotropic]), **correct}
    labelled = sum(int((one.truth >= 0).sum()) for one in judgements if one.truth is not None)
    return Curves(
        budgets=np.array(settings.norms()),
        certified=certified,
        correct=correct if labelled else {},
        pixels=sum(one.labels.size for one in judgements),
        labelled=labelled,
        milestones=_spread(np.any([counts > 0 for counts in certified.values()], axis=0), _LINES),
    )


def _spread(alive: NDArray[np.bool_], count: int) -> tuple[int, ...]:
    """Places of so many budgets above 0, evenly spread over those that are alive, the last of them included."""
    places = np.flatnonzero(alive[1:]) + 1
    chosen = np.arange(1, count + 1) * len(places) // count - 1
    return tuple(sorted({int(places[k]) for k in chosen if k >= 0}))


def _summed(counts: Sequence[Counts]) -> Counts:
    return np.asarray(np.sum(counts, axis=0))


def _piece(
    image: NDArray[np.uint8], found: ImageClaims, classes: int, settings: ImageSettings, drawn: tuple[int, ...]
) -> Piece:
    norms = settings.norms()
    masks = [(f"SegCertify, ‖δ‖₂ ≤ {norm_words(found.radius)}", found.kept)]
    masks += [(f"‖δ‖₂ ≤ {norm_words(norms[k])}", found.alone[k]) for k in drawn]
    words = f"{percent(int(found.kept.sum()), found.kept.size)} of the pixels claimed at τ = {settings.tau:g}"
    counts = found.counts(found.kept, classes)
    if found.void:
        words = f"{NO_LABELLED_PIXEL}; {words}"
    elif counts is not None:
        right = percent(int(counts.hits.sum()), counts.pixels)
        words = f"{right} of the labelled pixels right, mean IoU {_floor(counts.mean_iou)}; {words}"
    return Piece(found.name, image, found.truth, found.labels, tuple(masks), words)


def _at_budgets(curves: Curves) -> list[Fact]:
    """What the strongest method certifies at the first budget above 0 and, of all pixels together, where it gains most."""
    weakest, *_, strongest = (*curves.certified, *curves.certified)
    changed = np.flatnonzero(curves.budgets > 0)
    if not changed.size:
        return []
    counts = curves.certified[strongest]
    places = [int(changed[0])]
    if strongest == "together":
        places.append(int(changed[(counts - curves.certified["alone"])[changed].argmax()]))
    facts = []
    for k in dict.fromkeys(places):
        note = f"{number(int(counts[k]))} of {number(curves.pixels)}"
        if weakest != strongest:
            others = {method_name(m): line for m, line in curves.certified.items() if m != strongest}
            shares = [f"{name} {percent(int(line[k]), curves.pixels)}" for name, line in others.items()]
            note += f", {method_name(strongest)}; {', '.join(shares)}"
        name = f"of the pixels certified against ‖δ‖₂ ≤ {norm_words(float(curves.budgets[k]))}"
        facts.append((percent(int(counts[k]), curves.pixels), name, note))
    return facts


def _claimed(judgements: Sequence[ImageClaims], classes: int, settings: ImageSettings, curves: Curves) -> list[Fact]:
    """What SegCertify claims, and how much of that is right."""
    kept, radius = sum(int(one.kept.sum()) for one in judgements), radius_words([one.radius for one in judgements])
    facts = [
        (
            percent(kept, curves.pixels),
            "claimed by SegCertify",
            f"at τ = {settings.tau:g}; no change with ‖δ‖₂ ≤ {radius} alters these classes",
        )
    ]
    known = [counts for one in judgements if (counts := one.counts(one.kept, classes)) is not None]
    if known:
        total: PixelCounts = reduce(add, known)
        right, both = percent(int(total.hits.sum()), total.pixels), int(total.certified_hits.sum())
        note = f"of {number(total.pixels)} pixels with a true class; pixel accuracy {right}"
        facts.append((percent(both, total.pixels), "claimed and correct", f"{note}, mean IoU {_floor(total.mean_iou)}"))
    return facts


def _header(known: bool, elastic: bool) -> list[str]:
    noise = ["σ", "radius"] * elastic
    return ["image", *noise, "abstained", "claimed", *(["pixel accuracy", "claimed and correct", "mean IoU"] * known)]


def _row(found: ImageClaims, classes: int, known: bool, elastic: bool) -> list[str]:
    kept, pixels = int(found.kept.sum()), found.kept.size
    noise = [f"{found.sigma:.4g}", norm_words(found.radius)] * elastic
    cells = [found.name, *noise, percent(pixels - kept, pixels), percent(kept, pixels)]
    counts = found.counts(found.kept, classes)
    if counts is None:
        return [*cells, *([NOTHING] * 3 * known)]
    shares = [percent(int(part.sum()), counts.pixels) for part in (counts.hits, counts.certified_hits)]
    return [*cells, *shares, _floor(counts.mean_iou)]


def _floor(share: float) -> str:
    """Three decimals, rounded down."""
    return f"{math.floor(1000 * share) / 1000:.3f}"


def _settings(
    settings: ImageSettings, segmenter: Segmenter, provenance: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """The sections of the table of settings."""
    described, network = settings.to_dict(), segmenter.model
    cells = None if settings.cells is None else f"{settings.cells[0]} × {settings.cells[1]}"
    names = ("elasticity", "neighbours", "train_images") if settings.elasticity is not None else ()
    elastic = {str(key): described[key] for key in names}
    return {
        "images": {key: described.get(key) for key in ("images", "masks", "limit")},
        "noise": {"σ": described["sigma"], "cells": cells, "on the 8-bit lattice": settings.lattice, **elastic},
        "network": {
            "file": settings.model, "width": network.width, "depth": network.depth,
            "trained up to σ": segmenter.sigma, "sha256": provenance["model"],
        },
        "sampling": {key: described[key] for key in ("samples", "pilot_samples", "seed")},
        "certificate": {
            **{key: described[key] for key in ("tau", "alpha", "method")}, "errors tolerated": settings.errors or None,
        },
        "environment": {key: provenance[key] for key in ("graphcert", "python", "torch", "numpy", "machine")},
    }  # fmt: skip


HEADER = (
    "image", "sigma", "budget", "claim", "pixels", "labelled", "pixel_accuracy", "miou", "abstained", "certified",
    "certified_accuracy", "certified_miou", "together_certified", "together_accuracy", "together_miou",
    "isotropic_certified", "isotropic_accuracy",
)  # fmt: skip

Row = dict[str, Any]


def results_table(
    judgements: Sequence[ImageClaims], settings: ImageSettings, classes: int, isotropic: Isotropic = ()
) -> str:
    """CSV text; shares are of all pixels, accuracies of those with a true class, empty where nothing is known.

    The certified mean IoU is the smallest that a change within the budget can bring about (`PixelCounts`); `sigma` is the
    smallest deviation of the noise on the image. The first row of an image is about SegCertify at its own radius, the
    others about the bounds of all pixels.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, HEADER, lineterminator="\n")
    writer.writeheader()
    for k, found in enumerate(judgements):
        writer.writerow(_csv_row(found, found.radius, "segcertify", found.kept, classes))
        for b, budget in enumerate(settings.norms()):
            row = _csv_row(found, budget, "simultaneous", found.alone[b], classes)
            if "together" in found.certified:
                correct = int(found.correct["together"][b]) if "together" in found.correct else None
                row |= _shares(row, "together", int(found.certified["together"][b]), correct)
                counts = found.counts(found.alone[b], classes)
                if counts is not None:
                    changes = found.labels.size - int(found.certified["together"][b])
                    row["together_miou"] = counts.mean_iou_after(changes)
            if isotropic:
                row |= _shares(row, "isotropic", int(isotropic[k][0][b]), int(isotropic[k][1][b]))
            writer.writerow(row)
    return stream.getvalue()


def _shares(row: Row, method: str, certified: int, correct: int | None) -> Row:
    """The columns of another method about the same pixels."""
    found: Row = {f"{method}_certified": certified / row["pixels"]}
    if correct is not None and "labelled" in row:
        found[f"{method}_accuracy"] = correct / row["labelled"]
    return found


def _csv_row(found: ImageClaims, budget: float, claim: str, shown: Mask, classes: int) -> Row:
    pixels, certified = shown.size, int(shown.sum())
    row: Row = {"image": found.name, "sigma": found.sigma, "budget": budget, "claim": claim, "pixels": pixels}
    row |= {"abstained": (pixels - certified) / pixels, "certified": certified / pixels}
    counts = found.counts(shown, classes)
    if counts is not None:
        row |= {"labelled": counts.pixels, "pixel_accuracy": counts.accuracy, "miou": counts.mean_iou}
        row |= {"certified_accuracy": counts.certified_accuracy, "certified_miou": counts.mean_iou_lower}
    return row
