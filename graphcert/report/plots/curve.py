"""Certified ratio and accuracy along one budget axis."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphcert.certificates import BudgetGrid
from graphcert.report.plots.budget_axis import HEIGHT, MARGINS, BudgetAxis, Budgets, Shares
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture
from graphcert.report.theme import ACCURACY, RATIO, Colour
from graphcert.report.wording import axis_words

_GAP = 5.0


def curve_plot(grid: BudgetGrid, name: str) -> str:
    """One panel as SVG: both shares from 0 to 1, a marker at every budget of the grid.

    A whole number between two budgets of the grid has the value of the larger one.
    """

    def draw(figure: Figure) -> None:
        axes = panel(figure, HEIGHT, **MARGINS)
        sweep = BudgetAxis(grid.values[0], axis_words(grid.axes[0]))
        sweep.frame(axes)
        accuracy = None if grid.accuracy is None else sweep.along(grid.accuracy)
        if accuracy is not None:
            sweep.line(axes, accuracy, ACCURACY, "s")
        ratio = sweep.along(grid.ratio)
        sweep.line(axes, ratio, RATIO, "o")
        _labels(axes, sweep.whole, ratio, accuracy)

    description = f"Certified ratio and accuracy against the number of {axis_words(grid.axes[0])}"
    return picture(draw, HEIGHT, name, description)


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
        per_x = (WIDTH - MARGINS["left"] - MARGINS["right"]) / (self.high - self.low)
        per_y = HEIGHT - MARGINS["top"] - MARGINS["bottom"]
        self.width, self.height = len(text) * LETTER / per_x, TEXT / per_y
        self.gap_x, self.gap_y = _GAP / per_x, _GAP / per_y
