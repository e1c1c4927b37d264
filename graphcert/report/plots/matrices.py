"""Matrices as shaded cells with a key of the shades: shares over two budget axes, and ranks of clusters."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from graphcert.report.frame.html import INK, MUTED, ON_CELL, RANK_CELL, RULE, Colour
from graphcert.report.frame.wording import axis_words
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture
from graphcert.tradeoff.base import norm_words

NUMBER = TEXT - 1.5
"""Size of numbers in cells."""
_MARGINS = {"left": 40.0, "right": 46.0, "top": 10.0, "bottom": 38.0}
_HEIGHT = 268.0
_SIDE = (WIDTH - _MARGINS["left"] - _MARGINS["right"], _HEIGHT - _MARGINS["top"] - _MARGINS["bottom"])
_RANK_MARGINS = {"left": 34.0, "right": 46.0, "top": 4.0, "bottom": 38.0}
RANK_HEIGHT = WIDTH - 34.0 - 46.0 + 4.0 + 38.0
"""Of a square matrix of ranks."""

_DARK, _KEY_STEPS, _HALF, _MOST_NUMBERED = 0.78, 41, 0.5, 20


class Panel(NamedTuple):
    """Numbers over one or two axes out of `AXES`, "nodes" and `SHIFT`, and the budgets along each of them."""

    axes: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    numbers: NDArray[Any]


def heat_map_plot(cells: Panel, colour: Colour, name: str, what: str, full: float = 1.0) -> str:
    """A map of shares in 0..`full` over two axes as SVG: the first axis upwards, the second to the right.

    A map of values up to 1 has a line around the cells of at least one half, and every cell its number in whole percents,
    rounded down, if `has_numbers`. `what` names the values; `colour` is that of `full`, and 0 is the page.
    """
    shares, titles = cells.numbers, tuple(map(axis_words, cells.axes))
    names = [[f"{v}" if isinstance(v, int) else norm_words(v, 3) for v in values] for values in cells.values]
    ticks = {0.0: "0%", 1.0: f"{100 * full:.0f}%"} | ({_HALF: "50%"} if full == 1 else {})

    def draw(figure: Figure) -> None:
        write = _whole if has_numbers(shares) else None
        axes = _matrix(figure, _HEIGHT, _MARGINS, shares, full, colour, write)
        if full == 1:
            border = LineCollection(_border(shares >= _HALF), colors=INK.light, linewidths=1.2, clip_on=False)
            border.set_capstyle("projecting")
            axes.add_collection(border)
        rooms = (1.4 * TEXT * len(names[0]) / _SIDE[1], 3.5 * LETTER * len(names[1]) / _SIDE[0])
        _label(axes, names, titles, [int(np.ceil(room)) for room in rooms])
        _shade_key(figure, _HEIGHT, _MARGINS, colour, ticks, _HALF if full == 1 else None)

    return picture(draw, _HEIGHT, name, f"{what} over {titles[0]} and {titles[1]}", crisp=True)


def rank_plot(rank: NDArray[np.int64], name: str) -> str:
    """A square of shades as SVG, row 0 at the top: the looking cluster downwards, the seen one to the right.

    `rank` (C, C): how near the block of a column is to the cluster of a row, 0 … C − 1; the nearest are lightest.
    """
    clusters = len(rank)
    names = [[str(k) for k in range(clusters)]] * 2

    def draw(figure: Figure) -> None:
        axes = _matrix(
            figure, RANK_HEIGHT, _RANK_MARGINS, rank, max(1, clusters - 1), RANK_CELL,
            str if clusters <= _MOST_NUMBERED else None,
        )  # fmt: skip
        axes.invert_yaxis()
        step = int(np.ceil(3.5 * LETTER * clusters / (WIDTH - 34 - 46)))
        _label(axes, names, ("looking cluster", "seen cluster"), [step, step])
        _shade_key(figure, RANK_HEIGHT, _RANK_MARGINS, RANK_CELL, {0.0: "near", 1.0: "far"})

    return picture(draw, RANK_HEIGHT, name, f"Ranks of {clusters} clusters as seen from each of them", crisp=True)


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
    upright, level = np.argwhere(inside[:, 1:] != inside[:, :-1]), np.argwhere(inside[1:] != inside[:-1])
    lines = [[(column + 1, row), (column + 1, row + 1)] for row, column in upright.tolist()]
    return lines + [[(column, row + 1), (column + 1, row + 1)] for row, column in level.tolist()]


def _matrix(
    figure: Figure, height: float, margins: Mapping[str, float], values: NDArray[Any], full: float, colour: Colour,
    write: Callable[[Any], str] | None,
) -> Axes:  # fmt: skip
    """One unit square per value, row 0 below, from the page (0) to `colour` (`full`), with a text if wanted."""
    axes = panel(figure, height, **margins)
    rows, columns = values.shape
    axes.set(xlim=(0, columns), ylim=(0, rows))
    axes.spines["bottom"].set_visible(False)
    cells = [Rectangle((column, row), 1, 1) for row, column in np.ndindex(rows, columns)]
    faces = [(colour.light, value) for value in (values / full).flat]
    axes.add_collection(PatchCollection(cells, facecolors=faces, linewidths=0))
    _frame(axes, columns, rows)
    if write is not None:
        for (row, column), value in np.ndenumerate(values):
            ink = ON_CELL if value / full >= _DARK else INK
            axes.text(
                column + 0.5, row + 0.5, write(value),
                ha="center", va="center_baseline", fontsize=NUMBER, color=ink.light,
            )  # fmt: skip
    return axes


def _label(axes: Axes, names: Sequence[Sequence[str]], titles: Sequence[str], steps: Sequence[int]) -> None:
    """Titles and tick labels of the axis upwards and the axis to the right, of every so many rows and columns."""
    for axis, along, title, step in zip((axes.yaxis, axes.xaxis), names, titles, steps, strict=True):
        axis.set_ticks([i + 0.5 for i in range(0, len(along), step)], along[::step])
        axis.set_label_text(title, fontsize=TEXT, color=MUTED.light)
        axis.labelpad = 4


def _shade_key(
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
