"""Shares of the targets against the budget on one axis: a line per method, and what the strongest gains."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid
from graphcert.collective.curve import SHIFT
from graphcert.report.frame.html import ACCURACY, INK, LINES, MUTED, RATIO, RULE, Colour
from graphcert.report.frame.wording import axis_words, change_words, points
from graphcert.report.plots.canvas import TEXT, WIDTH, panel, picture
from graphcert.report.plots.labels import ROW, Boxes, Named, place_names

Shares = NDArray[np.float64]

HEIGHT = 216.0
MARGINS = {"left": 34.0, "right": 10.0, "top": 18.0, "bottom": 38.0}
"""Of the panel, in points; above 100% there is room for a line of text."""
_ACROSS = WIDTH - MARGINS["left"] - MARGINS["right"]
_UPWARDS = HEIGHT - MARGINS["top"] - MARGINS["bottom"]

_DASHES = (
    (1.2, 1.6), (4.5, 2.0), (6.0, 1.5, 1.2, 1.5), (2.5, 1.2), (7.0, 1.4, 1.2, 1.4, 1.2, 1.4), (8.0, 3.0), (1.2, 3.2),
)  # fmt: skip
"""Of all methods but the strongest, which is a full line; their colours are `LINES`."""
MOST_LINES = 1 + len(_DASHES)

TURN = "turn"
"""The axis of turns, measured in degrees."""
_MEASURED = (SHIFT, TURN)
_MOST_MARKERS, _TINT, _EQUAL, _SAME = 41, 0.13, 1e-9, " = "


def curve_plot(grid: BudgetGrid, name: str) -> str:
    """Certified ratio and accuracy over the one axis of a grid, as SVG."""
    shares = {"ratio": grid.ratio} if grid.accuracy is None else {"accuracy": grid.accuracy, "ratio": grid.ratio}
    return shares_plot(grid.axes[0], grid.values[0], shares, "", name, colours={"accuracy": ACCURACY, "ratio": RATIO})


def counts_plot(
    axis: str, values: Sequence[float], counts: Mapping[str, NDArray[np.int64]], total: int, name: str, norm: str = "ℓ2"
) -> str:
    """Certified targets out of `total` by several methods, the weakest first, and the largest gain in percentage points."""
    weakest, *_, strongest = (*counts.values(), *counts.values())
    gain = f"{points(int((strongest - weakest).max()), total)} points"
    return shares_plot(axis, values, {method: found / total for method, found in counts.items()}, gain, name, norm)


def shares_plot(
    axis: str, values: Sequence[float], shares: Mapping[str, Shares], gain: str, name: str, norm: str = "ℓ2",
    colours: Mapping[str, Colour] | None = None,
) -> str:  # fmt: skip
    """One panel as SVG: a line per method with its name beside it, the weakest first.

    `shares` (B,) of the targets by every method over budgets `values` (B,), whole numbers but for norms. Methods with the
    same shares have one line with all their names. Up to `MOST_LINES` methods differ in dashes and colours; `colours` are
    those of full lines. `gain` is written at the largest gain of the strongest over the weakest, which is tinted; empty for
    no gain. `name` is unique in the page.
    """
    draw = shares_drawing(axis, values, shares, gain, norm, colours)
    title = BudgetAxis.of(axis, values, norm).title
    against = title if axis in _MEASURED else f"number of {title}"
    return picture(draw, HEIGHT, name, f"Share of the targets against the {against}: {', '.join(shares)}")


def shares_drawing(
    axis: str, values: Sequence[float], shares: Mapping[str, Shares], gain: str = "", norm: str = "ℓ2",
    colours: Mapping[str, Colour] | None = None,
) -> Callable[[Figure], None]:  # fmt: skip
    """What draws the panel of `shares_plot` on a figure of `WIDTH` × `HEIGHT` points."""
    sweep = BudgetAxis.of(axis, values, norm)

    def draw(figure: Figure) -> None:
        axes = panel(figure, HEIGHT, **MARGINS)
        sweep.frame(axes)
        lines = {text: along[sweep.place] for text, along in _merged(shares).items()}
        drawn = _draw_lines(axes, sweep, lines, list(shares), colours or {})
        sheet = panel(figure, HEIGHT, **{**MARGINS, "top": 0.0})
        sheet.set(xlim=(0, _ACROSS), ylim=(0, HEIGHT - MARGINS["bottom"]))
        sheet.set_axis_off()
        curves = [_named(text, lines, sweep) for text in lines]
        weakest, *_, strongest = (*lines.values(), *lines.values())
        if gain and (strongest - weakest).max() > _EQUAL:
            axes.fill_between(sweep.at, weakest, strongest, step="post", color=RATIO.light, alpha=_TINT, linewidth=0)
            span = _span(sweep, weakest, strongest)
            sheet.plot(span[0, [0, 2]], span[0, [1, 3]], color=INK.light, linewidth=1.0, marker="_", markersize=5)
            curves.append(Named(gain, span, span))
            drawn[gain] = INK
        _write(sheet, curves, drawn)

    return draw


class BudgetAxis(NamedTuple):
    """Where the shares of a sweep stand, so that a line of steps never claims more than was computed.

    A whole number between two budgets has the share of the larger one; from a norm to the next, a line has the share of the
    larger one, and at its end that of the last. `at` (P,) are whole numbers from the first to the last budget, or the norms;
    `place` (P,) says which budget has the share that is shown from there on, and `marked` (P,) which get a marker.
    """

    title: str
    at: NDArray[Any]
    place: NDArray[np.int64]
    marked: NDArray[np.bool_]

    @classmethod
    def of(cls, axis: str, values: Sequence[float], norm: str = "ℓ2") -> "BudgetAxis":
        """The axis of budgets in any order."""
        order = np.argsort(values, kind="stable")
        budgets = np.array(values, np.float64 if axis in _MEASURED else np.int64)[order]
        if axis in _MEASURED:
            title = change_words(norm) if axis == SHIFT else "turn in degrees"
            return cls(title, budgets, np.append(order[1:], order[-1]), budgets < 0)
        whole = np.arange(budgets[0], budgets[-1] + 1)
        marked = np.isin(whole, budgets) & (len(budgets) <= _MOST_MARKERS)
        return cls(axis_words(axis), whole, order[np.searchsorted(budgets, whole)], marked)

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return float(self.at[-1] if self.at[-1] > self.at[0] else self.at[0] + 1)

    @property
    def across(self) -> Shares:
        """(P,) the places in points from the left of the panel."""
        return np.asarray((self.at - self.at[0]) / (self.end - self.at[0]) * _ACROSS)

    def frame(self, axes: Axes) -> None:
        """Draw limits, grid lines and tick labels."""
        axes.set(xlim=(self.at[0], self.end), ylim=(0, 1), yticks=[0, 0.25, 0.5, 0.75, 1])
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=self.at.dtype == np.int64))
        axes.grid(axis="y", color=RULE.light, linewidth=0.8)
        axes.set_xlabel(self.title, fontsize=TEXT, color=MUTED.light, labelpad=5)


def _merged(shares: Mapping[str, Shares]) -> dict[str, Shares]:
    """Curves that are the same become one, at the place of the strongest of them."""
    groups: dict[bytes, list[str]] = {}
    for text in reversed(list(shares)):
        groups.setdefault(shares[text].tobytes(), []).insert(0, text)
    return {_SAME.join(texts): shares[texts[-1]] for texts in reversed(groups.values())}


def _draw_lines(
    axes: Axes, sweep: BudgetAxis, lines: Mapping[str, Shares], methods: Sequence[str], full: Mapping[str, Colour]
) -> dict[str, Colour]:
    """Draw steps per method, the strongest on top, and return its colour; a method looks the same in every plot."""
    colours: dict[str, Colour] = {}
    for rank, (text, along) in enumerate(lines.items()):
        method = text.split(_SAME)[-1]
        look = methods.index(method) % len(_DASHES)
        style: dict[str, Any] = {"linewidth": 1.4, "linestyle": (0, _DASHES[look])}
        if rank == len(lines) - 1 or method in full:
            style = {"linewidth": 1.8, "marker": "o", "markersize": 3.6, "markeredgewidth": 0}
            style["markevery"] = np.flatnonzero(sweep.marked).tolist()
            colours[text] = full.get(method, RATIO)
        else:
            colours[text] = LINES[look]
        axes.plot(
            sweep.at, along, color=colours[text].light, drawstyle="steps-post", clip_on=False, zorder=3 + rank / 9,
            **style,
        )  # fmt: skip
    return colours


def _named(text: str, lines: Mapping[str, Shares], sweep: BudgetAxis) -> Named:
    """The level and the upright parts of a line; it is known by the level parts that no other line has."""
    shares = lines[text]
    apart = [np.abs(other - shares) > _EQUAL for name, other in lines.items() if name != text]
    alone = np.all([np.ones(len(shares), bool), *apart], axis=0)
    # A level part lasts until the line steps or begins or ceases to be alone.
    begins = np.flatnonzero(np.append(True, (np.diff(shares) != 0) | (alone[1:] != alone[:-1])))
    x, y = np.append(sweep.across[begins], _ACROSS), shares[begins] * _UPWARDS
    level = np.stack([x[:-1], y, x[1:], y], axis=1)
    upright = np.stack([x[1:-1], np.minimum(y[:-1], y[1:]), x[1:-1], np.maximum(y[:-1], y[1:])], axis=1)
    aim = level[alone[begins]]
    return Named(text, np.concatenate([level, upright]), aim if len(aim) else level)


def _span(sweep: BudgetAxis, weakest: Shares, strongest: Shares) -> Boxes:
    """(1, 4) the upright line between the two curves where they are farthest apart."""
    k, x = int(np.argmax(strongest - weakest)), sweep.across
    middle = (x[k] + x[min(k + 1, len(x) - 1)]) / 2
    return np.array([[middle, weakest[k] * _UPWARDS, middle, strongest[k] * _UPWARDS]])


def _write(sheet: Axes, curves: list[Named], colours: Mapping[str, Colour]) -> None:
    """The names; those of the weakest and the strongest method, which stand at the rim, have the first choice."""
    weakest, *between = curves
    ordered = [weakest, *between[::-1]]
    places = place_names(ordered, _ACROSS, HEIGHT - MARGINS["bottom"])
    for curve, place in zip(ordered, places, strict=True):
        colour = colours[curve.text].light
        for row, text in enumerate(reversed(place.rows)):
            sheet.text(place.x, place.y + row * ROW, text, color=colour, ha="left", va="bottom")
        if place.leader is not None:
            x0, y0, x1, y1 = place.leader
            sheet.plot([x0, x1], [y0, y1], color=colour, linewidth=0.7, clip_on=False)
            sheet.plot([x1], [y1], color=colour, marker="o", markersize=2.6, markeredgewidth=0, clip_on=False)
