"""A first look at all choices of rows at once: what each of them can take if every output stands alone.

An output that a half-space proves robust vouches for every stronger output of its group, so per choice and group bisection
finds the first one that is proved; all choices and groups are bisected together.
"""

from collections.abc import Sequence

import numpy as np

from graphcert.collective.half_spaces.localized_problem import BlockAxes, axis_weights
from graphcert.collective.hierarchical.hierarchical_problem import HierarchicalProblem, given_selected
from graphcert.collective.hierarchical.row_choices import RowChoice
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.tradeoff.half_spaces import Order, order_eta


def first_look(
    problem: HierarchicalProblem,
    budget: IntArray,
    standing: BoolArray,
    choices: Sequence[RowChoice],
    orders: Sequence[Order],
) -> IntArray:
    """(K,) how many outputs fall at most under each choice, each output alone against all bits and edges of the budget.

    Args:
        problem: the arrays.
        budget: (5,) of `HierarchicalProblem.effective`.
        standing: (n,) the outputs that count.
        choices: K of them.
        orders: the half-spaces.
    """
    groups = len(problem.select)
    mine = [np.sort(problem.p_lower[standing & (problem.axes.groups == group)]) for group in range(groups)]
    size = np.array([p.size for p in mine])
    padded = np.ones((groups, int(size.max(initial=0)) + 1))
    for group, p in enumerate(mine):
        padded[group, : p.size] = p
    reach = _reach(problem, budget, choices, orders)
    share = np.array([choice.shares for choice in choices])
    low, high = np.zeros(share.shape, np.int64), np.broadcast_to(size, share.shape).copy()
    while (searching := low < high).any():
        middle = (low + high) // 2
        majority = padded[np.arange(groups), np.where(searching, middle, 0)]
        proved = _proved(majority, share, reach, orders)
        high = np.where(searching & proved, middle, high)
        low = np.where(searching & ~proved, middle + 1, low)
    return np.asarray(high.sum(axis=1))


def _proved(majority: FloatArray, share: FloatArray, reach: FloatArray, orders: Sequence[Order]) -> BoolArray:
    """(K, C) whether some half-space is out of `reach` (D, K, C) for an output of this majority (K, C)."""
    p, level = given_selected(majority, share)
    proved = np.zeros(p.shape, np.bool_)
    for order, most in zip(orders, reach, strict=True):
        proved |= order_eta(p, *order, level=level) > most
    return proved


def _reach(
    problem: HierarchicalProblem, budget: IntArray, choices: Sequence[RowChoice], orders: Sequence[Order]
) -> FloatArray:
    """(D, K, C) how far the budget goes against each group, inside the rows of each choice."""
    axes = problem.axes
    weights = axis_weights(axes.laws, axes.law_of_axis, axes.deletes, orders)
    rooms, which = np.unique([choice.capacity for choice in choices], axis=0, return_inverse=True)
    found = np.array([BlockAxes(weights, axes.axis_class, room).reach(budget[:4]) for room in rooms])
    return np.moveaxis(found[which.ravel()], 1, 0)
