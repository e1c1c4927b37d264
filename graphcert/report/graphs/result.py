"""The result in numbers."""

import numpy as np
from markupsafe import Markup

from graphcert.certificates import BudgetGrid
from graphcert.report.frame.html import Section, block
from graphcert.report.frame.wording import (
    NOTHING,
    axis_words,
    besides,
    budget_words,
    method_name,
    number,
    percent,
    shift_words,
)
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import MILESTONES, Reach, budget_at, headline, reach, standing
from graphcert.report.graphs.sweep import Ladder, ladders


def result(content: ReportContent) -> Section:
    """The numbers to remember: what holds at once if that is known, otherwise what holds for each target alone."""
    if content.collective:
        return Section("Result", block("facts", facts_at_once(content)))
    facts = facts_alone(content)
    return Section("Result", (block("facts", facts) if facts else Markup()) + _tables(content))


def per_node(content: ReportContent) -> Section | None:
    """The numbers of each target alone, where the result is about all of them at once."""
    return Section("Each target alone", _tables(content)) if content.collective else None


def _tables(content: ReportContent) -> Markup:
    """At a few budgets, and how far shares of the targets hold."""
    return block("columns", [_at_budgets(content), *_reaches(content), *_radii(content)])


def _at_budgets(content: ReportContent) -> Markup:
    claims, accuracy = content.certificate.claims, content.has_truth
    rows = [
        [budget_words(row.budget), number(row.certified), percent(row.certified, claims)]
        + [percent(row.correct, claims)] * accuracy
        for row in headline(content)
    ]
    header = ["budget", "certified", "ratio"] + ["accuracy"] * accuracy
    return block("table", f"Certified targets, of {number(claims)}", header, rows)


def _reaches(content: ReportContent) -> list[Markup]:
    if not content.curves:
        return []
    claims = content.certificate.claims
    shares = {"9 in 10": (9, 10), "half": (1, 2), "1 in 10": (1, 10), "any": (1, claims)}
    rows = [
        [
            axis_words(grid.axes[0]) + besides(grid.fixed),
            *(reach_words(reach(grid, claims, share)) for share in shares.values()),
        ]
        for grid in content.curves
    ]
    return [block("table", "Largest budget at which so many targets are certified", ["budget of", *shares], rows)]


def _radii(content: ReportContent) -> list[Markup]:
    """Under Gaussian or uniform noise: how many targets survive a change of all features together of so large a norm."""
    certificate, claims = content.certificate, content.certificate.claims
    smoothing = certificate.smoothing
    scale = smoothing.smallest_scale
    if scale is None:
        return []
    limits = norm_limits(content)
    radii = [certificate.radius(limit) for limit in limits]
    found = [[norm, *(percent(int((r > float(norm)).sum()), claims) for r in radii)] for norm in norms(scale)]
    header = [f"{smoothing.norm} norm", *("ratio" if limit is None else f"nodes ≤ {limit}" for limit in limits)]
    return [block("table", "Certified ratio against moved features", header, found)]


