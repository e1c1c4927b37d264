"""Linear program over the concave hulls of what groups lose, by exact critical probabilities (theory, section 9).

A *way* to spend a change is a class and a law, a *budget split* n a number of changes per way that spends every budget
exactly (more changes never break less). Of group i it breaks M_i(n) outputs (`search_problem.broken`). Variables z_{i,n},
the share in which group i sees split n, and b_a:

    maximise Σ_{i,n} M_i(n) z_{i,n}
    s.t.     Σ_n n_f z_{i,n} ≤ Σ { b_a : group i sees axis a in way f }     for every i and way f; multiplier ν_{i,f}
             Σ_n z_{i,n} ≤ 1                                              for every group i
             Σ_a b_a ≤ budget of its class,    0 ≤ b_a ≤ capacity_a

Every allocation is a point of it, so its value is a bound; no half-space of any direction proves more. Its columns are too
many to be listed, but any multipliers prove a bound, optimal or not: for all ν ≥ 0

    max_b attacked(b) ≤ Σ_i max_n [ M_i(n) − ν_i·n ] + max_b Σ_a b_a Σ_i ν_{i, way of a for i}.

1. `budget_splits`: the table of all n with their M_i(n).
2. `Hull.solve`: the program over the columns seen so far proposes prices ν (column generation, Dantzig & Wolfe 1960).
3. `Hull.answer`: the bound of these prices; the first maximum runs over the table, the second is filled by price. Every
   group adds its best split as a column.
4. `Hull.prices`: the best ν become one direction per group, with exact support values min { ν_i·n : M_i(n) ≥ M }, for
   the bounds of boxes.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import comb, prod

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphcert.collective.exact.search_problem import SearchProblem, broken_by_group
from graphcert.collective.exact.threshold_program import ERROR, Prices
from graphcert.collective.solvers import Solver
from graphcert.collective.solvers.program import FloatArray, IntArray, LinearProgram
from graphcert.core.compiled import kernel, working_time

_ROUNDS = 300
"""Far more than it takes (about forty)."""

_OLD_SHARE = 0.7
"""How much of the best prices so far stays in the next ones (Wentges 1997); without it prices jump about."""

_NEVER = 1e12
"""The price of a change that a group cannot see: more than all outputs are worth."""


@dataclass(frozen=True, eq=False)
class BudgetSplits:
    """All N budget splits of one problem: each is one row of `first` plus one of `second`.

    Attributes:
        way: (C, A) the way in which each group sees each axis.
        first, second: (F₁, F), (F₂, F) changes per way, of the first class and of all others; N = F₁·F₂.
        broken: (C, N) how many outputs of each group fall, ascending.
        split: (C, N) at which split, F₂ times the row of `first` plus that of `second`.
    """

    way: IntArray
    first: FloatArray
    second: FloatArray
    broken: npt.NDArray[np.int32]
    split: npt.NDArray[np.int32]

    def changes(self, split: int) -> FloatArray:
        """(F,) the changes per way of one split."""
        row, column = divmod(split, len(self.second))
        both: FloatArray = self.first[row] + self.second[column]
        return both


def number_of_splits(problem: SearchProblem) -> int:
    """N: per class C(budget + laws − 1, budget)."""
    amounts = zip(_laws_of_class(problem), problem.budget.tolist(), strict=True)
    return prod(comb(amount + laws.size - 1, amount) for laws, amount in amounts)


def budget_splits(problem: SearchProblem) -> BudgetSplits:
    """Tabulate them, four microseconds each under the binary rule."""
    laws = problem.table.shape[0]
    ways = _laws_of_class(problem)
    offset = np.concatenate([[0], np.cumsum([mine.size for mine in ways])])
    way = np.zeros(problem.law.shape, dtype=np.int64)
    first = second = np.zeros((1, int(offset[-1])))
    changes = np.zeros((int(offset[-1]), 2 * laws))
    for k, mine in enumerate(ways):
        axes = slice(int(problem.first[k]), int(problem.first[k + 1]))
        way[:, axes] = offset[k] + np.searchsorted(mine, problem.law[:, axes])
        changes[np.arange(offset[k], offset[k + 1]), mine + laws * problem.deletes[k]] = 1.0
        split = np.zeros((comb(int(problem.budget[k]) + mine.size - 1, mine.size - 1), int(offset[-1])))
        split[:, offset[k] : offset[k + 1]] = _compositions(int(problem.budget[k]), mine.size)
        if k == 0:
            first = split
        else:
            second = (second[:, None, :] + split[None, :, :]).reshape(-1, int(offset[-1]))
    counts, others = (first @ changes).astype(np.int64), (second @ changes).astype(np.int64)
    broken = _broken_at_all(problem, counts, others)
    order = np.argsort(broken, axis=1, kind="stable")
    return BudgetSplits(way, first, second, np.take_along_axis(broken, order, axis=1), order.astype(np.int32))


def _laws_of_class(problem: SearchProblem) -> list[IntArray]:
    """Per class the laws under which some group sees a change of it."""
    return [np.unique(problem.law[:, begin:end]) for begin, end in pairwise(problem.first)]


def _compositions(amount: int, parts: int) -> IntArray:
    """All rows of `parts` ≥ 1 numbers ≥ 0 whose sum is `amount`."""
    if parts == 1:
        return np.array([[amount]])
    rows = []
    for head in range(amount + 1):
        rest = _compositions(amount - head, parts - 1)
        rows.append(np.concatenate([np.full((len(rest), 1), head), rest], axis=1))
    return np.concatenate(rows)


@kernel
def _broken_at_all(problem, first, second):  # type: ignore[no-untyped-def]
    laws, groups = problem.table.shape[0], problem.level.size
    found, here = np.zeros((groups, first.shape[0] * second.shape[0]), np.int32), np.zeros(groups, np.int32)
    for row in range(first.shape[0]):
        for column in range(second.shape[0]):
            counts = first[row] + second[column]
            for level in range(problem.levels.size):
                broken_by_group(problem, counts[:laws], counts[laws:], level, 0, groups, here)
            for group in range(groups):
                found[group, row * second.shape[0] + column] = here[group]
    return found


def hull_bound(
    problem: SearchProblem, splits: BudgetSplits, attack: IntArray, goal: int, solver: Solver, end: float
) -> tuple[float, Prices]:
    """At most so many outputs fall by the best prices found until the clock shows `end` or no more than `goal` fall.

    `attack` (A,) is some allocation, with which the first program begins.
    """
    program = Hull(problem, splits)
    program.add_attack(attack)
    best, best_price = np.inf, np.zeros(program.seen.shape)
    for _ in range(_ROUNDS):
        value, price = program.solve(solver)
        mixed = price if np.isinf(best) else _OLD_SHARE * best_price + (1.0 - _OLD_SHARE) * price
        new = 0
        for proposed in (mixed, price):
            if new == 0:
                bound, new = program.answer(proposed)
                if bound < best:
                    best, best_price = bound, proposed
        done = best < goal + 1.0 or new == 0 or best - value < max(0.2, 1e-5 * problem.p.size)
        if done or working_time() >= end:
            break
    return best, program.prices(best_price)


class Hull:
    """The program over the columns seen so far: the group, the split (F,) and what it breaks there."""

    def __init__(self, problem: SearchProblem, splits: BudgetSplits) -> None:
        self._problem, self._splits = problem, splits
        groups, ways = problem.law.shape[0], splits.first.shape[1]
        self.seen = np.zeros((groups, ways), dtype=np.bool_)  # the ways in which a group sees some axis
        np.put_along_axis(self.seen, splits.way, True, axis=1)
        # Thresholds of a group are the numbers above 0 that it may lose, each with the first split in the table that takes
        # it.
        before = np.concatenate([np.zeros((groups, 1), np.int32), splits.broken[:, :-1]], axis=1)
        group, self._place = np.nonzero(splits.broken > before)
        self._fallen = splits.broken[group, self._place].astype(np.int64)
        self._begin = np.searchsorted(group, np.arange(groups + 1))
        self._class_of_axis = np.repeat(np.arange(problem.deletes.size), np.diff(problem.first))
        self._class_of_way = np.zeros(ways, dtype=np.int64)
        self._class_of_way[splits.way] = self._class_of_axis
        self._columns: dict[tuple[int, bytes], tuple[FloatArray, int]] = {}
        self._axes_part = self._columns_of_axes()

    def _mine(self, group: int) -> slice:
        return slice(int(self._begin[group]), int(self._begin[group + 1]))

    def add_attack(self, attack: IntArray) -> None:
        """The splits that the groups see of one allocation (A,)."""
        problem, laws = self._problem, self._problem.table.shape[0]
        broken = np.zeros(1, dtype=np.int32)
        for group, way in enumerate(self._splits.way):
            counts = np.zeros(2 * laws, dtype=np.int64)
            np.add.at(counts, problem.law[group] + laws * problem.deletes[self._class_of_axis], attack)
            broken_by_group(problem, counts[:laws], counts[laws:], problem.level[group], group, group + 1, broken)
            if broken[0]:
                self.add(group, np.bincount(way, attack, self.seen.shape[1]).astype(np.float64), int(broken[0]))

    def add(self, group: int, split: FloatArray, fallen: int) -> bool:
        """Keep a column; whether it is new."""
        before = len(self._columns)
        self._columns.setdefault((group, split.tobytes()), (split, fallen))
        return len(self._columns) > before

    def solve(self, solver: Solver) -> tuple[float, FloatArray]:
        """The value of the program over the columns so far, and (C, F) its prices, nowhere below 0."""
        groups, ways = self.seen.shape
        rows = groups * ways + groups + self._problem.deletes.size
        size, axes = len(self._columns), self._problem.capacity.size
        split = np.array([split for split, _ in self._columns.values()]).reshape(size, ways)
        group = np.array([group for group, _ in self._columns], dtype=np.int64)
        index, way = np.nonzero(split)
        row = np.concatenate([group[index] * ways + way, groups * ways + group])
        column = np.concatenate([index, np.arange(size)])
        data = np.concatenate([split[index, way], np.ones(size)])
        chosen = sp.csc_array((data, (row, column)), shape=(rows, size))
        matrix = sp.csc_array(sp.hstack([chosen, self._axes_part], format="csc"))
        matrix.sort_indices()
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        program = LinearProgram(
            objective=np.concatenate([[fallen for _, fallen in self._columns.values()], np.zeros(axes)]),
            matrix=matrix,
            row_upper=np.concatenate([np.zeros(groups * ways), np.ones(groups), self._problem.budget]),
            column_upper=np.concatenate([np.ones(size), self._problem.capacity]),
            integer=np.zeros(size + axes, dtype=np.bool_),
        )
        solution = solver.solve_linear(program)
        duals = solution.duals
        value = -np.inf if solution.point is None else float(program.objective @ solution.point)
        if duals is None or duals.shape != (rows,) or not np.isfinite(duals).all():
            return value, np.zeros((groups, ways))
        return value, self._least(np.maximum(duals[: groups * ways].reshape(groups, ways), 0.0))

    def _columns_of_axes(self) -> sp.csc_array:
        """The columns of b: what every group sees of an axis, and the budget that it counts to."""
        groups, ways = self.seen.shape
        axes = self._problem.capacity.size
        sees = np.arange(groups)[:, None] * ways + self._splits.way
        row = np.concatenate([sees.ravel(), groups * ways + groups + self._class_of_axis])
        column = np.concatenate([np.tile(np.arange(axes), groups), np.arange(axes)])
        data = np.concatenate([np.full(groups * axes, -1.0), np.ones(axes)])
        return sp.csc_array((data, (row, column)), shape=(groups * ways + groups + self._problem.deletes.size, axes))

    def _least(self, price: FloatArray) -> FloatArray:
        """The same prices with 0 for the cheapest way of every class, which changes no bound: all of it is spent."""
        price = np.where(self.seen, price, np.inf)
        for k in range(self._problem.deletes.size):
            mine = self._class_of_way == k
            price[:, mine] -= price[:, mine].min(axis=1, keepdims=True)
        return np.where(np.isinf(price), _NEVER, price)

    def answer(self, price: FloatArray) -> tuple[float, int]:
        """The bound of the prices (C, F), and how many groups answer with a split that is new."""
        bound = size = self._filled(price)
        new = 0
        for group in range(price.shape[0]):
            cost, where = self._costs(group, price[group])
            if not cost.size:
                continue
            gain = self._fallen[self._mine(group)] - cost
            best = int(np.argmax(gain))
            if gain[best] > 0:
                bound += gain[best]
                size += gain[best] + 2 * cost[best]
                split = self._splits.changes(int(self._splits.split[group, where[best]]))
                new += self.add(group, split, int(self._fallen[self._mine(group)][best]))
        return float(bound + ERROR * size), new

    def _filled(self, price: FloatArray) -> float:
        """What the best allocation is worth at these prices."""
        worth = np.take_along_axis(price, self._splits.way, axis=1).sum(axis=0)
        total = 0.0
        for k, amount in enumerate(self._problem.budget.tolist()):
            mine = np.flatnonzero(self._class_of_axis == k)
            order = mine[np.argsort(-worth[mine], kind="stable")]
            capacity = self._problem.capacity[order]
            taken = np.clip(amount - (np.cumsum(capacity) - capacity), 0, capacity)
            total += float(worth[order] @ taken)
        return total

    def _costs(self, group: int, price: FloatArray) -> tuple[FloatArray, IntArray]:
        """Per threshold of a group the least cost of a split that takes so much, and its place in the table."""
        splits, place = self._splits, self._place[self._mine(group)]
        cost, where = np.empty(place.size), np.empty(place.size, dtype=np.int64)
        _cheapest(place, splits.first @ price, splits.second @ price, splits.split[group], cost, where)
        return cost, where

    def prices(self, price: FloatArray) -> Prices:
        """One direction per group, with exact support values: rows for the bounds of boxes."""
        eta = np.concatenate([np.zeros(0), *(self._costs(group, one)[0] for group, one in enumerate(price))])
        weight = np.take_along_axis(price, self._splits.way, axis=1)[:, :, None]
        groups = np.arange(price.shape[0])
        return Prices(groups, self._begin, self._fallen, eta[:, None], weight, np.ones((groups.size, 1)))


@kernel
def _cheapest(place, first, second, split, cost, where):  # type: ignore[no-untyped-def]
    """Per threshold s the cheapest of the splits place[s], …, N − 1."""
    best, best_where = np.inf, -1
    end, columns = split.size, np.int32(second.size)
    for s in range(place.size - 1, -1, -1):
        for k in range(place[s], end):
            row = split[k] // columns
            value = first[row] + second[split[k] - row * columns]
            if value < best:
                best, best_where = value, k
        end = min(end, place[s])
        cost[s], where[s] = best, best_where
