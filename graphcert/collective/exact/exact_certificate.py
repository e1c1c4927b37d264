"""The tight collective certificate: |T| − max_b attacked(b) over whole allocations b (theory, section 9)."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.exact.budget_solver import Answer, BudgetSolver
from graphcert.collective.exact.exact_problem import TightProblem
from graphcert.collective.linear import BoolArray, IntArray
from graphcert.collective.localized import BINS
from graphcert.collective.masks import mask_of, proved_alone
from graphcert.collective.sweep import Bound, curve_of, monotone
from graphcert.collective.threat import check_budgets
from graphcert.core.arguments import whole
from graphcert.errors import InputError


def collective_tight(
    problem: TightProblem,
    budgets: npt.ArrayLike,
    *,
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_alone: npt.ArrayLike | None = None,
    bins: int = BINS,
    time_limit: float | None = 60.0,
    branching: bool = True,
    cutoff: npt.ArrayLike | None = None,
) -> CollectiveCurve:
    """How many targets no single perturbation within the budget can change, by exact trade-offs; no paper has this.

    A target of group i falls under an allocation b of changes iff its p_lower is at most c_i(b), the critical probability
    of the exact trade-off of all changes as the group sees them. Nothing is linearised, so where the search ends the result
    is the best that any certificate can say which knows p_lower only: some base classifier with these majorities loses
    that many targets, group by group, to the reported attack.

    Args:
        problem: n outputs in groups, and the laws under which groups see the axes of change.
        budgets: (B, classes) whole numbers, the global budget per class of `problem.classes`; a flat list if there is one.
        targets: (n,) bool, the outputs that count; all by default.
        correct: (n,) bool, correctly labelled outputs: adds the certified accuracy, from a solve of its own.
        robust_alone: (B, n) bool, outputs that another certificate, from the same simultaneous bounds, proves robust
            against every use of the whole budget. (n,) for one budget.
        bins: the most thresholds per group to which p_lower is rounded in the linear program (the search does not round).
        time_limit: seconds per budget and solve; when they end, what has been proved so far is reported. None waits.
        branching: whether to branch; without, the linear program is the last word, in seconds at any size.
        cutoff: (B,) whole numbers: as soon as no more targets than that can fall, a budget is done. For the largest of many
            problems, with what an attack on another one breaks. Not together with `correct`.

    Returns:
        A `CollectiveCurve` with `attacks`. Sound side: `certified` is never too large. `method` names what proves it:
        "naive" (each group by itself), "tight-lp" (a linear program, of hulls or half-spaces) or "tight" (branch and bound);
        `gap` counts up to the best attack found, and is 0 where the status is "closed". Critical probabilities are rounded
        up by 1e-12 or so, for the bound and for the attack alike.

    Raises:
        InputError: for budgets that are not whole numbers ≥ 0, masks of the wrong shape, no targets, or options outside
            their domain.
    """
    if time_limit is not None and not time_limit >= 0:
        raise InputError(f"time_limit must be a number of seconds of at least 0, got {time_limit!r}")
    most_bins = whole("bins", bins, at_least=1)
    sweep = check_budgets(budgets, len(problem.classes))
    counted = np.ones(problem.outputs, dtype=np.bool_)
    if targets is not None:
        counted = mask_of("targets", targets, counted.shape)
    if not counted.any():
        raise InputError("there are no targets; mark at least one output in the boolean mask targets")
    right = None if correct is None else counted & mask_of("correct", correct, counted.shape)
    proved = proved_alone(robust_alone, sweep, problem.outputs)
    goals = _cutoffs(cutoff, len(sweep), correct is not None)
    solver = BudgetSolver(problem, time_limit, most_bins, branching=branching)
    attacks: list[IntArray] = []

    def bounds(mask: BoolArray) -> list[Bound]:
        answers = _solve_all(solver, sweep, mask, proved, goals, problem.capacity.size)
        if not attacks:
            attacks.append(_best_attacks(answers, sweep))
        return monotone([answer.bound for answer in answers], sweep)

    curve = curve_of(problem.classes, sweep, counted, right, bounds)
    return replace(curve, attacks=attacks[0])


def _solve_all(
    solver: BudgetSolver, sweep: IntArray, mask: BoolArray, proved: BoolArray | None, goals: IntArray, axes: int
) -> list[Answer]:
    """One answer per budget; small ones first, whose attacks are where larger ones begin."""
    found: dict[int, Answer] = {}
    for index in np.lexsort((*sweep.T, sweep.sum(axis=1))).tolist():
        below = [other for other in found if (sweep[other] <= sweep[index]).all()]
        best = max(below, key=lambda other: _attack_value(found[other]), default=None)
        begin_with = np.zeros(axes, dtype=np.int64) if best is None else found[best].attack
        standing = mask if proved is None else mask & ~proved[index]
        found[index] = solver.solve(sweep[index], standing, begin_with, int(goals[index]))
    return [found[index] for index in range(len(sweep))]


def _cutoffs(cutoff: npt.ArrayLike | None, budgets: int, with_correct: bool) -> IntArray:
    """(B,) the cutoffs, 0 where there are none."""
    if cutoff is None:
        return np.zeros(budgets, dtype=np.int64)
    if with_correct:
        raise InputError("a cutoff is about one set of targets; leave correct out and ask again with targets & correct")
    goals = np.asarray(cutoff)
    if goals.shape != (budgets,) or not np.issubdtype(goals.dtype, np.integer) or (goals < 0).any():
        raise InputError(f"cutoff must be one whole number of at least 0 per budget ({budgets})")
    return goals.astype(np.int64)


def _attack_value(answer: Answer) -> float:
    return -1.0 if math.isnan(answer.bound.attack) else answer.bound.attack


def _best_attacks(answers: list[Answer], sweep: IntArray) -> IntArray:
    """(B, A) the allocations that `monotone` counts: an attack within a smaller budget is one within a larger."""
    chosen = []
    for budget, own in zip(sweep, answers, strict=True):
        below = [answers[i] for i in np.flatnonzero((sweep <= budget).all(axis=1))]
        best = max(below, key=_attack_value)
        chosen.append(own.attack if _attack_value(own) == _attack_value(best) else best.attack)
    return np.array(chosen, dtype=np.int64)
