"""Matrices as shaded cells, and the key of the shades."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from graphcert.report.plots.canvas import TEXT, WIDTH, panel
from graphcert.report.theme import INK, ON_CELL, RULE, Colour

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
