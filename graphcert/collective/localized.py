"""The collective certificate of localized smoothing: naive, linear and integer, from arrays (theory, sections 8, 9)."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from graphcert.collective.block_axes import reduce_axes
from graphcert.collective.bounds import branch_and_bound_slack, claimed_bound, weak_duality_bound
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.cvxpy_solver import CvxpySolver
from graphcert.collective.highs import HighsSolver
from graphcert.collective.linear import Amounts, BoolArray, FloatArray, IntArray
from graphcert.collective.localized_attack import attempted, improved
from graphcert.collective.localized_problem import LocalizedProblem
from graphcert.collective.localized_program import LocalizedEncoding, encode_localized
from graphcert.collective.masks import mask_of, proved_alone
from graphcert.collective.sweep import Bound, Solver, better, curve_of, monotone, unrefuted
from graphcert.collective.threat import check_amounts, check_budgets
from graphcert.errors import InputError

BINS = 256
"""Steps per chain by default: rounding η then costs under 1 % of the outputs, and a relaxation is solved in milliseconds."""

METHODS = ("naive", "lp", "milp")
_SOLVERS: dict[str, Callable[[float | None], Solver]] = {"highs": HighsSolver, "cvxpy": CvxpySolver}


def collective_localized(
    problem: LocalizedProblem,
    budgets: npt.ArrayLike,
    *,
    method: str = "lp",
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_alone: npt.ArrayLike | None = None,
    bins: int | None = BINS,
    time_limit: float | None = None,
    solver: str = "highs",
) -> CollectiveCurve:
    """How many targets no single perturbation within the budget can change (Schuchardt et al. 2023; theory, section 8).

    Args:
        problem: n outputs in groups, their half-spaces, and the axes of change.
        budgets: (B, classes) whole numbers (finite reals if changes are not whole), the global budget per class of
            `problem.classes`; a flat list if there is one.
        method: "naive" (each output alone against the whole budget where it hurts most), "lp" or "milp"; each reports
            the best of itself and the ones before it.
        targets: (n,) bool, the outputs that count; all by default.
        correct: (n,) bool, correctly labelled outputs: adds the certified accuracy, from a solve of its own.
        robust_alone: (B, n) bool, outputs that a certificate of their own, from the same simultaneous bounds (such as
            the exact trade-off), proves robust against every use of the whole budget; they are taken out before anything
            is relaxed. (n,) for one budget.
        bins: the most steps per group to which η is rounded, down; None for no rounding. Fewer are faster and looser.
        time_limit: seconds per solve; when it ends, what has been proved so far is reported.
        solver: "highs" (directly, hot start) or "cvxpy" (the same program through cvxpy, slower).

    Returns:
        A `CollectiveCurve`. Sound side: `certified` is never too large. The bound of the relaxation is recomputed from
        the duals in outward rounding (slack 0); that of branch and bound is the solver's proved best bound plus the
        slack of `bounds.branch_and_bound_slack`; no other status certifies anything beyond the relaxation. `gap` counts
        up to the best attack found, within the half-spaces and up to the rounding of sums.

    Raises:
        InputError: for budgets that are not whole (or finite) numbers ≥ 0, masks of the wrong shape, no targets, an
            unknown method or solver, or a solver that is not installed.
    """
    check_options(method, solver, bins, time_limit)
    sweep: Amounts = (check_budgets if problem.whole else check_amounts)(budgets, len(problem.classes))
    counted = np.ones(problem.outputs, dtype=np.bool_)
    if targets is not None:
        counted = mask_of("targets", targets, counted.shape)
    if not counted.any():
        raise InputError("there are no targets; mark at least one output in the boolean mask targets")
    right = None if correct is None else counted & mask_of("correct", correct, counted.shape)
    proved = proved_alone(robust_alone, sweep, problem.outputs)
    backend = None if method == "naive" else _SOLVERS[solver](time_limit)

    def bounds(mask: BoolArray) -> list[Bound]:
        return _Sweep(problem, mask, proved, sweep, bins).run(backend, method == "milp")

    return curve_of(problem.classes, sweep, counted, right, bounds)


class _Sweep:
    """All budgets for one set of counted outputs.

    Linear programs share one encoding, up to the largest budget, and start hot. Branch and bound takes far longer than an
    encoding, so each integer program gets its own, with only what its budget can break.
    """

    def __init__(
        self,
        problem: LocalizedProblem,
        counted: BoolArray,
        proved: BoolArray | None,
        budgets: Amounts,
        bins: int | None,
    ) -> None:
        self._problem, self._counted, self._proved = problem, counted, proved
        self._budgets, self._bins = budgets, bins
        self._shared = encode_localized(problem, counted, budgets.max(axis=0), bins)
        self._every = self._shared.kinds.count(counted)

    def run(self, solver: Solver | None, integer: bool) -> list[Bound]:
        """A bound per budget; without a solver the naive one."""
        # Neighbouring budgets have neighbouring bases: solve in order of size, answer in the order asked.
        order = np.lexsort((*self._budgets.T, self._budgets.sum(axis=1)))
        found: dict[int, Bound] = {}
        for index in order.tolist():
            best, relaxed = self._linear(index, solver)
            if integer and solver is not None and not best.attack >= best.attacked:
                best = self._integer(index, solver, best, relaxed)
            known = best.attack > 0 or best.attack == best.attacked
            found[index] = best if known else replace(best, attack=math.nan)
        return monotone([found[index] for index in range(len(self._budgets))], self._budgets)

    def _standing(self, index: int) -> BoolArray:
        """(n,) the counted outputs that are not proved robust on their own at this budget."""
        return self._counted if self._proved is None else self._counted & ~self._proved[index]

    def _linear(self, index: int, solver: Solver | None) -> tuple[Bound, FloatArray]:
        """The better of the naive bound and the relaxation's, with the attack found on the way, and the relaxed b."""
        encoding, budget = self._shared, self._budgets[index]
        counts = self._every if self._proved is None else encoding.kinds.count(self._standing(index))
        counts = encoding.breakable(counts, budget)
        nothing = np.zeros(encoding.axes.capacity.size)
        attack, naive = encoding.broken(nothing, counts), int(counts.sum())
        best = Bound(float(naive), naive, "naive", "not solved", float(attack))
        if solver is None or attack == naive:
            return best, nothing
        program = encoding.program(counts, budget)
        solution = solver.solve_linear(program)
        best = better(best, weak_duality_bound(program, solution.duals), naive, "lp", solution.status)
        relaxed = nothing if solution.point is None else solution.point[-nothing.size :]
        return _attacked(best, encoding, [attempted(encoding, relaxed, budget)], counts), relaxed

    def _integer(self, index: int, solver: Solver, best: Bound, relaxed: FloatArray) -> Bound:
        """`best` or the bound of branch and bound, whichever is smaller."""
        budget = self._budgets[index]
        standing = self._standing(index)
        encoding = encode_localized(self._problem, standing, budget, self._bins)
        counts = encoding.kinds.count(standing)
        if encoding.axes.capacity.size != relaxed.size:  # a smaller budget can leave fewer axes that matter
            relaxed = np.zeros(encoding.axes.capacity.size)
        start = improved(encoding, attempted(encoding, relaxed, budget), counts, budget)
        solution = solver.solve_integer(encoding.program(counts, budget), encoding.point(start, counts))
        attacks = [start]
        if solution.point is not None:
            attacks.append(attempted(encoding, solution.point[-start.size :], budget))
        claim = claimed_bound(solution, branch_and_bound_slack(float(counts.sum() + budget.sum())))
        return _attacked(better(best, claim, best.attacked, "milp", solution.status), encoding, attacks, counts)


