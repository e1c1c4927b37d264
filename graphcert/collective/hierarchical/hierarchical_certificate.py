"""The collective certificate of hierarchical noise and ablation (theory, sections 6, 8 and 9; nobody has published it)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import budget_axes
from graphcert.collective.bound_loop import Answer, Bound, CollectiveProblem, bound_loop, check_method, unrefuted
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.exact import collective_tight
from graphcert.collective.exact.budget_solver import unrounded
from graphcert.collective.half_spaces.localized import BINS, checked_bins, collective_localized
from graphcert.collective.hierarchical.enumeration import HierarchicalTruth
from graphcert.collective.hierarchical.hierarchical_problem import HierarchicalProblem
from graphcert.collective.hierarchical.joint_relaxation import joint_problem
from graphcert.collective.hierarchical.row_choices import RowChoice, first_look, row_choices
from graphcert.collective.hierarchical.row_search import UNFINISHED, RowSearch
from graphcert.collective.pairs import pair_cells
from graphcert.collective.solvers import check_solver
from graphcert.collective.solvers.program import BoolArray, IntArray
from graphcert.core.compiled import working_time
from graphcert.noise import Budget
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order

METHODS = ("lp", "milp", "tight")

_FIRST_SHARE, _FIRST_MOST = 0.2, 2.0
"""The share of the time, and the seconds, for a first search before small budgets are enumerated."""

_EXACT_SHARE, _ROWS_SHARE, _JOINT_SHARE = 0.6, 0.8, 0.6
"""Shares of the time that is left: for enumeration, for the search, and for all choices of rows in one program."""


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
    robust_per_node: npt.ArrayLike | None = None,
    orders: Sequence[Order] = DEFAULT_ORDERS,
    bins: int | None = BINS,
    time_limit: float | None = 60.0,
    solver: str = "highs",
) -> CollectiveCurve:
    """How many targets no single perturbation of rows, bits and edges within a budget can change.

    For every choice of rows the problem is that of the lower noise with other majorities and another level; the bound is the
    largest over the choices, of which the most threatening ones are solved first and the others bounded in sets. Where there
    are too many choices, every group faces the rows that are worst for it, and half-spaces of orders below 1 count rows and
    bits together.

    Args:
        problem: the arrays.
        budgets: B budgets, all with a limit of nodes (then "nodes" is a fifth axis) or all without.
        method: "lp" or "milp" (half-spaces of the lower noise) or "tight" (its exact trade-offs).
        targets: (n,) bool, the outputs that count; all by default.
        correct: (n,) bool, correctly labelled outputs: adds the certified accuracy, from a solve of its own.
        robust_per_node: (B, n) bool, outputs that another certificate, from the same simultaneous bounds, proves robust
            against every use of the whole budget.
        orders: the half-spaces of "lp" and "milp".
        bins: the most steps per group to which half-spaces are rounded; None for no rounding.
        time_limit: seconds per budget and solve, beside a first look at all choices of rows at once; when they end, what
            has been proved so far is reported. None waits.
        solver: of "lp" and "milp", "highs" or "cvxpy".

    Returns:
        A `CollectiveCurve`. Sound side: `certified` is never too large. `method` is "rows" where it is enough that all
        targets face the same changed rows, each of them alone. `gap` counts up to the best perturbation found that exists:
        for "tight", whose `attacks` these are, (B, A + J): changes per axis of `problem.axes`, then changed rows per block.
        "lp" and "milp" count changed rows that need not take a bit, so their gap is nan where anything has to change;
        under ablation of features alone it counts choices of rows that can change.

    Raises:
        InputError: for masks of the wrong shape, no targets, or an unknown method or solver.
    """
    check_method(method, METHODS)
    check_solver(solver, time_limit)
    axes, rows = budget_axes(budgets)
    options = Options(method, orders, checked_bins(bins), time_limit, solver)
    against = [problem.against(budget) for budget in budgets]
    effective = np.array([one.effective(budget) for one, budget in zip(against, budgets, strict=True)])
    # Budgets of the same strength let an adversary do the same. Under ablation it is not the bits that break anything, but
    # they say which rows can change.
    strength = np.array([[*own, *problem.openings(budget)] for own, budget in zip(effective, budgets, strict=True)])

    def answer(index: int, standing: BoolArray, begin: IntArray | None) -> Answer:
        """Every budget has a search of its own; of an exact one the best attack (A + J,) is told too."""
        exact = problem.exact_rows(budgets[index])
        bound, changes = _Budget(against[index], effective[index], standing, options, exact).solve()
        return Answer(bound, changes if method == "tight" else None)

    family = CollectiveProblem(axes, problem.p_lower.size, lambda counted, budgets: answer)
    curve = bound_loop(family, strength, targets=targets, correct=correct, robust_per_node=robust_per_node)
    return replace(curve, budgets=rows, rounding=_rounding(problem, effective, method))


def _rounding(problem: HierarchicalProblem, effective: IntArray, method: str) -> float:
    """The most by which a bound of other classes was rounded up: half-spaces round, the exact search if it is large."""
    laws = np.unique(problem.axes.law_of_axis).size
    if method == "tight" and all(unrounded(problem.p_lower.size, laws, budget[:4]) for budget in effective):
        return 0.0
    return pair_cells(problem.axes.groups, problem.p_lower, problem.p_other).rounding


class _Budget:
    """What falls at most of some outputs at one budget, as far as time goes.

    Args:
        problem: the arrays.
        budget: (5,) of `HierarchicalProblem.effective`.
        standing: (n,) the outputs that count.
        options: how to solve.
        exact: of `HierarchicalProblem.exact_rows`.
    """

    def __init__(
        self, problem: HierarchicalProblem, budget: IntArray, standing: BoolArray, options: Options, exact: bool
    ) -> None:
        self._problem, self._budget, self._standing, self._options = problem, budget, standing, options
        self._exact = exact
        self._end = math.inf if options.time_limit is None else working_time() + options.time_limit

    @property
    def _left(self) -> float:
        """Seconds."""
        return max(self._end - working_time(), 0.0)

    def solve(self) -> tuple[Bound, IntArray]:
        """The bound, and the best attack (A + J,), all zero if none is known."""
        bound, changes = self._search()
        outputs = int(self._standing.sum())
        return unrefuted(
            replace(bound, weaker=Bound(float(outputs), outputs, "naive", "", math.nan)), bound.attack
        ), changes

    def _search(self) -> tuple[Bound, IntArray]:
        """The same, without the check of the one by the other."""
        nothing = np.zeros(self._problem.axes.capacity.size + self._problem.blocks, np.int64)
        if not self._standing.any():
            return Bound(0.0, 0, "naive", "not solved", 0.0), nothing
        if (self._problem.ablated and not self._budget[2:4].any()) or not self._budget.any():
            bound = self._joint(self._left)
            return bound if self._exact else self._without_attack(bound), nothing
        choices, apart = row_choices(self._problem, self._budget)
        quick = first_look(self._problem, self._budget, self._standing, choices, self._options.orders)
        search = RowSearch(choices, quick, self._options.method, self._lower)
        if self._options.method != "tight":
            return self._without_attack(self._capped(search.run(_ROWS_SHARE * self._left), apart)), nothing
        # Most budgets are closed by now; small ones that are not are better enumerated than searched for long.
        worst = search.run(min(_FIRST_SHARE * self._left, _FIRST_MOST))
        truth = HierarchicalTruth(self._problem, self._budget, self._standing)
        worst, attack = truth.closed(worst, search.attacks, _EXACT_SHARE * self._left)
        if worst.status == "closed":
            return worst, attack
        worst = self._capped(search.run(_ROWS_SHARE * self._left, worst.attack), apart)
        return truth.closed(worst, search.attacks, self._left)

    def _without_attack(self, bound: Bound) -> Bound:
        """A bound whose attack need not be a perturbation: only outputs that fall without any change are known to fall."""
        always = int(self._problem.broken[self._standing].sum())
        known = always > 0 or bound.attacked == always
        status = "closed" if bound.attacked == always else "optimal" if bound.status == "closed" else bound.status
        return replace(bound, status=status, attack=float(always) if known else math.nan)

    def _capped(self, bound: Bound, apart: bool) -> Bound:
        """`bound` of the choices of rows, or that of rows and changes in one program, where it may be smaller."""
        if not self._left or (apart and (bound.status != UNFINISHED or not bound.attacked)):
            return bound
        joint = self._joint(_JOINT_SHARE * self._left)
        return joint if joint.attacked < bound.attacked else bound

    def _lower(self, choice: RowChoice, method: str, seconds: float, cutoff: int) -> tuple[Bound, IntArray | None]:
        """The bound of the lower noise for one choice of rows, and the attack (A,) of an exact search."""
        options, budget = self._options, self._budget[None, :4]
        lower = self._problem.given(choice.shares, choice.capacity)
        limit = None if math.isinf(seconds) else max(seconds, 0.0)
        if method == "tight":
            curve = collective_tight(
                lower, budget, targets=self._standing, bins=options.bins or BINS, time_limit=limit, cutoff=[cutoff]
            )
            assert curve.attacks is not None
            return _only(curve), curve.attacks[0]
        curve = collective_localized(
            lower.half_spaces(options.orders), budget, method=method, targets=self._standing, bins=options.bins,
            time_limit=limit, solver=options.solver,
        )  # fmt: skip
        return _only(curve), None

    def _joint(self, seconds: float) -> Bound:
        """Rows and changes in one program of half-spaces."""
        method = "milp" if self._options.method == "tight" else self._options.method
        return _only(
            collective_localized(
                joint_problem(self._problem), self._budget[None], method=method, targets=self._standing,
                bins=self._options.bins, time_limit=None if math.isinf(seconds) else seconds,
                solver=self._options.solver,
            )
        )  # fmt: skip


def _only(curve: CollectiveCurve) -> Bound:
    """The one bound of a curve of one budget."""
    attacked = int(curve.attacked_upper[0])
    return Bound(
        float(curve.bound[0]), attacked, str(curve.method[0]), str(curve.status[0]), attacked - float(curve.gap[0])
    )
