"""Tight half-spaces: w·b ≥ η*(p) for every allocation b that breaks a majority of p (theory, section 9).

The directions are those of the divergences, scaled and rounded to whole numbers: any w ≥ 0 is valid with its own support
value η*(p) = min { w·b : c(b) ≥ p }. It comes from a table of c over all level counts, or, where they are too many, from
below by the hockey-stick program.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.tight.count_table import LARGEST, CountTable, table_size
from graphcert.collective.tight.hockey_stick import critical_by_weight, flip_rows, grid
from graphcert.collective.tight.problem import TightProblem
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_weight

SLOTS = 4
_WORK = 5e8
"""Elementary steps that one direction may take (about half a second)."""
_MEMORY = 3e7
"""Numbers that one direction may hold at a time (a quarter of a gigabyte)."""
_FINEST, _COARSEST, _TABLE_WEIGHTS = 400, 60, 2000
"""Most and least number of whole weights up to that of the largest budget, and their number where c is tabulated."""


@dataclass(frozen=True, eq=False)
class Direction:
    """One direction w and what can be broken by how much of it.

    Attributes:
        weight: (L, 2) whole numbers, of an addition and of a deletion under each law.
        slot: (classes,) which of four counts each class belongs to.
        critical: (n_0 + 1, n_1 + 1, …, Z + 1) upper bound on c by counts and weight.
    """

    weight: IntArray
    slot: IntArray
    critical: FloatArray

    def support(self, p: FloatArray, budget: IntArray) -> FloatArray:
        """η* of majorities p (any shape) within a budget (one number per class), rounded down; whole numbers."""
        amounts = np.bincount(self.slot, budget, self.critical.ndim - 1).astype(np.int64)
        inside = self.critical[tuple(slice(0, int(n) + 1) for n in amounts)]
        by_weight = np.maximum.accumulate(inside.reshape(-1, inside.shape[-1]).max(axis=0))
        eta: FloatArray = np.searchsorted(by_weight, p, side="left").astype(np.float64)
        return eta


def tight_directions(
    problem: TightProblem, most: IntArray, orders: Sequence[Order] = DEFAULT_ORDERS
) -> tuple[Direction, ...]:
    """One direction per order, good for all budgets up to `most` (one number per class)."""
    deletes = np.array([name.endswith("delete") for name in problem.classes])
    laws_of_class = [
        np.unique(problem.law_of_axis[:, problem.axis_class == index]) if amount else np.zeros(0, np.int64)
        for index, amount in enumerate(most)
    ]
    ways = [(int(law), index) for index, laws in enumerate(laws_of_class) for law in laws]
    if not ways:
        return ()
    table = None
    if table_size(laws_of_class, most) <= LARGEST:
        table = CountTable(problem, laws_of_class, most)
        slot, finest = np.arange(most.size), _TABLE_WEIGHTS
    else:
        slot, finest = _slots(most, len(ways))
    rows = [flip_rows(problem.laws[law], bool(deletes[index])) for law, index in ways]
    kinds = np.array([slot[index] for _, index in ways])
    amounts = np.bincount(slot, most, SLOTS).astype(np.int64)
    found: dict[bytes, Direction] = {}
    for order in orders:
        weight = _whole_weights(problem, ways, deletes, most, order, finest)
        spent = np.array([weight[law, int(deletes[index])] for law, index in ways])
        if weight.tobytes() not in found and spent.any():
            heaviest = np.array([spent[[index == k for _, index in ways]].max(initial=0) for k in range(most.size)])
            total = int(heaviest @ most)
            if table is None:
                critical = critical_by_weight(rows, kinds, spent, amounts, total)
            else:
                critical = table.by_weight(weight, total)
            found[weight.tobytes()] = Direction(weight, slot, critical)
    return tuple(found.values())


def _whole_weights(
    problem: TightProblem, ways: list[tuple[int, int]], deletes: IntArray, most: IntArray, order: Order, finest: int
) -> IntArray:
    """(L, 2) the order's weights in units of which the largest budget holds about `finest`."""
    exact = np.array([order_weight(law, *order) for law in problem.laws])
    finite = np.isfinite(exact)
    # A change that voids the divergence counts like two of the largest that do not; every w ≥ 0 is a direction.
    exact = np.where(finite, exact, 2.0 * np.where(finite, exact, 0.0).max(initial=0.5))
    heaviest = np.zeros(most.size)
    for law, index in ways:
        heaviest[index] = max(heaviest[index], exact[law, int(deletes[index])])
    whole = float(heaviest @ most)
    if whole <= 0:
        return np.zeros(exact.shape, dtype=np.int64)
    # Rounding to whole numbers can add half a unit per change.
    units = max(finest - int(most.sum() + 1) // 2, finest // 2) / whole
    return np.round(np.minimum(exact * units, finest)).astype(np.int64)


def _slots(most: IntArray, ways: int) -> tuple[IntArray, int]:
    """Which classes are counted together, so that the program stays small, and how fine its weights are."""
    slot = np.arange(most.size)
    while True:
        amounts = np.bincount(slot, most, SLOTS)
        states, points = float(np.prod(amounts + 1.0)), grid().size
        inner = states / (amounts[0] + 1.0)
        finest = min(_FINEST, _WORK / (states * ways * points), _MEMORY / (2 * inner * points))
        used = np.unique(slot[most > 0])
        if finest >= _COARSEST or used.size <= 1:
            return slot, int(max(finest, _COARSEST))
        one, two = sorted(used, key=lambda k: amounts[k])[:2]
        slot = np.where(slot == max(one, two), min(one, two), slot)