def _attacked(best: Bound, encoding: LocalizedEncoding, attacks: list[Amounts], counts: IntArray) -> Bound:
    """`best` beside what falls of `counts` under the best of some changes (A,), unless that refutes it."""
    shares = [b.astype(np.float64) for b in attacks]
    best = unrefuted(best, max(best.attack, *(float(encoding.broken(b, counts)) for b in shares)))
    # Real shares that reach a step up to rounding count as an attack, but they refute nobody.
    near = max(best.attack, *(float(encoding.broken(b, counts, encoding.tie)) for b in shares))
    return replace(best, attack=min(near, float(best.attacked)))


def robust_by_half_spaces(problem: LocalizedProblem, budgets: Amounts) -> BoolArray:
    """(B, n) the outputs that survive all of each budget (B, classes) on their own, wherever it is placed."""
    found = np.zeros((len(budgets), problem.outputs), np.bool_)
    for index, budget in enumerate(budgets):
        axes = reduce_axes(problem.weights, problem.axis_class, problem.capacity, budget)
        found[index] = (problem.eta > axes.reach(budget)[:, problem.groups]).any(axis=0)
    return found


def check_options(method: str, solver: str, bins: Any, time_limit: float | None) -> None:
    """Refuse unknown methods and solvers, and numbers outside their domain."""
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if solver not in _SOLVERS:
        raise InputError(f"solver must be one of {', '.join(_SOLVERS)}, got {solver!r}")
    if bins is not None and (isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1):
        raise InputError(f"bins must be a whole number of at least 1, or None for no rounding, got {bins!r}")
    if time_limit is not None and not time_limit >= 0:
        raise InputError(f"time_limit must be a number of seconds of at least 0, got {time_limit!r}")
