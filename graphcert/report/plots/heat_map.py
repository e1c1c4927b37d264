"""One share of the targets over two budget axes."""

from itertools import product
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from graphcert.config import norm_words
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture
from graphcert.report.plots.shades import NUMBER, cell_number, shade_key, shades, tick_step
from graphcert.report.theme import INK, MUTED, Colour
from graphcert.report.wording import axis_words

_HEIGHT = 268.0
_MARGINS = {"left": 40.0, "right": 46.0, "top": 10.0, "bottom": 38.0}
_SIDE = (WIDTH - _MARGINS["left"] - _MARGINS["right"], _HEIGHT - _MARGINS["top"] - _MARGINS["bottom"])
_HALF = 0.5


class Cells(Protocol):
    """The axes of a map: a `BudgetGrid` has them, or the `Panel` of a sweep."""

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of both axes."""

    @property
    def values(self) -> tuple[tuple[float, ...], ...]:
        """The budgets along each of them."""


def heat_map_plot(
    grid: Cells, shares: NDArray[np.float64], colour: Colour, name: str, what: str, full: float = 1.0
) -> str:
    """A heat map as SVG: the first axis upwards, the second to the right.

    A map of values up to 1 has a line around the cells of at least one half, and every cell its number in whole percents,
    rounded down, if `has_numbers`.

    Args:
        grid: the budgets, over two axes.
        shares: values in 0..`full` to draw, of the shape of the grid.
        colour: the colour of `full`; 0 is the page.
        name: unique in the page.
        what: the values' name.
        full: the upper end of the scale.
    """

    def draw(figure: Figure) -> None:
        axes = panel(figure, _HEIGHT, **_MARGINS)
        shades(axes, shares / full, colour)
        if has_numbers(shares):
            for (row, column), share in np.ndenumerate(shares):
                cell_number(axes, row, column, _whole(share), share / full)
        ticks = {0.0: "0%", 1.0: f"{100 * full:.0f}%"}
        if full == 1:
            border = LineCollection(_border(shares >= _HALF), colors=INK.light, linewidths=1.2, clip_on=False)
            border.set_capstyle("projecting")
            axes.add_collection(border)
            ticks[_HALF] = "50%"
        _ticks(axes, grid)
        shade_key(figure, _HEIGHT, _MARGINS, colour, ticks, _HALF if full == 1 else None)

    description = f"{what} over {axis_words(grid.axes[0])} and {axis_words(grid.axes[1])}"
    return picture(draw, _HEIGHT, name, description, crisp=True)


def has_numbers(shares: NDArray[np.float64]) -> bool:
    """Whether the cells of a map of these values are large enough for their numbers."""
    rows, columns = shares.shape
    letters = max(len(_whole(share)) for share in shares.flat)
    return bool(_SIDE[0] / columns >= letters * LETTER * NUMBER / TEXT + 3 and _SIDE[1] / rows >= 1.15 * NUMBER)


def has_border(shares: NDArray[np.float64]) -> bool:
    """Whether a map of these values has a line around the cells of at least one half."""
    return bool(_border(shares >= _HALF))


def _whole(share: float) -> str:
    """Whole percents, rounded down."""
    return str(int(np.floor(100 * share + 1e-9)))


def _border(inside: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """The lines between cells inside and cells outside a set, without the rim of the map."""
    rows, columns = inside.shape
    upright = [
        [(column, row), (column, row + 1)]
        for row, column in product(range(rows), range(1, columns))
        if inside[row, column - 1] != inside[row, column]
    ]
    level = [
        [(column, row), (column + 1, row)]
        for row, column in product(range(1, rows), range(columns))
        if inside[row - 1, column] != inside[row, column]
    ]
    return upright + level


def _ticks(axes: Axes, grid: Cells) -> None:
    for axis, values, room, place in (
        (axes.xaxis, grid.values[1], 3.5 * LETTER, _SIDE[0]),
        (axes.yaxis, grid.values[0], 1.4 * TEXT, _SIDE[1]),
    ):
        step = tick_step(len(values), room, place)
        names = [f"{value}" if isinstance(value, int) else norm_words(value, 3) for value in values[::step]]
        axis.set_ticks([i + 0.5 for i in range(0, len(values), step)], names)
    axes.set_xlabel(axis_words(grid.axes[1]), fontsize=TEXT, color=MUTED.light, labelpad=4)
    axes.set_ylabel(axis_words(grid.axes[0]), fontsize=TEXT, color=MUTED.light, labelpad=4)
