"""In how many rows of each block an adversary makes its changes: the few choices that matter.

More changed rows never help a defender, so all rows of a budget are spent. A choice is no stronger than another one if every
group sees its rows selected at least as often and no block has more room for bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from graphcert.collective.half_spaces.localized_problem import BlockAxes, axis_weights
from graphcert.collective.hierarchical.hierarchical_problem import HierarchicalProblem, given_selected
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.tradeoff.half_spaces import Order, order_eta

MOST_CHOICES = 2_000
"""So many choices of rows are looked at one by one; beyond, sets of them, in which every group faces its own worst rows."""

MOST_SETS = 256
"""So many sets there are."""


@dataclass(frozen=True, eq=False)
class RowChoice:
    """What a choice of rows does.

    Attributes:
        shares: (C,) with which probability each group sees all changed rows selected, rounded down.
        capacity: (A,) how often each axis can be changed in these rows.
    """

    shares: FloatArray
    capacity: IntArray


def row_choices(problem: HierarchicalProblem, budget: IntArray) -> tuple[list[RowChoice], bool]:
    """The choices of rows that cover every attack within a budget, and whether each of them is a choice of its own.

    Args:
        problem: the arrays.
        budget: (5,) of `HierarchicalProblem.effective`.

    Returns:
        RowChoices, at least one, and True; or some that together are at least as strong as all choices, and False.
    """
    rows = int(budget[4])
    anywhere = problem.capacity(np.minimum(problem.rows, rows))
    limit = np.append(budget[:4], 0)[problem.axes.axis_class]
    if problem.uniform and _one_row_is_room(problem, budget):
        return [RowChoice(problem.shares(next(spread(problem.rows, rows))), anywhere)], True
    if comb(rows + problem.blocks - 1, rows) > MOST_CHOICES:
        sets = boxes(np.minimum(problem.rows, rows), rows)
        return undominated([_strongest(problem, low, high, rows, limit) for low, high in sets]), False
    found = [RowChoice(problem.shares(r), np.minimum(problem.capacity(r), limit)) for r in spread(problem.rows, rows)]
    if rows >= int(budget[:2].sum()):
        found = _merged(found)  # a row for every bit: no further room is asked for
    return undominated(found), True


def joined(choices: Sequence[RowChoice]) -> RowChoice:
    """One choice that is at least as strong as each of these."""
    shares = np.min([choice.shares for choice in choices], axis=0)
    return RowChoice(shares, np.max([choice.capacity for choice in choices], axis=0))


def halves(choices: Sequence[RowChoice], most: IntArray) -> tuple[IntArray, IntArray]:
    """At least two choices in two parts, as indices: by the group or the room in which they differ most.

    Args:
        choices: K ≥ 2 of them.
        most: (K,) how many outputs fall at most under each; the largest starts the first part when nothing tells them apart.
    """
    limits = np.array([choice.capacity for choice in choices], np.float64)
    features = np.concatenate([np.array([choice.shares for choice in choices]), limits], axis=1)
    low, high = features.min(axis=0), features.max(axis=0)
    # Shares differ by what they are, room by which part of it is missing.
    spread = (high - low) / np.where(np.arange(low.size) < choices[0].shares.size, 1.0, np.maximum(high, 1.0))
    widest = features[:, int(np.argmax(spread))]
    order = np.lexsort((-most, widest))
    cut = int(np.searchsorted(widest[order], (widest.min() + widest.max()) / 2, side="right"))
    cut = cut if 0 < cut < order.size else order.size // 2
    return order[:cut], order[cut:]


def _one_row_is_room(problem: HierarchicalProblem, budget: IntArray) -> bool:
    """Whether rows can be spread such that no block lacks room, whatever bits are changed where."""
    rows, bits = int(budget[4]), int(budget[:2].sum())
    if rows >= bits:
        return True
    limit = np.append(budget[:4], 0)[problem.axes.axis_class]
    one = problem.capacity(np.minimum(problem.rows, 1))
    total = problem.capacity(problem.rows)
    return rows >= problem.blocks and bool((one >= np.minimum(total, limit)).all())


def boxes(most: IntArray, rows: int) -> list[tuple[IntArray, IntArray]]:
    """All ways to spread `rows` over the blocks, at most `most` (J,) in each, as boxes of least and most rows per block."""
    waiting = [_tightened(np.zeros_like(most), most, rows)]
    while len(waiting) < MOST_SETS:
        widest = max(range(len(waiting)), key=lambda k: int((waiting[k][1] - waiting[k][0]).max()))
        low, high = waiting[widest]
        block = int((high - low).argmax())
        if high[block] == low[block]:
            break
        middle, below, above = (low[block] + high[block]) // 2, high.copy(), low.copy()
        below[block], above[block] = middle, middle + 1
        waiting[widest] = _tightened(low, below, rows)
        waiting.append(_tightened(above, high, rows))
    return waiting


def _tightened(low: IntArray, high: IntArray, rows: int) -> tuple[IntArray, IntArray]:
    """The same box without what no spreading of all `rows` reaches."""
    return np.maximum(low, rows - (high.sum() - high)), np.minimum(high, rows - (low.sum() - low))


def _strongest(problem: HierarchicalProblem, low: IntArray, high: IntArray, rows: int, limit: IntArray) -> RowChoice:
    """As strong as all choices of a box: every group sees most rows where they are selected most rarely."""
    shares = [problem.share(group, chosen) for group, chosen in enumerate(rarest_rows(problem.select, low, high, rows))]
    return RowChoice(np.array(shares), np.minimum(problem.capacity(high), limit))


def rarest_rows(select: FloatArray, low: IntArray, high: IntArray, rows: int) -> Iterator[IntArray]:
    """For each group the spreading (J,) of all `rows` inside a box that it sees selected most rarely; `select` is (C, J)."""
    for probabilities in select:
        chosen, left = low.copy(), rows - int(low.sum())
        for block in np.argsort(probabilities, kind="stable").tolist():
            more = min(left, int(high[block] - low[block]))
            chosen[block] += more
            left -= more
        yield chosen


def spread(most: IntArray, rows: int) -> Iterator[IntArray]:
    """All ways to spread `rows` over the blocks, at most `most` (J,) in each."""
    slots = rows + most.size - 1
    for bars in combinations(range(slots), most.size - 1):
        counts = np.diff(np.array([-1, *bars, slots])) - 1
        if (counts <= most).all():
            yield counts


def _merged(choices: list[RowChoice]) -> list[RowChoice]:
    """Choices with equal shares as one, with the largest room of each axis."""
    found: dict[bytes, RowChoice] = {}
    for choice in choices:
        key = choice.shares.tobytes()
        room = choice.capacity if key not in found else np.maximum(found[key].capacity, choice.capacity)
        found[key] = RowChoice(choice.shares, room)
    return list(found.values())


def undominated(choices: list[RowChoice]) -> list[RowChoice]:
    """The choices of which no other one is at least as strong; of equal ones the first."""
    strength = np.array([np.concatenate([-choice.shares, choice.capacity]) for choice in choices])
    _, first = np.unique(strength, axis=0, return_index=True)
    first = np.sort(first)
    strength = strength[first]
    kept = [int(index) for index, own in zip(first, strength, strict=True) if (strength >= own).all(axis=1).sum() == 1]
    return [choices[index] for index in kept]


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
