"""A sweep of the collective certificate by several methods, as plots, tables and the terminal read it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import SHIFT
from graphcert.collective.injection import AXES as INJECTED
from graphcert.noise import Budget
from graphcert.report.frame.wording import (
    NOTHING,
    axis_words,
    besides,
    budget_words,
    change_words,
    injection_words,
    number,
    shift_words,
)
from graphcert.report.plots import Panel, counts_plot
from graphcert.tradeoff.base import norm_words

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sweep:
    """Methods of rising strength over the same B budgets, a curve each.

    `norm` measures a change, "ℓ2" or "ℓ1", if the budgets are norms; `has_truth` says whether any true label is known.
    """

    curves: Mapping[str, CollectiveCurve]
    norm: str = ""
    has_truth: bool = True

    @property
    def weakest(self) -> str:
        """The method that the others are compared with."""
        return next(iter(self.curves))

    @property
    def strongest(self) -> str:
        """The method that certifies most."""
        return list(self.curves)[-1]

    @property
    def best(self) -> CollectiveCurve:
        """What the strongest method certifies."""
        return self.curves[self.strongest]

    @property
    def correct(self) -> Counts | None:
        """(B,) targets that stay correct by the strongest method, or None where no true label is known."""
        best = self.best
        if best.correct_upper is None or best.correct_targets is None or not self.has_truth:
            return None
        return best.correct_targets - best.correct_upper

    @property
    def gain(self) -> Counts:
        """(B,) how many targets the strongest method certifies beyond the weakest."""
        return self.best.certified - self.curves[self.weakest].certified

    @property
    def peak(self) -> int:
        """The place of the budget with the largest gain; of several, the first."""
        return int(np.argmax(self.gain))

    @cached_property
    def budgets(self) -> list[Budget]:
        """The counts of the budgets in their order; norms are in `shifts`, and new nodes are none of these."""
        if self.injected:
            return [Budget()] * len(self.best)
        if self.shifts is None:
            return [Budget(*row) for row in self.best.budgets.tolist()]
        return [Budget(nodes=int(row[1]) if len(row) > 1 else None) for row in self.best.budgets]

    @cached_property
    def shifts(self) -> list[float] | None:
        """(B,) norms of the change, if these are the budgets."""
        return self.best.budgets[:, 0].tolist() if self.best.axes[0] == SHIFT else None

    @property
    def injected(self) -> bool:
        """Whether the budgets are of new nodes."""
        return self.best.axes == INJECTED

    def words(self, i: int) -> str:
        """A budget in words."""
        if self.injected:
            return injection_words(*self.best.budgets[i].tolist())
        if self.shifts is None:
            return budget_words(self.budgets[i])
        return shift_words(self.norm, self.shifts[i], self.budgets[i].nodes)

    def place(self, i: int) -> str:
        """A budget as a number on the axis of a sweep of one axis, in words otherwise."""
        if len(self.axes) != 1:
            return self.words(i)
        value = self.best.budgets[i, self.best.axes.index(self.axes[0])]
        return norm_words(value) if self.axes == (SHIFT,) else number(int(value))

    def gap(self, i: int) -> str:
        """At most how many more targets could be certified, rounded up."""
        gap = float(self.best.gap[i])
        return number(math.ceil(gap)) if math.isfinite(gap) else NOTHING

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """The names along which the budgets differ, out of `AXES`, "nodes" and `SHIFT`."""
        varies = (self.best.budgets != self.best.budgets[0]).any(axis=0)
        return tuple(axis for axis, here in zip(self.best.axes, varies.tolist(), strict=True) if here)

    @property
    def heading(self) -> str:
        """The axes, and what is changed at every budget besides them."""
        names = [change_words(self.norm) if axis == SHIFT else axis_words(axis) for axis in self.axes]
        words = " and ".join(names)
        return f"{words if words.startswith('ℓ') else words.capitalize()}{self.besides}" if names else "One budget"

    @property
    def besides(self) -> str:
        """What is changed at every budget besides the axes, as an addition to a heading."""
        if self.injected:
            always = [
                n * (axis not in self.axes) for axis, n in zip(INJECTED, self.best.budgets[0].tolist(), strict=True)
            ]
            each = f" with up to {number(always[1])} edges each" if always[1] and "injected" in self.axes else ""
            rest = injection_words(*always)
            return each + ("" if rest == "no change" else f", besides {rest}")
        nothing: dict[str, Any] = {axis: None if axis == "nodes" else 0 for axis in self.axes if axis != SHIFT}
        fixed = besides(replace(self.budgets[0], **nothing))
        if self.shifts is None or SHIFT in self.axes:
            return fixed
        return f"{fixed}, {shift_words(self.norm, self.shifts[0])}"

    def panel(self, numbers: NDArray[Any]) -> Panel | None:
        """Numbers per budget (B,) over the axes; None if the budgets are not all combinations over 1 or 2 of them."""
        columns = [self.best.budgets[:, self.best.axes.index(axis)] for axis in self.axes]
        values = [np.unique(column) for column in columns]
        shape = tuple(len(along) for along in values)
        if len(self.axes) not in (1, 2) or np.prod(shape) != len(np.unique(self.best.budgets, axis=0)):
            return None
        filled = np.zeros(shape, numbers.dtype)
        filled[tuple(np.searchsorted(*pair) for pair in zip(values, columns, strict=True))] = numbers
        kinds = [np.float64 if axis == SHIFT else np.int64 for axis in self.axes]
        along = tuple(tuple(found.astype(kind).tolist()) for found, kind in zip(values, kinds, strict=True))
        return Panel(self.axes, along, filled)

    def plots(self, certified: Mapping[str, Counts], name: str) -> list[tuple[str, Markup]]:
        """Heading and plot of certified targets (B,) by method, the weakest first; empty unless there is one axis."""
        panels = {method: panel for method, counts in certified.items() if (panel := self.panel(counts))}
        if len(self.axes) != 1 or not panels:
            return []
        values = next(iter(panels.values())).values[0]
        counts = {method: panel.numbers for method, panel in panels.items()}
        svg = counts_plot(self.axes[0], values, counts, self.best.targets, name, self.norm)
        return [(self.heading, Markup(svg))]


def largest_gain(sweeps: Sequence[Sweep]) -> tuple[Sweep, int] | None:
    """The sweep and the place of its budget at which most is gained; None if no sweep compares two methods."""
    compared = [sweep for sweep in sweeps if len(sweep.curves) > 1]
    best = max(compared, key=lambda sweep: int(sweep.gain.max()), default=None)
    return None if best is None else (best, best.peak)
