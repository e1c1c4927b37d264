"""One share of the targets over two budget axes."""

from itertools import pairwise, product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture
from graphcert.report.theme import INK, MUTED, ON_CELL, RULE, Colour
from graphcert.report.wording import axis_words

_HEIGHT = 268.0
_MARGINS = {"left": 40.0, "right": 46.0, "top": 10.0, "bottom": 38.0}
_SIDE = (WIDTH - _MARGINS["left"] - _MARGINS["right"], _HEIGHT - _MARGINS["top"] - _MARGINS["bottom"])
_NUMBER = TEXT - 1.5
_DARK_CELL = 0.78
_HALF = 0.5


def heat_map_plot(grid: BudgetGrid, shares: NDArray[np.float64], colour: Colour, name: str, what: str) -> str:
    """A heat map as SVG: the first axis upwards, the second to the right, a line around the cells of at least one half.

    Args:
        grid: the budgets, over two axes.
        shares: values in 0..1 to draw, of the shape of the grid.
        colour: the colour of 1; 0 is the page.
        name: unique in the page.
        what: the values' name.
    """

    def draw(figure: Figure) -> None:
        axes = panel(figure, _HEIGHT, **_MARGINS)
        rows, columns = shares.shape
        axes.set(xlim=(0, columns), ylim=(0, rows))
        axes.spines["bottom"].set_visible(False)
        cells = [Rectangle((column, row), 1, 1) for row, column in np.ndindex(rows, columns)]
        axes.add_collection(PatchCollection(cells, facecolors=[(colour.light, v) for v in shares.flat], linewidths=0))
        axes.add_patch(Rectangle((0, 0), columns, rows, fill=False, edgecolor=RULE.light, linewidth=1, clip_on=False))
        _numbers(axes, shares)
        border = LineCollection(_border(shares >= _HALF), colors=INK.light, linewidths=1.2, clip_on=False)
        border.set_capstyle("projecting")
        axes.add_collection(border)
        _ticks(axes, grid)
        _scale(figure, colour)

    description = f"{what} over {axis_words(grid.axes[0])} and {axis_words(grid.axes[1])}"
    return picture(draw, _HEIGHT, name, description, crisp=True)


def _numbers(axes: Axes, shares: NDArray[np.float64]) -> None:
    """Whole percents, rounded down, in every cell that is large enough and not empty."""
    rows, columns = shares.shape
    if _SIDE[0] / columns < 3.2 * LETTER or _SIDE[1] / rows < 1.3 * TEXT:
        return
    for (row, column), share in np.ndenumerate(shares):
        if share > 0:
            axes.text(
                column + 0.5, row + 0.5, str(int(np.floor(100 * share + 1e-9))), ha="center", va="center_baseline",
                fontsize=_NUMBER, color=(ON_CELL if share >= _DARK_CELL else INK).light,
            )  # fmt: skip


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


def _ticks(axes: Axes, grid: BudgetGrid) -> None:
    for axis, values, room, place in (
        (axes.xaxis, grid.values[1], 3.5 * LETTER, _SIDE[0]),
        (axes.yaxis, grid.values[0], 1.4 * TEXT, _SIDE[1]),
    ):
        step = int(np.ceil(room * len(values) / place))
        axis.set_ticks([i + 0.5 for i in range(0, len(values), step)], [f"{value}" for value in values[::step]])
    axes.set_xlabel(axis_words(grid.axes[1]), fontsize=TEXT, color=MUTED.light, labelpad=4)
    axes.set_ylabel(axis_words(grid.axes[0]), fontsize=TEXT, color=MUTED.light, labelpad=4)


def _scale(figure: Figure, colour: Colour) -> None:
    """The key of the colours, with the line at one half."""
    axes = panel(figure, _HEIGHT, WIDTH - _MARGINS["right"] + 10, 28, _MARGINS["top"], _MARGINS["bottom"])
    axes.spines["bottom"].set_visible(False)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[])
    steps = np.linspace(0, 1, 41)
    patches = [Rectangle((0, low), 1, high - low) for low, high in pairwise(steps)]
    faces = [(colour.light, (low + high) / 2) for low, high in pairwise(steps)]
    axes.add_collection(PatchCollection(patches, facecolors=faces, linewidths=0))
    axes.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=RULE.light, linewidth=1, clip_on=False))
    axes.plot([0, 1], [_HALF, _HALF], color=INK.light, linewidth=1.2)
    axes.yaxis.tick_right()
    axes.set_yticks([0, _HALF, 1], ["0%", "50%", "100%"], fontsize=_NUMBER)
