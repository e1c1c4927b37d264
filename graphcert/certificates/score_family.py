"""All targets at once by their mean scores: the exact certificate where it can be had, half-spaces elsewhere."""

from collections import defaultdict
from itertools import product
from math import comb, prod
from typing import Any, NamedTuple

import numpy as np

from graphcert.certificates.query import Query
from graphcert.collective import CollectiveCurve, collective_localized, smoothing_problem, tight_problem
from graphcert.collective.exact import TightProblem
from graphcert.core.arrays import Integers, Mask
from graphcert.noise import AXES
from graphcert.tradeoff import trade_off
from graphcert.tradeoff.budgets import compositions
from graphcert.tradeoff.discrete import IDENTITY
from graphcert.tradeoff.mean_scores import ScoreTails

_Key = tuple[tuple[int, int], ...]

MOST_ALLOCATIONS = 20_000
"""How many ways to spread a budget are looked at one by one."""

_MOST_WORK = 10**7
"""How many atoms their exact trade-offs may have in all, about twenty seconds of work."""


class Worst(NamedTuple):
    """The most counted targets that one allocation takes below 1/2, the first such `attack` (A,), and the most correct ones.

    The `correct` ones may fall under another allocation; 0 if nobody is known to be correct.
    """

    attacked: int
    correct: int
    attack: Integers


def worst_allocation(
    problem: TightProblem, tails: ScoreTails, budget: Integers, standing: Mask, correct: Mask | None
) -> Worst | None:
    """Look at every allocation that spends the whole budget; None if there are too many, or they are too large.

    A target falls under an allocation if its perturbed mean is not proved to exceed 1/2 (see `ScoreTails`), by the exact
    trade-off of all changes as its group sees them. More changes never make that mean larger, so allocations that leave
    something of the budget unspent need not be looked at.

    The majorities of `problem` are not used. `standing` (n,) are the outputs that count and are not proved robust in another
    way; `budget` is one per class of changes.
    """
    choices = _choices(problem, budget)
    if choices is None:
        return None
    allocations = np.array([np.sum(parts, axis=0) for parts in product(*choices)])
    # Additions and deletions under each law, as a group sees an allocation.
    seen: list[list[_Key]] = []
    for laws in problem.law_of_axis:
        counts = np.zeros((len(problem.laws), 2, len(allocations)), np.int64)
        np.add.at(counts, (laws, problem.deletes.astype(np.int64)), allocations.T)
        seen.append([tuple((add, delete) for add, delete in key) for key in np.moveaxis(counts, 2, 0).tolist()])
    fallen = _fallen(problem, tails, seen, standing, correct)
    values = np.array([[fallen[group, key] for key in keys] for group, keys in enumerate(seen)]).sum(axis=0)
    best = int(values[:, 0].argmax())
    return Worst(int(values[best, 0]), int(values[:, 1].max()), allocations[best])


def _choices(problem: TightProblem, budget: Integers) -> list[Integers] | None:
    """Per class the W ways (W, A) to spend all of its budget, or all that there is room for."""
    spent, ways = [], 1
    for index, total in enumerate(budget.tolist()):
        mine = np.flatnonzero(problem.axis_class == index)
        room = min(total, int(problem.capacity[mine].sum()))
        ways *= comb(room + mine.size - 1, room) if mine.size else 1
        spent.append((mine, room))
    changes = sum(room for _, room in spent)
    changed = np.concatenate([mine for mine, room in spent if room] or [np.zeros(0, np.int64)])
    laws = max(len(np.unique(problem.law_of_axis[:, changed])), 1)  # others show no change
    atoms = (changes / laws + 1.0) ** laws if changes < 10**6 else np.inf
    if ways > MOST_ALLOCATIONS or ways * atoms > _MOST_WORK:
        return None
    choices = []
    for mine, room in spent:
        parts = np.array(compositions(room, mine.size), np.int64)
        parts = parts[(parts <= problem.capacity[mine]).all(axis=1)]
        choices.append(np.zeros((len(parts), problem.capacity.size), np.int64))
        choices[-1][:, mine] = parts
    return choices


def _fallen(
    problem: TightProblem, tails: ScoreTails, seen: list[list[_Key]], standing: Mask, correct: Mask | None
) -> dict[tuple[int, _Key], tuple[int, int]]:
    """Per group and what it sees, how many of its targets fall, and how many of these are correct."""
    members = [np.flatnonzero(standing & (problem.groups == group)) for group in range(len(seen))]
    scores = [tails.of_nodes(nodes) for nodes in members]
    groups_of: dict[_Key, set[int]] = defaultdict(set)
    for group, keys in enumerate(seen):
        for key in keys:
            groups_of[key].add(group)
    found: dict[tuple[int, _Key], tuple[int, int]] = {}
    for key, groups in groups_of.items():
        parts = [trade_off(law, *counts) for law, counts in zip(problem.laws, key, strict=True) if any(counts)]
        lower = prod(parts[1:], start=parts[0] if parts else IDENTITY).lower(tails.values)
        for group in groups:
            falls = ~(scores[group].mean_of(lower) > 0.5)
            right = 0 if correct is None else int((falls & correct[members[group]]).sum())
            found[group, key] = int(falls.sum()), right
    return found


def tight_scores(query: Query, options: dict[str, Any]) -> CollectiveCurve:
    """Budget by budget the worst of all allocations, or the integer program where there are too many of them.

    `options` are targets, correct, robust_per_node and time_limit of the collective certificate.
    """
    tails, alone, targets = query.claims._tails(), options["robust_per_node"], options["targets"]
    assert tails is not None  # else there is no such method
    correct = None if options["correct"] is None else targets & options["correct"]
    problem = tight_problem(query.smoothing, np.zeros(query.claims.nodes), query.data)
    answers = [
        worst_allocation(problem, tails, budget, targets & ~robust, correct)
        for budget, robust in zip(query.counts, alone, strict=True)
    ]
    open_rows = np.flatnonzero([answer is None for answer in answers])
    naive, nothing = (targets & ~alone).sum(axis=1), np.zeros(problem.capacity.size, np.int64)
    closed = [answer or Worst(n, 0, nothing) for answer, n in zip(answers, naive.tolist(), strict=True)]
    attacked, budgets = np.array([worst.attacked for worst in closed], np.int64), len(closed)
    found = CollectiveCurve(
        axes=AXES, budgets=query.counts, targets=int(targets.sum()), bound=attacked.astype(np.float64),
        attacked_upper=attacked, method=np.where(attacked < naive, "tight", "naive").astype("<U32"),
        status=np.full(budgets, "closed", dtype="<U32"), gap=np.zeros(budgets),
        attacks=np.array([worst.attack for worst in closed]),
        correct_upper=None if correct is None else np.array([worst.correct for worst in closed], np.int64),
        correct_targets=None if correct is None else int(correct.sum()),
    )  # fmt: skip
    if not open_rows.size:
        return found
    half_spaces = query.claims._half_spaces(query.orders)
    rest = collective_localized(
        smoothing_problem(query.smoothing, half_spaces.eta, half_spaces.orders, query.data), query.counts[open_rows],
        method="milp", solver=query.solver, bins=query.bins, **options | {"robust_per_node": alone[open_rows]},
    )  # fmt: skip
    for name in ("bound", "attacked_upper", "method", "status", "correct_upper"):
        values = getattr(rest, name)
        if values is not None:
            getattr(found, name)[open_rows] = values
    # What half-spaces lose to an attack need not be lost to it, and it is not among `attacks`.
    found.gap[open_rows] = np.where(rest.attacked_upper == 0, 0.0, np.nan)
    return found
