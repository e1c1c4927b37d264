"""The collective certificate against a norm in few rows, under hierarchical noise of real features (theory, sections 6, 8).

An adversary touches r_j rows of block j, Σ_j r_j ≤ r, and spends b_j ≥ 0 of its norm there, b_j = 0 where r_j = 0. Group
i sees some touched row unselected with probability δ_i = 1 − Π_j s_ij^(r_j); given that all are selected, the lower noise
hides the change. Output n of group i falls only if Σ_j w_ij b_j ≥ η_n(δ_i), where η_n(δ) comes from the radius at the
disjoint-support mass δ, for Gaussian noise (Φ⁻¹((p − δ)/(1 − δ)) − Φ⁻¹(1/(2(1 − δ))))². So for given rows this is the
problem of `norm` with other η, in the blocks that are touched; the bound is the largest over all choices of rows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import comb

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import check_amounts
from graphcert.collective.bound_loop import Answer, AnswerAt, Bound, CollectiveProblem, bound_loop, check_method
from graphcert.collective.curve import SHIFT, CollectiveCurve
from graphcert.collective.half_spaces.localized import BINS, checked_bins
from graphcert.collective.half_spaces.norm import NormProblem, collective_norm
from graphcert.collective.hierarchical.hierarchical_problem import share_down
from graphcert.collective.hierarchical.row_choices import (
    MOST_CHOICES,
    RowChoice,
    boxes,
    rarest_rows,
    spread,
    undominated,
)
from graphcert.collective.hierarchical.row_search import RowSearch
from graphcert.collective.solvers import check_solver
from graphcert.collective.solvers.program import UNLIMITED, Amounts, BoolArray, FloatArray, IntArray
from graphcert.core.arguments import whole
from graphcert.errors import InputError

METHODS = ("lp", "milp")

_ROUGH_SHARES, _ROUGH_STEP = 64, 2.0**-8
"""More distinct shares than this are rounded down to multiples of the step for a first look."""

_MOST_KEPT = 2**23
"""So many η of outputs are kept, 64 MiB."""


@dataclass(frozen=True, eq=False)
class NormRows:
    """Which touched rows and shares of a norm each output survives.

    Axes: n outputs, C groups, J input blocks, K kinds of rows. A kind is what rows have in common that lie in the same
    blocks: one kind per block, unless a tile of rows that are selected together lies in several blocks.

    Attributes:
        groups: (n,) int, the group of each output.
        weights: (C, J) as in `NormProblem`, per unit of b.
        blocks: (K, J) bool, the blocks in which rows of a kind lie.
        rows: (K,) how many rows there are of each kind, ≥ 1.
        select: (C, K) the probability above 0 with which a group sees a row of a kind selected.
        eta_at: a probability `share` of at most 1 → (n,) η given that all touched rows are selected with this probability,
            rounded down; at most 0 for an output that then falls without any change.
        squared: as in `NormProblem`.

    Raises:
        InputError: if shapes disagree, or a number is outside its domain.
    """

    groups: IntArray
    weights: FloatArray
    blocks: BoolArray
    rows: IntArray
    select: FloatArray
    eta_at: Callable[[float], FloatArray]
    squared: bool = True
    _known: dict[float, FloatArray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        kinds, (groups, blocks) = len(self.rows), np.shape(self.weights)
        if np.shape(self.blocks) != (kinds, blocks) or np.shape(self.select) != (groups, kinds):
            raise InputError(
                f"for {groups} groups, {blocks} blocks and {kinds} kinds of rows, blocks must have the shape "
                f"({kinds}, {blocks}) and select ({groups}, {kinds}), got {np.shape(self.blocks)}, {np.shape(self.select)}"
            )
        if not ((self.select > 0) & (self.select <= 1)).all() or not (self.rows >= 1).all():
            raise InputError("rows are selected with probabilities above 0, and there is at least one of each kind")

    def eta(self, share: float) -> FloatArray:
        """`eta_at`, asked once per share as long as there is room."""
        if share not in self._known:
            if len(self._known) * self.groups.size >= _MOST_KEPT:
                self._known.clear()
            self._known[share] = self.eta_at(share)
        return self._known[share]

    def given(self, choice: RowChoice) -> NormProblem:
        """The problem of the lower noise for one choice of rows; blocks without touched rows weigh nothing."""
        eta = np.zeros(self.groups.size)
        for group, share in enumerate(choice.shares.tolist()):
            mine = self.groups == group
            eta[mine] = self.eta(share)[mine]
        return NormProblem(self.groups, eta, np.where(choice.capacity > 0, self.weights, 0.0), self.squared)

    def choices(self, rows: int) -> tuple[list[RowChoice], bool]:
        """The choices of at most `rows` rows that matter, and whether each of them is one choice.

        Returns:
            RowChoices, at least one, whose `capacity` (J,) is above 0 in the touched blocks, and True; or some that together
            are at least as strong as all choices, and False.
        """
        kept = self._strongest_kinds(rows)
        most = np.minimum(self.rows[kept], rows)
        total = min(rows, int(most.sum()))
        select, blocks = self.select[:, kept], self.blocks[kept]

        def touched(counts: IntArray) -> IntArray:
            return np.where(blocks[counts > 0].any(axis=0), UNLIMITED, 0)

        if comb(total + kept.size - 1, total) <= MOST_CHOICES:
            found = [
                RowChoice(_shares(select, [counts] * len(select)), touched(counts)) for counts in spread(most, total)
            ]
            return undominated(found), True
        found = [
            RowChoice(_shares(select, list(rarest_rows(select, low, high, total))), touched(high))
            for low, high in boxes(most, total)
        ]
        return undominated(found), False

    def _strongest_kinds(self, rows: int) -> IntArray:
        """The kinds that suffice: any other is in no further block, is selected no more rarely, and these are enough."""
        kept: list[int] = []
        order = np.lexsort((np.arange(self.rows.size), self.select.sum(axis=0), -self.blocks.sum(axis=1)))
        for kind in order.tolist():  # whoever replaces others comes first
            if not any(
                self.rows[one] >= rows
                and (self.blocks[one] | ~self.blocks[kind]).all()
                and (self.select[:, one] <= self.select[:, kind]).all()
                for one in kept
            ):
                kept.append(kind)
        return np.array(sorted(kept), np.int64)


def _shares(select: FloatArray, counts: list[IntArray]) -> FloatArray:
    """(C,) Π_k s_ik^(r_k), rounded down; `counts` has the rows (K,) of every group."""
    pairs = zip(select.tolist(), counts, strict=True)
    return np.array([share_down(tuple(mine), tuple(rows.tolist())) for mine, rows in pairs])


def collective_norm_rows(
    problem: NormRows,
    budgets: npt.ArrayLike,
    *,
    method: str = "milp",
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_per_node: npt.ArrayLike | None = None,
    bins: int | None = BINS,
    time_limit: float | None = 60.0,
    solver: str = "highs",
) -> CollectiveCurve:
    """How many targets no single change of at most a norm, in at most so many rows, can break; nobody has published it.

    Args:
        problem: the arrays.
        budgets: (B, 2) a finite norm ε ≥ 0 and a whole number of rows each.
        method: "lp" or "milp".
        targets, correct, robust_per_node, bins, solver: as in `collective_localized`.
        time_limit: seconds per budget; what has been proved until then is reported. None waits.

    Returns:
        A `CollectiveCurve` over the axes "feature_shift" and "nodes". Sound side: `certified` is never too large. A gap
        counts up to the best attack found within the half-spaces, as in `collective_norm`; nan if there are too many choices
        of rows to look at one by one.

    Raises:
        InputError: as `collective_norm`, and for rows that are not whole numbers ≥ 0.
    """
    check_method(method, METHODS)
    check_solver(solver, time_limit)
    amounts = check_amounts(budgets, 2)
    limits = [
        whole("the number of touched rows", int(rows) if float(rows).is_integer() else rows) for rows in amounts[:, 1]
    ]
    steps, found = checked_bins(bins), {rows: problem.choices(rows) for rows in sorted(set(limits))}

    def count(counted: BoolArray, sweep: Amounts) -> AnswerAt:
        def answer(index: int, standing: BoolArray, begin: IntArray | None) -> Answer:
            norm, rows = float(sweep[index, 0]), int(sweep[index, 1])
            choices, apart = found[rows if norm else 0]
            solve = _Solver(problem, norm, standing, apart, steps, solver)
            if not standing.any():
                return Answer(Bound(0.0, 0, "naive", "not solved", 0.0))
            quick = first_look(problem, norm, standing, choices)
            return Answer(RowSearch(choices, quick, method, solve).run(math.inf if time_limit is None else time_limit))

        return answer

    found.setdefault(0, problem.choices(0))
    family = CollectiveProblem((SHIFT, "nodes"), problem.groups.size, count)
    return bound_loop(family, amounts, targets=targets, correct=correct, robust_per_node=robust_per_node)


@dataclass(frozen=True, eq=False)
class _Solver:
    """What falls at most of the standing outputs (n,) under a choice of rows; see `row_search.Solve`."""

    problem: NormRows
    norm: float
    standing: BoolArray
    apart: bool
    bins: int | None
    solver: str

    def __call__(self, choice: RowChoice, method: str, seconds: float, cutoff: int) -> tuple[Bound, IntArray | None]:
        curve = collective_norm(
            self.problem.given(choice), [self.norm], method=method, targets=self.standing, bins=self.bins,
            time_limit=None if math.isinf(seconds) else max(seconds, 0.0), solver=self.solver,
        )  # fmt: skip
        attacked = int(curve.attacked_upper[0])
        attack = attacked - float(curve.gap[0])
        found = Bound(float(curve.bound[0]), attacked, str(curve.method[0]), str(curve.status[0]), attack)
        # What is as strong as several choices need not be one.
        return (found if self.apart else replace(found, attack=math.nan)), None


def first_look(problem: NormRows, norm: float, standing: BoolArray, choices: list[RowChoice]) -> IntArray:
    """(K,) how many of the standing outputs (n,) fall at most under each choice, each alone against the whole norm."""
    shares = np.array([choice.shares for choice in choices])
    if np.unique(shares).size > _ROUGH_SHARES:  # fewer selected rows are never better
        shares = np.maximum(np.floor(shares / _ROUGH_STEP), 0.0) * _ROUGH_STEP
    open_blocks = np.array([choice.capacity > 0 for choice in choices])
    spent = np.nextafter(norm * norm, np.inf) if problem.squared and norm else norm
    falls = np.zeros(len(choices), np.int64)
    for group, weights in enumerate(problem.weights):
        mine = standing & (problem.groups == group)
        reach = np.nextafter(np.where(open_blocks, weights, 0.0).max(axis=1, initial=0.0) * spent, np.inf)
        for share in np.unique(shares[:, group]):
            here = shares[:, group] == share
            eta = np.sort(problem.eta(float(share))[mine])
            falls[here] += np.searchsorted(eta, reach[here], side="right")
    return falls
