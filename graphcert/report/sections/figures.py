"""The sections with plots."""

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid
from graphcert.report.content import ReportContent
from graphcert.report.page import block
from graphcert.report.plots import curve_plot, has_border, has_numbers, heat_map_plot
from graphcert.report.probe import out_of_reach
from graphcert.report.sections.section import Section, gallery
from graphcert.report.theme import ACCURACY_CELL, RATIO_CELL, Colour
from graphcert.report.wording import alternatives, axis_words, besides, budget_words, number, percent


def curves(content: ReportContent) -> Section | None:
    """One panel per axis, and the numbers behind them."""
    if not content.curves:
        return None
    captions = [f"{axis_words(grid.axes[0]).capitalize()}{besides(grid.fixed)}" for grid in content.curves]
    plots = [Markup(curve_plot(_shown(content, grid), f"curve{i}")) for i, grid in enumerate(content.curves)]
    numbers = block("columns", [_numbers(content, grid) for grid in content.curves])
    parts = [
        gallery(list(zip(captions, plots, strict=True))),
        _unreachable(content),
        block("folded", "The numbers behind the curves", numbers),
    ]
    return Section(f"Certified ratio and accuracy by budget{_alone(content)}", Markup().join(parts))


def heat_maps(content: ReportContent) -> Section | None:
    """Ratio and accuracy for two operations at once."""
    items: list[tuple[str, Markup]] = []
    bordered = False
    for i, grid in enumerate(content.heat_maps):
        for what, shares, colour in _maps(content, grid):
            svg = Markup(heat_map_plot(grid, shares, colour, f"map{i}-{len(items)}", what))
            items.append((f"{what}{map_unit(shares)}{_channel(grid)}{besides(grid.fixed)}", svg))
            bordered |= has_border(shares)
    if not items:
        return None
    notes = ["The line marks where the share falls below one half."] * bordered
    return Section(f"Two kinds of change together{_alone(content)}", gallery(items) + block("notes", notes))


def map_unit(shares: NDArray[np.float64], unit: str = "percents") -> str:
    """What the numbers in the cells of a map are, if it has any."""
    return f" in whole {unit}, rounded down" if has_numbers(shares) else ""


def _maps(content: ReportContent, grid: BudgetGrid) -> list[tuple[str, NDArray[np.float64], Colour]]:
    """Name, values and colour of the maps of a grid; one map if every certified target is correct."""
    if grid.accuracy is None or not content.has_truth:
        return [("Certified ratio", grid.ratio, RATIO_CELL)]
    if np.array_equal(grid.accuracy, grid.ratio):
        return [("Certified ratio, which is the accuracy,", grid.ratio, RATIO_CELL)]
    return [("Certified ratio", grid.ratio, RATIO_CELL), ("Certified accuracy", grid.accuracy, ACCURACY_CELL)]


def _alone(content: ReportContent) -> str:
    """Marks sections about single targets where others are about all of them at once."""
    return ", each target alone" if content.collective else ""


def _unreachable(content: ReportContent) -> Markup:
    """Where the curves must end for want of samples, whatever the model."""
    ends = [budget for grid in content.curves if (budget := out_of_reach(content, grid)) is not None]
    if not ends:
        return Markup()
    reason = f"With {number(content.votes.samples)} samples under this noise, even unanimous votes prove nothing"
    return block("notes", [f"{reason} against {alternatives([budget_words(budget) for budget in ends])}."])


def _shown(content: ReportContent, grid: BudgetGrid) -> BudgetGrid:
    """The grid without an accuracy that no label supports."""
    if content.has_truth:
        return grid
    return BudgetGrid(grid.axes, grid.values, grid.fixed, grid.ratio, None)


def _channel(grid: BudgetGrid) -> str:
    """The channel of both axes, if it is one."""
    channels = {axis.partition("_")[0] for axis in grid.axes}
    return f", {channels.pop()}s" if len(channels) == 1 else ""


def _numbers(content: ReportContent, grid: BudgetGrid) -> Markup:
    claims = content.certificate.claims
    shares = [grid.ratio] if grid.accuracy is None or not content.has_truth else [grid.ratio, grid.accuracy]
    counts = [np.rint(share * claims).astype(np.int64).tolist() for share in shares]
    rows = [
        [number(value), number(row[0]), *(percent(count, claims) for count in row)]
        for value, *row in zip(grid.values[0], *counts, strict=True)
    ]
    header = ["budget", "certified", "ratio", "accuracy"][: 2 + len(shares)]
    return block("table", axis_words(grid.axes[0]).capitalize(), header, rows)
