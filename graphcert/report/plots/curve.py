"""Certified ratio and accuracy along one budget axis."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture
from graphcert.report.theme import ACCURACY, MUTED, RATIO, RULE, Colour
from graphcert.report.wording import axis_words

Budgets = NDArray[np.int64]
Shares = NDArray[np.float64]

_HEIGHT = 216.0
_MARGINS = {"left": 34.0, "right": 10.0, "top": 18.0, "bottom": 38.0}
_MOST_MARKERS = 41
_GAP = 5.0


def curve_plot(grid: BudgetGrid, name: str) -> str:
    """One panel as SVG: both shares from 0 to 1, a marker at every budget of the grid.

    A whole number between two budgets of the grid has the value of the larger one, so the line never claims more than
    was computed.
    """

    def draw(figure: Figure) -> None:
        axes = panel(figure, _HEIGHT, **_MARGINS)
        order = np.argsort(grid.values[0], kind="stable")
        budgets = np.array(grid.values[0])[order]
        whole = np.arange(budgets[0], budgets[-1] + 1)
        order = order[np.searchsorted(budgets, whole)]
        markers = np.isin(whole, budgets) & (len(budgets) <= _MOST_MARKERS)
        accuracy = None if grid.accuracy is None else grid.accuracy[order]
        _frame(axes, whole)
        if accuracy is not None:
            _line(axes, whole, accuracy, markers, ACCURACY, "s")
        _line(axes, whole, grid.ratio[order], markers, RATIO, "o")
        _labels(axes, whole, grid.ratio[order], accuracy)

    description = f"Certified ratio and accuracy against the number of {axis_words(grid.axes[0])}"
    return picture(draw, _HEIGHT, name, description)


def _frame(axes: Axes, budgets: Budgets) -> None:
    axes.set_xlim(budgets[0], max(budgets[-1], budgets[0] + 1))
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.grid(axis="y", color=RULE.light, linewidth=0.8)
    axes.set_xlabel("budget", fontsize=TEXT, color=MUTED.light, labelpad=5)


def _line(
    axes: Axes, budgets: Budgets, shares: Shares, markers: NDArray[np.bool_], colour: Colour, marker: str
) -> None:
    axes.plot(
        budgets, shares, color=colour.light, linewidth=1.4, drawstyle="steps-post", clip_on=False, zorder=3,
        marker=marker, markevery=np.flatnonzero(markers).tolist(), markersize=3.6, markeredgewidth=0,
    )  # fmt: skip


def _labels(axes: Axes, budgets: Budgets, ratio: Shares, accuracy: Shares | None) -> None:
    """Write each curve's name beside it: the ratio above its curve, the accuracy below its own."""
    if accuracy is None or np.array_equal(accuracy, ratio):
        _write_above(axes, budgets, ratio, "ratio" if accuracy is None else "ratio = accuracy", RATIO)
        return
    room = _Room(axes, "accuracy")
    # Left of a step there is room below a falling curve, unless the curve is at the bottom from the start.
    corners = zip(np.append(budgets[1:], room.high) - room.gap_x, accuracy - room.gap_y, strict=True)
    places = [(x, y) for x, y in corners if x - room.width >= room.low and y - room.height >= 0]
    if places:
        x, y = min(places, key=lambda place: abs(place[1] - 0.4))
        axes.text(x, y, "accuracy", color=ACCURACY.light, ha="right", va="top")
        _write_above(axes, budgets, ratio, "ratio", RATIO)
    else:
        axes.text(room.high, 1 + room.gap_y, "accuracy", color=ACCURACY.light, ha="right", va="bottom")
        _write_above(axes, budgets, ratio, "ratio", RATIO, keep_free=room.width + room.gap_x)


def _write_above(
    axes: Axes, budgets: Budgets, shares: Shares, text: str, colour: Colour, keep_free: float = 0.0
) -> None:
    """Above a falling curve there is always room: the plot has a margin above 100%."""
    room = _Room(axes, text)
    corners = zip(budgets + room.gap_x, shares + room.gap_y, strict=True)
    places = [(x, y) for x, y in corners if x + room.width <= room.high - keep_free]
    x, y = min(places or [(room.low + room.gap_x, shares[0] + room.gap_y)], key=lambda place: abs(place[1] - 0.6))
    axes.text(x, y, text, color=colour.light, ha="left", va="bottom")


class _Room:
    """The size of a word and of a gap in the units of the axes."""

    def __init__(self, axes: Axes, text: str) -> None:
        self.low, self.high = axes.get_xlim()
        per_x = (WIDTH - _MARGINS["left"] - _MARGINS["right"]) / (self.high - self.low)
        per_y = _HEIGHT - _MARGINS["top"] - _MARGINS["bottom"]
        self.width, self.height = len(text) * LETTER / per_x, TEXT / per_y
        self.gap_x, self.gap_y = _GAP / per_x, _GAP / per_y
