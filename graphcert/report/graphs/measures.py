"""The numbers that the page, its tables and the terminal share."""

from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid, certify
from graphcert.noise import BernoulliFlip, Budget, Smoothing
from graphcert.report.frame.wording import NOTHING, budget_words, number, percent
from graphcert.report.graphs.content import ReportContent
from graphcert.votes import Votes

MILESTONES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Round budgets, for tables."""

_ROWS = 8
_SCALES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Norms of changes, in σ or λ of the noise."""
_ANY_NOISE = Smoothing(features=BernoulliFlip(0.5, 0.5))
"""Bounds of probabilities and claims about the unchanged graph do not depend on the noise."""


@dataclass(frozen=True)
class Standing:
    """How many targets are certified at one budget, and how many of them with the correct label."""

    budget: Budget
    certified: int
    correct: int


@dataclass(frozen=True)
class Reach:
    """The largest evaluated budget on one axis at which enough targets are certified; None without any.

    `beyond` says whether it is the last one evaluated, so that more may be possible.
    """

    budget: int | None
    beyond: bool

    @property
    def words(self) -> str:
        """ "12", "≥ 20" where the evaluated budgets end before the targets do, or a dash."""
        if self.budget is None:
            return NOTHING
        return f"≥ {number(self.budget)}" if self.beyond else number(self.budget)


def standing(content: ReportContent, budget: Budget) -> Standing:
    """Counts at `budget`, straight from the certificate."""
    robust = content.certificate._kept(budget)
    correct = content.certificate.correct(content.truth)
    return Standing(budget, int(robust.sum()), int((robust & correct).sum()))


def headline(content: ReportContent) -> list[Standing]:
    """No change, and the single budgets of the content; without any a few on every curve, and the smallest joint ones."""
    budgets = [Budget(), *content.budgets]
    if content.budgets:
        return [standing(content, budget) for budget in dict.fromkeys(budgets)]
    per_axis = max(2, _ROWS // max(1, len(content.curves)))
    for grid in content.curves:
        budgets += [budget_at(grid, value) for value in _milestones(grid, per_axis)]
    budgets += [budget_at(grid, 1, 1) for grid in content.heat_maps]
    return [standing(content, budget) for budget in dict.fromkeys(budgets)]


def headline_table(content: ReportContent) -> list[list[str]]:
    """A header, and a row per budget of the headline; without an accuracy that no label supports."""
    claims = content.certificate.claims
    rows = [["budget", "certified", "ratio", "accuracy"]]
    for row in headline(content):
        shares = [percent(row.certified, claims), percent(row.correct, claims)]
        rows.append([budget_words(row.budget), number(row.certified), *shares])
    return rows if content.has_truth else [row[:3] for row in rows]


def _milestones(grid: BudgetGrid, at_most: int) -> list[int]:
    """Round budgets of a curve that certify somebody, evenly chosen, and always the budget of one change."""
    alive = [value for value, ratio in zip(grid.values[0], grid.ratio, strict=True) if ratio > 0]
    steps = [value for value in MILESTONES if value in alive] or [1]
    chosen = np.linspace(0, len(steps) - 1, min(at_most, len(steps))).round().astype(int)
    return [steps[i] for i in chosen]


def budget_at(grid: BudgetGrid, *values: int) -> Budget:
    """The budget of a grid's fixed part with `values` on its axes."""
    return replace(grid.fixed, **dict(zip(grid.axes, values, strict=True)))


def reach(grid: BudgetGrid, targets: int, share: tuple[int, int]) -> Reach:
    """How far a share of the targets holds on the axis of a curve; `share` is an exact fraction such as (1, 2)."""
    part, whole = share
    enough = [round(ratio * targets) * whole >= part * targets for ratio in grid.ratio.tolist()]
    values = [value for value, holds in zip(grid.values[0], enough, strict=True) if holds]
    return Reach(max(values), max(values) == max(grid.values[0])) if values else Reach(None, False)


def at_norms(content: ReportContent) -> dict[str, list[int]]:
    """Certified targets by `content.node_limits` at norms of the change, as they are written; empty for counted changes."""
    certificate = content.certificate
    scale = certificate.smoothing.smallest_scale
    if scale is None:
        return {}
    radii = [certificate.radius(limit) for limit in content.node_limits]
    norms = [f"{share * scale:.3g}" for share in _SCALES]
    return {norm: [int((radius > float(norm)).sum()) for radius in radii] for norm in norms}


def class_counts(content: ReportContent, labels: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Per class, the targets that `labels` (N,) puts there and how many of them abstain; label −1 counts nowhere."""
    certificate, classes = content.certificate, content.votes.classes
    chosen = certificate.targets & (labels >= 0) & (labels < classes)
    everyone = np.bincount(labels[chosen], minlength=classes)
    silent = np.bincount(labels[chosen & certificate.abstained], minlength=classes)
    return list(zip(everyone.tolist(), silent.tolist(), strict=True))


def abstention_threshold(content: ReportContent) -> float | None:
    """The smallest share of votes for the predicted label that is certified without any change; None if none is.

    The multi-class rule, which depends on the votes for other classes, has the smallest one among certified targets, and so
    have nodes that stopped at looks of their own.
    """
    certificate, votes = content.certificate, content.votes
    if certificate.method != "binary" or votes.looks is not None:
        shares = (votes.successes / votes.node_samples)[~certificate.abstained]
        return float(shares.min()) if shares.size else None

    def claimed(successes: int) -> bool:
        pilot, counts = np.array([[1, 0]]), np.array([[successes, votes.samples - successes]])
        probe = Votes(pilot, counts, _ANY_NOISE, total_variation=votes.total_variation)
        return not certify(probe, certificate._level, simultaneous=False, method="binary").abstained[0]

    smallest = bisect_left(range(votes.samples + 1), True, key=claimed)
    return smallest / votes.samples if smallest <= votes.samples else None


def out_of_reach(content: ReportContent, grid: BudgetGrid) -> Budget | None:
    """The first budget of a curve at which not even unanimous votes certify any node, whatever the model; or None."""
    unanimous = content.certificate._unanimous(content.votes.samples)
    budgets = [budget_at(grid, value) for value in sorted(grid.values[0])]
    first = bisect_left(budgets, True, key=lambda budget: not bool(unanimous._kept(budget).any()))
    return budgets[first] if first < len(budgets) else None
