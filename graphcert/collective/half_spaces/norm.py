"""Collective certificates against changes that are measured by a norm, from arrays (theory, sections 5 and 8).

An adversary moves real features. Of its budget it spends b_j ≥ 0 on the input block j, with Σ_j b_j ≤ ε² where b_j is the
squared ℓ2 norm of the change in block j (Gaussian noise), or Σ_j b_j ≤ ε where it is the ℓ1 norm (uniform noise). Output n
of group i falls only if Σ_j w_ij b_j ≥ η_n. This is the program of `localized_program` with real b: the half-spaces of
Gaussian noise are exact, so the integer optimum is then the best that can be said about p_lower at all.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import check_amounts
from graphcert.collective.bound_loop import AnswerAt, CollectiveProblem, bound_loop, program_method
from graphcert.collective.curve import SHIFT, CollectiveCurve
from graphcert.collective.half_spaces.localized import BINS, checked_bins, count_localized
from graphcert.collective.half_spaces.localized_problem import LocalizedProblem
from graphcert.collective.half_spaces.localized_program import encode_localized
from graphcert.collective.solvers.highs_solver import HighsSolver
from graphcert.collective.solvers.program import UNLIMITED, Amounts, BoolArray, FloatArray, IntArray
from graphcert.collective.solvers.safe_bounds import attacked_upper, weak_duality_bound
from graphcert.errors import InputError

_BAND = 12
"""Binary orders of magnitude of the budgets that share a program: a solver's absolute tolerances hold for all of them."""


@dataclass(frozen=True, eq=False)
class NormProblem:
    """Which shares of a norm each output survives.

    Axes: n outputs, C groups, J input blocks.

    Attributes:
        groups: (n,) int, the group of each output, 0 … C − 1.
        eta: (n,) rounded down; at most 0 for an output that counts as broken from the start (abstained), inf for one that
            nothing breaks.
        weights: (C, J) finite, ≥ 0, rounded up, per unit of b: 1/σ² under Gaussian noise, 1/λ under uniform noise.
        squared: whether b are shares of a squared norm (ℓ2), so that the budget is ε²; else of the norm itself (ℓ1).

    Raises:
        InputError: if shapes disagree, a weight is negative, infinite or NaN, or a group is outside its range.
    """

    groups: IntArray
    eta: FloatArray
    weights: FloatArray
    squared: bool = True

    def __post_init__(self) -> None:
        eta, weights = np.asarray(self.eta, np.float64), np.asarray(self.weights, np.float64)
        if eta.ndim != 1 or weights.ndim != 2:
            raise InputError(
                f"eta must have one number per output and weights the shape (groups, blocks), got {eta.shape} and "
                f"{weights.shape}"
            )
        object.__setattr__(self, "eta", eta)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "groups", self.program(0).groups)

    def program(self, exponent: int) -> LocalizedProblem:
        """The problem over real b, counted in units of 2^exponent (exact, or rounded up where floats end)."""
        blocks = self.weights.shape[1]
        return LocalizedProblem(
            groups=self.groups,
            eta=self.eta[None],
            weights=_scaled_up(self.weights, exponent)[None],
            axis_class=np.zeros(blocks, np.int64),
            capacity=np.full(blocks, UNLIMITED),
            classes=(SHIFT,),
            whole=False,
        )


def collective_norm(
    problem: NormProblem,
    shifts: npt.ArrayLike,
    *,
    method: str = "lp",
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_per_node: npt.ArrayLike | None = None,
    bins: int | None = BINS,
    time_limit: float | None = None,
    solver: str = "highs",
) -> CollectiveCurve:
    """How many targets no single change of the features of at most a given norm can break (Schuchardt et al. 2023).

    Args:
        problem: n outputs in groups, and their half-spaces.
        shifts: (B,) finite ℓ2 norms ε ≥ 0 (ℓ1 norms if the problem is not squared) of the change of all features together.
        method, targets, correct, robust_per_node, bins, time_limit, solver: as in `collective_localized`.

    Returns:
        A `CollectiveCurve` over the axis "feature_shift", whose budgets are ε. Sound side: `certified` is never too
        large. A gap counts up to the best attack found; 0 means that the bound is the truth of the half-spaces, up to
        rounding and to `bins`.

    Raises:
        InputError: as `collective_localized`, and for norms that are not finite numbers ≥ 0.
    """
    bound, steps = program_method(method, solver, time_limit), checked_bins(bins)
    norms = check_amounts(shifts, 1)
    if not np.isfinite(_spent(problem, norms)).all():
        raise InputError(f"the square of a norm must be a finite number, got norms up to {norms.max():g}")

    def count(counted: BoolArray, norms: Amounts) -> AnswerAt:
        """One program per band of budgets of like size."""
        budgets, band = _spent(problem, norms.astype(np.float64)), dict[int, tuple[AnswerAt, int]]()
        for exponent, rows in _bands(budgets[:, 0]):
            scaled = _scaled_up(budgets[rows], -exponent)
            answers = count_localized(problem.program(exponent), bound, steps, counted, scaled)
            band |= {row: (answers, place) for place, row in enumerate(rows.tolist())}
        return lambda index, standing, begin: band[index][0](band[index][1], standing, begin)

    family = CollectiveProblem((SHIFT,), problem.eta.size, count)
    return bound_loop(family, norms, targets=targets, correct=correct, robust_per_node=robust_per_node)


def norm_prices(problem: NormProblem, norm: float, counted: BoolArray, number: int) -> dict[str, Any] | None:
    """Prices by which others can prove that at most `number` of the outputs `counted` (n,) fall; None if there are none.

    They are the duals of the linear program, and any prices prove something: how many outputs, every reader computes anew.

    Returns:
        "prices": per chain one of its outputs and the price of its half-space.
    """
    budget = _spent(problem, np.array([[norm]]))
    ((exponent, _),) = _bands(budget[:, 0])
    scaled = _scaled_up(budget, -exponent)[0]
    encoding = encode_localized(problem.program(exponent), counted, scaled, BINS)
    program = encoding.program(encoding.breakable(encoding.kinds.count(counted), scaled), scaled)
    duals = (
        HighsSolver(None).solve_linear(program).duals if program.objective.any() else np.zeros(len(program.row_upper))
    )
    if duals is None or attacked_upper(weak_duality_bound(program, duals), problem.groups.size) > number:
        return None
    return {"kind": "duals", "prices": [list(chain) for chain in encoding.prices(duals)]}


def _spent(problem: NormProblem, norms: FloatArray) -> FloatArray:
    """(B, 1) the budgets of the shares b: the norms, or their squares rounded up."""
    with np.errstate(over="ignore"):
        return np.where(norms > 0, np.nextafter(norms * norms, np.inf), 0.0) if problem.squared else norms


def _bands(budgets: FloatArray) -> list[tuple[int, IntArray]]:
    """Budgets of like size: the exponent of two of each band's largest, and which budgets are in it."""
    positive = budgets > 0
    size = np.frexp(budgets)[1].astype(np.int64)
    lowest = size[positive].min() if positive.any() else 0
    size = np.where(positive, size, lowest)
    band = (size.max() - size) // _BAND
    return [(int(size[band == number].max()), np.flatnonzero(band == number)) for number in np.unique(band)]


def _scaled_up(values: FloatArray, exponent: int) -> FloatArray:
    """values · 2^exponent, exact, or rounded up where it leaves the range of floats."""
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(values, exponent)
        lost = np.isfinite(scaled) & (np.ldexp(scaled, -exponent) < values)
    rounded: FloatArray = np.where(lost, np.nextafter(scaled, np.inf), scaled)
    return rounded
