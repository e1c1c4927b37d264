"""The section about the graph itself: a picture of its nodes, and a table of the targets."""

from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from graphcert.certificates.budget_grid import counted_axes
from graphcert.core.arrays import Integers, Mask
from graphcert.errors import DataError, UnsupportedError
from graphcert.noise import AXES, Budget
from graphcert.report.frame.html import Section, block
from graphcert.report.frame.wording import (
    NOTHING,
    axis_words,
    budget_words,
    change_words,
    number,
    shift_words,
)
from graphcert.report.graphs.clusters import worst_known
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import at_norms, headline
from graphcert.report.plots.node_map import drawn_nodes, has_edges, node_plot
from graphcert.tradeoff.base import norm_words

MOST_ROWS, PRINTED_ROWS = 3000, 30
"""Of the table, on a screen and on paper."""

_WORST = "worst perturbation"
_STATES = ("abstains", "not certified", "certified")


class Change(NamedTuple):
    """A change that a picture is about.

    Attributes:
        words: the change.
        certified: (N,) targets that are certified against it, each alone.
        fallen: (N,) targets that the worst such change takes, as far as one is known.
        verb: what the worst change does to these; empty if none is known.
    """

    words: str
    certified: Mask
    fallen: Mask
    verb: str = ""


def nodes(content: ReportContent) -> Section:
    """The picture, where the graph is at hand, and the table."""
    change = shown_change(content)
    state = np.where(change.certified, 2, np.where(content.certificate.abstained, 0, 1))
    columns = _columns(content, change, [_STATES[k] for k in state.tolist()])
    parts = _picture(content, change, state, columns) + _table(content, change, columns)
    return Section("Node by node" if content.graph is None else "The graph, node by node", parts)


def shown_change(content: ReportContent) -> Change:
    """The worst perturbation that the run names; without any, the change that parts the targets most evenly."""
    worst = [*_tried(content), *_known(content)]
    if worst:
        # Where nobody is certified, there is less to see.
        return max(worst, key=lambda one: (bool(one.certified.any()), int(one.fallen.sum())))
    unchanged, *changes = [(budget_words(one.budget), one.budget, 0.0) for one in headline(content)]
    limit = content.node_limits[0]
    for norm in map(float, at_norms(content)):
        changes.append((shift_words(content.norm, norm, limit), Budget(nodes=limit), norm))
    nobody = np.zeros(content.certificate.nodes, np.bool_)
    found = [
        Change(words, _certified(content, budget, shift), nobody) for words, budget, shift in changes or [unchanged]
    ]
    return min(found, key=lambda one: abs(2 * int(one.certified.sum()) - content.certificate.claims))


def _tried(content: ReportContent) -> list[Change]:
    """The perturbations that were tried on the model and took some label."""
    record, verb, found = content.attacks, "fell to the worst perturbation that was tried", []
    for one in () if record is None else record.perturbations:
        if one["fell"]:
            budget, shift = Budget(**{axis: one[axis] for axis in (*AXES, "nodes")}), float(one["shift"])
            words = shift_words(content.norm, shift, budget.nodes) if shift else budget_words(budget)
            fallen = _mask(content, one["fell"]) & content.certificate.targets
            found.append(Change(words, _certified(content, budget, shift), fallen, verb))
    return found


def _known(content: ReportContent) -> list[Change]:
    """The worst perturbations that collective certificates know."""
    found, verb = [], "may fall to the worst such change known"
    for sweep in content.sweeps:
        if (worst := worst_known(content, sweep)) is not None:
            shift = 0.0 if sweep.shifts is None else sweep.shifts[worst.row]
            certified = _certified(content, sweep.budgets[worst.row], shift)
            found.append(Change(sweep.words(worst.row), certified, worst.attack.broken, verb))
    return found


def _certified(content: ReportContent, budget: Budget, shift: float) -> Mask:
    """(N,) the targets that are certified, each alone; none beyond exact arithmetic."""
    try:
        return content.certificate._kept(budget, shift)
    except UnsupportedError:
        return np.zeros(content.certificate.nodes, np.bool_)


def _mask(content: ReportContent, numbers: list[int]) -> Mask:
    found = np.zeros(content.certificate.nodes, np.bool_)
    if max(numbers) >= len(found):
        raise DataError("the record of attacks names nodes that the graph does not have; run `graphcert attack` again")
    found[numbers] = True
    return found


