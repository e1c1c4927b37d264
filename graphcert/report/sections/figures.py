"""The sections with plots."""

import numpy as np
from markupsafe import Markup

from graphcert.certificates import BudgetGrid
from graphcert.report.content import ReportContent
from graphcert.report.page import block
from graphcert.report.plots import curve_plot, heat_map_plot
from graphcert.report.probe import out_of_reach
from graphcert.report.sections.section import Section
from graphcert.report.theme import ACCURACY_CELL, RATIO_CELL
from graphcert.report.wording import alternatives, axis_words, besides, budget_words, number, percent


def curves(content: ReportContent) -> Section | None:
    """One panel per axis, and the numbers behind them."""
    if not content.curves:
        return None
    captions = [f"{axis_words(grid.axes[0]).capitalize()}{besides(grid.fixed)}" for grid in content.curves]
    plots = [Markup(curve_plot(_shown(content, grid), f"curve{i}")) for i, grid in enumerate(content.curves)]
    numbers = block("columns", [_numbers(content, grid) for grid in content.curves])
    parts = [
        block("figures", list(zip(captions, plots, strict=True))),
        _unreachable(content),
        block("folded", "The numbers behind the curves", numbers),
    ]
    return Section("Certified ratio and accuracy by budget", Markup().join(parts))


def heat_maps(content: ReportContent) -> Section | None:
    """Ratio and accuracy for two operations at once."""
    items: list[tuple[str, Markup]] = []
    for i, grid in enumerate(content.heat_maps):
        pairs = [("Certified ratio", grid.ratio, RATIO_CELL)]
        if grid.accuracy is not None and content.has_truth:
            pairs.append(("Certified accuracy", grid.accuracy, ACCURACY_CELL))
        for what, shares, colour in pairs:
            svg = Markup(heat_map_plot(grid, shares, colour, f"map{i}-{len(items)}", what))
            items.append((f"{what}{_channel(grid)}{besides(grid.fixed)}", svg))
    if not items:
        return None
    note = "The line marks where the share falls below one half. Numbers are whole percents, rounded down."
    return Section("Two kinds of change at once", block("figures", items) + block("notes", [note]))


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
