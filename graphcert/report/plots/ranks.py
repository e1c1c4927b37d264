"""How near the clusters are to each other: their ranks as a matrix."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture
from graphcert.report.plots.shades import cell_number, shade_key, shades, tick_step
from graphcert.report.theme import MUTED, RANK_CELL

_MARGINS = {"left": 34.0, "right": 46.0, "top": 4.0, "bottom": 38.0}
_SIDE = WIDTH - _MARGINS["left"] - _MARGINS["right"]
HEIGHT = _SIDE + _MARGINS["top"] + _MARGINS["bottom"]
_MOST_NUMBERED = 20


def rank_plot(rank: NDArray[np.int64], name: str) -> str:
    """A square of shades as SVG, row 0 at the top: the looking cluster downwards, the seen one to the right.

    Args:
        rank: (C, C) how near the block of a column is to the cluster of a row, 0 … C − 1; the nearest are lightest.
        name: unique in the page.
    """
    clusters = len(rank)

    def draw(figure: Figure) -> None:
        axes = panel(figure, HEIGHT, **_MARGINS)
        upwards = rank[::-1]
        opacities = upwards / max(1, clusters - 1)
        shades(axes, opacities, RANK_CELL)
        if clusters <= _MOST_NUMBERED:
            for (row, column), value in np.ndenumerate(upwards):
                cell_number(axes, row, column, str(value), float(opacities[row, column]))
        step = max(tick_step(clusters, 3.5 * LETTER, _SIDE), tick_step(clusters, 1.4 * TEXT, _SIDE))
        shown = range(0, clusters, step)
        axes.set_xticks([k + 0.5 for k in shown], [str(k) for k in shown])
        axes.set_yticks([clusters - k - 0.5 for k in shown], [str(k) for k in shown])
        axes.set_xlabel("seen cluster", fontsize=TEXT, color=MUTED.light, labelpad=4)
        axes.set_ylabel("looking cluster", fontsize=TEXT, color=MUTED.light, labelpad=4)
        shade_key(figure, HEIGHT, _MARGINS, RANK_CELL, {0.0: "near", 1.0: "far"})

    return picture(draw, HEIGHT, name, f"Ranks of {clusters} clusters as seen from each of them", crisp=True)