_SHARES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Norms of changes, in standard deviations of the noise."""

_LIMITS = (1, 2, 3)

_MOST_FACTS = 4

Fact = tuple[str, str, str]
"""A value, its name and a note."""


def facts_at_once(content: ReportContent) -> list[Fact]:
    """The ratio certified at once by the strongest method, at the first budgets of every sweep."""
    swept = ladders(content)[:_MOST_FACTS]
    return [_fact_at_once(ladder, i) for ladder in swept for i in _first(ladder, _MOST_FACTS // len(swept), content)]


def _fact_at_once(ladder: Ladder, i: int) -> Fact:
    best, weakest = ladder.best, ladder.curves[ladder.weakest]
    count = int(best.certified[i])
    note = f"{number(count)} of {number(best.targets)} targets keep their label"
    if ladder.weakest != ladder.strongest:
        note += f"; {method_name(ladder.weakest)}: {percent(int(weakest.certified[i]), weakest.targets)}"
    return percent(count, best.targets), f"certified at once against {ladder.words(i)}", note


def _first(ladder: Ladder, count: int, content: ReportContent) -> list[int]:
    """Places of the first budgets that change something, of counts the round ones, while somebody is certified."""
    columns = [k for k, axis in enumerate(ladder.best.axes) if axis != "nodes" or _hides_rows(content)]
    sizes = ladder.best.budgets[:, columns].max(axis=1)
    real = np.flatnonzero(sizes > 0)
    real = real[np.argsort(sizes[real], kind="stable")]
    alive = real[ladder.best.certified[real] > 0]
    if not len(alive):
        return [int(place) for place in real[:1]]
    if ladder.shifts is not None:
        alive = alive[np.arange(count) * len(alive) // count]
    elif np.isin(sizes[alive], MILESTONES).any():
        alive = alive[np.isin(sizes[alive], MILESTONES)]
    return list(dict.fromkeys(alive.tolist()))[:count]


def _hides_rows(content: ReportContent) -> bool:
    """Whether a number of touched nodes is a budget of its own."""
    return content.certificate.smoothing.hides_rows


def facts_alone(content: ReportContent) -> list[Fact]:
    """The certified ratio of each target alone at the first budgets, and how far half of the targets hold."""
    facts = [*_at_first_budgets(content), *_at_norms(content)]
    return facts + _reached(content)[: max(0, _MOST_FACTS - len(facts))]


def _first_curves(content: ReportContent) -> list[BudgetGrid]:
    """Of the curves over every axis the first; others are about more touched nodes."""
    by_axis: dict[str, BudgetGrid] = {}
    for grid in content.curves:
        by_axis.setdefault(grid.axes[0], grid)
    return list(by_axis.values())[:_MOST_FACTS]


def _at_first_budgets(content: ReportContent) -> list[Fact]:
    """The certified ratio at the first budget of every axis that changes something."""
    facts, claims = [], content.certificate.claims
    for grid in _first_curves(content):
        changed = [value for value in grid.values[0] if value > 0]
        if not changed:
            continue
        found = standing(content, budget_at(grid, (changed[0],)))
        note = f"{number(found.certified)} of {number(claims)} targets"
        if content.has_truth:
            note += f"; {percent(found.correct, claims)} certified and correct"
        facts.append((percent(found.certified, claims), f"certified against {budget_words(found.budget)}", note))
    return facts


def _at_norms(content: ReportContent) -> list[Fact]:
    """Under Gaussian or uniform noise: the certified ratio at the first norms of the table."""
    certificate, smoothing = content.certificate, content.certificate.smoothing
    scale = smoothing.smallest_scale
    if scale is None:
        return []
    limit = norm_limits(content)[0]
    radii, facts = certificate.radius(limit), []
    for norm in norms(scale)[:2]:
        count = int((radii > float(norm)).sum())
        words = shift_words(smoothing.norm, float(norm), limit)
        note = f"{number(count)} of {number(certificate.claims)} targets"
        facts.append((percent(count, certificate.claims), f"certified against {words}", note))
    return facts


def _reached(content: ReportContent) -> list[Fact]:
    """How far half of the targets hold."""
    claims = content.certificate.claims
    found = [(grid, reach(grid, claims, (1, 2))) for grid in _first_curves(content)]
    return [
        (reach_words(far), axis_words(grid.axes[0]) + besides(grid.fixed), "survived by half of the targets")
        for grid, far in found
        if far.budget
    ]


def norms(scale: float) -> list[str]:
    """Norms of the table of moved features, as they are written there."""
    return [f"{share * scale:.3g}" for share in _SHARES]


def norm_limits(content: ReportContent) -> tuple[int | None, ...]:
    """Limits of touched nodes in that table; None without a selection of rows."""
    selected = content.certificate.smoothing.selects_rows
    return _LIMITS if selected else (None,)


def reach_words(found: Reach) -> str:
    """ "12", "≥ 20" where the evaluated budgets end before the targets do, or a dash."""
    if found.budget is None:
        return NOTHING
    return f"≥ {number(found.budget)}" if found.beyond else number(found.budget)
