"""How clear the votes are: a histogram of the share of votes for the predicted label."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray

from graphcert.report.frame.html import INK, MUTED, RULE, Colour
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture

_HEIGHT = 216.0
_MARGINS = {"left": 38.0, "right": 12.0, "top": 34.0, "bottom": 38.0}
_MOST_BINS, _COUNTS_PER_BIN = 50, 4

Group = tuple[str, NDArray[np.float64], Colour]
"""A name, the shares of votes of its nodes, and a colour."""


def margin_plot(groups: Sequence[Group], threshold: float | None, samples: int, name: str) -> str:
    """Stacked histogram as SVG; a dashed line marks the smallest share that is certified without any change, if any.

    Groups are stacked from below, empty ones are not named; `samples`, the votes per node, limit how fine the bins can be.
    """

    def draw(figure: Figure) -> None:
        axes = panel(figure, _HEIGHT, **_MARGINS)
        edges = _edges(threshold, max(2, min(_MOST_BINS, samples // _COUNTS_PER_BIN)))
        below = np.zeros(len(edges) - 1)
        for _, shares, colour in groups:
            counts = np.histogram(shares, edges)[0]
            widths = np.diff(edges) * 0.88
            axes.bar(edges[:-1], counts, widths, bottom=below, align="edge", color=colour.light, linewidth=0)
            below = below + counts
        axes.set(xlim=(0, 1), ylim=(0, max(1.0, below.max() * 1.04)), xticks=[0, 0.25, 0.5, 0.75, 1])
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.grid(axis="y", color=RULE.light, linewidth=0.8)
        axes.set_xlabel("votes for the predicted label", fontsize=TEXT, color=MUTED.light, labelpad=5)
        _legend(figure, groups)
        if threshold is not None:
            _mark(figure, threshold)

    return picture(draw, _HEIGHT, name, "Histogram of the share of votes for the predicted label", crisp=True)


def _edges(threshold: float | None, bins: int) -> NDArray[np.float64]:
    """Bins of nearly equal width over 0..1, none of which contains the threshold inside."""
    if threshold is None or threshold >= 1:
        return np.linspace(0, 1, bins + 1)
    left = max(1, round(bins * threshold))
    right = np.linspace(threshold, 1, max(2, bins - left + 1))
    return np.concatenate([np.linspace(0, threshold, left, endpoint=False), right])


def _legend(figure: Figure, groups: Sequence[Group]) -> None:
    """The names of the groups in their colours, above the plot."""
    x, y = _MARGINS["left"], _HEIGHT - TEXT - 1
    for text, shares, colour in groups:
        if shares.size:
            figure.text(x / WIDTH, y / _HEIGHT, text, color=colour.light)
            x += (len(text) + 2) * LETTER


def _mark(figure: Figure, threshold: float) -> None:
    axes = figure.axes[0]
    axes.axvline(threshold, color=INK.light, linewidth=1, linestyle=(0, (3, 2)))
    text = f"abstains below {100 * threshold:.1f}%"
    half = len(text) * LETTER / 2 / (WIDTH - _MARGINS["left"] - _MARGINS["right"])
    axes.text(
        min(max(threshold, half), 1 - half), 1.02, text, color=INK.light, ha="center", va="bottom",
        transform=axes.get_xaxis_transform(),
    )  # fmt: skip
