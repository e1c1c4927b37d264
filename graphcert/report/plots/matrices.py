"""Matrices as shaded cells, and the key of the shades."""

from collections.abc import Mapping
from itertools import pairwise, product
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from graphcert.report.frame.theme import INK, MUTED, ON_CELL, RANK_CELL, RULE, Colour
from graphcert.report.frame.wording import axis_words
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture
from graphcert.tradeoff.base import norm_words

NUMBER = TEXT - 1.5
"""Size of numbers in cells."""

_DARK = 0.78
_KEY_STEPS = 41


def shades(axes: Axes, opacities: NDArray[np.float64], colour: Colour) -> None:
    """One unit square per entry, row 0 at the bottom, between the page (0) and `colour` (1), inside a thin frame."""
    rows, columns = opacities.shape
    axes.set(xlim=(0, columns), ylim=(0, rows))
    axes.spines["bottom"].set_visible(False)
    cells = [Rectangle((column, row), 1, 1) for row, column in np.ndindex(rows, columns)]
    axes.add_collection(PatchCollection(cells, facecolors=[(colour.light, v) for v in opacities.flat], linewidths=0))
    _frame(axes, columns, rows)


def cell_number(axes: Axes, row: int, column: int, text: str, opacity: float) -> None:
    """Write into a cell, readable on its shade."""
    axes.text(
        column + 0.5, row + 0.5, text, ha="center", va="center_baseline", fontsize=NUMBER,
        color=(ON_CELL if opacity >= _DARK else INK).light,
    )  # fmt: skip


def tick_step(cells: int, room: float, side: float) -> int:
    """Every how many cells there is room for a tick label that needs `room` points, on a side of `side` points."""
    return int(np.ceil(room * cells / side))


def shade_key(
    figure: Figure, height: float, margins: Mapping[str, float], colour: Colour, ticks: Mapping[float, str],
    mark: float | None = None,
) -> None:  # fmt: skip
    """A bar right of a map from the page (0, below) to `colour` (1, above) with labels at `ticks`, and a line at `mark`."""
    axes = panel(figure, height, WIDTH - margins["right"] + 10, 28, margins["top"], margins["bottom"])
    axes.spines["bottom"].set_visible(False)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[])
    steps = np.linspace(0, 1, _KEY_STEPS)
    patches = [Rectangle((0, low), 1, high - low) for low, high in pairwise(steps)]
    faces = [(colour.light, (low + high) / 2) for low, high in pairwise(steps)]
    axes.add_collection(PatchCollection(patches, facecolors=faces, linewidths=0))
    _frame(axes, 1, 1)
    if mark is not None:
        axes.plot([0, 1], [mark, mark], color=INK.light, linewidth=1.2)
    axes.yaxis.tick_right()
    axes.set_yticks(list(ticks), list(ticks.values()), fontsize=NUMBER)


def _frame(axes: Axes, width: float, height: float) -> None:
    axes.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=RULE.light, linewidth=1, clip_on=False))


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


_RANK_MARGINS = {"left": 34.0, "right": 46.0, "top": 4.0, "bottom": 38.0}
_RANK_SIDE = WIDTH - _RANK_MARGINS["left"] - _RANK_MARGINS["right"]
RANK_HEIGHT = _RANK_SIDE + _RANK_MARGINS["top"] + _RANK_MARGINS["bottom"]
_MOST_NUMBERED = 20


def rank_plot(rank: NDArray[np.int64], name: str) -> str:
    """A square of shades as SVG, row 0 at the top: the looking cluster downwards, the seen one to the right.

    Args:
        rank: (C, C) how near the block of a column is to the cluster of a row, 0 … C − 1; the nearest are lightest.
        name: unique in the page.
    """
    clusters = len(rank)

    def draw(figure: Figure) -> None:
        axes = panel(figure, RANK_HEIGHT, **_RANK_MARGINS)
        upwards = rank[::-1]
        opacities = upwards / max(1, clusters - 1)
        shades(axes, opacities, RANK_CELL)
        if clusters <= _MOST_NUMBERED:
            for (row, column), value in np.ndenumerate(upwards):
                cell_number(axes, row, column, str(value), float(opacities[row, column]))
        step = max(tick_step(clusters, 3.5 * LETTER, _RANK_SIDE), tick_step(clusters, 1.4 * TEXT, _RANK_SIDE))
        shown = range(0, clusters, step)
        axes.set_xticks([k + 0.5 for k in shown], [str(k) for k in shown])
        axes.set_yticks([clusters - k - 0.5 for k in shown], [str(k) for k in shown])
        axes.set_xlabel("seen cluster", fontsize=TEXT, color=MUTED.light, labelpad=4)
        axes.set_ylabel("looking cluster", fontsize=TEXT, color=MUTED.light, labelpad=4)
        shade_key(figure, RANK_HEIGHT, _RANK_MARGINS, RANK_CELL, {0.0: "near", 1.0: "far"})

    return picture(draw, RANK_HEIGHT, name, f"Ranks of {clusters} clusters as seen from each of them", crisp=True)
