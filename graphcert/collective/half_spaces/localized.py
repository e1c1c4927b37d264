"""The collective certificate of localized smoothing: naive, linear and integer, from arrays (theory, sections 8, 9)."""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import check_amounts, check_budgets
from graphcert.collective.bound_loop import (
    Answer,
    AnswerAt,
    Attack,
    Bound,
    BudgetProgram,
    CollectiveProblem,
    bound_loop,
    program_method,
)  # fmt: skip
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.half_spaces.localized_problem import LocalizedProblem, reduce_axes
from graphcert.collective.half_spaces.localized_program import LocalizedEncoding, encode_localized
from graphcert.collective.solvers.program import Amounts, BoolArray, FloatArray, IntArray, LinearProgram
from graphcert.core.arguments import whole

BINS = 256
"""Steps per chain by default: rounding η then costs under 1 % of the outputs, and a relaxation is solved in milliseconds."""


def collective_localized(
    problem: LocalizedProblem,
    budgets: npt.ArrayLike,
    *,
    method: str = "lp",
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_per_node: npt.ArrayLike | None = None,
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
        robust_per_node: (B, n) bool, outputs that a certificate of their own, from the same simultaneous bounds (such as
            the exact trade-off), proves robust against every use of the whole budget; they are taken out before anything
            is relaxed. (n,) for one budget.
        bins: the most steps per group to which η is rounded, down; None for no rounding. Fewer are faster and looser.
        time_limit: seconds per solve; when it ends, what has been proved so far is reported.
        solver: "highs" (directly, hot start) or "cvxpy" (the same program through cvxpy, slower).

    Returns:
        A `CollectiveCurve`. Sound side: `certified` is never too large. The bound of the relaxation is recomputed from
        the duals in outward rounding (slack 0); that of branch and bound is the solver's proved best bound plus the
        slack of `safe_bounds.branch_and_bound_slack`; no other status certifies anything beyond the relaxation. `gap` counts
        up to the best attack found, within the half-spaces and up to the rounding of sums.

    Raises:
        InputError: for budgets that are not whole (or finite) numbers ≥ 0, masks of the wrong shape, no targets, an
            unknown method or solver, or a solver that is not installed.
    """
    bound, steps = program_method(method, solver, time_limit), checked_bins(bins)
    sweep: Amounts = (check_budgets if problem.whole else check_amounts)(budgets, len(problem.classes))
    family = CollectiveProblem(problem.classes, problem.outputs, partial(count_localized, problem, bound, steps))
    return bound_loop(family, sweep, targets=targets, correct=correct, robust_per_node=robust_per_node)


def checked_bins(bins: int | None) -> int | None:
    """The most steps per group, at least 1, or None for no rounding; `InputError` for anything else."""
    return None if bins is None else whole("bins", bins, 1)


def count_localized(
    problem: LocalizedProblem,
    bound: Callable[[BudgetProgram], Bound],
    bins: int | None,
    counted: BoolArray,
    budgets: Amounts,
) -> AnswerAt:
    """The answers about the outputs `counted` (n,): their linear programs share one encoding, up to the largest budget."""
    shared = encode_localized(problem, counted, budgets.max(axis=0), bins)
    every = shared.kinds.count(counted)

    def answer(index: int, standing: BoolArray, begin: IntArray | None) -> Answer:
        counts = every if standing is counted else shared.kinds.count(standing)
        return Answer(bound(_AtBudget(problem, bins, shared, counts, standing, budgets[index])))

    return answer


class _AtBudget:
    """The standing outputs at one budget in one encoding.

    Args:
        problem: the half-spaces.
        bins: the most steps per group, or None.
        encoding: of this budget or a larger one.
        counts: (R,) the standing outputs per kind.
        standing: (n,) the outputs that count.
        budget: one number per class.
    """

    def __init__(
        self,
        problem: LocalizedProblem,
        bins: int | None,
        encoding: LocalizedEncoding,
        counts: IntArray,
        standing: BoolArray,
        budget: Amounts,
    ) -> None:
        self._problem, self._bins, self._encoding = problem, bins, encoding
        self._standing, self._budget = standing, budget
        self._counts = encoding.breakable(counts, budget)
        self._nothing = np.zeros(encoding.axes.capacity.size)
        self.always, self.naive = encoding.broken(self._nothing, self._counts), int(self._counts.sum())
        self.constant = 0
        self.largest_sum = float(self._counts.sum() + budget.sum())

    def program(self) -> LinearProgram:
        """The program of the standing outputs."""
        return self._encoding.program(self._counts, self._budget)

    def attacks(self, point: FloatArray | None) -> Attack:
        """The allowed changes next to those in a point of the program."""
        near = self._nothing if point is None else point[-self._nothing.size :]
        return self._attack(attempted(self._encoding, near, self._budget))

    def point(self, attack: Attack) -> FloatArray:
        """Every chain broken as far as the changes go."""
        return self._encoding.point(attack.changes, self._counts)

    def branching(self, relaxed: FloatArray | None, attack: Attack) -> "tuple[_AtBudget, Attack]":
        """An encoding of its own: branch and bound takes far longer than to encode what this budget can break."""
        encoding = encode_localized(self._problem, self._standing, self._budget, self._bins)
        counts = encoding.kinds.count(self._standing)
        own = _AtBudget(self._problem, self._bins, encoding, counts, self._standing, self._budget)
        near = self._nothing if relaxed is None else relaxed[-self._nothing.size :]
        if near.size != own._nothing.size:  # a smaller budget can leave fewer axes that matter
            near = own._nothing
        return own, own._attack(improved(encoding, attempted(encoding, near, self._budget), counts, self._budget))

    def _attack(self, changes: Amounts) -> Attack:
        encoding, counts, shares = self._encoding, self._counts, changes.astype(np.float64)
        broken = encoding.broken(shares, counts)
        reached = encoding.broken(shares, counts, encoding.tie) if encoding.tie else broken
        return Attack(changes, float(broken), float(reached))


def robust_by_half_spaces(problem: LocalizedProblem, budgets: Amounts) -> BoolArray:
    """(B, n) the outputs that survive all of each budget (B, classes) on their own, wherever it is placed."""
    found = np.zeros((len(budgets), problem.outputs), np.bool_)
    for index, budget in enumerate(budgets):
        axes = reduce_axes(problem.weights, problem.axis_class, problem.capacity, budget)
        found[index] = (problem.eta > axes.reach(budget)[:, problem.groups]).any(axis=0)
    return found


_WORK = 3e7
"""Steps that a local search may look at (about half a second)."""


def attempted(encoding: LocalizedEncoding, relaxed: FloatArray, budget: Amounts) -> Amounts:
    """Allowed b (A,) near the relaxed one: whole, or real and within the budget that a solver may exceed a little."""
    if encoding.whole:
        return whole_changes(encoding, relaxed, budget)
    axes = encoding.axes
    b = np.clip(relaxed, 0.0, np.minimum(axes.capacity, budget[axes.axis_class]))
    spent = np.bincount(axes.axis_class, b, minlength=budget.size)
    share = np.minimum(1.0, np.divide(budget, spent, out=np.ones(budget.size), where=spent > 0))
    within: FloatArray = b * share[axes.axis_class]
    return within


def whole_changes(encoding: LocalizedEncoding, relaxed: FloatArray, budget: Amounts) -> IntArray:
    """Whole b (A,) near the relaxed one: rounded down, then the rest of each budget by largest fraction and weight."""
    axes = encoding.axes
    limit = np.minimum(axes.capacity, budget[axes.axis_class])
    b = np.clip(np.floor(relaxed + 1e-6), 0, limit).astype(np.int64)
    wish = np.round(relaxed - b, 6) * 1e6 + encoding.weights.sum(axis=(0, 1)) / (1.0 + encoding.weights.sum())
    for index, total in enumerate(budget.tolist()):
        left = total - int(b[axes.axis_class == index].sum())
        for axis in sorted(np.flatnonzero(axes.axis_class == index), key=lambda a: -wish[a]) if left > 0 else ():
            # One unit to whoever has a fraction, all that is left to the heaviest of the others.
            more = min(left, int(limit[axis] - b[axis]), 1 if wish[axis] >= 1.0 else left)
            b[axis], left = b[axis] + more, left - more
    return b


def improved(encoding: LocalizedEncoding, b: Amounts, counts: IntArray, budget: Amounts) -> Amounts:
    """`b` after exchanges of single units within a class, each the best one, as long as they break more.

    Real shares exchange a quarter of the largest budget, and half as much whenever that does not help, down to a 256th.
    """
    axes = encoding.axes
    limit = np.minimum(axes.capacity, budget[axes.axis_class])
    value = float(encoding.broken_steps(b[None, :].astype(np.float64), counts)[0])
    work, unit = 0.0, 1 if encoding.whole else float(budget.max()) / 4
    finest = unit / 64
    while True:
        give, take = np.nonzero(axes.axis_class[:, None] == axes.axis_class[None, :])
        useful = (give != take) & (b[give] > 0) & (b[take] < limit[take])
        give, take = give[useful], take[useful]
        work += float(give.size * encoding.stairs.chain.size)
        if not give.size or work > _WORK:
            return b
        moved = np.tile(b, (give.size, 1))
        row = np.arange(give.size)
        size = np.minimum(unit, np.minimum(b[give], limit[take] - b[take]))
        moved[row, give] -= size
        moved[row, take] += size
        values = encoding.broken_steps(moved.astype(np.float64), counts)
        best = int(values.argmax())
        if values[best] > value:
            b, value = moved[best], float(values[best])
        elif encoding.whole or unit <= finest:
            return b
        else:
            unit /= 2
