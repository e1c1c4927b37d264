"""What a report of segmentations shows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.images import PixelCounts
from graphcert.images.image_files import COLOURS
from graphcert.images.segmenter import Segmenter
from graphcert.report.frame.wording import number, percent
from graphcert.report.images.claims import Change, Counts, ImageClaims, ImageSettings, Isotropic, Match, changes_of
from graphcert.report.images.pictures import Colour3
from graphcert.tradeoff.base import norm_words

_MOST_PICTURES, _LINES = 12, 5
"""Images whose pictures are put into the page, and budgets in the table."""
_SELECTION = ("select", "ablate", "tile", "touched")
_METHODS = {
    "isotropic": "isotropic", "elastic": "depends on the image", "per_pixel": "each pixel alone",
    "collective": "all pixels together",
}  # fmt: skip


class Curves(NamedTuple):
    """Pixels (B,) of all images that survive changes of some norm, by methods under their names, the weakest first.

    Certified ones, and those of them that have the right class; none without masks.
    """

    certified: Mapping[str, Counts]
    correct: Mapping[str, Counts]


@dataclass(frozen=True, eq=False)
class SegmentationContent:
    """Everything that the page shows.

    Attributes:
        images: (H, W, 3) 8 bits, those that are shown with the first of the claims.
        names, palette: of the classes.
        isotropic: counts of every image under isotropic noise; empty without a comparison.
        match: the noise of the comparison, or None.
        particulars: sections of names and values for the table of settings.
        timings: seconds per stage.
        warnings: sentences the reader must know before believing a number.
        ignores_marks: whether selected pixels are marked, and the network does not look.
    """

    images: Sequence[NDArray[np.uint8]]
    claims: Sequence[ImageClaims]
    names: tuple[str, ...]
    palette: tuple[Colour3, ...]
    settings: ImageSettings
    isotropic: Isotropic = ()
    match: Match | None = None
    particulars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    ignores_marks: bool = False

    @cached_property
    def changes(self) -> list[Change]:
        """The B changes that claims are about."""
        return changes_of(self.settings)

    @cached_property
    def real(self) -> NDArray[np.bool_]:
        """(B,) whether anything changes at all."""
        return np.array([bool(norm) if norm is not None else bool(touched) for norm, touched in self.changes])

    def words(self, change: Change) -> str:
        """A change in words, such as "‖δ‖₂ ≤ 0.1 in ≤ 2 pixels"."""
        if change.touched is None and change.norm is not None:
            return f"‖δ‖₂ ≤ {norm_words(change.norm)}"
        touched = self.touched(change.touched or 0)
        return (
            f"any change of ≤ {touched}" if change.norm is None else f"‖δ‖₂ ≤ {norm_words(change.norm)} in ≤ {touched}"
        )

    def touched(self, count: int) -> str:
        """So many pixels, or tiles."""
        return f"{number(count)} {'pixel' if self.settings.tile is None else 'tile'}{'s' * (count != 1)}"

    @property
    def pixels(self) -> int:
        """How many pixels there are."""
        return sum(one.labels.size for one in self.claims)

    @property
    def labelled(self) -> int:
        """How many pixels have a class in the masks."""
        return sum(int((one.truth >= 0).sum()) for one in self.claims if one.truth is not None)

    @cached_property
    def curves(self) -> Curves:
        """Counts over all images."""
        names, found = dict(_METHODS), []
        if self.settings.cells is None and self.settings.chosen is None:
            names["per_pixel"] = _METHODS["isotropic" if self.settings.elasticity is None else "elastic"]
        for k, counts in enumerate(([one.certified for one in self.claims], [one.correct for one in self.claims])):
            by_method = {method: _summed([one[method] for one in counts]) for method in counts[0]}
            if self.isotropic:
                by_method = {"isotropic": _summed([pair[k] for pair in self.isotropic]), **by_method}
            found.append({names[method]: line for method, line in by_method.items()})
        certified, correct = found
        return Curves(certified, correct if self.labelled else {})

    @property
    def milestones(self) -> tuple[int, ...]:
        """Places of a few budgets, for a table."""
        alive = np.any([counts > 0 for counts in self.curves.certified.values()], axis=0)
        return spread(alive & self.real, _LINES)

    def by_limit(self, counts: Counts) -> list[Counts]:
        """Counts (B,) for each limit of touched pixels, over the norms."""
        return np.split(counts, len(self.settings.limits()))

    @property
    def per_pixel(self) -> Counts:
        """(B,) pixels that are certified each alone."""
        return _summed([one.certified["per_pixel"] for one in self.claims])

    def counts(self, found: ImageClaims) -> PixelCounts | None:
        """Pixels of an image by class with those that SegCertify claims; None where no pixel has a true class."""
        return found.counts(found.kept, len(self.names))

    @property
    def facts(self) -> list[tuple[str, str, str]]:
        """Value, name and note of the numbers to remember."""
        return [*self._at_budgets(), *self._claimed()]

    @property
    def segcertified(self) -> str:
        """Which changes the pixels that SegCertify claims survive."""
        limits = self.settings.limits()
        if not limits:
            return f"no change with ‖δ‖₂ ≤ {radius_words([one.radius for one in self.claims])} alters these classes"
        found = [
            self.words(Change(radius if self.settings.norms() else None, limit))
            for limit, radius in zip(limits, self.claims[0].radii, strict=True)
            if radius and limit
        ]
        return f"these classes survive {' or '.join(found)}" if found else "no change is certified at this τ"

    def _at_budgets(self) -> list[tuple[str, str, str]]:
        """What the strongest method certifies at the first budget above 0 and, if collective, where it gains most."""
        curves = self.curves.certified
        *_, strongest = curves
        changed = np.flatnonzero(self.real)
        if not changed.size:
            return []
        places = [int(changed[0])]
        if strongest == _METHODS["collective"]:
            places.append(int(changed[(curves[strongest] - self.per_pixel)[changed].argmax()]))
        facts = []
        for k in dict.fromkeys(places):
            count = int(curves[strongest][k])
            note = f"{number(count)} of {number(self.pixels)}"
            if len(curves) > 1:
                others = [f"{m} {percent(int(line[k]), self.pixels)}" for m, line in curves.items() if m != strongest]
                note += f", {strongest}; {', '.join(others)}"
            name = f"of the pixels certified against {self.words(self.changes[k])}"
            facts.append((percent(count, self.pixels), name, note))
        return facts

    def _claimed(self) -> list[tuple[str, str, str]]:
        """What SegCertify claims, and how much of that is right."""
        kept = percent(sum(int(one.kept.sum()) for one in self.claims), self.pixels)
        note = f"at τ = {self.settings.tau:g}; {self.segcertified}"
        facts = [(kept, "claimed by SegCertify", note)]
        known = [counts for one in self.claims if (counts := self.counts(one)) is not None]
        if known:
            total: PixelCounts = reduce(add, known)
            right, both = percent(int(total.hits.sum()), total.pixels), int(total.certified_hits.sum())
            note = f"of {number(total.pixels)} pixels with a true class; pixel accuracy {right}"
            note += f", mean IoU {rounded_down(total.mean_iou)}"
            facts.append((percent(both, total.pixels), "claimed and correct", note))
        return facts


def report_content(
    images: Sequence[NDArray[np.uint8]], claims: Sequence[ImageClaims], segmenter: Segmenter, settings: ImageSettings,
    isotropic: Isotropic, match: Match | None, provenance: Mapping[str, Any], timings: Mapping[str, float],
    warnings: tuple[str, ...] = (),
) -> SegmentationContent:  # fmt: skip
    """What the report of a run shows, `images` and `claims` being about the same images."""
    described, network = settings.to_dict(), segmenter.model
    cells = None if settings.cells is None else f"{settings.cells[0]} × {settings.cells[1]}"
    names = ("elasticity", "neighbours", "train_images") if settings.elasticity is not None else ()
    elastic = {str(key): described[key] for key in (*names, *(key for key in _SELECTION if key in described))}
    particulars = {
        "images": {key: described.get(key) for key in ("images", "masks", "limit")},
        "noise": {"σ": described["sigma"] or None, "cells": cells, "on the 8-bit lattice": settings.lattice, **elastic},
        "network": {
            "file": described["model"], "width": network.width, "depth": network.depth,
            "trained up to σ": segmenter.sigma or None, "sha256": provenance.get("model"),
        },
        "sampling": {key: described[key] for key in ("samples", "pilot_samples", "seed")},
        "certificate": {
            **{key: described[key] for key in ("tau", "alpha", "method")}, "errors tolerated": settings.errors or None,
        },
        "environment": {key: provenance.get(key) for key in ("graphcert", "python", "torch", "numpy", "machine")},
    }  # fmt: skip
    return SegmentationContent(
        tuple(images[:_MOST_PICTURES]), claims, segmenter.names, segmenter.palette, settings, isotropic, match,
        particulars, timings, warnings, settings.chosen is not None and network.channels == COLOURS,
    )  # fmt: skip


def spread(alive: NDArray[np.bool_], count: int) -> tuple[int, ...]:
    """Places of so many budgets above 0, evenly spread over those that are alive, the last of them included."""
    places = np.flatnonzero(alive[1:]) + 1
    chosen = np.arange(1, count + 1) * len(places) // count - 1
    return tuple(sorted({int(places[k]) for k in chosen if k >= 0}))


def radius_words(radii: Sequence[float], digits: int = 4) -> str:
    """The radius of all images, or the smallest one if they differ."""
    words = norm_words(min(radii), digits)
    return words if min(radii) == max(radii) else f"{words} (or more, by image)"


def rounded_down(share: float) -> str:
    """Three decimals of a share."""
    return f"{math.floor(1000 * share) / 1000:.3f}"


def _summed(counts: Sequence[Counts]) -> Counts:
    return np.asarray(np.sum(counts, axis=0))
