"""All targets at once by their mean scores: the exact certificate where it can be had, half-spaces elsewhere."""

from collections import defaultdict
from itertools import product
from math import comb, prod
from typing import Any, NamedTuple

import numpy as np

from graphcert.certificates.query import Evidence, Query
from graphcert.collective import CollectiveCurve, collective_localized, smoothing_problem, tight_problem
from graphcert.collective.exact import TightProblem
from graphcert.collective.solvers.program import IntArray
from graphcert.core.arrays import Integers, Mask
from graphcert.noise import AXES
from graphcert.tradeoff import TradeOff, trade_off
from graphcert.tradeoff.discrete import IDENTITY
from graphcert.tradeoff.mean_scores import ScoreTails

_Key = tuple[tuple[int, int], ...]

MOST_ALLOCATIONS = 10_000
"""How many ways to spread a budget are looked at one by one."""

_MOST_WORK = 10**6
"""How many atoms their exact trade-offs may have in all, about a minute of work."""


class Worst(NamedTuple):
    """The worst of all allocations within one budget.

    Attributes:
        attacked: the most counted targets that one allocation takes below 1/2.
        correct: the most of the correct ones, maybe by another allocation; None if not asked for.
        attack: (A,) the first allocation that takes `attacked`.
    """

    attacked: int
    correct: int | None
    attack: Integers


def worst_allocation(
    problem: TightProblem, tails: ScoreTails, budget: Integers, standing: Mask, correct: Mask | None
) -> Worst | None:
    """Look at every allocation that spends the whole budget; None if there are too many, or they are too large.

    A target falls under an allocation if its perturbed mean is not proved to exceed 1/2 (see `ScoreTails`), by the exact
    trade-off of all changes as its group sees them. More changes never make that mean larger, so allocations that leave
    something of the budget unspent need not be looked at.

    Args:
        problem: groups, and the law under which each sees a change of every axis; its majorities are not used.
        tails: of the outputs.
        budget: (classes,) whole numbers.
        standing: (n,) the outputs that count and are not proved robust in another way.
        correct: (n,) the correctly labelled outputs, or None.

    Returns:
        Sound side: no allocation within the budget takes more targets.
    """
    choices = _choices(problem, budget)
    if choices is None:
        return None
    allocations = np.array([np.sum(parts, axis=0) for parts in product(*choices)])
    seen = [[_key(problem, group, b) for b in allocations] for group in range(len(problem.law_of_axis))]
    fallen = _fallen(problem, tails, seen, standing, correct)
    values = np.array([[fallen[group, key] for key in keys] for group, keys in enumerate(seen)]).sum(axis=0)
    best = int(values[:, 0].argmax())
    return Worst(int(values[best, 0]), None if correct is None else int(values[:, 1].max()), allocations[best])


def _choices(problem: TightProblem, budget: Integers) -> list[list[Integers]] | None:
    """Per class the ways (A,) to spend all of its budget, or all that there is room for."""
    spent, ways = [], 1
    for index, total in enumerate(budget.tolist()):
        mine = np.flatnonzero(problem.axis_class == index)
        room = min(total, int(problem.capacity[mine].sum()))
        ways *= comb(room + mine.size - 1, room) if mine.size else 1
        spent.append((mine, room))
    changes = sum(room for _, room in spent)
    atoms = (changes / len(problem.laws) + 1.0) ** len(problem.laws) if changes < 10**6 else np.inf
    if ways > MOST_ALLOCATIONS or ways * atoms > _MOST_WORK:
        return None
    choices = []
    for mine, room in spent:
        whole = []
        for parts in _compositions(room, mine.size):
            if (np.array(parts, np.int64) <= problem.capacity[mine]).all():
                b = np.zeros(problem.capacity.size, np.int64)
                b[mine] = parts
                whole.append(b)
        choices.append(whole)
    return choices


def _compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    """All ways to write `total` as an ordered sum of `parts` numbers ≥ 0."""
    if parts <= 1:
        return [(total,) * parts]
    return [(first, *rest) for first in range(total + 1) for rest in _compositions(total - first, parts - 1)]


def _key(problem: TightProblem, group: int, allocation: Integers) -> _Key:
    """Additions and deletions under each law, as a group sees an allocation."""
    counts = np.zeros((len(problem.laws), 2), np.int64)
    np.add.at(counts, (problem.law_of_axis[group], problem.deletes.astype(np.int64)), allocation)
    return tuple((int(add), int(delete)) for add, delete in counts)


