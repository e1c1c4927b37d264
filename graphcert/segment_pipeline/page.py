"""What the report of a run shows."""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.config import norm_words
from graphcert.report.segmentation import Curves, Piece, SegmentationContent
from graphcert.report.segmentation.sections import method_name
from graphcert.report.wording import NOTHING, number, percent
from graphcert.segment_pipeline.judge import Integers, Judgement
from graphcert.segment_pipeline.settings import SegmentSettings
from graphcert.segment_pipeline.statements import Match, conditions, guarantees, noise_words, notices, radius_words
from graphcert.segmentation import PixelCounts
from graphcert.segmentation.checkpoint import Segmenter
from graphcert.segmentation.void import NO_LABELLED_PIXEL

_MOST_PIECES = 12
"""Images whose pictures are put into the page."""
_BESIDE = 2
"""Budgets shown as pictures besides the radius of SegCertify."""
_LINES = 5
"""Budgets in the table."""

Fact = tuple[str, str, str]
Isotropic = Sequence[tuple[Integers, Integers]]


def report_content(
    images: Sequence[NDArray[np.uint8]],
    judgements: Sequence[Judgement],
    segmenter: Segmenter,
    settings: SegmentSettings,
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


def _curves(judgements: Sequence[Judgement], settings: SegmentSettings, isotropic: Isotropic) -> Curves:
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


def _summed(counts: Sequence[Integers]) -> Integers:
    return np.asarray(np.sum(counts, axis=0))


def _piece(
    image: NDArray[np.uint8], found: Judgement, classes: int, settings: SegmentSettings, drawn: tuple[int, ...]
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


def _claimed(judgements: Sequence[Judgement], classes: int, settings: SegmentSettings, curves: Curves) -> list[Fact]:
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


def _row(found: Judgement, classes: int, known: bool, elastic: bool) -> list[str]:
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
    settings: SegmentSettings, segmenter: Segmenter, provenance: Mapping[str, Any]
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
