"""The collective certificate of hierarchical noise and ablation (theory, sections 6, 8 and 9; nobody has published it)."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from graphcert.collective.budget_axes import budget_axes
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.hierarchical_exact import HierarchicalTruth
from graphcert.collective.hierarchical_joint import joint_problem
from graphcert.collective.hierarchical_problem import HierarchicalProblem
from graphcert.collective.hierarchical_rows import RowChoice, row_choices
from graphcert.collective.linear import BoolArray, IntArray
from graphcert.collective.localized import BINS, check_options, collective_localized
from graphcert.collective.masks import mask_of, proved_alone
from graphcert.collective.sweep import Bound, curve_of, monotone
from graphcert.collective.tight import collective_tight
from graphcert.errors import InputError
from graphcert.noise import Budget
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order

METHODS = ("lp", "milp", "tight")


@dataclass(frozen=True)
class Options:
    """How to solve; see `collective_hierarchical`."""

    method: str
    orders: Sequence[Order]
    bins: int | None
    time_limit: float | None
    solver: str


def collective_hierarchical(
    problem: HierarchicalProblem,
    budgets: Sequence[Budget],
    *,
    method: str = "tight",
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_alone: npt.ArrayLike | None = None,
    orders: Sequence[Order] = DEFAULT_ORDERS,
    bins: int | None = BINS,
    time_limit: float | None = 60.0,
    solver: str = "highs",
) -> CollectiveCurve:
    """How many targets no single perturbation of rows, bits and edges within a budget can change.

    For every choice of rows the problem is that of the lower noise with other majorities and another level; the bound is the
    largest over the choices, of which the most threatening one is solved first. Where there are too many choices, every
    group faces the rows that are worst for it, and half-spaces of orders below 1 count rows and bits together.

    Args:
        problem: the arrays.
        budgets: B budgets, all with a limit of nodes (then "nodes" is a fifth axis) or all without.
        method: "lp" or "milp" (half-spaces of the lower noise) or "tight" (its exact trade-offs).
        targets: (n,) bool, the outputs that count; all by default.
        correct: (n,) bool, correctly labelled outputs: adds the certified accuracy, from a solve of its own.
        robust_alone: (B, n) bool, outputs that another certificate, from the same simultaneous bounds, proves robust
            against every use of the whole budget.
        orders: the half-spaces of "lp" and "milp".
        bins: the most steps per group to which half-spaces are rounded; None for no rounding.
        time_limit: seconds per budget, beside a look at every choice of rows; when they end, what has been proved so far is
            reported. None waits.
        solver: of "lp" and "milp", "highs" or "cvxpy".

    Returns:
        A `CollectiveCurve`. Sound side: `certified` is never too large. `method` is "rows" where it is enough that all
        targets face the same changed rows, each of them alone. `gap` counts up to the best attack found: within the
        half-spaces for "lp" and "milp", a perturbation that exists for "tight".

    Raises:
        InputError: for masks of the wrong shape, no targets, or an unknown method or solver.
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    check_options("lp" if method == "tight" else method, solver, bins, time_limit)
    axes, rows = budget_axes(budgets)
    outputs = problem.p_lower.size
    counted = np.ones(outputs, np.bool_) if targets is None else mask_of("targets", targets, (outputs,))
    if not counted.any():
        raise InputError("there are no targets; mark at least one output in the boolean mask targets")
    right = None if correct is None else counted & mask_of("correct", correct, (outputs,))
    proved = proved_alone(robust_alone, len(rows), outputs)
    effective = np.array([problem.effective(budget) for budget in budgets])
    options = Options(method, orders, bins, time_limit, solver)

    def bounds(mask: BoolArray) -> list[Bound]:
        standing = [mask if proved is None else mask & ~proved[i] for i in range(len(rows))]
        found = [_bound(problem, *pair, options) for pair in zip(effective, standing, strict=True)]
        # Models differ in how loose they are, and an attack within a looser one is none beyond the bound of a tighter one.
        return [replace(bound, attack=float(np.minimum(bound.attack, bound.attacked)))
                for bound in monotone(found, effective)]  # fmt: skip

    return curve_of(axes, rows, counted, right, bounds)