def _fallen(
    problem: TightProblem, tails: ScoreTails, seen: list[list[_Key]], standing: Mask, correct: Mask | None
) -> dict[tuple[int, _Key], tuple[int, int]]:
    """Per group and what it sees, how many of its targets fall, and how many of these are correct."""
    members = [np.flatnonzero(standing & (problem.groups == group)) for group in range(len(seen))]
    parts = [tails.of_nodes(nodes) for nodes in members]
    groups_of: dict[_Key, set[int]] = defaultdict(set)
    for group, keys in enumerate(seen):
        for key in keys:
            groups_of[key].add(group)
    found: dict[tuple[int, _Key], tuple[int, int]] = {}
    for key, groups in groups_of.items():
        exact = _trade_off(problem, key)
        lower = exact.lower(tails.values)
        for group in groups:
            falls = ~(parts[group].mean_of(lower) > 0.5)
            right = 0 if correct is None else int((falls & correct[members[group]]).sum())
            found[group, key] = int(falls.sum()), right
    return found


def _trade_off(problem: TightProblem, key: _Key) -> TradeOff:
    parts = [trade_off(law, *counts) for law, counts in zip(problem.laws, key, strict=True) if any(counts)]
    return prod(parts[1:], start=parts[0]) if parts else IDENTITY


def tight_scores(evidence: Evidence, query: Query, options: dict[str, Any]) -> CollectiveCurve:
    """Budget by budget the worst of all allocations, or the integer program where there are too many of them.

    Args:
        evidence: claims that rest on the tails of scores.
        query: what is asked.
        options: targets, correct, robust_per_node and time_limit of the collective certificate.
    """
    tails, alone, targets = evidence.tails(), options["robust_per_node"], options["targets"]
    assert tails is not None  # else there is no such method
    correct = None if options["correct"] is None else targets & options["correct"]
    problem = tight_problem(evidence.smoothing, np.zeros(evidence.nodes), query.data)
    answers = [
        worst_allocation(problem, tails, budget, targets & ~robust, correct)
        for budget, robust in zip(query.counts, alone, strict=True)
    ]
    found = _closed(query.counts, targets, alone, correct, answers, problem.capacity.size)
    open_rows = np.flatnonzero([answer is None for answer in answers])
    if not open_rows.size:
        return found
    used, eta = evidence.half_spaces(query.orders)
    rest = collective_localized(
        smoothing_problem(evidence.smoothing, eta, used, query.data), query.counts[open_rows],
        method="milp", solver=query.solver, bins=query.bins, **options | {"robust_per_node": alone[open_rows]},
    )  # fmt: skip
    for name in ("bound", "attacked_upper", "method", "status", "correct_upper"):
        values = getattr(rest, name)
        if values is not None:
            getattr(found, name)[open_rows] = values
    # What half-spaces lose to an attack need not be lost to it, and it is not among `attacks`.
    found.gap[open_rows] = np.where(rest.attacked_upper == 0, 0.0, np.nan)
    return found


def _closed(
    budgets: IntArray,
    targets: Mask,
    alone: Mask,
    correct: Mask | None,
    answers: list[Worst | None],
    axes: int,
) -> CollectiveCurve:
    """The curve of exact answers; where there is none, its rows are to be filled in."""
    naive = (targets & ~alone).sum(axis=1)
    attacked = np.array([n if a is None else a.attacked for n, a in zip(naive, answers, strict=True)], np.int64)
    attacks = [np.zeros(axes, np.int64) if answer is None else answer.attack for answer in answers]
    return CollectiveCurve(
        axes=AXES,
        budgets=budgets,
        targets=int(targets.sum()),
        bound=attacked.astype(np.float64),
        attacked_upper=attacked,
        method=np.where(attacked < naive, "tight", "naive").astype("<U32"),
        status=np.full(len(budgets), "closed", dtype="<U32"),
        gap=np.zeros(len(budgets)),
        attacks=np.array(attacks),
        correct_upper=None
        if correct is None
        else np.array([0 if a is None or a.correct is None else a.correct for a in answers], np.int64),
        correct_targets=None if correct is None else int(correct.sum()),
    )
