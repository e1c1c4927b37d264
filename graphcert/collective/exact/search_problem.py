"""One budget's search problem in the arrays of compiled code: attacked(b), and what it takes to compute it fast.

    max_b attacked(b) = Σ_i Σ_j #{ counted outputs n of cell j of group i : p_n ≤ c_j(b) }     (theory, section 9)
    over whole b (A,), 0 ≤ b ≤ capacity, whose sum over the axes of each class k is at most budget[k].

A cell has one bound q of every other class, and q = 1 is the binary rule, see `pairs`. c_j(b) depends on q and on level
counts only: the additions, then the deletions, that group i sees under each of the L laws. Under the binary rule a group is
one cell and c is kept in a `Cache`, so that groups and budgets share it; otherwise what falls of the group is kept.

1. `reduce_tight_axes`: join the axes that every group sees alike, drop those that another one makes useless.
2. `chain_ranks`: laws of each class by strength, as far as they are comparable.
3. `make_search_problem`: both, with the sorted majorities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphcert.collective.exact.critical import (
    copy_into,
    critical,
    critical_by_other,
    critical_of,
    law_table,
    outcomes,
)
from graphcert.collective.exact.exact_problem import TightProblem
from graphcert.collective.pairs import PairCells
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.core.compiled import kernel
from graphcert.noise import BernoulliFlip

OUTSIDE = -1
"""The rank of a law that is not on the chain."""

Counts = npt.NDArray[np.int16]
LARGEST = 2**12
"""Budgets whose sum over classes is larger are not searched: c takes too long, and counts must fit their 16 bits."""

_CACHE_BYTES = 2**27


def chain_ranks(laws: Sequence[BernoulliFlip], used: IntArray) -> IntArray:
    """(L,) the place on the longest chain among the laws `used`, 0 for the strongest; OUTSIDE for all other laws.

    Along the chain a change does the more damage the earlier it stands, whatever else is changed, so an adversary who
    may choose among axes on the chain takes the earliest. Nothing of this kind is known about laws outside.
    """
    members = [int(law) for law in used]
    stronger = {
        (a, b): laws[a].dominates(laws[b]) and (a < b or not laws[b].dominates(laws[a]))
        for a in members for b in members if a != b
    }  # fmt: skip
    # Whoever dominates more laws comes first: a topological order of a transitive relation.
    members = sorted(members, key=lambda a: (-sum(stronger[a, b] for b in members if b != a), a))
    longest: dict[int, list[int]] = {}
    for a in reversed(members):
        tails = [longest[b] for b in longest if stronger[a, b]]
        longest[a] = [a, *max(tails, key=len, default=[])]
    ranks = np.full(len(laws), OUTSIDE, dtype=np.int64)
    if members:
        chain = max((longest[a] for a in members), key=len)
        ranks[chain] = np.arange(len(chain))
    return ranks


@dataclass(frozen=True, eq=False)
class ReducedAxes:
    """A' axes, sorted by class, standing for those of a `TightProblem`.

    Attributes:
        law: (C, A') the law under which each group sees an axis.
        axis_class: (A',) ascending.
        capacity: (A',) at most the class's budget.
        members: per axis the original axes it stands for.
    """

    law: IntArray
    axis_class: IntArray
    capacity: IntArray
    members: tuple[IntArray, ...]

    def spread(self, b: IntArray, problem: TightProblem) -> IntArray:
        """(A,) an allocation over the original axes that every group sees as `b` (A',)."""
        whole = np.zeros(problem.capacity.size, dtype=np.int64)
        for amount, members in zip(b.tolist(), self.members, strict=True):
            left = amount
            for axis in members.tolist():
                whole[axis] = min(left, int(problem.capacity[axis]))
                left -= int(whole[axis])
        return whole

    def gather(self, b: IntArray, budget: IntArray, first: IntArray) -> IntArray:
        """(A',) as much of an allocation `b` over the original axes as the kept axes and the budgets have room for.

        budget, first: as in `SearchProblem`.
        """
        kept = np.array([b[members].sum() for members in self.members], dtype=np.int64)
        kept = np.minimum(kept, self.capacity)
        for k, (begin, end) in enumerate(pairwise(first)):
            before = np.cumsum(kept[begin:end]) - kept[begin:end]
            kept[begin:end] = np.clip(budget[k] - before, 0, kept[begin:end])
        return kept


def reduce_tight_axes(problem: TightProblem, budget: IntArray) -> ReducedAxes:
    """Join axes of one class that every group sees alike, and drop axes that another one makes useless.

    An axis is dropped if every group sees another one of its class, with room for the whole budget, under a law that
    dominates: moving a change there never breaks less (theory, section 1). Both keep the optimum.
    """
    stronger = np.array([[a.dominates(b) for b in problem.laws] for a in problem.laws], dtype=np.bool_)
    members: list[IntArray] = []
    capacity: list[int] = []
    for index, amount in enumerate(budget.tolist()):
        mine = np.flatnonzero((problem.axis_class == index) & (problem.capacity > 0))
        if not amount or not mine.size:
            continue
        columns, which = np.unique(problem.law_of_axis[:, mine], axis=1, return_inverse=True)
        total = np.bincount(which.ravel(), problem.capacity[mine].astype(np.float64))
        room = np.minimum(total, amount).astype(np.int64)
        dropped = np.zeros(room.size, dtype=np.bool_)
        for axis in range(room.size):
            above = stronger[columns, columns[:, [axis]]].all(axis=0) & (room >= amount) & ~dropped
            above[axis] = False
            # A dropped axis drops nobody, so of axes that dominate each other one is left.
            dropped[axis] = above.any()
        kept = np.flatnonzero(~dropped)
        members += [mine[which.ravel() == axis] for axis in kept]
        capacity += room[kept].tolist()
    first = np.array([axes[0] for axes in members], dtype=np.int64)
    law = np.ascontiguousarray(problem.law_of_axis[:, first])
    return ReducedAxes(law, problem.axis_class[first], np.array(capacity, dtype=np.int64), tuple(members))


class SearchProblem(NamedTuple):
    """Axes are sorted by class; those of class k are first[k] … first[k + 1] − 1.

    Attributes:
        table: (L, 6) of `law_table`.
        law: (C, A) the law of each axis.
        rank: (C, A) its place on the chain of its class, −1 outside.
        by_strength: (C, A) the axes of each class by strength for the group: along the chain, then the ones outside.
        first: (K + 1,) where classes begin.
        deletes: (K,) whether a class deletes, as 0 or 1.
        capacity: (A,).
        budget: (K,) of each class, no more than its capacities.
        p: all counted p_lower, ascending within cells; those of cell j are start[j] … start[j + 1] − 1.
        start: (J + 1,).
        other: (J,) the bound of other classes, ascending within a group.
        cell: (C + 1,) the cells of group i are cell[i] … cell[i + 1] − 1.
        pairs: whether some cell is not of the binary rule.
        levels: (Q,) the different target levels, ascending.
        level: (C,) which of them each group has.
    """

    table: FloatArray
    law: IntArray
    rank: IntArray
    by_strength: IntArray
    first: IntArray
    deletes: IntArray
    capacity: IntArray
    budget: IntArray
    p: FloatArray
    start: IntArray
    other: FloatArray
    cell: IntArray
    pairs: bool
    levels: FloatArray
    level: IntArray


class Cache(NamedTuple):
    """What is known by level counts and a last number: open addressing, whole keys are compared.

    Under the binary rule c, the last number being the target level; else 1 + what falls, the last number being the group.

    Attributes:
        keys: (S, 2L + 1), S a power of two.
        values: (S,) or 0 where the slot is free.
        filled: (1,) number of used slots.
    """

    keys: Counts
    values: FloatArray
    filled: IntArray


def make_search_problem(
    given: TightProblem, axes: ReducedAxes, budget: IntArray, cells: PairCells, counted: BoolArray
) -> SearchProblem:
    """The search problem of one budget (one number per class of `given`) over the reduced axes, for the mask `counted`."""
    chosen = np.flatnonzero(counted)
    chosen = chosen[np.lexsort((given.p_lower[chosen], cells.of_output[chosen]))]
    start = np.searchsorted(cells.of_output[chosen], np.arange(cells.group.size + 1))
    present = np.unique(axes.axis_class)
    first = np.searchsorted(axes.axis_class, np.append(present, present.max(initial=0) + 1))
    rank = np.full(axes.law.shape, OUTSIDE, dtype=np.int64)
    by_strength = np.zeros(axes.law.shape, dtype=np.int64)
    room = np.zeros(present.size, dtype=np.int64)
    for k, (begin, end) in enumerate(pairwise(first)):
        mine = slice(int(begin), int(end))
        ranks = chain_ranks(given.laws, np.unique(axes.law[:, mine]))
        rank[:, mine] = ranks[axes.law[:, mine]]
        last = np.where(rank[:, mine] == OUTSIDE, len(given.laws) + axes.law[:, mine], rank[:, mine])
        by_strength[:, mine] = begin + np.argsort(last, axis=1, kind="stable")
        room[k] = axes.capacity[mine].sum()
    return SearchProblem(
        table=law_table(given.laws),
        law=axes.law,
        rank=rank,
        by_strength=by_strength,
        first=first,
        deletes=given.class_deletes[present],
        capacity=axes.capacity,
        budget=np.minimum(budget[present], room),
        p=given.p_lower[chosen],
        start=start,
        other=cells.other,
        cell=np.searchsorted(cells.group, np.arange(axes.law.shape[0] + 1)),
        pairs=bool((cells.other < 1.0).any()),
        levels=given.levels[0],
        level=given.levels[1],
    )


def make_cache(laws: int) -> Cache:
    """An empty cache for counts under so many laws."""
    slots = 2 ** int(np.log2(_CACHE_BYTES / (4 * laws + 10)))
    return Cache(np.zeros((slots, 2 * laws + 1), np.int16), np.zeros(slots), np.zeros(1, np.int64))


@kernel
def broken(problem, cache, group, counts):  # type: ignore[no-untyped-def]
    """How many counted outputs of a group fall at counts (2L + 1,) of `count_changes`."""
    value = _cached(problem, cache, counts)
    return int(value) - 1 if problem.pairs else _up_to(problem, problem.cell[group], value)


@kernel
def _cached(problem, cache, counts):  # type: ignore[no-untyped-def]
    """The value at counts (2L + 1,), from the cache if it is known."""
    slots, width = cache.keys.shape
    code = np.uint64(14695981039346656037)
    for k in range(width):
        code = (code ^ np.uint64(counts[k])) * np.uint64(1099511628211)
    slot = np.int64((code ^ (code >> np.uint64(32))) & np.uint64(slots - 1))
    while cache.values[slot] > 0.0:
        same = True
        for k in range(width):
            if cache.keys[slot, k] != counts[k]:
                same = False
                break
        if same:
            return cache.values[slot]
        slot = (slot + 1) & (slots - 1)
    laws, last = width // 2, counts[width - 1]
    if problem.pairs:
        found = np.zeros(1, np.int32)
        broken_by_group(problem, counts[:laws], counts[laws : 2 * laws], problem.level[last], last, last + 1, found)
        value = found[0] + 1.0
    else:
        value = critical(problem.table, counts[:laws], counts[laws : 2 * laws], problem.levels[last])
    if 4 * cache.filled[0] < 3 * slots:
        copy_into(cache.keys[slot], counts)
        cache.values[slot] = value
        cache.filled[0] += 1
    return value


@kernel
def broken_by_group(problem, adds, deletes, level, begin, end, found):  # type: ignore[no-untyped-def]
    """Write into found (end − begin,) what falls of the groups from `begin` to `end` that have the target level `level`.

    adds, deletes: (L,) changes under each law, as the groups see them.
    """
    seen = outcomes(problem.table, adds, deletes)
    binary = critical_of(seen, problem.levels[level])
    for group in range(begin, end):
        first, last = problem.cell[group], problem.cell[group + 1]
        if problem.level[group] == level:
            total = 0
            tie = np.full(last - first, binary)
            if problem.pairs and last > first:
                critical_by_other(seen, problem.levels[level], problem.other[first:last], tie)
            for cell in range(first, last):
                total += _up_to(problem, cell, tie[cell - first])
            found[group - begin] = total


@kernel
def _up_to(problem, cell, value):  # type: ignore[no-untyped-def]
    """How many counted outputs of a cell have p ≤ value."""
    low, high = problem.start[cell], problem.start[cell + 1]
    begin = low
    while low < high:
        middle = (low + high) // 2
        if problem.p[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low - begin


@kernel
def some_outputs(problem, group):  # type: ignore[no-untyped-def]
    """Whether a group has counted outputs."""
    return problem.start[problem.cell[group + 1]] > problem.start[problem.cell[group]]


@kernel
def count_changes(problem, group, b, counts):  # type: ignore[no-untyped-def]
    """Write into counts (2L + 1,) how many changes of allocation b (A,) the group sees under each law; and its key."""
    counts[:] = 0
    laws = problem.table.shape[0]
    counts[2 * laws] = group if problem.pairs else problem.level[group]
    for k in range(problem.deletes.size):
        for axis in range(problem.first[k], problem.first[k + 1]):
            counts[laws * problem.deletes[k] + problem.law[group, axis]] += b[axis]


@kernel
def attacked(problem, cache, b, counts):  # type: ignore[no-untyped-def]
    """How many counted outputs fall under allocation b (A,)."""
    total = 0
    for group in range(problem.law.shape[0]):
        if some_outputs(problem, group):
            count_changes(problem, group, b, counts)
            total += broken(problem, cache, group, counts)
    return total
