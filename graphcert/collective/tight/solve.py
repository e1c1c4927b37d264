"""One budget: from a first attack and the naive bound to a closed gap, or as far as time goes."""

import math
from dataclasses import dataclass, replace

import numpy as np

from graphcert.collective.highs import HighsSolver
from graphcert.collective.linear import BoolArray, IntArray
from graphcert.collective.sweep import Bound, better, unrefuted
from graphcert.collective.tight.directions import tight_directions
from graphcert.collective.tight.game import LARGEST, Game, Memo, make_game, make_memo
from graphcert.collective.tight.hull_program import hull_bound
from graphcert.collective.tight.local_search import anneal, first_attack
from graphcert.collective.tight.order_directions import order_directions
from graphcert.collective.tight.price_bound import Prices, no_prices
from graphcert.collective.tight.problem import TightProblem
from graphcert.collective.tight.reduced import ReducedAxes, reduce_tight_axes
from graphcert.collective.tight.spendings import number_of_spendings, spendings
from graphcert.collective.tight.staircase_program import AnyDirection, StaircaseBound, make_steps, staircase_bound
from graphcert.collective.tight.tree import (
    BEST,
    EFFORT,
    FULL,
    OPEN,
    PRUNED,
    SEEN,
    STARS,
    make_tree,
    naive_bound,
    search,
    start_search,
    upper_bound,
)
from graphcert.core.compiled import working_time

_FIRST_BOXES = 10_000
"""Boxes that are searched at most before prices are made; small budgets are closed by then."""

_STAR_BOXES = 100_000
"""Boxes that are searched at most before prices are made, if star bounds do well: few groups share their best axes."""

_FIRST_SHARE, _STAR_SHARE = 0.1, 0.6
"""Shares of the time for these."""

_DIRECTIONS_SHARE, _DIRECTIONS_MOST = 0.3, 6.0
"""Share of the time for finding half-spaces, and how many seconds are of use."""

_SPENDINGS_PER_SECOND, _TABLE_SHARE = 200_000, 0.4
"""Spendings of twenty changes that are tabulated per second, about, and the share of the time that this may take."""

_MOST_SPENDINGS = 2_000_000
"""Spendings that are tabulated at most, in two hundred megabytes."""

_FINE_BINS = 4096
"""The most steps per group where every spending is known."""

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


class BudgetSolver:
    """Solves budgets of one problem one after the other; critical probabilities and directions are kept between them.

    Args:
        problem: the arrays.
        time_limit: seconds per budget, None for no limit.
        bins: the most steps per group of the staircase program.
        branching: whether to branch, or leave it at the staircase program.
    """

    def __init__(self, problem: TightProblem, time_limit: float | None, bins: int, *, branching: bool = True) -> None:
        self._problem, self._bins, self._branching = problem, bins, branching
        self._limit = math.inf if time_limit is None else time_limit
        self._memo = make_memo(len(problem.laws))
        self._order = np.lexsort((problem.p_lower, problem.groups))
        self._orders = order_directions(problem)
        self._directions: dict[bytes, tuple[AnyDirection, ...]] = {}

    def solve(self, budget: IntArray, standing: BoolArray, begin_with: IntArray, cutoff: int = 0) -> Answer:
        """Bound what falls of the outputs in the mask `standing` (n,) within `budget`; `begin_with` (A,) is some attack.

        It is over as soon as no more than `cutoff` can fall.
        """
        end = working_time() + self._limit
        problem = self._problem
        chosen = self._order[standing[self._order]]
        start = np.searchsorted(problem.groups[chosen], np.arange(problem.law_of_axis.shape[0] + 1))
        if budget.sum() > LARGEST:
            naive = Bound(float(chosen.size), chosen.size, "naive", "budget too large to search", math.nan)
            return Answer(naive, np.zeros_like(begin_with), 0)
        axes = reduce_tight_axes(problem, budget)
        game = make_game(problem, axes, budget, problem.p_lower[chosen], start)
        known = _Known(axes.gather(begin_with, game.budget, game.first), cutoff, game.p.size)
        known.prove(int(naive_bound(game, self._memo)), "naive")
        work = self._work(_ATTACK, game) if known.attacked > cutoff else 0
        known.attack = int(first_attack(game, self._memo, known.allocation, work))
        if known.open:
            self._refine(known, axes, budget, game, end)
        bound = unrefuted(replace(known.bound, status=known.status), float(known.attack))
        return Answer(bound, axes.spread(known.allocation, problem), known.boxes)

    def _refine(self, known: "_Known", axes: ReducedAxes, budget: IntArray, game: Game, end: float) -> None:
        """Branch and bound as far as it goes without prices, the staircase program, and branch and bound with its prices."""
        search = None
        if self._branching:
            search = _Search(game, self._memo, no_prices(*axes.law.shape), known)
            began = working_time()
            search.run(_FIRST_BOXES, began + _FIRST_SHARE * self._limit)
            if known.open and search.prunes_by_stars and not self._tabulates(game, end):
                search.run(_STAR_BOXES, began + _STAR_SHARE * self._limit)
        if not known.open or working_time() >= end:
            return
        moves = self._work(_ANNEALING, game)
        known.attack = int(anneal(game, self._memo, known.allocation, known.attack, moves))
        staircase = self._program(known, axes, budget, game, end)
        helps = staircase.value < known.attacked
        known.prove(staircase.value, "tight-lp")
        if search is not None and known.open:
            search = _Search(game, self._memo, staircase.prices, known) if helps else search
            search.run(None, end)

    def _work(self, per_second: int, game: Game) -> int:
        """Allocations that attacks look at."""
        return int(per_second * min(self._limit, 10.0) / game.law.shape[0])

    def _program(self, known: "_Known", axes: ReducedAxes, budget: IntArray, game: Game, end: float) -> StaircaseBound:
        """The best linear program that there is time for."""
        seconds = end - working_time()
        if not self._tabulates(game, end):
            return self._staircase(axes, budget, game, seconds)
        steps = make_steps(game.p, game.start, _FINE_BINS)
        solver = HighsSolver(seconds if math.isfinite(seconds) else None)
        goal = max(known.attack, known.cutoff)
        return hull_bound(game, spendings(game), steps, known.allocation, goal, solver, end)

    @staticmethod
    def _tabulates(game: Game, end: float) -> bool:
        """Whether there is time to tabulate all spendings."""
        seconds = min(end - working_time(), _PATIENCE)
        slower = (1.0 + game.budget.sum() / 20) ** 2 / 4
        affordable = min(_SPENDINGS_PER_SECOND * _TABLE_SHARE * seconds / slower, _MOST_SPENDINGS)
        return bool(number_of_spendings(game) <= affordable)

    def _staircase(self, axes: ReducedAxes, budget: IntArray, game: Game, seconds: float) -> StaircaseBound:
        key = budget.tobytes()
        if key not in self._directions:
            allowed = min(_DIRECTIONS_SHARE * seconds, _DIRECTIONS_MOST)
            self._directions[key] = (*tight_directions(self._problem, budget, allowed), *self._orders)
        solver = HighsSolver(seconds if math.isfinite(seconds) else None)
        steps = make_steps(game.p, game.start, self._bins)
        return staircase_bound(self._problem, axes, budget, steps, self._directions[key], solver)


