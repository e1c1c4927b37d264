"""Shares of the targets against the budget on one axis: the frame and the lines of such plots."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from graphcert.report.plots.canvas import TEXT
from graphcert.report.theme import MUTED, RULE, Colour

Budgets = NDArray[np.int64]
Shares = NDArray[np.float64]

HEIGHT = 216.0
MARGINS = {"left": 34.0, "right": 10.0, "top": 18.0, "bottom": 38.0}
"""Of the panel, in points; above 100% there is room for a line of text."""

_MOST_MARKERS = 41


class BudgetAxis:
    """The whole numbers from the first to the last budget of a sweep; `NormAxis` is its counterpart for norms.

    A number between two budgets has the value of the larger one, so that a line never claims more than was computed.

    Attributes:
        title: what is counted.
        whole: these numbers, ascending.
        marked: which of them are budgets and get a marker; none of them if there are too many.
    """

    integer = True

    def __init__(self, values: tuple[int, ...], title: str) -> None:
        self.title = title
        order = np.argsort(values, kind="stable")
        budgets = np.array(values)[order]
        self.whole = np.arange(budgets[0], budgets[-1] + 1)
        self.marked = np.isin(self.whole, budgets) & (len(budgets) <= _MOST_MARKERS)
        self._place = order[np.searchsorted(budgets, self.whole)]

    def along(self, shares: Shares) -> Shares:
        """Shares per budget as shares per whole number."""
        return shares[self._place]

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return float(max(self.whole[-1], self.whole[0] + 1))

    def frame(self, axes: Axes) -> None:
        """Limits, grid lines and tick labels."""
        axes.set_xlim(self.whole[0], self.end)
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=self.integer))
        axes.grid(axis="y", color=RULE.light, linewidth=0.8)
        axes.set_xlabel(self.title, fontsize=TEXT, color=MUTED.light, labelpad=5)

    def line(self, axes: Axes, shares: Shares, colour: Colour, marker: str = "", **style: Any) -> None:
        """A line of steps through `shares` per whole number."""
        axes.plot(
            self.whole, shares, color=colour.light, drawstyle="steps-post", clip_on=False,
            marker=marker, markevery=np.flatnonzero(self.marked).tolist(), markersize=3.6, markeredgewidth=0,
            **{"linewidth": 1.4, "zorder": 3, **style},
        )  # fmt: skip


class NormAxis(BudgetAxis):
    """Norms of a change. Between two of them a line has the value of the larger one, at its end that of the last one.

    Attributes:
        title: which norm of what.
        whole: the norms, ascending.
        marked: none of them.
    """

    integer = False

    def __init__(self, norms: tuple[float, ...], norm: str = "ℓ2") -> None:
        self.title = f"{norm} norm of the change"
        self._place = np.argsort(norms, kind="stable")
        self.whole = np.array(norms, dtype=np.float64)[self._place]
        self.marked = np.zeros(len(norms), dtype=np.bool_)

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return float(self.whole[-1] if self.whole[-1] > self.whole[0] else self.whole[0] + 1)

    def along(self, shares: Shares) -> Shares:
        """Shares per norm, each where the line towards that norm begins."""
        ordered = shares[self._place]
        return np.append(ordered[1:], ordered[-1])
