"""A sweep of the collective certificate by several methods, as plots, tables and the terminal read it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid
from graphcert.collective import CollectiveCurve
from graphcert.noise import Budget
from graphcert.report.content import ReportContent

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ladder:
    """Methods of rising strength over the same B budgets.

    Attributes:
        curves: one per method, the weakest first.
    """

    curves: Mapping[str, CollectiveCurve]

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

    @cached_property
    def budgets(self) -> list[Budget]:
        """The budgets in their order."""
        return [Budget(*row) for row in self.best.budgets.tolist()]

    @property
    def gain(self) -> Counts:
        """(B,) how many targets the strongest method certifies beyond the weakest."""
        return self.best.certified - self.curves[self.weakest].certified

    @property
    def peak(self) -> int:
        """The place of the budget with the largest gain; of several, the first."""
        return int(np.argmax(self.gain))

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """The names along which the budgets differ, out of `AXES` and "nodes"."""
        varies = (self.best.budgets != self.best.budgets[0]).any(axis=0)
        return tuple(axis for axis, here in zip(self.best.axes, varies.tolist(), strict=True) if here)

    @property
    def fixed(self) -> Budget:
        """What is changed at every budget besides the axes."""
        nothing: dict[str, Any] = {axis: None if axis == "nodes" else 0 for axis in self.axes}
        return replace(self.budgets[0], **nothing)

    def grid(self, shares: NDArray[np.float64]) -> BudgetGrid | None:
        """Numbers per budget (B,) as a grid over the axes; None if the budgets are not all combinations over 1 or 2."""
        columns = [self.best.budgets[:, self.best.axes.index(axis)] for axis in self.axes]
        values = [np.unique(column) for column in columns]
        shape = tuple(len(along) for along in values)
        if len(self.axes) not in (1, 2) or np.prod(shape) != len(set(self.budgets)):
            return None
        filled = np.zeros(shape)
        filled[tuple(np.searchsorted(*pair) for pair in zip(values, columns, strict=True))] = shares
        return BudgetGrid(
            self.axes, tuple(tuple(along.tolist()) for along in values), self.fixed, filled, accuracy=None
        )


def ladders(content: ReportContent) -> list[Ladder]:
    """All sweeps of a report."""
    return [Ladder(curves) for curves in content.collective]


def largest_gain(content: ReportContent) -> tuple[Ladder, int] | None:
    """The sweep and the place of its budget at which most is gained; None if no sweep compares two methods."""
    compared = [ladder for ladder in ladders(content) if len(ladder.curves) > 1]
    if not compared:
        return None
    best = max(compared, key=lambda ladder: int(ladder.gain.max()))
    return best, best.peak
