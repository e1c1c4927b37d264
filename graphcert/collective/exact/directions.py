"""Half-spaces w·b ≥ η(p) that every allocation b which breaks a majority of p fulfils (theory, sections 4 and 9).

- `OrderDirection`: the weights of a divergence and its η_α(p); holds at every budget.
- `TightDirection`: any w ≥ 0 with its support value η*(p) = min { w·b : c(b) ≥ p }, which the program of `hockey_stick`
  bounds from below. The w are those of the divergences, scaled and rounded to whole numbers.

Where all budget splits can be tabulated, the concave hull (`hull_program`) is better than any half-space.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from graphcert.collective.exact.exact_problem import TightProblem, rule_eta
from graphcert.collective.exact.hockey_stick import SLOTS, critical_by_weight, flip_rows, grid
from graphcert.collective.solvers.program import FloatArray, IntArray
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_weight

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

    def support(self, p: FloatArray, level: IntArray, other: FloatArray) -> FloatArray:
        """(S,) η, rounded down, of p (S,) at the problem's target levels of index `level` (S,) against `other` (S,), the
        bounds of its `cells`."""


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

    def support(self, p: FloatArray, level: IntArray, other: FloatArray) -> FloatArray:
        """η_α."""
        return rule_eta(p, other, self.levels[level], self.order)


@dataclass(frozen=True, eq=False)
class TightDirection:
    """The half-spaces of a whole-numbered w, which hold up to the budget for which they were made.

    Attributes:
        weight: (L, 2).
        others: (R,) ascending.
        critical: (Q, R, Z + 1) upper bound on c by target level and bound of other classes of all allocations that weigh up
            to 0 … Z.
    """

    weight: IntArray
    others: FloatArray
    critical: FloatArray

    def support(self, p: FloatArray, level: IntArray, other: FloatArray) -> FloatArray:
        """η*, a whole number."""
        eta, rule = np.zeros(p.size), np.searchsorted(self.others, other)
        for index, own in np.ndindex(self.critical.shape[:2]):
            mine = (level == index) & (rule == own)
            eta[mine] = np.searchsorted(self.critical[index, own], p[mine], side="left")
        return eta


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
        if weight.tobytes() not in found and weight[ways.law, ways.delete].any():
            others = np.unique(problem.cells.other)
            found[weight.tobytes()] = TightDirection(weight, others, _by_weight(problem, ways, plan, weight, others))
    return tuple(found.values())


class _Ways(NamedTuple):
    """The F ways to spend a change: its law, whether it deletes (0 or 1), its class; and (classes,) the largest budget."""

    law: IntArray
    delete: IntArray
    of_class: IntArray
    most: IntArray

    def heaviest(self, weight: FloatArray | IntArray) -> float:
        """The weight (L, 2) of the largest budget spent where it weighs most."""
        top = np.zeros(self.most.size)
        np.maximum.at(top, self.of_class, weight[self.law, self.delete])
        return float(top @ self.most)


class _Plan(NamedTuple):
    """How the hockey-stick program is kept small.

    Attributes:
        slot: (classes,) classes with one slot are counted together.
        apart: whether the heaviest way of a slot is counted by itself.
        finest: the number of whole weights.
    """

    slot: IntArray
    apart: bool
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
                return _Plan(slot, apart, int(finest))
        used = np.unique(slot[ways.most > 0])
        if used.size == 1:
            return _Plan(slot, False, _COARSEST)
        one, two = sorted(used, key=lambda k: amounts[k])[:2]
        slot = np.where(slot == max(one, two), min(one, two), slot)


def _whole_weights(problem: TightProblem, ways: _Ways, order: Order, finest: int) -> IntArray:
    """(L, 2) the order's weights in units of which the largest budget holds about `finest`."""
    exact = np.array([order_weight(law, *order) for law in problem.laws])
    finite = np.isfinite(exact)
    # A change that voids the divergence counts like two of the largest that do not; every w ≥ 0 is a direction.
    exact = np.where(finite, exact, 2.0 * np.where(finite, exact, 0.0).max(initial=0.5))
    whole = ways.heaviest(exact)
    return np.round(exact * (finest / whole if whole > 0 else 0.0)).astype(np.int64)


def _by_weight(problem: TightProblem, ways: _Ways, plan: _Plan, weight: IntArray, others: FloatArray) -> FloatArray:
    """(Q, R, Z + 1) `TightDirection.critical` by the hockey-stick program."""
    rows = np.array([
        flip_rows(problem.laws[law], bool(delete)) for law, delete in zip(ways.law, ways.delete, strict=True)
    ])  # fmt: skip
    weights, slots = weight[ways.law, ways.delete], plan.slot[ways.of_class]
    near = np.zeros(weights.size, dtype=np.bool_)
    if plan.apart:
        for slot in np.unique(slots):
            mine = np.flatnonzero(slots == slot)
            near[mine[np.argmax(weights[mine])]] = True
    amounts = np.bincount(plan.slot, ways.most, SLOTS).astype(np.int64)
    most = int(ways.heaviest(weight))
    found = critical_by_weight(rows, slots, weights, amounts, near, most, problem.levels[0], others)
    by_weight: FloatArray = np.maximum.accumulate(found, axis=2)
    return by_weight
