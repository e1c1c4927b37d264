"""One budget: from a first attack and the naive bound to a closed gap, or as far as time goes (theory, section 9).

Every bound that is proved counts, the smallest one is reported, and no bound is believed that an attack refutes:

1. the naive bound, every group attacked by an allocation of its own, and a first attack by local search;
2. branch and bound without prices, for few boxes: small budgets are closed by then;
3. annealing of the attack, and a linear program: over the concave hulls where the table of budget splits can be afforded,
   over the thresholds of half-spaces otherwise;
4. branch and bound with the prices of this program.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from graphcert.collective.bound_loop import Bound, better, unrefuted
from graphcert.collective.exact.branch_and_bound import (
    BEST,
    EFFORT,
    FULL,
    OPEN,
    SEEN,
    Tree,
    naive_bound,
    prunes_by_stars,
    search,
    start_search,
    upper_bound,
)  # fmt: skip
from graphcert.collective.exact.critical import MOST_SORTED
from graphcert.collective.exact.directions import Direction, order_directions, tight_directions
from graphcert.collective.exact.exact_problem import TightProblem
from graphcert.collective.exact.hull_program import budget_splits, hull_bound, number_of_splits
from graphcert.collective.exact.local_search import anneal, first_attack
from graphcert.collective.exact.search_problem import LARGEST, make_cache, make_search_problem, reduce_tight_axes
from graphcert.collective.exact.threshold_program import Prices, make_thresholds, no_prices, threshold_bound
from graphcert.collective.pairs import PairCells
from graphcert.collective.solvers.highs_solver import HighsSolver
from graphcert.collective.solvers.program import BoolArray, IntArray
from graphcert.core.compiled import working_time

_FIRST_BOXES = 10_000
"""Boxes that are searched at most before prices are made; small budgets are closed by then."""

_STAR_BOXES = 100_000
"""Boxes that are searched at most before prices are made, if star bounds do well: few groups share their best axes."""

_FIRST_SHARE, _STAR_SHARE = 0.1, 0.6
"""Shares of the time for these."""

_DIRECTIONS_SHARE, _DIRECTIONS_MOST = 0.3, 6.0
"""Share of the time for finding half-spaces, and how many seconds are of use."""

_SPLITS_PER_SECOND, _TABLE_SHARE = 200_000, 0.4
"""Splits of twenty changes that are tabulated per second, about, and the share of the time that this may take."""

_SORTING = 8.0
"""How much longer it takes to sort all outcomes than to find one threshold, about."""

_MOST_FINE = 50_000
"""The most outputs whose bounds of other classes are not rounded."""

_MOST_ENTRIES = 25_000_000
"""Splits times groups that are tabulated at most, in two hundred megabytes."""

_PATIENCE = 60.0
"""Seconds of which shares are taken if there is no limit."""

_ATTACK, _ANNEALING = 40_000, 120_000
"""Critical probabilities that the first attacks and annealing look at per second of time limit, of which ten count."""

_SLICE = 0.1
"""Seconds between two looks at the clock."""


@dataclass(frozen=True)
class Answer:
    """What is known at one budget.

    Attributes:
        bound: as in every collective certificate.
        attack: (A,) the best allocation found, over the problem's axes.
        boxes: boxes of allocations that were looked at.
    """

    bound: Bound
    attack: IntArray
    boxes: int


def unrounded(outputs: int, laws: int, budget: IntArray) -> bool:
    """Whether the outcomes of so many changes under so many laws can be sorted, and outputs are not too many."""
    return (float(budget.sum()) / max(laws, 1) + 1.0) ** laws <= MOST_SORTED and outputs <= _MOST_FINE


def rounded_cells(problem: TightProblem, budget: IntArray) -> PairCells:
    """The cells of a budget: bounds of other classes are not rounded where that can be afforded."""
    fine = unrounded(problem.outputs, np.unique(problem.law_of_axis).size, budget)
    return problem.fine_cells if fine else problem.cells


class BudgetSolver:
    """Solves budgets of one problem one after the other; critical probabilities and directions are kept between them.

    Args:
        problem: the arrays.
        time_limit: seconds per budget, None for no limit.
        bins: the most thresholds per group of the threshold program.
        branching: whether to branch, or leave it at the linear program.
    """

    def __init__(self, problem: TightProblem, time_limit: float | None, bins: int, *, branching: bool = True) -> None:
        self.problem, self.bins, self.branching = problem, bins, branching
        self.limit = math.inf if time_limit is None else time_limit
        self.cache = make_cache(len(problem.laws))
        self._orders = order_directions(problem)
        self._directions: dict[bytes, tuple[Direction, ...]] = {}

    def solve(self, budget: IntArray, standing: BoolArray, begin_with: IntArray, cutoff: int = 0) -> Answer:
        """Bound what falls of the outputs in the mask `standing` (n,) within `budget`; `begin_with` (A,) is some attack.

        It is over as soon as no more than `cutoff` can fall.
        """
        end = working_time() + self.limit
        if budget.sum() > LARGEST or self.problem.law_of_axis.shape[0] > LARGEST:
            outputs = int(standing.sum())
            naive = Bound(float(outputs), outputs, "naive", "budget too large to search", math.nan)
            return Answer(naive, np.zeros_like(begin_with), 0)
        return _OneBudget(self, budget, standing, begin_with, cutoff, end).answer()

    def directions(self, budget: IntArray, seconds: float) -> tuple[Direction, ...]:
        """The half-spaces of a budget; they are made once, in a share of so many seconds."""
        key = budget.tobytes()
        if key not in self._directions:
            allowed = min(_DIRECTIONS_SHARE * seconds, _DIRECTIONS_MOST)
            self._directions[key] = (*tight_directions(self.problem, budget, allowed), *self._orders)
        return self._directions[key]


class _OneBudget:
    """What is known about one budget so far: a proved bound, an allocation over the reduced axes and what it breaks."""

    def __init__(
        self, solver: BudgetSolver, budget: IntArray, standing: BoolArray, begin_with: IntArray, cutoff: int, end: float
    ) -> None:
        given = solver.problem
        self._solver, self._budget, self._cutoff, self._end = solver, budget, cutoff, end
        self._axes = reduce_tight_axes(given, budget)
        cells, self._standing = rounded_cells(given, budget), standing
        self._problem = make_search_problem(given, self._axes, budget, cells, standing)
        self._fine = cells is not given.cells
        # What falls is known to one set of outputs only, c to all of them.
        self._cache = make_cache(len(given.laws)) if self._problem.pairs else solver.cache
        self._allocation = self._axes.gather(begin_with, self._problem.budget, self._problem.first)
        self._attack, self._boxes, self._full = 0, 0, False
        outputs = self._problem.p.size
        self._bound = Bound(float(outputs), outputs, "naive", "", math.nan)

    def answer(self) -> Answer:
        """Do the four steps."""
        problem, cache = self._problem, self._cache
        self._prove(int(naive_bound(problem, cache)), "naive")
        work = self._work(_ATTACK) if self._bound.attacked > self._cutoff else 0
        self._attack = int(first_attack(problem, cache, self._allocation, work))
        if self._open:
            self._refine()
        bound = unrefuted(replace(self._bound, status=self._status), float(self._attack))
        return Answer(bound, self._axes.spread(self._allocation, self._solver.problem), self._boxes)

    def _refine(self) -> None:
        """Branch and bound without prices, the linear program, and branch and bound with its prices."""
        solver, prices, tree = self._solver, no_prices(*self._axes.law.shape), None
        if solver.branching:
            tree = self._tree(prices)
            began = working_time()
            self._branch(tree, prices, _FIRST_BOXES, began + _FIRST_SHARE * solver.limit)
            if self._open and prunes_by_stars(tree) and not self._tabulates:
                self._branch(tree, prices, _STAR_BOXES, began + _STAR_SHARE * solver.limit)
        if not self._open or working_time() >= self._end:
            return
        moves = self._work(_ANNEALING)
        self._attack = int(anneal(self._problem, self._cache, self._allocation, self._attack, moves))
        value, better_prices = self._program()
        helps = value < self._bound.attacked
        self._prove(value, "tight-lp")
        if tree is not None and self._open:
            if helps:
                prices, tree = better_prices, self._tree(better_prices)
            self._branch(tree, prices, None, self._end)

    def _work(self, per_second: int) -> int:
        """Allocations that attacks look at."""
        return int(per_second * min(self._solver.limit, 10.0) / (self._problem.law.shape[0] * self._slower))

    @property
    def _slower(self) -> float:
        """How much longer the multi-class rule takes than the binary one for the same changes, about."""
        if not self._problem.pairs:
            return 1.0
        each = self._problem.other.size / self._problem.law.shape[0]
        return _SORTING if self._fine else _SORTING + 2.0 * each

    @property
    def _tabulates(self) -> bool:
        """Whether there is time to tabulate all budget splits."""
        seconds = min(self._end - working_time(), _PATIENCE)
        problem = self._problem
        slower = (1.0 + problem.budget.sum() / 20) ** 2 / 4 * problem.levels.size
        affordable = min(
            _SPLITS_PER_SECOND * _TABLE_SHARE * seconds / (slower * self._slower), _MOST_ENTRIES / problem.level.size
        )
        return bool(number_of_splits(problem) <= affordable)

    def _program(self) -> tuple[float, Prices]:
        """The best linear program that there is time for."""
        problem, seconds = self._problem, self._end - working_time()
        highs = HighsSolver(seconds if math.isfinite(seconds) else None)
        if self._tabulates:
            goal = max(self._attack, self._cutoff)
            return hull_bound(problem, budget_splits(problem), self._allocation, goal, highs, self._end)
        directions = self._solver.directions(self._budget, seconds)
        thresholds = make_thresholds(self._solver.problem, self._standing, self._solver.bins)
        return threshold_bound(self._solver.problem, self._axes, self._budget, thresholds, directions, highs)

    def _tree(self, prices: Prices) -> Tree:
        """The box of all allocations, and the best attack."""
        return start_search(self._problem, self._cache, prices, self._allocation, self._cutoff, EFFORT)

    def _branch(self, tree: Tree, prices: Prices, most: int | None, end: float) -> None:
        """Go on with a search until it has looked at `most` boxes or the clock shows `end`; write down what it finds."""
        before, outcome, slice_ = int(tree.state[SEEN]), OPEN, 8
        while outcome == OPEN and working_time() < end and (most is None or tree.state[SEEN] < most):
            began = working_time()
            outcome = int(search(self._problem, self._cache, prices, tree, slice_, EFFORT))
            took = working_time() - began
            slice_ = max(1, slice_ // 2) if took > 2 * _SLICE else 2 * slice_ if took < _SLICE / 2 else slice_
        if tree.state[BEST] > max(self._attack, self._cutoff):
            self._attack, self._allocation = int(tree.state[BEST]), tree.attack.copy()
        self._prove(int(upper_bound(tree)), "tight")
        self._boxes, self._full = self._boxes + int(tree.state[SEEN]) - before, outcome == FULL

    def _prove(self, value: float, method: str) -> None:
        """No allocation breaks more than `value`."""
        self._bound = better(self._bound, value, self._problem.p.size, method, "")

    @property
    def _open(self) -> bool:
        """Whether there is anything left to find out."""
        return self._bound.attacked > max(self._attack, self._cutoff) and not self._full

    @property
    def _status(self) -> str:
        if self._bound.attacked == self._attack:
            return "closed"
        if self._bound.attacked <= self._cutoff:
            return "cut off"
        return "memory limit" if self._full else "time limit"
