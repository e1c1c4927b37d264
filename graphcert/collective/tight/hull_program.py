"""The concave hull of what each group loses, by exact critical probabilities and without any fixed direction (section 9).

Let every group i choose a spending n_i of its own (changes per class and law) and pay ν_i per change. For all ν ≥ 0

    max_b Σ_i fallen_i(c(b as i sees it)) ≤ Σ_i max_n [ fallen_i(c(n)) − ν_i·n ] + max_b Σ_a b_a Σ_i ν_{i, way of a for i}.

The first maximum is over a table of all spendings, the second is filled by price. The smallest such bound is the linear
program over the concave hulls of all groups' losses. It is found by column generation: the program over the spendings
seen so far proposes prices, averaged with the best so far, and every group answers with its best spending. No half-space
can do better, of whatever direction; the final prices are one direction per group, whose exact support values branch and
bound goes on with.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphcert.collective.linear import FloatArray, IntArray, LinearProgram
from graphcert.collective.sweep import Solver
from graphcert.collective.tight.critical import critical
from graphcert.collective.tight.game import Game
from graphcert.collective.tight.price_bound import ERROR, Prices
from graphcert.collective.tight.spendings import Spendings
from graphcert.collective.tight.staircase_program import StaircaseBound, Steps
from graphcert.core.compiled import kernel, working_time

_ROUNDS = 300
"""Far more than it takes (about forty)."""

_OLD_SHARE = 0.7
"""How much of the best prices so far stays in the next ones (Wentges 1997); without it prices jump about."""

_NEVER = 1e12
"""The price of a change that a group cannot see: more than all outputs are worth."""


def hull_bound(
    game: Game, table: Spendings, steps: Steps, attack: IntArray, goal: int, solver: Solver, end: float
) -> StaircaseBound:
    """The bound of the best prices found until the clock shows `end`, or until no more than `goal` can fall.

    `attack` (A,) is some allocation, with which the first program begins.
    """
    program = Hull(game, table, steps)
    program.add_attack(attack)
    best, best_price = np.inf, np.zeros((game.law.shape[0], table.first.shape[1]))
    status = "iteration limit reached"
    for _ in range(_ROUNDS):
        value, price = program.solve(solver)
        mixed = price if np.isinf(best) else _OLD_SHARE * best_price + (1.0 - _OLD_SHARE) * price
        new = 0
        for proposed in (mixed, price):
            if new == 0:
                bound, new = program.answer(proposed)
                if bound < best:
                    best, best_price = bound, proposed
        if best < goal + 1.0 or new == 0 or best - value < max(0.2, 1e-5 * game.p.size):
            status = "optimal"
            break
        if working_time() >= end:
            status = "time limit reached"
            break
    return StaircaseBound(best, program.prices(best_price), status)


@dataclass(frozen=True)
class _Column:
    """One spending (F,) of one group, and what it breaks there."""

    group: int
    spent: FloatArray
    fallen: int


class Hull:
    """The program over the spendings seen so far.

    Attributes:
        ways: F, the ways to spend a change.
        seen: (C, F) which of them each group sees.
    """

    def __init__(self, game: Game, table: Spendings, steps: Steps) -> None:
        self._game, self._table, self._steps = game, table, steps
        groups, ways = game.law.shape[0], table.first.shape[1]
        self.ways = ways
        self.seen = np.zeros((groups, ways), dtype=np.bool_)
        np.put_along_axis(self.seen, table.way, True, axis=1)
        self._begin = np.searchsorted(steps.group, np.arange(groups + 1))
        self._place = np.zeros(steps.p.size, dtype=np.int64)
        for group in range(groups):
            mine = self._mine(group)
            self._place[mine] = np.searchsorted(table.critical[game.level[group]], steps.p[mine], side="left")
        self._class_of_axis = np.repeat(np.arange(game.deletes.size), np.diff(game.first))
        self._class_of_way = np.zeros(ways, dtype=np.int64)
        self._class_of_way[table.way] = self._class_of_axis
        self._columns: list[_Column] = []
        self._known: set[tuple[int, bytes]] = set()
        self._axes_part = self._columns_of_axes()

    def _mine(self, group: int) -> slice:
        return slice(int(self._begin[group]), int(self._begin[group + 1]))

    def add_attack(self, attack: IntArray) -> None:
        """The spendings that the groups see of one allocation (A,)."""
        game, laws = self._game, self._game.table.shape[0]
        for group, way in enumerate(self._table.way):
            mine = self._mine(group)
            spent = np.bincount(way, attack, self.seen.shape[1]).astype(np.float64)
            counts = np.zeros(2 * laws, dtype=np.int64)
            np.add.at(counts, game.law[group] + laws * game.deletes[self._class_of_axis], attack)
            value = critical(game.table, counts[:laws], counts[laws:], game.levels[game.level[group]])
            step = int(np.searchsorted(self._steps.p[mine], value, side="right"))
            if step:
                self.add(group, spent, int(self._steps.fallen[mine][step - 1]))

    def add(self, group: int, spent: FloatArray, fallen: int) -> int:
        """Keep a spending; 1 if it is new."""
        key = (group, spent.tobytes())
        if key in self._known:
            return 0
        self._known.add(key)
        self._columns.append(_Column(group, spent, fallen))
        return 1

    def solve(self, solver: Solver) -> tuple[float, FloatArray]:
        """The value of the program over the columns so far, and (C, F) its prices, nowhere below 0."""
        groups, ways = self.seen.shape
        rows = groups * ways + groups + self._game.deletes.size
        size = len(self._columns)
        spent = np.array([one.spent for one in self._columns]).reshape(size, ways)
        group = np.array([one.group for one in self._columns], dtype=np.int64)
        index, way = np.nonzero(spent)
        row = np.concatenate([group[index] * ways + way, groups * ways + group])
        column = np.concatenate([index, np.arange(size)])
        data = np.concatenate([spent[index, way], np.ones(size)])
        chosen = sp.csc_array((data, (row, column)), shape=(rows, size))
        matrix = sp.csc_array(sp.hstack([chosen, self._axes_part], format="csc"))
        matrix.sort_indices()
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        axes = self._game.capacity.size
        program = LinearProgram(
            objective=np.concatenate([[one.fallen for one in self._columns], np.zeros(axes)]),
            matrix=matrix,
            row_upper=np.concatenate([np.zeros(groups * ways), np.ones(groups), self._game.budget]).astype(np.float64),
            column_upper=np.concatenate([np.ones(size), self._game.capacity]).astype(np.float64),
            integer=np.zeros(size + axes, dtype=np.bool_),
        )
        solution = solver.solve_linear(program)
        duals, point = solution.duals, solution.point
        usable = duals is not None and duals.shape == (rows,) and np.isfinite(duals).all()
        price = np.maximum(duals[: groups * ways].reshape(groups, ways), 0.0) if duals is not None and usable else None
        value = -np.inf if point is None else float(program.objective @ point)
        return value, np.zeros((groups, ways)) if price is None else self._least(price)

    def _least(self, price: FloatArray) -> FloatArray:
        """The same prices with 0 for the cheapest way of every class, which changes no bound: all of it is spent."""
        price = np.where(self.seen, price, np.inf)
        for k in range(self._game.deletes.size):
            mine = self._class_of_way == k
            price[:, mine] -= price[:, mine].min(axis=1, keepdims=True)
        return np.where(np.isinf(price), _NEVER, price)

    def answer(self, price: FloatArray) -> tuple[float, int]:
        """The bound of the prices (C, F), and how many groups answer with a spending that is new."""
        bound = size = self._filled(price)
        new = 0
        for group in range(price.shape[0]):
            cost, where = self._costs(group, price[group])
            if not cost.size:
                continue
            gain = self._steps.fallen[self._mine(group)] - cost
            step = int(np.argmax(gain))
            if gain[step] > 0:
                bound += gain[step]
                size += gain[step] + 2 * cost[step]
                level = self._game.level[group]
                row, column = self._table.row[level, where[step]], self._table.column[level, where[step]]
                spent = self._table.first[row] + self._table.second[column]
                new += self.add(group, spent, int(self._steps.fallen[self._mine(group)][step]))
        return float(bound + ERROR * size), new

    def _filled(self, price: FloatArray) -> float:
        """What the best allocation is worth at these prices."""
        worth = self._axis_prices(price).sum(axis=0)
        total = 0.0
        for k, amount in enumerate(self._game.budget.tolist()):
            mine = np.flatnonzero(self._class_of_axis == k)
            order = mine[np.argsort(-worth[mine], kind="stable")]
            capacity = self._game.capacity[order]
            taken = np.clip(amount - (np.cumsum(capacity) - capacity), 0, capacity)
            total += float(worth[order] @ taken)
        return total

    def _axis_prices(self, price: FloatArray) -> FloatArray:
        """(C, A)."""
        return np.take_along_axis(price, self._table.way, axis=1)

    def _costs(self, group: int, price: FloatArray) -> tuple[FloatArray, IntArray]:
        """Per step of a group the cheapest spending that breaks the step: its price, and where it is in the table."""
        table, level, place = self._table, self._game.level[group], self._place[self._mine(group)]
        cost, where = np.empty(place.size), np.empty(place.size, dtype=np.int64)
        first, second = table.first @ price, table.second @ price
        _cheapest(place, first, second, table.row[level], table.column[level], cost, where)
        return cost, where

    def prices(self, price: FloatArray) -> Prices:
        """One direction per group, with exact support values: rows for the bounds of boxes."""
        eta = np.concatenate([np.zeros(0), *(self._costs(group, one)[0] for group, one in enumerate(price))])
        weight = self._axis_prices(price)[:, :, None]
        return Prices(self._begin, self._steps.fallen, eta[:, None], weight, np.ones((price.shape[0], 1)))

    def _columns_of_axes(self) -> sp.csc_array:
        """The columns of b: what every group sees of an axis, and the budget that it counts to."""
        groups, ways = self.seen.shape
        axes = self._game.capacity.size
        sees = np.arange(groups)[:, None] * ways + self._table.way
        row = np.concatenate([sees.ravel(), groups * ways + groups + self._class_of_axis])
        column = np.concatenate([np.tile(np.arange(axes), groups), np.arange(axes)])
        data = np.concatenate([np.full(groups * axes, -1.0), np.ones(axes)])
        return sp.csc_array((data, (row, column)), shape=(groups * ways + groups + self._game.deletes.size, axes))


@kernel
def _cheapest(place, first, second, row, column, cost, where):  # type: ignore[no-untyped-def]
    """Per step s the cheapest of the spendings place[s], …, N − 1."""
    best, best_where = np.inf, -1
    end = row.size
    for s in range(place.size - 1, -1, -1):
        for k in range(place[s], end):
            value = first[row[k]] + second[column[k]]
            if value < best:
                best, best_where = value, k
        end = min(end, place[s])
        cost[s], where[s] = best, best_where
