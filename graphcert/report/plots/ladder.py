"""Certified ratio along one budget axis by several methods, and what the strongest gains over the weakest."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphcert.collective.curve import SHIFT
from graphcert.report.plots.budget_axis import HEIGHT, MARGINS, BudgetAxis, NormAxis, Shares
from graphcert.report.plots.canvas import WIDTH, panel, picture
from graphcert.report.plots.names import ROW, Boxes, Named, place_names
from graphcert.report.theme import INK, LINES, RATIO, Colour
from graphcert.report.wording import axis_words

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
