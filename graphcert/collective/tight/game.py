"""One budget's problem as the compiled code sees it: counts of changes per law decide, and c is computed once for each.

A `Game` is what does not change during a search, a `Memo` what has been computed so far. Level counts are rows of 2L + 1
small integers: the additions, then the deletions, under each of the L laws, and last which target level c is asked for.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.tight.copying import copy_into
from graphcert.collective.tight.critical import critical
from graphcert.collective.tight.law_order import OUTSIDE, chain_ranks
from graphcert.collective.tight.law_table import law_table
from graphcert.collective.tight.problem import TightProblem
from graphcert.collective.tight.reduced import ReducedAxes
from graphcert.core.compiled import kernel

Counts = npt.NDArray[np.int16]
LARGEST = 2**12
"""Budgets whose sum over classes is larger are not searched: c takes too long, and counts must fit their 16 bits."""

_MEMO_BYTES = 2**27


class Game(NamedTuple):
    """Axes are sorted by class; those of class k are first[k] … first[k + 1] − 1.

    Attributes:
        table: (L, 6) of `law_table`.
        law: (C, A) the law of each axis.
        rank: (C, A) its place on the chain of its class, −1 outside.
        queue: (C, A) the axes of each class by strength for the group: along the chain, then the ones outside.
        first: (K + 1,) where classes begin.
        deletes: (K,) whether a class deletes, as 0 or 1.
        capacity: (A,).
        budget: (K,) of each class, no more than its capacities.
        p: all counted majorities, sorted within groups; those of group i are start[i] … start[i + 1] − 1.
        start: (C + 1,).
        levels: (Q,) the different target levels, ascending.
        level: (C,) which of them each group has.
    """

    table: FloatArray
    law: IntArray
    rank: IntArray
    queue: IntArray
    first: IntArray
    deletes: IntArray
    capacity: IntArray
    budget: IntArray
    p: FloatArray
    start: IntArray
    levels: FloatArray
    level: IntArray


class Memo(NamedTuple):
    """Critical probabilities by level counts: open addressing, whole keys are compared.

    Attributes:
        keys: (S, 2L + 1), S a power of two.
        values: (S,) at least 1/2, or 0 where the slot is free.
        filled: (1,) number of used slots.
    """

    keys: Counts
    values: FloatArray
    filled: IntArray


def make_game(problem: TightProblem, axes: ReducedAxes, budget: IntArray, p: FloatArray, start: IntArray) -> Game:
    """The game of one budget (one number per class of the problem) over the reduced axes."""
    present = np.unique(axes.axis_class)
    first = np.searchsorted(axes.axis_class, np.append(present, present.max(initial=0) + 1))
    rank = np.full(axes.law.shape, OUTSIDE, dtype=np.int64)
    queue = np.zeros(axes.law.shape, dtype=np.int64)
    room = np.zeros(present.size, dtype=np.int64)
    for k, (begin, end) in enumerate(pairwise(first)):
        mine = slice(int(begin), int(end))
        ranks = chain_ranks(problem.laws, np.unique(axes.law[:, mine]))
        rank[:, mine] = ranks[axes.law[:, mine]]
        last = np.where(rank[:, mine] == OUTSIDE, len(problem.laws) + axes.law[:, mine], rank[:, mine])
        queue[:, mine] = begin + np.argsort(last, axis=1, kind="stable")
        room[k] = axes.capacity[mine].sum()
    deletes = np.array([problem.classes[k].endswith("delete") for k in present], dtype=np.int64)
    total = np.minimum(budget[present], room)
    return Game(
        law_table(problem.laws), axes.law, rank, queue, first, deletes, axes.capacity, total, p, start, *problem.levels
    )


def make_memo(laws: int) -> Memo:
    """An empty memo for counts under so many laws."""
    slots = 2 ** int(np.log2(_MEMO_BYTES / (4 * laws + 10)))
    return Memo(np.zeros((slots, 2 * laws + 1), np.int16), np.zeros(slots), np.zeros(1, np.int64))


@kernel
def recall(game, memo, counts):  # type: ignore[no-untyped-def]
    """c at level counts (2L + 1,), from the memo if it is known."""
    slots, width = memo.keys.shape
    code = np.uint64(14695981039346656037)
    for k in range(width):
        code = (code ^ np.uint64(counts[k])) * np.uint64(1099511628211)
    slot = np.int64((code ^ (code >> np.uint64(32))) & np.uint64(slots - 1))
    while memo.values[slot] > 0.0:
        same = True
        for k in range(width):
            if memo.keys[slot, k] != counts[k]:
                same = False
                break
        if same:
            return memo.values[slot]
        slot = (slot + 1) & (slots - 1)
    laws = width // 2
    value = critical(game.table, counts[:laws], counts[laws : 2 * laws], game.levels[counts[2 * laws]])
    if 4 * memo.filled[0] < 3 * slots:
        copy_into(memo.keys[slot], counts)
        memo.values[slot] = value
        memo.filled[0] += 1
    return value


@kernel
def fallen(game, group, value):  # type: ignore[no-untyped-def]
    """How many counted outputs of a group have p ≤ value."""
    low, high = game.start[group], game.start[group + 1]
    begin = low
    while low < high:
        middle = (low + high) // 2
        if game.p[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low - begin


@kernel
def count_changes(game, group, b, counts):  # type: ignore[no-untyped-def]
    """Write into counts (2L + 1,) how many changes of allocation b (A,) the group sees under each law, and its level."""
    counts[:] = 0
    laws = game.table.shape[0]
    counts[2 * laws] = game.level[group]
    for k in range(game.deletes.size):
        for axis in range(game.first[k], game.first[k + 1]):
            counts[laws * game.deletes[k] + game.law[group, axis]] += b[axis]


@kernel
def attacked(game, memo, b, counts):  # type: ignore[no-untyped-def]
    """How many counted outputs fall under allocation b (A,)."""
    total = 0
    for group in range(game.law.shape[0]):
        if game.start[group + 1] > game.start[group]:
            count_changes(game, group, b, counts)
            total += fallen(game, group, recall(game, memo, counts))
    return total
