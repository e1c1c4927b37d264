"""Half-spaces of divergences as directions of the staircase program: looser than tight ones, but without any grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.tight.problem import TightProblem
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_eta, order_weight


@dataclass(frozen=True, eq=False)
class OrderDirection:
    """The half-space w·b ≥ η_α(p) of one divergence (theory, section 4); it holds at every budget.

    Attributes:
        order: the divergence.
        weight: (L, 2) of an addition and of a deletion under each law, rounded up; inf where one change voids it.
        levels: (Q,) the problem's target levels.
    """

    order: Order
    weight: FloatArray
    levels: FloatArray

    def support(self, p: FloatArray, level: IntArray, budget: IntArray) -> FloatArray:
        """η of majorities p (S,), each held against the target level of index `level` (S,), rounded down."""
        del budget
        return order_eta(p, *self.order, level=self.levels[level])


def order_directions(problem: TightProblem, orders: Sequence[Order] = DEFAULT_ORDERS) -> tuple[OrderDirection, ...]:
    """One direction per order that some law of the problem says anything in."""
    laws = np.unique(problem.law_of_axis)
    levels = problem.levels[0]
    found = []
    for order in orders:
        weight = np.zeros((len(problem.laws), 2))
        weight[laws] = [order_weight(problem.laws[law], *order) for law in laws]
        if weight.any():
            found.append(OrderDirection(order, weight, levels))
    return tuple(found)