def _columns(content: ReportContent, change: Change, states: list[str]) -> dict[str, list[str]]:
    """Heading and cells (N,) of the columns behind the number of a node."""
    certificate, votes, targets = content.certificate, content.votes, content.certificate.targets
    columns = {"label": list(map(str, certificate.labels.tolist()))}
    if content.has_truth:
        columns["true"] = [str(label) if label >= 0 else NOTHING for label in content.truth.tolist()]
    columns["votes"] = list(map(number, votes.successes.tolist()))
    if votes.looks is not None:
        columns["of"] = list(map(number, votes.node_samples.tolist()))
    columns["status"] = states
    for axis in counted_axes(certificate.smoothing):
        limit = 1 if certificate.smoothing.selects_rows and axis in AXES[:2] else None
        largest = certificate._largest(axis, limit)
        heading = f"{axis_words(axis)}{' in one node' if limit else ''}"
        columns[heading] = _largest(largest, targets & ~certificate.abstained)
    if content.norm:
        limit = content.node_limits[0]
        radius = certificate.radius(limit).tolist()
        heading = f"{change_words(content.norm)}{' in one node' if limit else ''}"
        columns[heading] = [norm_words(far) if far > 0 else NOTHING for far in radius]
    if change.verb:
        columns[_WORST] = [change.verb.partition(" to ")[0] if here else "" for here in change.fallen.tolist()]
    return columns


def _largest(values: Integers, claimed: Mask) -> list[str]:
    return [number(value) if here else NOTHING for value, here in zip(values.tolist(), claimed.tolist(), strict=True)]


def _picture(content: ReportContent, change: Change, state: Integers, columns: dict[str, list[str]]) -> Markup:
    """The nodes in the colours of what is known about them, what the colours mean, and how the picture is to be read."""
    if content.graph is None:
        return Markup()
    edges, groups = content.graph
    targets, fell = content.certificate.targets, change.fallen
    kinds = {
        "other": ~targets, "abstained": targets & (state == 0), "open": targets & (state == 1) & ~fell,
        "certified": targets & (state == 2) & ~fell, "fell": fell,
    }  # fmt: skip
    meanings = {
        "certified": f"certified against {change.words}", "open": "not certified against it", "fell": change.verb,
        "abstained": "abstains", "other": "no target",
    }  # fmt: skip
    legend = [(name, words, number(int(kinds[name].sum()))) for name, words in meanings.items() if kinds[name].any()]
    names = [name for name in columns if name != _WORST]
    rows = zip(*(columns[name] for name in names), strict=True)
    words = [f"node {v}: " + ", ".join(map(" ".join, zip(names, row, strict=True))) for v, row in enumerate(rows)]
    for v in np.flatnonzero(~targets).tolist():
        words[v] = f"node {v}: no target"
    return block("node_map", node_plot(edges, groups, kinds, words), legend, _drawn(content))


def _drawn(content: ReportContent) -> str:
    """What of the graph is in the picture."""
    assert content.graph is not None
    edges, groups = content.graph
    total, shown = len(groups), len(drawn_nodes(len(groups)))
    words = f"All {number(total)} nodes are drawn"
    if shown < total:
        words = f"{number(shown)} of {number(total)} nodes are drawn, at even steps of their numbers"
    if not has_edges(edges, total):
        words += (
            f"; the width of a line between two discs grows with their edges, {number(edges.shape[1])} in all, and the "
            "thinnest lines are left out"
        )
    else:
        words += f", and all {number(edges.shape[1])} edges"
    clusters = int(groups.max()) + 1
    if clusters == total:
        return f"{words}."
    scheme = content.partition is not None and np.array_equal(content.partition.labels, groups)
    made = "of the scheme" if scheme else "that are made for this picture"
    return f"{words}. A disc is one of {number(clusters)} clusters {made}; at its rim stand nodes with neighbours elsewhere."


def _table(content: ReportContent, change: Change, columns: dict[str, list[str]]) -> Markup:
    """The targets, as many of them as there is room for."""
    targets = np.flatnonzero(content.certificate.targets)
    rows = [[str(v), *(cells[v] for cells in columns.values())] for v in targets[:MOST_ROWS].tolist()]
    shown = f"All {number(len(targets))} targets are listed"
    if len(targets) > MOST_ROWS:
        shown = (
            f"The first {number(MOST_ROWS)} of {number(len(targets))} targets are listed; Certificate.to_pandas() and the "
            f"certificate.json of a run have all nodes"
        )
    samples = number(content.votes.samples)
    of = "" if content.votes.looks is not None else f", of {samples} each"
    note = (
        f"{shown}. Votes are those for the label{of}. The status is that against {change.words}. Behind it stand the "
        f"largest changes of one kind alone that a target is certified against; {NOTHING} says that nothing is claimed."
    )
    caption = f"Targets one by one{'' if len(targets) <= MOST_ROWS else f', the first {number(MOST_ROWS)}'}"
    printed = f"On paper, the first {number(PRINTED_ROWS)} rows." if len(rows) > PRINTED_ROWS else ""
    return block("node_table", caption, ["node", *columns], rows, note, printed)
