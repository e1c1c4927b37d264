"""Half-spaces w·b ≥ η(p) that every allocation b which breaks a majority of p fulfils (theory, sections 4 and 9).

- `OrderDirection`: the weights of a divergence and its η_α(p); holds at every budget.
- `TightDirection`: any w ≥ 0 with its support value η*(p) = min { w·b : c(b) ≥ p }, which the program of `hockey_stick`
  bounds from below. The w are those of the divergences, scaled and rounded to whole numbers.

Where all budget splits can be tabulated, the concave hull (`hull_program`) is better than any half-space.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from graphcert.collective.exact.exact_problem import TightProblem
from graphcert.collective.exact.hockey_stick import SLOTS, critical_by_weight, flip_rows, grid
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_eta, order_weight

_STEPS_PER_SECOND = 6e8
"""Elementary steps of the hockey-stick program, about."""
_MEMORY = 3e7
"""Numbers that one direction may hold at a time (a quarter of a gigabyte)."""
_FINEST, _COARSEST = 800, 60
"""Most and least number of whole weights up to that of the largest budget."""


class Direction(Protocol):
    """A direction w of half-spaces w·b ≥ η(p)."""

    @property
    def weight(self) -> FloatArray | IntArray:
        """(L, 2) of an addition and of a deletion under each law."""

    def support(self, p: FloatArray, level: IntArray, budget: IntArray) -> FloatArray:
        """(S,) η of majorities p (S,) at the target levels of index `level` (S,), for allocations within a budget."""


@dataclass(frozen=True, eq=False)
class OrderDirection:
    """The half-spaces of one divergence (theory, section 4), which hold at every budget: looser than tight ones.

    Attributes:
        order: the divergence.
        weight: (L, 2), rounded up; inf where one change voids the divergence.
        levels: (Q,) the problem's target levels.
    """

    order: Order
    weight: FloatArray
    levels: FloatArray

    def support(self, p: FloatArray, level: IntArray, budget: IntArray) -> FloatArray:
        """η_α, rounded down."""
        del budget
        return order_eta(p, *self.order, level=self.levels[level])


def order_directions(problem: TightProblem, orders: Sequence[Order] = DEFAULT_ORDERS) -> tuple[OrderDirection, ...]:
    """One direction per order that some law of the problem says anything in."""
    laws = np.unique(problem.law_of_axis)
    found = []
    for order in orders:
        weight = np.zeros((len(problem.laws), 2))
        weight[laws] = [order_weight(problem.laws[law], *order) for law in laws]
        if weight.any():
            found.append(OrderDirection(order, weight, problem.levels[0]))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class TightDirection:
    """One direction w and what can be broken by how much of it.

    Attributes:
        weight: (L, 2) whole numbers, of an addition and of a deletion under each law.
        slot: (classes,) which of the numbers of changes each class belongs to.
        critical: (Q, n_0 + 1, n_1 + 1, …, Z + 1) upper bound on c by target level, numbers of changes and weight.
    """

    weight: IntArray
    slot: IntArray
    critical: FloatArray

    def support(self, p: FloatArray, level: IntArray, budget: IntArray) -> FloatArray:
        """η* of majorities p (S,) within a budget (one number per class), rounded down; whole numbers.

        level (S,): which of the problem's target levels each is held against.
        """
        amounts = np.bincount(self.slot, budget, self.critical.ndim - 2).astype(np.int64)
        eta = np.zeros(p.size)
        for index, critical in enumerate(self.critical):
            inside = critical[tuple(slice(0, int(n) + 1) for n in amounts)]
            by_weight = np.maximum.accumulate(inside.reshape(-1, inside.shape[-1]).max(axis=0))
            mine = level == index
            eta[mine] = np.searchsorted(by_weight, p[mine], side="left")
        return eta


@dataclass(frozen=True, eq=False)
class _Ways:
    """The ways to spend a change: a law, as an addition or a deletion, out of the budget of a class.

    Attributes:
        law, delete, of_class: (F,) of each way.
        most: (classes,) the largest budget.
    """

    law: IntArray
    delete: IntArray
    of_class: IntArray
    most: IntArray

    def heaviest(self, weight: FloatArray | IntArray) -> float:
        """The weight (L, 2) of the largest budget spent where it weighs most."""
        top = np.zeros(self.most.size)
        np.maximum.at(top, self.of_class, weight[self.law, self.delete])
        return float(top @ self.most)


def tight_directions(
    problem: TightProblem, most: IntArray, seconds: float, orders: Sequence[Order] = DEFAULT_ORDERS
) -> tuple[TightDirection, ...]:
    """One direction per order, good for all budgets up to `most` (one number per class), in about so many seconds."""
    laws_of_class = [
        np.unique(problem.law_of_axis[:, problem.axis_class == index]) if amount else np.zeros(0, np.int64)
        for index, amount in enumerate(most)
    ]
    of_class = np.repeat(np.arange(most.size), [laws.size for laws in laws_of_class])
    ways = _Ways(np.concatenate(laws_of_class), problem.class_deletes[of_class], of_class, most)
    if not ways.law.size:
        return ()
    plan = _plan(ways, _STEPS_PER_SECOND * seconds / len(orders))
    found: dict[bytes, TightDirection] = {}
    for order in orders:
        weight = _whole_weights(problem, ways, order, plan.finest)
        if weight.tobytes() in found or not weight[ways.law, ways.delete].any():
            continue
        critical = _by_weight(problem, ways, plan, weight, int(ways.heaviest(weight)))
        found[weight.tobytes()] = TightDirection(weight, plan.slot, critical)
    return tuple(found.values())


def _whole_weights(problem: TightProblem, ways: _Ways, order: Order, finest: int) -> IntArray:
    """(L, 2) the order's weights in units of which the largest budget holds about `finest`."""
    exact = np.array([order_weight(law, *order) for law in problem.laws])
    finite = np.isfinite(exact)
    # A change that voids the divergence counts like two of the largest that do not; every w ≥ 0 is a direction.
    exact = np.where(finite, exact, 2.0 * np.where(finite, exact, 0.0).max(initial=0.5))
    whole = ways.heaviest(exact)
    return np.round(exact * (finest / whole if whole > 0 else 0.0)).astype(np.int64)


