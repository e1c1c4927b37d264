"""Small budgets of hierarchical noise by exhaustion: every allocation of bits and edges, with the worst rows for it.

For given rows the search of the lower noise may put no bit at all into a row that is counted as changed, and take room for
additions from other rows than room for deletions. That is more than an adversary can do. Here every allocation is one that
some perturbation of the clean graph makes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import chain, product
from math import comb, prod

import numpy as np

from graphcert.collective.bound_loop import Bound
from graphcert.collective.exact.critical import critical, critical_by_other, critical_of, law_table, outcomes
from graphcert.collective.hierarchical.hierarchical_problem import HierarchicalProblem
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.core.compiled import working_time

MOST_ALLOCATIONS = 20_000
"""More allocations are not enumerated; then the bound stays what it is."""


class HierarchicalTruth:
    """What falls of some outputs at one budget, allocation by allocation.

    Args:
        problem: the arrays.
        budget: (5,) of `HierarchicalProblem.effective`.
        standing: (n,) the outputs that count.
    """

    def __init__(self, problem: HierarchicalProblem, budget: IntArray, standing: BoolArray) -> None:
        self._problem, self._budget = problem, budget
        axes = problem.axes
        self._table = law_table(axes.laws)
        self._members = [np.flatnonzero(standing & (axes.groups == group)) for group in range(len(problem.select))]
        self._limit = np.minimum(axes.capacity, budget[axes.axis_class])
        self._lowered: dict[bytes, tuple[FloatArray, FloatArray, FloatArray | None]] = {}
        self._cache: dict[tuple[bytes, float, int | None], FloatArray] = {}
        self._fits: dict[tuple[int, int, int], IntArray] = {}
        nothing = np.zeros(axes.capacity.size, np.int64)
        self._most, self._attack = 0, np.concatenate([nothing, np.zeros(problem.blocks, np.int64)])
        self._enumerable = self._allocations() <= MOST_ALLOCATIONS
        self._every = self._all() if self._enumerable else iter([nothing])

    def closed(self, bound: Bound, attacks: Iterable[IntArray], seconds: float) -> tuple[Bound, IntArray]:
        """`bound`, or what really falls if that can be enumerated in time; a later call goes on where this one ends.

        Args:
            bound: a proved one.
            attacks: allocations (A,) that may be good.
            seconds: when they end, nothing more is enumerated.

        Returns:
            The bound, whose `attack` is what falls under the second, the best perturbation so far, (A + J,): bits and edges
            per axis, then changed rows per block.
        """
        end = working_time() + seconds
        complete = self._look(chain(attacks, self._every), bound.attacked, end) and self._enumerable
        most = self._most
        if complete and most < bound.attacked:
            return Bound(float(most), most, "tight", "closed", float(most)), self._attack
        # A search that ended has settled every choice of rows, but its attack may be none.
        status = "closed" if most >= bound.attacked else "optimal" if bound.status == "closed" else bound.status
        return replace(bound, status=status, attack=float(most)), self._attack

    def _look(self, allocations: Iterable[IntArray], enough: int, end: float) -> bool:
        """Whether all allocations (A,) could be looked at before as much as `enough` fell, or the time was over."""
        for b in allocations:
            fallen, rows = self._fallen(b)
            if fallen > self._most:
                self._most, self._attack = fallen, np.concatenate([b, rows])
            if self._most >= enough or working_time() > end:
                return False
        return True

    def _allocations(self) -> int:
        """How many allocations there are, at most."""
        sizes = np.bincount(self._problem.axes.axis_class[self._limit > 0], minlength=4).tolist()
        # One more place takes what is not spent.
        return prod(
            comb(int(n) + size - full, int(n))
            for n, size, full in zip(self._budget[:4], sizes, self._full, strict=True)
            if size
        )

    @cached_property
    def _full(self) -> tuple[bool, bool, bool, bool]:
        """Per class whether allocations that spend all of it suffice, because more changes never break less.

        Edges can always be spent. Bits can, inside the rows that are changed anyway, where one row of every block takes the
        whole budget or none of it; of both operations, where every row takes both.
        """
        problem, budget = self._problem, self._budget
        asked = np.repeat(budget[:2], problem.blocks).reshape(2, -1)
        one = problem.capacity(np.minimum(problem.rows, 1))[: asked.size].reshape(2, -1)
        takes = (np.minimum(one, self._limit[: asked.size].reshape(2, -1)) >= asked).all(axis=0)
        nothing = (self._limit[: asked.size].reshape(2, -1) == 0).all(axis=0)
        bits = bool((takes | nothing).all() and takes.any())
        if budget[:2].all():
            bits = bits and all(block.roomy(*budget[:2].tolist()) for block in problem.content)
        return bits, bits, True, True

    def _all(self) -> Iterator[IntArray]:
        """The allocations (A,) within budget and capacities that matter."""
        classes = self._problem.axes.axis_class
        places = [np.flatnonzero((classes == k) & (self._limit > 0)) for k in range(4)]
        parts = []
        for mine, budget, full in zip(places, self._budget[:4].tolist(), self._full, strict=True):
            most = min(budget, int(self._limit[mine].sum()))
            vectors = _vectors(self._limit[mine].tolist(), most)
            parts.append([vector for vector in vectors if not full or sum(vector) == most])
        order = np.concatenate(places)
        for chosen in product(*parts):
            b = np.zeros(classes.size, np.int64)
            b[order] = [amount for part in chosen for amount in part]
            yield b

    def _fallen(self, b: IntArray) -> tuple[int, IntArray]:
        """How many outputs fall under b with the worst rows (J,) that it allows; −1 if it needs more rows than there are."""
        most, worst = -1, np.zeros(self._problem.blocks, np.int64)
        for rows in self._rows(b):
            shares = self._problem.shares(rows)
            if shares.tobytes() not in self._lowered:
                self._lowered[shares.tobytes()] = self._problem.lowered(shares)
            p, level, other = self._lowered[shares.tobytes()]
            fallen = 0
            for group, members in enumerate(self._members):
                if members.size:
                    bounds = None if other is None else other[members]
                    fallen += int((p[members] <= self._critical(group, b, float(level[group]), bounds)).sum())
            if fallen > most:
                most, worst = fallen, rows
        return most, worst

    def _rows(self, b: IntArray) -> Iterator[IntArray]:
        """The largest choices of changed rows (J,) in which b is possible: a bit in every row, and room for every bit."""
        blocks, most = self._problem.blocks, int(self._budget[4])
        possible = [self._possible(j, int(b[j]), int(b[blocks + j])) for j in range(blocks)]
        if not all(rows.size for rows in possible):
            return
        lower, upper = (np.array([int(rows[end]) for rows in possible]) for end in (0, -1))
        total = min(most, int(upper.sum())) - int(lower.sum())
        # Between the least and the most there is no gap, see `BlockRows.possible`.
        for more in _vectors((upper - lower).tolist(), total):
            if sum(more) == total:
                yield lower + np.array(more, np.int64)

    def _possible(self, block: int, add: int, delete: int) -> IntArray:
        """Ascending, how many rows of a block can change by so many bits."""
        key = (block, add, delete)
        if key not in self._fits:
            problem = self._problem
            most = min(int(self._budget[4]), int(problem.rows[block]))
            rows = (
                np.ones(most + 1, np.bool_) if problem.ablated else problem.content[block].possible(add, delete, most)
            )
            self._fits[key] = np.flatnonzero(rows)
        return self._fits[key]

    def _critical(self, group: int, b: IntArray, level: float, other: FloatArray | None) -> FloatArray:
        """c at a level of the changes b as a group sees them, rounded up: one, or one per bound of other classes."""
        axes = self._problem.axes
        counts = np.zeros((2, len(axes.laws)), np.int64)
        np.add.at(counts, (axes.deletes.astype(np.int64), axes.law_of_axis[group]), b)
        key = (counts.tobytes(), level, None if other is None else group)
        if key not in self._cache:
            if other is None:
                self._cache[key] = np.array(critical(self._table, *counts, level))
            else:
                bounds, which = np.unique(np.maximum(other, 2.0**-40), return_inverse=True)
                seen = outcomes(self._table, *counts)
                found = np.full(bounds.size, critical_of(seen, level))
                critical_by_other(seen, level, bounds, found)
                self._cache[key] = found[which]
        return self._cache[key]


def _vectors(limits: list[int], most: int) -> Iterator[tuple[int, ...]]:
    """All vectors of whole numbers up to `limits` whose sum is at most `most`; none if that is negative."""
    if most < 0:
        return
    if not limits:
        yield ()
        return
    for first in range(min(limits[0], most) + 1):
        for rest in _vectors(limits[1:], most - first):
            yield (first, *rest)
