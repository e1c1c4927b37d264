"""What a report of clouds of points shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np

from graphcert.core.arrays import Floats
from graphcert.images import PixelCounts
from graphcert.report.frame.wording import number, percent
from graphcert.report.images.claims import Counts, ImageClaims
from graphcert.report.images.content import Curves, rounded_down, spread
from graphcert.report.images.pictures import Colour3
from graphcert.report.points.claims import PointSettings, degrees_of
from graphcert.tradeoff.base import norm_words

_LINES, _BESIDE = 5, 2
"""Budgets in the table, and budgets that are drawn besides SegCertify's."""
ALONE, TOGETHER = "each point alone", "all points together"
_METHODS = {"per_pixel": ALONE, "collective": TOGETHER}


@dataclass(frozen=True, eq=False)
class PointContent:
    """Everything that the page shows.

    Attributes:
        clouds: (P, 3) coordinates of every shape.
        kinds: of shapes, such as "chair".
        names, palette: of the parts.
        particulars: sections of names and values for the table of settings.
        timings: seconds per stage.
        warnings: sentences the reader must know before believing a number.
    """

    clouds: Sequence[Floats]
    kinds: Sequence[str]
    claims: Sequence[ImageClaims]
    names: tuple[str, ...]
    palette: tuple[Colour3, ...]
    settings: PointSettings
    particulars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """How many points there are."""
        return sum(one.labels.size for one in self.claims)

    @property
    def labelled(self) -> int:
        """How many points have a part of their own."""
        return sum(int((one.truth >= 0).sum()) for one in self.claims if one.truth is not None)

    @cached_property
    def curves(self) -> Curves:
        """Points of all shapes that survive, (B,) by method."""
        found = []
        for counts in ([one.certified for one in self.claims], [one.correct for one in self.claims]):
            methods = [method for method in _METHODS if method in counts[0]]
            found.append(
                {_METHODS[m]: np.asarray(np.sum([one[m] for one in counts if m in one], axis=0)) for m in methods}
            )
        certified, correct = found
        return Curves(certified, correct if self.labelled else {})

    @property
    def alone(self) -> Counts:
        """(B,) points that are certified each alone."""
        return self.curves.certified[ALONE]

    @property
    def milestones(self) -> tuple[int, ...]:
        """Places of a few budgets, for a table."""
        return spread(np.any([counts > 0 for counts in self.curves.certified.values()], axis=0), _LINES)

    @property
    def drawn(self) -> tuple[int, ...]:
        """Places of the budgets that are drawn."""
        return spread(self.alone > 0, _BESIDE)

    @property
    def change(self) -> str:
        """What is measured of a change."""
        return "turn of at most" if self.settings.turns is not None else "‖δ‖₂ at most"

    def size_words(self, place: int) -> str:
        """A budget in words; rounded down."""
        return self.words_of(self.settings.sizes()[place])

    def words_of(self, size: float, digits: int = 4) -> str:
        """A norm, or degrees, rounded down."""
        return f"{norm_words(size, digits)}{'°' * (self.settings.turns is not None)}"

    def limit_words(self, words: str) -> str:
        """A change up to a size that is given in words: "‖δ‖₂ ≤ 0.2" or "turns ≤ 12°"."""
        return f"{'turns' if self.settings.turns is not None else '‖δ‖₂'} ≤ {words}"

    @property
    def radius(self) -> float:
        """How much all points that SegCertify claims survive together: a norm, or degrees; rounded down."""
        shift, turns = min(one.radius for one in self.claims), self.settings.turns
        return shift if turns is None else degrees_of(shift, turns)

    @property
    def radius_words(self) -> str:
        """The same in words."""
        return self.words_of(self.radius)

    def counts(self, found: ImageClaims) -> PixelCounts | None:
        """Points of a shape by part with those that SegCertify claims; None where no point has a part of its own."""
        return found.counts(found.kept, len(self.names))

    @property
    def facts(self) -> list[tuple[str, str, str]]:
        """Value, name and note of the numbers to remember."""
        return [*self._claimed(), *self._at_budgets()]

    def _at_budgets(self) -> list[tuple[str, str, str]]:
        """What the strongest method certifies where a few budgets lie, with the other beside it."""
        curves = self.curves.certified
        *_, strongest = curves
        facts = []
        for k in self.milestones[:1]:
            count = int(curves[strongest][k])
            note = f"{number(count)} of {number(self.points)}"
            if len(curves) > 1:
                note += f", {strongest}; {ALONE} {percent(int(self.alone[k]), self.points)}"
            facts.append((
                percent(count, self.points), f"certified against {self.limit_words(self.size_words(k))}", note,
            ))  # fmt: skip
        return facts

    def _claimed(self) -> list[tuple[str, str, str]]:
        """What SegCertify claims, and how much of that is right."""
        kept = sum(int(one.kept.sum()) for one in self.claims)
        words = f"at τ = {self.settings.tau:g}; {self.limit_words(self.radius_words)} alters none of these parts; "
        words += f"{percent(self.points - kept, self.points)} abstained"
        facts = [(percent(kept, self.points), "claimed by SegCertify", words)]
        known = [counts for one in self.claims if (counts := self.counts(one)) is not None]
        if known:
            total: PixelCounts = reduce(add, known)
            right, both = percent(int(total.hits.sum()), total.pixels), int(total.certified_hits.sum())
            mean = sum(counts.mean_iou for counts in known) / len(known)
            note = f"of {number(total.pixels)} points; accuracy {right}, mean part IoU {rounded_down(mean)}"
            facts.append((percent(both, total.pixels), "claimed and correct", note))
        return facts
