"""The result: large numbers and small tables about real changes on the page, and a few lines of text for a terminal."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from graphcert.certificates import BudgetGrid
from graphcert.core.tables import Table, plain_lines
from graphcert.noise import Budget
from graphcert.report.frame.html import Section, block
from graphcert.report.frame.wording import (
    alternatives,
    budget_words,
    change_words,
    heading,
    method_name,
    number,
    percent,
    shift_words,
)
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import (
    MILESTONES,
    Standing,
    at_norms,
    budget_at,
    headline_table,
    reach,
    standing,
)  # fmt: skip
from graphcert.report.graphs.sweep import Sweep, largest_gain

_MOST_FACTS, _LONGEST_TABLE, _LONGEST_SWEEP = 4, 9, 12
_REST = "the others are in collective.csv"

Fact = tuple[str, str, str]
"""A value, its name and a note."""


def result(content: ReportContent) -> Section:
    """In three sentences what holds, against whom and how surely, and the numbers to remember.

    What holds at once comes first if that is known, otherwise what holds for each target alone.
    """
    if content.collective:
        facts, tables = _collective_facts(content), Markup()
    else:
        facts, tables = _per_node_facts(content), _tables(content)
    shown = block("facts", facts) if facts else Markup()
    return Section("Result", block("plain", _in_short(content)) + shown + tables)


def _in_short(content: ReportContent) -> list[tuple[str, str]]:
    """Questions of a reader who was not there, and the answers."""
    return [
        ("What holds", _what_holds(content)),
        ("Against whom", _against_whom(content)),
        ("How sure", _how_sure(content)),
    ]


def _what_holds(content: ReportContent) -> str:
    """Certified targets at the budgets of the tiles, and the labels that are correct without a change."""
    claims = content.certificate.claims
    if content.collective:
        found = [(int(sweep.best.certified[i]), sweep.words(i)) for sweep, i in _first_of_sweeps(content)]
        words = "at least so many provably keep their label, whichever one perturbation is made"
    else:
        found = _first_alone(content)
        words = "so many provably keep their label, wherever the change is made"
    alive = [f"{number(count)} ({percent(count, claims)}) against {change}" for count, change in found if count]
    if not alive:
        return f"Nothing is proved about any of the {number(claims)} targets at the budgets below."
    first = f"Of {number(claims)} targets, {words}: {', '.join(alive)}."
    if not content.has_truth:
        return first
    right = percent(standing(content, Budget()).correct, claims)
    return f"{first} On the unchanged graph, {right} of the targets have a proved label that is also the correct one."


def _against_whom(content: ReportContent) -> str:
    """The adversary."""
    noise = content.certificate.smoothing
    parts = {"features": noise.perturbs("features"), "edges": noise.perturbs("edges") or bool(noise.dropped_nodes)}
    hidden = [name for name, here in parts.items() if here]
    clean = [f"changes any {name}" for name, here in parts.items() if not here]
    return (
        f"An adversary who knows the graph, the classifier and its noise, and who changes {' and '.join(hidden)} within a "
        "budget when labels are asked for, wherever it hurts most. Not one who "
        f"{alternatives([*clean, 'tampers with the training data'])}."
    )


def _how_sure(content: ReportContent) -> str:
    """The error rate, and what it is about."""
    certificate = content.certificate
    scope = "any statement about a target" if certificate.simultaneous else "a given statement about one target"
    return (
        f"These are proved bounds, not what some attack happened to reach. Only the {certificate._samples_words()} noisy "
        f"samples of each target are left to chance: the probability that they make {scope} wrong is at most "
        f"{certificate.alpha:g}."
    )


def per_node(content: ReportContent) -> Section | None:
    """The numbers of each target alone, where the result is about all of them at once."""
    return Section("Each target alone", _tables(content)) if content.collective else None


def _first_of_sweeps(content: ReportContent) -> list[tuple[Sweep, int]]:
    """The first budgets of every sweep."""
    swept = content.sweeps[:_MOST_FACTS]
    return [(sweep, i) for sweep in swept for i in _first(sweep, _MOST_FACTS // len(swept), content)]


def _collective_facts(content: ReportContent) -> list[Fact]:
    """The ratio certified at once by the strongest method, at the first budgets of every sweep."""
    facts = []
    for sweep, i in _first_of_sweeps(content):
        count, targets, weakest = int(sweep.best.certified[i]), sweep.best.targets, sweep.weakest
        note = f"{number(count)} of {number(targets)} targets keep their label"
        if weakest != sweep.strongest:
            note += f"; {method_name(weakest)}: {percent(int(sweep.curves[weakest].certified[i]), targets)}"
        facts.append((percent(count, targets), f"certified at once against {sweep.words(i)}", note))
    return facts


def _first(sweep: Sweep, count: int, content: ReportContent) -> list[int]:
    """Places of the first budgets that change something, of counts the round ones, while somebody is certified."""
    rows_count = content.certificate.smoothing.hides_rows
    columns = [k for k, axis in enumerate(sweep.best.axes) if axis != "nodes" or rows_count]
    sizes = sweep.best.budgets[:, columns].max(axis=1)
    real = np.flatnonzero(sizes > 0)
    real = real[np.argsort(sizes[real], kind="stable")]
    alive = real[sweep.best.certified[real] > 0]
    if not len(alive):
        return [int(place) for place in real[:1]]
    if sweep.shifts is not None:
        alive = alive[np.arange(count) * len(alive) // count]
    elif np.isin(sizes[alive], MILESTONES).any():
        alive = alive[np.isin(sizes[alive], MILESTONES)]
    return list(dict.fromkeys(alive.tolist()))[:count]


def _grids(content: ReportContent) -> list[BudgetGrid]:
    """The first curve of every axis."""
    by_axis: dict[str, BudgetGrid] = {}
    for grid in content.curves:
        by_axis.setdefault(grid.axes[0], grid)  # later ones are about more touched nodes
    return list(by_axis.values())[:_MOST_FACTS]


def _first_standings(content: ReportContent) -> list[Standing]:
    """What is certified at the first budget of every axis."""
    firsts = [[value for value in grid.values[0] if value > 0][:1] for grid in _grids(content)]
    return [
        standing(content, budget_at(grid, *first)) for grid, first in zip(_grids(content), firsts, strict=True) if first
    ]


def _first_norms(content: ReportContent) -> list[tuple[int, str]]:
    """What is certified at the first norms of changes."""
    limit = content.node_limits[0]
    return [
        (count, shift_words(content.norm, float(norm), limit))
        for norm, (count, *_) in list(at_norms(content).items())[:2]
    ]


def _first_alone(content: ReportContent) -> list[tuple[int, str]]:
    """Certified targets, each alone, and the first budgets and norms in words."""
    return [(one.certified, budget_words(one.budget)) for one in _first_standings(content)] + _first_norms(content)


def _per_node_facts(content: ReportContent) -> list[Fact]:
    """The certified ratio at the first budget of every axis and at the first norms, and how far half of the targets hold."""
    claims, facts = content.certificate.claims, list[Fact]()
    for found in _first_standings(content):
        note = f"{number(found.certified)} of {number(claims)} targets"
        if content.has_truth:
            note += f"; {percent(found.correct, claims)} certified and correct"
        facts.append((percent(found.certified, claims), f"certified against {budget_words(found.budget)}", note))
    for count, words in _first_norms(content):
        facts.append(
            (percent(count, claims), f"certified against {words}", f"{number(count)} of {number(claims)} targets")
        )
    reached = [
        (far.words, heading(grid.axes[0], grid.fixed), "survived by half of the targets")
        for grid in _grids(content)
        if (far := reach(grid, claims, (1, 2))).budget
    ]
    return facts + reached[: max(0, _MOST_FACTS - len(facts))]


def _tables(content: ReportContent) -> Markup:
    """Certified targets at a few budgets, how far shares of them hold, and certified targets at norms."""
    claims = content.certificate.claims
    header, *rows = headline_table(content)
    tables = [block("table", f"Certified targets, of {number(claims)}", header, rows)]
    if content.curves:
        shares = {"9 in 10": (9, 10), "half": (1, 2), "1 in 10": (1, 10), "any": (1, claims)}
        rows = [
            [heading(grid.axes[0], grid.fixed), *(reach(grid, claims, share).words for share in shares.values())]
            for grid in content.curves
        ]
        caption = "Largest budget at which so many targets are certified"
        tables.append(block("table", caption, ["budget of", *shares], rows))
    if found := at_norms(content):
        rows = [[norm, *(percent(count, claims) for count in counts)] for norm, counts in found.items()]
        limits = ["ratio" if limit is None else f"nodes ≤ {limit}" for limit in content.node_limits]
        tables.append(
            block(
                "table",
                "Certified ratio against moved features",
                [change_words(content.norm).removesuffix(" of the change"), *limits],
                rows,
            )
        )
    return block("columns", tables)


def summary_lines(content: ReportContent) -> list[str]:
    """The same as `summary_words`, in at most 15 lines of plain text."""
    return plain_lines(summary_words(content))


def summary_words(content: ReportContent) -> list[str | Table]:
    """What was certified, the certified ratio at a few budgets, the median target, who abstained."""
    certificate, claims = content.certificate, content.certificate.claims
    scope = "all claims together" if certificate.simultaneous else "each claim by itself"
    silent = certificate.abstained & certificate.targets
    abstain = int(silent.sum())
    last = f"{number(abstain)} of {number(claims)} targets abstain ({percent(abstain, claims)})"
    if content.has_truth and abstain:
        right = int((silent & certificate.correct(content.truth)).sum())
        last += f"; {percent(right, abstain)} of them are labelled correctly"
    return [
        f"{content.title}: {number(claims)} targets, α = {certificate.alpha:g} ({scope})",
        Table(headline_table(content)[: 1 + _LONGEST_TABLE]), *_half(content), *_collective(content), last,
    ]  # fmt: skip


def _half(content: ReportContent) -> list[str]:
    """How far half of the targets hold; no line if they do not at all."""
    far = [
        shift_words(content.norm, one.shift, one.budget.nodes)
        if one.shift
        else f"{'≥ ' if one.beyond else ''}{budget_words(one.budget)}"
        for one in half_held(content)
    ]
    return [f"half of the targets hold up to {alternatives(far)}"] if far else []


class Held(NamedTuple):
    """The largest evaluated budget, or norm of a change, up to which enough targets hold; `beyond`: perhaps even more."""

    budget: Budget
    shift: float = 0.0
    beyond: bool = False


def half_held(content: ReportContent) -> list[Held]:
    """How far half of the targets hold, axis by axis and in the norm of real noise; without axes on which they do not."""
    certificate, limit, far = content.certificate, content.node_limits[0], list[Held]()
    for grid in content.curves:
        reached = reach(grid, certificate.claims, (1, 2))
        if reached.budget:
            far.append(Held(budget_at(grid, reached.budget), beyond=reached.beyond))
    if content.norm:
        radii = np.sort(certificate.radius(limit)[certificate.targets])[::-1]
        middle = float(radii[(len(radii) - 1) // 2])
        far += [Held(Budget(nodes=limit), middle)] if 0 < middle < np.inf else []
    return far


def _collective(content: ReportContent) -> list[str]:
    """What the collective certificate says where it gains most; no line if there is none to compare."""
    found = largest_gain(content.sweeps)
    if found is None:
        return []
    sweep, i = found
    weakest = method_name(sweep.weakest)
    if sweep.gain[i] <= 0:
        return [f"all at once: no more than {weakest}"]
    best, least = (percent(int(c.certified[i]), c.targets) for c in (sweep.best, sweep.curves[sweep.weakest]))
    return [f"all at once: {best} at {sweep.words(i)} ({weakest} {least})"]


def collective_lines(content: ReportContent, rest: str = _REST) -> list[str]:
    """The same as `collective_words` in lines of plain text."""
    return plain_lines(collective_words(content, rest))


def collective_words(content: ReportContent, rest: str = _REST) -> list[str | Table]:
    """A table per sweep: the certified ratio by every method, then count, accuracy and gap of the strongest one.

    `rest` says where those budgets are that a long sweep leaves out.
    """
    claims = content.certificate.claims
    lines: list[str | Table] = [f"{content.title}: {number(claims)} targets at once, α = {content.certificate.alpha:g}"]
    for k, sweep in enumerate(content.sweeps):
        chosen = np.unique(np.linspace(0, len(sweep.best) - 1, _LONGEST_SWEEP).round().astype(int)).tolist()
        few = f"{len(chosen)} of {number(len(sweep.best))} budgets, {rest}"
        shown = few if len(chosen) < len(sweep.best) else "every budget"
        lines += [f"{sweep.heading} ({shown}); count and gap by {method_name(sweep.strongest)}"]
        lines.append(Table(_sweep_rows(content, sweep, k, chosen)))
    return lines


def _sweep_rows(content: ReportContent, sweep: Sweep, k: int, chosen: Sequence[int]) -> list[list[str]]:
    """A header, and a row per chosen budget of the sweep at place `k`."""
    claims, right, others = content.certificate.claims, sweep.correct, content.other_classifiers(k)
    accuracy = ["accuracy"] * (right is not None)
    rows = [["budget", *map(method_name, sweep.curves), "certified", *accuracy, "gap", *others]]
    for i in chosen:
        shares, beside = (
            [percent(int(curve.certified[i]), claims) for curve in curves.values()] for curves in (sweep.curves, others)
        )
        correct = [] if right is None else [percent(int(right[i]), claims)]
        rows.append([sweep.words(i), *shares, number(int(sweep.best.certified[i])), *correct, sweep.gap(i), *beside])
    return rows
