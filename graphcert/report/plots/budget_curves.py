"""Shares of the targets against the budget on one axis: the frame and the lines of such plots."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid
from graphcert.collective.curve import SHIFT
from graphcert.report.frame.theme import ACCURACY, INK, LINES, MUTED, RATIO, RULE, Colour
from graphcert.report.frame.wording import axis_words
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture
from graphcert.report.plots.labels import ROW, Boxes, Named, place_names

Budgets = NDArray[np.int64]
Shares = NDArray[np.float64]

HEIGHT = 216.0
MARGINS = {"left": 34.0, "right": 10.0, "top": 18.0, "bottom": 38.0}
"""Of the panel, in points; above 100% there is room for a line of text."""

_MOST_MARKERS = 41


class BudgetAxis:
    """The whole numbers from the first to the last budget of a sweep; `NormAxis` is its counterpart for norms.

    A number between two budgets has the value of the larger one, so that a line never claims more than was computed.

    Attributes:
        title: what is counted.
        whole: these numbers, ascending.
        marked: which of them are budgets and get a marker; none of them if there are too many.
    """

    integer = True

    def __init__(self, values: tuple[int, ...], title: str) -> None:
        self.title = title
        order = np.argsort(values, kind="stable")
        budgets = np.array(values)[order]
        self.whole = np.arange(budgets[0], budgets[-1] + 1)
        self.marked = np.isin(self.whole, budgets) & (len(budgets) <= _MOST_MARKERS)
        self._place = order[np.searchsorted(budgets, self.whole)]

    def along(self, shares: Shares) -> Shares:
        """Shares per budget as shares per whole number."""
        return shares[self._place]

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return float(max(self.whole[-1], self.whole[0] + 1))

    def frame(self, axes: Axes) -> None:
        """Limits, grid lines and tick labels."""
        axes.set_xlim(self.whole[0], self.end)
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=self.integer))
        axes.grid(axis="y", color=RULE.light, linewidth=0.8)
        axes.set_xlabel(self.title, fontsize=TEXT, color=MUTED.light, labelpad=5)

    def line(self, axes: Axes, shares: Shares, colour: Colour, marker: str = "", **style: Any) -> None:
        """A line of steps through `shares` per whole number."""
        axes.plot(
            self.whole, shares, color=colour.light, drawstyle="steps-post", clip_on=False,
            marker=marker, markevery=np.flatnonzero(self.marked).tolist(), markersize=3.6, markeredgewidth=0,
            **{"linewidth": 1.4, "zorder": 3, **style},
        )  # fmt: skip


class NormAxis(BudgetAxis):
    """Norms of a change. Between two of them a line has the value of the larger one, at its end that of the last one.

    Attributes:
        title: which norm of what.
        whole: the norms, ascending.
        marked: none of them.
    """

    integer = False

    def __init__(self, norms: tuple[float, ...], norm: str = "ℓ2") -> None:
        self.title = f"{norm} norm of the change"
        self._place = np.argsort(norms, kind="stable")
        self.whole = np.array(norms, dtype=np.float64)[self._place]
        self.marked = np.zeros(len(norms), dtype=np.bool_)

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return float(self.whole[-1] if self.whole[-1] > self.whole[0] else self.whole[0] + 1)

    def along(self, shares: Shares) -> Shares:
        """Shares per norm, each where the line towards that norm begins."""
        ordered = shares[self._place]
        return np.append(ordered[1:], ordered[-1])


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


_ACROSS = WIDTH - MARGINS["left"] - MARGINS["right"]
_UPWARDS = HEIGHT - MARGINS["top"] - MARGINS["bottom"]
_DASHES = (
    (1.2, 1.6), (4.5, 2.0), (6.0, 1.5, 1.2, 1.5), (2.5, 1.2), (7.0, 1.4, 1.2, 1.4, 1.2, 1.4), (8.0, 3.0), (1.2, 3.2),
)  # fmt: skip
"""Of the weakest method and of those between it and the strongest, which is a full line; their colours are `LINES`."""
MOST_LINES = 1 + len(_DASHES)

_TINT = 0.13
_EQUAL = 1e-9
_SAME = " = "


def ladder_plot(
    axis: str, values: Sequence[float], ratios: Mapping[str, Shares], gain: str, name: str, norm: str = "ℓ2"
) -> str:
    """One panel as SVG: a line per method with its name beside it, and the gain as a tinted area.

    Methods with the same ratios share a line and a name. At most `MOST_LINES` methods have lines of their own look.

    Args:
        axis: the name of the budget axis, `SHIFT` for norms.
        values: (B,) budgets, whole numbers but for norms.
        ratios: the certified ratio (B,) of every method under the name to show, the weakest first.
        gain: what to write at the largest gain of the strongest over the weakest.
        name: unique in the page.
        norm: which one, if the budgets are norms.
    """

    def draw(figure: Figure) -> None:
        axes = panel(figure, HEIGHT, **MARGINS)
        whole = tuple(map(int, values))
        sweep = NormAxis(tuple(values), norm) if axis == SHIFT else BudgetAxis(whole, axis_words(axis))
        sweep.frame(axes)
        lines = {text: sweep.along(shares) for text, shares in _merged(ratios).items()}
        colours = _draw_methods(axes, sweep, lines, list(ratios))
        weakest, *_, strongest = (*lines.values(), *lines.values())
        sheet = _sheet(figure)
        curves = [_named(text, lines, sweep) for text in lines]
        if (strongest - weakest).max() > _EQUAL:
            span = _span(sweep, weakest, strongest)
            sheet.plot(span[0, [0, 2]], span[0, [1, 3]], color=INK.light, linewidth=1.0, marker="_", markersize=5)
            curves.append(Named(gain, span, span))
            colours[gain] = INK
        _write(sheet, curves, colours)

    against = f"{norm} {axis_words(axis)}" if axis == SHIFT else f"number of {axis_words(axis)}"
    return picture(draw, HEIGHT, name, f"Certified ratio against the {against}: {', '.join(ratios)}")


def _merged(ratios: Mapping[str, Shares]) -> dict[str, Shares]:
    """Curves that are the same become one, at the place of the strongest of them."""
    groups: dict[bytes, list[str]] = {}
    for text in reversed(list(ratios)):
        groups.setdefault(ratios[text].tobytes(), []).insert(0, text)
    return {_SAME.join(texts): ratios[texts[-1]] for texts in reversed(groups.values())}


def _draw_methods(
    axes: Axes, sweep: BudgetAxis, lines: Mapping[str, Shares], methods: Sequence[str]
) -> dict[str, Colour]:
    """The lines, the strongest on top, and the tint between it and the weakest; the colour of each.

    A method looks the same in every plot of the same methods, whichever of them share a line there.
    """
    *weaker, strongest = lines
    sweep.line(axes, lines[strongest], RATIO, "o", linewidth=1.8, zorder=4)
    colours = {strongest: RATIO}
    for text in weaker:
        look = methods.index(text.split(_SAME)[-1]) % len(_DASHES)
        colours[text] = LINES[look]
        sweep.line(axes, lines[text], colours[text], linestyle=(0, _DASHES[look]))
    if weaker:
        between = (sweep.whole, lines[weaker[0]], lines[strongest])
        axes.fill_between(*between, step="post", color=RATIO.light, alpha=_TINT, linewidth=0)
    return colours


def _sheet(figure: Figure) -> Axes:
    """A layer over the panel and the margin above it, measured in points."""
    sheet = panel(figure, HEIGHT, **{**MARGINS, "top": 0.0})
    sheet.set(xlim=(0, _ACROSS), ylim=(0, HEIGHT - MARGINS["bottom"]))
    sheet.set_axis_off()
    return sheet


def _named(text: str, lines: Mapping[str, Shares], sweep: BudgetAxis) -> Named:
    """The level and the upright parts of a line on the sheet; it is known by the level parts that no other line has."""
    shares = lines[text]
    others = [other for name, other in lines.items() if name != text]
    alone = (
        np.all([np.abs(other - shares) > _EQUAL for other in others], axis=0) if others else np.ones(len(shares), bool)
    )
    # A level part lasts until the line steps or begins or ceases to be alone.
    begins = np.flatnonzero(np.append(True, (np.diff(shares) != 0) | (alone[1:] != alone[:-1])))
    x, y = np.append(_x(sweep)[begins], _ACROSS), shares[begins] * _UPWARDS
    level = np.stack([x[:-1], y, x[1:], y], axis=1)
    upright = np.stack([x[1:-1], np.minimum(y[:-1], y[1:]), x[1:-1], np.maximum(y[:-1], y[1:])], axis=1)
    aim = level[alone[begins]]
    return Named(text, np.concatenate([level, upright]), aim if len(aim) else level)


def _span(sweep: BudgetAxis, weakest: Shares, strongest: Shares) -> Boxes:
    """(1, 4) the upright line on the sheet between the two curves where they are farthest apart."""
    k, x = int(np.argmax(strongest - weakest)), _x(sweep)
    middle = (x[k] + x[min(k + 1, len(x) - 1)]) / 2
    return np.array([[middle, weakest[k] * _UPWARDS, middle, strongest[k] * _UPWARDS]])


def _x(sweep: BudgetAxis) -> Shares:
    """The whole numbers on the sheet."""
    whole = sweep.whole.astype(np.float64)
    return np.asarray((whole - whole[0]) / (sweep.end - whole[0]) * _ACROSS)


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
