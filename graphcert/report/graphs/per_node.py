"""The sections about each target by itself: curves and maps over budgets, votes and abstentions."""

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid
from graphcert.report.frame.html import ACCURACY_CELL, CORRECT, RATIO_CELL, UNKNOWN, WRONG, Section, block, gallery
from graphcert.report.frame.wording import alternatives, axis_words, besides, budget_words, heading, number, percent
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import abstention_threshold, class_counts, out_of_reach
from graphcert.report.plots import Panel, curve_plot, has_border, has_numbers, heat_map_plot, margin_plot


def curves(content: ReportContent) -> Section | None:
    """One panel per axis, and the numbers behind them."""
    if not content.curves:
        return None
    plots = [
        (heading(grid.axes[0], grid.fixed).capitalize(), Markup(curve_plot(grid, f"curve{i}")))
        for i, grid in enumerate(content.curves)
    ]
    numbers = block("columns", [_numbers(content, grid) for grid in content.curves])
    parts = [gallery(plots), _unreachable(content), block("folded", "The numbers behind the curves", numbers)]
    return Section(f"Certified ratio and accuracy by budget{_scope(content)}", Markup().join(parts))


def heat_maps(content: ReportContent) -> Section | None:
    """Ratio and accuracy for two operations at once."""
    items: list[tuple[str, Markup]] = []
    bordered = False
    for i, grid in enumerate(content.heat_maps):
        channels = {axis.partition("_")[0] for axis in grid.axes}
        channel = f", {channels.pop()}s" if len(channels) == 1 else ""
        maps = [("Certified ratio", grid.ratio, RATIO_CELL)]
        if grid.accuracy is not None and np.array_equal(grid.accuracy, grid.ratio):
            maps = [("Certified ratio, which is the accuracy,", grid.ratio, RATIO_CELL)]
        elif grid.accuracy is not None:
            maps.append(("Certified accuracy", grid.accuracy, ACCURACY_CELL))
        for what, shares, colour in maps:
            svg = Markup(heat_map_plot(Panel(grid.axes, grid.values, shares), colour, f"map{i}-{len(items)}", what))
            items.append((f"{what}{map_unit(shares)}{channel}{besides(grid.fixed)}", svg))
            bordered |= has_border(shares)
    if not items:
        return None
    notes = ["The line marks where the share falls below one half."] * bordered
    return Section(f"Two kinds of change together{_scope(content)}", gallery(items) + block("notes", notes))


def map_unit(shares: NDArray[np.float64], unit: str = "percents") -> str:
    """What the numbers in the cells of a map are, if it has any."""
    return f" in whole {unit}, rounded down" if has_numbers(shares) else ""


def _scope(content: ReportContent) -> str:
    """Marks sections about single targets where others are about all of them at once."""
    return ", each target alone" if content.collective else ""


def _unreachable(content: ReportContent) -> Markup:
    """Where the curves must end for want of samples, whatever the model."""
    ends = [budget for grid in content.curves if (budget := out_of_reach(content, grid)) is not None]
    if not ends:
        return Markup()
    reason = f"With {number(content.votes.samples)} samples under this noise, even unanimous votes prove nothing"
    return block("notes", [f"{reason} against {alternatives([budget_words(budget) for budget in ends])}."])


def _numbers(content: ReportContent, grid: BudgetGrid) -> Markup:
    claims = content.certificate.claims
    shares = [grid.ratio] if grid.accuracy is None else [grid.ratio, grid.accuracy]
    counts = [np.rint(share * claims).astype(np.int64).tolist() for share in shares]
    rows = [
        [number(value), number(row[0]), *(percent(count, claims) for count in row)]
        for value, *row in zip(grid.values[0], *counts, strict=True)
    ]
    header = ["budget", "certified", "ratio", "accuracy"][: 2 + len(shares)]
    return block("table", axis_words(grid.axes[0]).capitalize(), header, rows)


def abstentions(content: ReportContent) -> Section:
    """The histogram of votes beside the abstentions in words, then the counts per class."""
    certificate, votes = content.certificate, content.votes
    shares, targets, known = votes.successes / votes.node_samples, certificate.targets, content.truth >= 0
    correct = certificate.correct(content.truth) & known
    groups = [
        ("correct", shares[targets & correct], CORRECT),
        ("wrong", shares[targets & known & ~correct], WRONG),
        ("label unknown", shares[targets & ~known], UNKNOWN),
    ]
    svg = Markup(margin_plot(groups, abstention_threshold(content), votes.samples, "votes"))
    figure = gallery([("Targets by their votes", svg)])
    beside = block("columns", [figure, block("paragraphs", _abstention_words(content))])
    labels = {"predicted": certificate.labels} | ({"true": content.truth} if content.has_truth else {})
    tables = []
    for name, classes in labels.items():
        counts = enumerate(class_counts(content, classes))
        rows = [[str(label), number(all_), number(silent), percent(silent, all_)] for label, (all_, silent) in counts]
        tables.append(block("table", f"Abstentions by {name} label", ["class", "targets", "abstain", "share"], rows))
    return Section("Votes and abstentions", beside + block("columns", tables))


def _abstention_words(content: ReportContent) -> list[str]:
    certificate, votes = content.certificate, content.votes
    silent, claims = certificate.abstained & certificate.targets, certificate.claims
    count = int(silent.sum())
    found = [
        f"{number(count)} of {number(claims)} targets ({percent(count, claims)}) abstain: fewer of their "
        f"{certificate._samples_words()} votes went to the predicted label than a proof needs. They count as not certified "
        "at every budget, and not even their label is claimed."
    ]
    known, right = content.truth >= 0, certificate.correct(content.truth)
    rates = [
        percent(int((part & known & right).sum()), int((part & known).sum()))
        for part in (silent, certificate.targets & ~silent)
    ]
    if content.has_truth and count:
        among = f"Among the abstaining targets, {rates[0]} are labelled correctly"
        found.append(f"{among}; among the others, {rates[1]}." if count < claims else f"{among}.")
    found.append(
        f"The label of a target is the majority of {number(votes.pilot_samples)} pilot votes, which are independent of "
        "the votes shown here; so a share below one half can occur."
    )
    return found
