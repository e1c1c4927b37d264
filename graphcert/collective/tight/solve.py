"""One budget: from a first attack and the naive bound to a closed gap, or as far as time goes."""

import math
import time
from dataclasses import dataclass

import numpy as np

from graphcert.collective.highs import HighsSolver
from graphcert.collective.linear import BoolArray, IntArray
from graphcert.collective.sweep import Bound
from graphcert.collective.tight.directions import Direction, tight_directions
from graphcert.collective.tight.game import LARGEST, Game, Memo, make_game, make_memo
from graphcert.collective.tight.local_search import first_attack
from graphcert.collective.tight.price_bound import Prices, no_prices
from graphcert.collective.tight.problem import TightProblem
from graphcert.collective.tight.reduced import ReducedAxes, reduce_tight_axes
from graphcert.collective.tight.staircase_program import StaircaseBound, make_steps, staircase_bound
from graphcert.collective.tight.tree import (
    BEST,
    CLOSED,
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

_FIRST_BOXES = 10_000
"""Boxes that are searched at most before prices are made; small budgets are closed by then."""

_STAR_BOXES = 100_000
"""Boxes that are searched at most before prices are made, if star bounds do well: few groups share their best axes."""

_FIRST_SHARE, _STAR_SHARE, _DIRECTIONS_SHARE = 0.1, 0.6, 0.1
"""Shares of the time for these, and for finding half-spaces."""

_PATIENCE = 60.0
"""Seconds of which shares are taken if there is no limit."""

_ATTACK_WORK = 40_000
"""Critical probabilities that the first attacks look at per second of time limit, of which at most ten count."""

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
    """

    def __init__(self, problem: TightProblem, time_limit: float | None, bins: int) -> None:
        self._problem, self._bins = problem, bins
        self._limit = math.inf if time_limit is None else time_limit
        self._memo = make_memo(len(problem.laws))
        self._order = np.lexsort((problem.p_lower, problem.groups))
        self._directions: dict[bytes, tuple[Direction, ...]] = {}

    def solve(self, budget: IntArray, standing: BoolArray, begin_with: IntArray) -> Answer:
        """Bound what falls of the outputs in the mask `standing` (n,) within `budget`; `begin_with` (A,) is some attack."""
        end = time.monotonic() + self._limit
        problem = self._problem
        chosen = self._order[standing[self._order]]
        start = np.searchsorted(problem.groups[chosen], np.arange(problem.law_of_axis.shape[0] + 1))
        if budget.sum() > LARGEST:
            naive = Bound(float(chosen.size), chosen.size, "naive", "budget too large to search", math.nan)
            return Answer(naive, np.zeros_like(begin_with), 0)
        axes = reduce_tight_axes(problem, budget)
        game = make_game(problem, axes, budget, problem.p_lower[chosen], start)
        allocation = axes.gather(begin_with, game.budget, game.first)
        first_attack(game, self._memo, allocation, self._attack_work())
        nothing = no_prices(*axes.law.shape)
        first = last = _Search(game, self._memo, nothing, allocation)
        attacked, method = int(naive_bound(game, self._memo)), "naive"
        began = time.monotonic()
        outcome = first.run(_FIRST_BOXES, began + _FIRST_SHARE * self._limit)
        if outcome == OPEN and first.prunes_by_stars:
            outcome = first.run(_STAR_BOXES, began + _STAR_SHARE * self._limit)
        if outcome == OPEN and time.monotonic() < end:
            staircase = self._staircase(axes, budget, game, end - time.monotonic())
            if staircase.value < attacked:
                attacked, method = math.floor(staircase.value), "tight-lp"
            if staircase.value < first.upper:
                last = _Search(game, self._memo, staircase.prices, first.allocation)
            outcome = last.run(None, end)
        if last.upper < attacked:
            attacked, method = last.upper, "tight"
        status = "closed" if attacked == last.best else "memory limit" if outcome == FULL else "time limit"
        bound = Bound(float(attacked), attacked, method, status, float(last.best))
        boxes = first.boxes if last is first else first.boxes + last.boxes
        return Answer(bound, axes.spread(last.allocation, problem), boxes)

    def _attack_work(self) -> int:
        """Allocations that the first attacks look at."""
        return int(_ATTACK_WORK * min(self._limit, 10.0) / self._problem.law_of_axis.shape[0])

    def _staircase(self, axes: ReducedAxes, budget: IntArray, game: Game, seconds: float) -> StaircaseBound:
        key = budget.tobytes()
        if key not in self._directions:
            share = _DIRECTIONS_SHARE * min(seconds, _PATIENCE)
            self._directions[key] = tight_directions(self._problem, budget, share)
        solver = HighsSolver(seconds if math.isfinite(seconds) else None)
        steps = make_steps(game.p, game.start, self._bins)
        return staircase_bound(self._problem, axes, budget, steps, self._directions[key], solver)


class _Search:
    """Branch and bound on one game, in slices short enough to look at the clock."""

    def __init__(self, game: Game, memo: Memo, prices: Prices, allocation: IntArray) -> None:
        self._game, self._memo, self._prices = game, memo, prices
        self._tree = make_tree(allocation.size, prices)
        start_search(game, memo, prices, self._tree, allocation, EFFORT)

    def run(self, boxes: int | None, end: float) -> int:
        """Look at boxes, `boxes` in all, until the clock shows `end`; OPEN, CLOSED or FULL."""
        outcome, slice_ = OPEN, 8
        while outcome == OPEN and time.monotonic() < end and (boxes is None or self.boxes < boxes):
            began = time.monotonic()
            outcome = search(self._game, self._memo, self._prices, self._tree, slice_, EFFORT)
            took = time.monotonic() - began
            slice_ = max(1, slice_ // 2) if took > 2 * _SLICE else 2 * slice_ if took < _SLICE / 2 else slice_
        return CLOSED if self.upper == self.best else int(outcome)

    @property
    def prunes_by_stars(self) -> bool:
        """Whether star bounds have settled a good part of the latest boxes."""
        return bool(8 * self._tree.state[PRUNED] >= self._tree.state[STARS])

    @property
    def upper(self) -> int:
        """No allocation breaks more."""
        return int(upper_bound(self._tree))

    @property
    def best(self) -> int:
        """The allocation of `allocation` breaks so much."""
        return int(self._tree.state[BEST])

    @property
    def allocation(self) -> IntArray:
        """(A',) the best attack so far, over the axes of the game."""
        return self._tree.attack.copy()

    @property
    def boxes(self) -> int:
        """Boxes looked at."""
        return int(self._tree.state[SEEN])