@dataclass
class _Known:
    """What is known about one budget so far.

    Attributes:
        allocation: (A',) the best attack, over the axes of the game.
        cutoff: it is of no interest whether less than that or exactly that can fall.
        outputs: so many there are.
        attack: so much falls under `allocation`.
        boxes: boxes looked at.
        full: whether there was no memory for more of them.
    """

    allocation: IntArray
    cutoff: int
    outputs: int
    attack: int = 0
    boxes: int = 0
    full: bool = False

    def __post_init__(self) -> None:
        self.bound = Bound(float(self.outputs), self.outputs, "naive", "", math.nan)

    def prove(self, value: float, method: str) -> None:
        """No allocation breaks more than `value`."""
        self.bound = better(self.bound, value, self.outputs, method, "")

    @property
    def attacked(self) -> int:
        """No allocation breaks more."""
        return self.bound.attacked

    @property
    def open(self) -> bool:
        """Whether there is anything left to find out."""
        return self.attacked > max(self.attack, self.cutoff) and not self.full

    @property
    def status(self) -> str:
        """How it ended."""
        if self.attacked == self.attack:
            return "closed"
        if self.attacked <= self.cutoff:
            return "cut off"
        return "memory limit" if self.full else "time limit"


class _Search:
    """Branch and bound on one game, in slices short enough to look at the clock; it writes down what it finds."""

    def __init__(self, game: Game, memo: Memo, prices: Prices, known: _Known) -> None:
        self._game, self._memo, self._prices, self._known = game, memo, prices, known
        self._tree = make_tree(known.allocation.size, prices)
        start_search(game, memo, prices, self._tree, known.allocation, known.cutoff, EFFORT)
        self._before = known.boxes

    def run(self, boxes: int | None, end: float) -> None:
        """Look at boxes, `boxes` in all, until the clock shows `end`."""
        known, state = self._known, self._tree.state
        outcome, slice_ = OPEN, 8
        while outcome == OPEN and working_time() < end and (boxes is None or state[SEEN] < boxes):
            began = working_time()
            outcome = int(search(self._game, self._memo, self._prices, self._tree, slice_, EFFORT))
            took = working_time() - began
            slice_ = max(1, slice_ // 2) if took > 2 * _SLICE else 2 * slice_ if took < _SLICE / 2 else slice_
        if state[BEST] > max(known.attack, known.cutoff):
            known.attack, known.allocation = int(state[BEST]), self._tree.attack.copy()
        known.prove(int(upper_bound(self._tree)), "tight")
        known.boxes, known.full = self._before + int(state[SEEN]), outcome == FULL

    @property
    def prunes_by_stars(self) -> bool:
        """Whether star bounds have settled a good part of the latest boxes."""
        return bool(8 * self._tree.state[PRUNED] >= self._tree.state[STARS])