def _by_weight(problem: TightProblem, ways: _Ways, plan: "_Plan", weight: IntArray, total: int) -> FloatArray:
    """The hockey-stick program of one direction."""
    rows = np.array([
        flip_rows(problem.laws[law], bool(delete)) for law, delete in zip(ways.law, ways.delete, strict=True)
    ])  # fmt: skip
    spent, kinds = weight[ways.law, ways.delete], plan.slot[ways.of_class]
    near = np.zeros(spent.size, dtype=np.bool_)
    for slot in np.flatnonzero(plan.apart):
        mine = np.flatnonzero(kinds == slot)
        if mine.size:
            near[mine[np.argmax(spent[mine])]] = True
    amounts = np.bincount(plan.slot, ways.most, SLOTS).astype(np.int64)
    return critical_by_weight(rows, kinds, spent, amounts, near, total, problem.levels[0])


@dataclass(frozen=True, eq=False)
class _Plan:
    """How the hockey-stick program is kept small.

    Attributes:
        slot: (classes,) classes with one slot are counted together.
        apart: (classes,) whether the heaviest way of a slot is counted by itself.
        finest: the number of whole weights.
    """

    slot: IntArray
    apart: BoolArray
    finest: int


def _plan(ways: _Ways, steps: float) -> _Plan:
    """The finest program of at most so many steps: first the heaviest ways lose their own count, then classes theirs."""
    slot, points = np.arange(ways.most.size), grid().size
    while True:
        amounts = np.bincount(slot, ways.most, SLOTS)
        states = float(np.prod(amounts + 1.0))
        together = min(_FINEST, _MEMORY * (amounts[0] + 1.0) / (2 * states * points))
        for apart in (True, False):
            cells = float(np.prod((amounts + 1.0) * (amounts + 2.0) / 2)) if apart else states
            finest = min(together, steps / ((states * ways.law.size + cells) * points))
            if finest >= _COARSEST:
                return _Plan(slot, np.full(ways.most.size, apart), int(finest))
        used = np.unique(slot[ways.most > 0])
        if used.size == 1:
            return _Plan(slot, np.zeros(ways.most.size, np.bool_), _COARSEST)
        one, two = sorted(used, key=lambda k: amounts[k])[:2]
        slot = np.where(slot == max(one, two), min(one, two), slot)