def _bound(problem: HierarchicalProblem, budget: IntArray, standing: BoolArray, options: Options) -> Bound:
    """What falls at most of the outputs in the mask `standing` at one effective budget."""
    if not standing.any():
        return Bound(0.0, 0, "naive", "not solved", 0.0)
    if (problem.ablated and not budget[2:4].any()) or not budget.any():
        return _joint(problem, budget, standing, options)
    choices, apart = row_choices(problem, budget)
    worst = _worst(problem, budget, standing, choices, options)
    if not apart:
        joint = _joint(problem, budget, standing, options)
        worst = joint if joint.attacked < worst.attacked else worst
    if options.method != "tight":
        return worst
    return HierarchicalTruth(problem, budget, standing).closed(worst, options.time_limit)


def _worst(
    problem: HierarchicalProblem, budget: IntArray, standing: BoolArray, choices: list[RowChoice], options: Options
) -> Bound:
    """The largest bound over choices of rows, the most threatening ones first; the others cannot exceed it."""
    end = math.inf if options.time_limit is None else time.monotonic() + options.time_limit
    quick = [_lower(problem, budget, standing, choice, options, "naive", end) for choice in choices]
    order = sorted(range(len(choices)), key=lambda index: -quick[index].attacked)
    worst, attack = Bound(-1.0, -1, "naive", "not solved", math.nan), math.nan
    for index in order:
        if quick[index].attacked <= worst.attacked:
            break
        found = quick[index]
        if time.monotonic() < end:
            cutoff = max(worst.attacked, 0)
            found = _lower(problem, budget, standing, choices[index], options, options.method, end, cutoff)
            if options.method == "tight" and found.attacked > cutoff and found.attack < found.attacked:
                # Where the search did not end, the half-spaces of the orders may prove more.
                found = _smaller(found, _lower(problem, budget, standing, choices[index], options, "lp", math.inf))
            found = _smaller(found, quick[index])
        elif options.method != "lp":  # a longer search that is cut short never says less than a linear program
            found = _lower(problem, budget, standing, choices[index], options, "lp", math.inf)
        attack = float(np.fmax(attack, found.attack))
        worst = found if found.attacked > worst.attacked else worst
    # Each target alone against each choice of rows is more than each target alone.
    method = "rows" if worst.method == "naive" else worst.method
    return Bound(worst.value, worst.attacked, method, worst.status, attack)


def _smaller(bound: Bound, other: Bound) -> Bound:
    """The smaller of two bounds of the same choice."""
    return other if other.attacked < bound.attacked else bound


def _lower(
    problem: HierarchicalProblem,
    budget: IntArray,
    standing: BoolArray,
    choice: RowChoice,
    options: Options,
    method: str,
    end: float,
    cutoff: int = 0,
) -> Bound:
    """The bound of the lower noise for one choice of rows."""
    lower = problem.given(choice.shares, choice.capacity)
    seconds = None if math.isinf(end) else max(0.0, end - time.monotonic())
    if method == "tight":
        curve = collective_tight(
            lower, budget[None, :4], targets=standing, bins=options.bins or BINS, time_limit=seconds, cutoff=[cutoff]
        )
    else:
        curve = collective_localized(
            lower.half_spaces(options.orders), budget[None, :4], method=method, targets=standing, bins=options.bins,
            time_limit=seconds, solver=options.solver,
        )  # fmt: skip
    return _only(curve)


def _joint(problem: HierarchicalProblem, budget: IntArray, standing: BoolArray, options: Options) -> Bound:
    """Rows and changes in one program of half-spaces."""
    method = "milp" if options.method == "tight" else options.method
    return _only(
        collective_localized(
            joint_problem(problem), budget[None], method=method, targets=standing, bins=options.bins,
            time_limit=options.time_limit, solver=options.solver,
        )
    )  # fmt: skip


def _only(curve: CollectiveCurve) -> Bound:
    """The one bound of a curve of one budget."""
    attacked = int(curve.attacked_upper[0])
    return Bound(
        float(curve.bound[0]), attacked, str(curve.method[0]), str(curve.status[0]), attacked - float(curve.gap[0])
    )
