"""Bounds that can be trusted: from what a solver returns to a number of targets that is surely not exceeded.

A solver's objective value is not a bound: it is a point of the feasible set up to tolerances, and after a time limit it
may be anything (cvxpy then reports 0.0, "no target is attacked"). Two things are used instead (theory, section 8).

- Linear program: *every* finite y ≥ 0 proves Σ b·y + Σ u·max(0, c − Aᵀy) by weak duality, so the solver's row
  multipliers are clipped to y ≥ 0 and the bound is computed again here, each operation rounded outward. Nothing the
  solver did is trusted; a bad y gives a weak bound, never a wrong one. **The slack of this bound is 0.**
- Integer program: the bound that branch and bound claims cannot be recomputed from the answer. It is used only after a
  status that means "proved", with a slack, never above the linear program's bound, and not at all where an attack is known
  that breaks more (`sweep.unrefuted`).
"""

import math
from dataclasses import replace

import numpy as np

from graphcert.collective.solvers.program import FloatArray, LinearProgram, Solution

DUAL_TOLERANCE = 1e-9
"""How negative a reduced cost may be before a solver pivots on it; both backends are told to use this value."""

_TINY = 1e-300  # above any sum of underflow errors of the products below


def weak_duality_bound(program: LinearProgram, duals: FloatArray | None) -> float:
    """An upper bound on the optimum of `program` (linear, hence also integer), proved by `duals` alone.

    Domain: any (m,) array; negative entries are clipped to 0. Sound side: above; the result is never below the true
    optimum, whatever the solver did. Returns inf if `duals` is missing, of the wrong length, or not finite.
    """
    rows = program.row_upper
    if duals is None or duals.shape != rows.shape or not np.isfinite(duals).all():
        return math.inf
    y = np.maximum(duals, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        reduced = _up(_up(program.objective - program.matrix.T @ y) + _product_error(program, y))
        if not np.isfinite(reduced).all():  # overflow: NaN would pass for "not positive" below
            return math.inf
        columns = np.where(reduced > 0, _up(program.column_upper * reduced), 0.0)
        budget = np.where((y > 0) & (rows > 0), _up(rows * y), 0.0)
    return _sum_up(np.concatenate([columns, budget]))


def _up(values: FloatArray) -> FloatArray:
    """The next float above: an upper bound of the exact result of the one rounded operation that gave `values`."""
    return np.nextafter(values, np.inf)


def _product_error(program: LinearProgram, y: FloatArray) -> FloatArray:
    """(n,) an upper bound on the rounding error of Aᵀy (Higham 2002, eq. 3.5: γ_k·|A|ᵀ|y| for k terms).

    With k terms of a column γ_k = k·2⁻⁵³/(1 − k·2⁻⁵³); the factor (k + 4)·2⁻⁵² leaves room for the rounding of |A|ᵀ|y|
    itself and of this product.
    """
    terms = np.diff(program.matrix.indptr).astype(np.float64)
    error: FloatArray = (terms + 4.0) * 2.0**-52 * (abs(program.matrix).T @ y) + _TINY
    return error


def _sum_up(values: FloatArray) -> float:
    """A float that is at least the exact sum of non-negative `values`."""
    if not np.isfinite(values).all():
        return math.inf
    try:
        return math.nextafter(math.fsum(values), math.inf)
    except OverflowError:
        return math.inf


def branch_and_bound_slack(largest_sum: float) -> float:
    """What is added to the bound claimed by branch and bound before it is rounded down to a whole number.

    A node's linear program is optimal only up to reduced costs of `DUAL_TOLERANCE`, so by weak duality its value may be
    too small by that tolerance times the largest possible Σ x. Twice this is the slack; `largest_sum` bounds Σ x (all
    targets plus all budgets), so the slack stays far below 1 up to 10⁷ of them. It covers the solver's stated
    tolerances, not errors of its presolve or cuts; who wants no trust at all in a solver takes the linear program.
    """
    return 2.0 * DUAL_TOLERANCE * max(1.0, largest_sum)


def claimed_bound(solution: Solution, slack: float) -> float:
    """The bound that an integer solve proves: best bound plus `slack` if its status is a proof, else inf.

    A negative or non-finite claim is no bound, because doing nothing is always feasible and breaks 0 targets.
    """
    if not solution.trusted or not math.isfinite(solution.best_bound) or solution.best_bound < 0:
        return math.inf
    return solution.best_bound + slack


def solved_linear(program: LinearProgram, solution: Solution) -> Solution:
    """What an integer solve answers where no column is whole: the relaxation's `solution` with its recomputed bound.

    Solvers keep no bound of branch and bound when there is nothing to branch on; HiGHS then reports 0.
    """
    return replace(solution, best_bound=weak_duality_bound(program, solution.duals), trusted=True)


def attacked_upper(bound: float, most: int) -> int:
    """⌊bound⌋ as a count between 0 and `most`; `most` (certify nothing) if the bound is NaN or infinite."""
    if not math.isfinite(bound):
        return most
    return min(most, max(0, math.floor(bound)))
