"""The collective problem of hierarchical noise: changed bits lie in changed rows, and a changed row may show itself.

With r_j changed rows in block j, group i sees some of them unselected with probability δ_i = 1 − Π_j s_ij^r_j; otherwise the
lower noise hides the changes b. An output of group i and majority p falls iff (theory, section 6)

    p ≤ δ_i + (1 − δ_i) · lower_low,i^{-1}(1/(2(1 − δ_i)); b)   ⇔   (p − δ_i)/(1 − δ_i) ≤ c_i(b) at level 1/(2(1 − δ_i)),

so that for given rows the problem is that of the lower noise, with other majorities p̃ and another level. By the multi-class
rule it falls iff lower_low(p̃) ≤ upper_low(q/(1 − δ)) + δ/(1 − δ), which is that level again where q = 1 − p.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from graphcert.collective.exact import TightProblem
from graphcert.collective.half_spaces.scheme_axes import SchemeAxes, scheme_axes
from graphcert.collective.solvers.program import UNLIMITED, BoolArray, FloatArray, IntArray
from graphcert.core.features import are_bits, ones_per_row, plain_features
from graphcert.noise import AXES, Budget, Scheme, Views
from graphcert.tradeoff.disjoint_support import selection_mass


@dataclass(frozen=True, eq=False)
class BlockRows:
    """The rows of one block, as they are in the clean graph.

    A choice of r rows with s set bits in all has room for s deletions and r · width − s additions: the two rooms belong to
    the same rows. Every changed row takes at least one of the bits.

    Attributes:
        ones: (rows,) set bits of every row; None if the rows are not known: then any of them takes any number of bits.
        width: bits of a row.
        rows: how many there are.
    """

    ones: IntArray | None
    width: int
    rows: int

    def possible(self, add: int, delete: int, most: int) -> BoolArray:
        """(most + 1,) whether exactly 0, 1, … rows can change when so many bits are added and deleted in them; exact.

        The numbers of rows that can have no gaps. Let S and a larger T be two choices of rows that can change. More rows
        have more room, so S can be extended by a row of T unless those are all empty or full and there is no further
        addition or deletion for one: then T has no more of them than S, and is not larger.
        """
        found = np.zeros(most + 1, np.bool_)
        if add + delete == 0:
            found[0] = True
        for rows in range(1, min(most, self.rows, add + delete) + 1):
            found[rows] = self.ones is None or self._fits(add, delete, rows)
        return found

    def roomy(self, add: int, delete: int) -> bool:
        """Whether every single row can take all of these bits."""
        return self.ones is None or bool(((self.ones >= delete) & (self.width - self.ones >= add)).all())

    def changeable(self, add: int, delete: int) -> int:
        """How many rows can take one of these bits."""
        if self.ones is None:
            return self.rows
        return int((((self.ones > 0) & (delete > 0)) | ((self.ones < self.width) & (add > 0))).sum())

    def _fits(self, add: int, delete: int, rows: int) -> bool:
        """Some choice of rows has room for both, and each of its rows takes a bit."""
        # An empty row needs an addition of its own, a full one a deletion; the others take either.
        empty, full, sums = self._empty, self._full, _sums(self._mixed, rows)
        return any(
            _meets(sums[rows - none - every] << (every * self.width), delete, rows * self.width - add)
            for none in range(min(empty, add, rows) + 1)
            for every in range(min(full, delete, rows - none) + 1)
        )

    @cached_property
    def _empty(self) -> int:
        return int(np.sum(self.ones == np.int64(0)))

    @cached_property
    def _full(self) -> int:
        return int(np.sum(self.ones == np.int64(self.width))) if self.width else 0

    @cached_property
    def _mixed(self) -> tuple[tuple[int, int], ...]:
        """Set bits of the rows that are neither empty nor full, and how many rows have so many."""
        ones = np.asarray(self.ones)
        values, counts = np.unique(ones[(ones > 0) & (ones < self.width)], return_counts=True)
        return tuple(zip(values.tolist(), counts.tolist(), strict=True))


@lru_cache(maxsize=2**10)
def _sums(mixed: tuple[tuple[int, int], ...], rows: int) -> list[int]:
    """Per number of rows up to `rows` the sums of set bits that some choice of so many has: bit s of a number says s."""
    found = [1] + [0] * rows
    for ones, count in mixed:
        for _ in range(min(count, rows)):
            for k in range(rows, 0, -1):
                found[k] |= found[k - 1] << ones
    return found


def _meets(sums: int, low: int, high: int) -> bool:
    """Whether one of the sums lies between `low` and `high`."""
    return high >= low and bool((sums >> low) & ((1 << (high - low + 1)) - 1))


@dataclass(frozen=True, eq=False)
class HierarchicalProblem:
    """Which changes of rows, bits and edges each output survives.

    Axes: n outputs, C groups, J blocks, A axes of change as in `SchemeAxes`.

    Attributes:
        axes: the groups, and the lower laws under which they see bits and edges.
        p_lower: (n,) lower bounds of the majorities.
        select: (C, J) the probability with which group i sees a row of block j noised.
        rows: (J,) rows of each block.
        room: (2J,) per feature axis the most bits that so many rows can take: an array over 0 … rows. Room for additions
            and for deletions is counted apart, as if the rows with most of one had most of the other; sound side: more, so
            what breaks here is no attack before `content` says that it fits.
        content: (J,) what the rows hold, which says exactly what fits together.
        ablated: whether a selected row is replaced by a token; then a row changes without any bit.
        p_other: (n,) upper bounds of every other class, for the multi-class rule; None for the binary one.
    """

    axes: SchemeAxes
    p_lower: FloatArray
    select: FloatArray
    rows: IntArray
    room: tuple[IntArray, ...]
    content: tuple[BlockRows, ...]
    ablated: bool
    p_other: FloatArray | None = None

    @property
    def broken(self) -> BoolArray:
        """(n,) outputs that fall without any change."""
        return self.p_lower <= (0.5 if self.p_other is None else np.minimum(self.p_other, 0.5))

    @property
    def blocks(self) -> int:
        """Number of blocks J."""
        return int(self.rows.size)

    @cached_property
    def uniform(self) -> bool:
        """Whether every group sees all blocks selected with one probability: then only the number of rows matters."""
        return bool((self.select == self.select[:, :1]).all())

    def against(self, budget: Budget) -> "HierarchicalProblem":
        """Under ablation by counted bits, the problem without the rows that cannot take any of them; else itself."""
        bits = budget.as_tuple()[:2]
        if not self.ablated or not any(bits):
            return self
        return replace(self, rows=np.array([block.changeable(*bits) for block in self.content], np.int64))

    def exact_rows(self, budget: Budget) -> bool:
        """Under ablation, whether every choice of the rows of `against`, as many as are effective, can really change."""
        add, delete = budget.as_tuple()[:2]
        # With both operations a row must be able to take either, or rows might compete for one of them.
        return not (add and delete) or all(block.roomy(1, 1) for block in self.content)

    def openings(self, budget: Budget) -> tuple[int, int]:
        """Bits to add and delete as far as they say which rows can change: under ablation, where `effective` drops them."""
        add, delete = budget.as_tuple()[:2]
        if not self.ablated:
            return 0, 0
        return (add, delete) if add + delete else (UNLIMITED, UNLIMITED)

    def effective(self, budget: Budget) -> IntArray:
        """(5,) bits to add and delete, edges to add and delete, and rows: what a budget really lets an adversary change.

        A budget is no stronger than another one if none of the five is larger. Every changed row takes a bit, except
        under ablation, which withstands any change of a row.
        """
        add, delete, edge_add, edge_delete = budget.as_tuple()
        free = self.ablated and add + delete == 0
        rows = add + delete if budget.nodes is None else budget.nodes if free else min(budget.nodes, add + delete)
        rows = min(rows, int(self.rows.sum()))
        bits = (0, 0) if self.ablated or rows == 0 else (add, delete)
        return np.array((*bits, edge_add, edge_delete, rows), np.int64)

    def capacity(self, rows: IntArray) -> IntArray:
        """(A,) how often each axis can be changed inside so many rows of each block."""
        found = self.axes.capacity.copy()
        for axis, room in enumerate(self.room):
            found[axis] = min(int(found[axis]), int(room[min(int(rows[axis % self.blocks]), room.size - 1)]))
        return found

    def shares(self, rows: IntArray) -> FloatArray:
        """(C,) Π_j s_ij^r_j = 1 − δ_i, rounded down."""
        return np.array([self.share(group, rows) for group in range(len(self.select))])

    def share(self, group: int, rows: IntArray) -> float:
        """The same as one group sees it."""
        return share_down(tuple(self.select[group].tolist()), tuple(rows.tolist()))

    def lowered(self, shares: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        """(n,) p̃, rounded down, (C,) levels and (n,) p_other, rounded up, given that all changed rows are selected.

        Args:
            shares: (C,) with which probability they are, 1 − δ, rounded down. Up to 1/2 nothing survives: p̃ = 0.
        """
        each = shares[self.axes.groups]
        p, _ = given_selected(self.p_lower, each)
        _, level = given_selected(np.ones_like(shares), shares)
        if self.p_other is None:
            return p, level, None
        divided = np.nextafter(self.p_other / np.where(each > 0.5, each, 1.0), 2.0)
        return p, level, np.minimum(np.where(each == 1.0, self.p_other, divided), 1.0)

    def given(self, shares: FloatArray, capacity: IntArray) -> TightProblem:
        """The problem of the lower noise for one choice of rows.

        Args:
            shares: (C,) with which probability each group sees all of them selected, rounded down.
            capacity: (A,) how often each axis can be changed in them.
        """
        axes = self.axes
        p, level, other = self.lowered(shares)
        return TightProblem(axes.groups, p, axes.laws, axes.law_of_axis, axes.axis_class, capacity, AXES, level, other)


def given_selected(p_lower: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
    """p̃, rounded down, and its level, rounded up, where all changed rows are selected with probability `share`.

    Args:
        p_lower: majorities, any shape.
        share: 1 − δ of the same shape, rounded down. Up to 1/2 nothing survives: p̃ = 0 at level 1/2.
    """
    hopeless = share <= 0.5
    each = np.where(hopeless, 1.0, share)
    # 1 − p̃ = (1 − p)/(1 − δ) falls with the share, and so does the level.
    outside = np.nextafter(np.nextafter(1.0 - p_lower, 2.0) / each, 2.0)
    p = np.maximum(np.nextafter(1.0 - outside, -1.0), 0.0)
    p = np.where(each == 1.0, p_lower, p)  # nothing is divided, nothing is rounded
    level = np.minimum(np.nextafter(0.5 / each, 1.0), np.nextafter(1.0, 0.0))
    return np.where(hopeless, 0.0, p), np.where(each == 1.0, 0.5, level)


@lru_cache(maxsize=2**16)
def share_down(select: tuple[float, ...], rows: tuple[int, ...]) -> float:
    """Π s_j^r_j rounded down."""
    exact = Fraction(1)
    for probability, count in zip(select, rows, strict=True):
        exact *= _power(probability, count)
    nearest = float(exact)
    return nearest if Fraction(nearest) <= exact else math.nextafter(nearest, 0.0)


@lru_cache(maxsize=2**12)
def _power(select: float, rows: int) -> Fraction:
    """s^r."""
    return 1 - selection_mass(select, rows)


def hierarchical_problem(
    smoothing: Scheme, p_lower: FloatArray, data: Any = None, p_other: FloatArray | None = None
) -> HierarchicalProblem:
    """The problem of N outputs under hierarchical flips or ablation.

    Args:
        smoothing: with flips or ablation of features.
        p_lower: (N,) simultaneous lower bounds of the majorities.
        data: the clean graph (`x`, `edge_index`), which limits how often rows and blocks can be changed; None for no limit.
        p_other: (N,) simultaneous upper bounds of every other class, for the multi-class rule; None for the binary one.

    Raises:
        UnsupportedError: for other lower noise.
    """
    views = Views.of(smoothing, p_lower.size)
    flips, ablated = views.flips_of_rows(), smoothing.hides_rows
    blocks = views.feature_law.shape[1]
    rows = np.bincount(views.block, minlength=blocks)
    axes = scheme_axes(flips, True, data, smoothing.directed)
    features = None if data is None else plain_features(data.x)
    if features is None or (ablated and not are_bits(features)):  # bits of other features are not counted here
        content = tuple(BlockRows(None, 0, int(number)) for number in rows)
    else:
        ones, width = ones_per_row(features), int(features.shape[1])
        content = tuple(BlockRows(ones[views.block == j], width, int(number)) for j, number in enumerate(rows))
    room = tuple(
        np.array([0, UNLIMITED])
        if block.ones is None or ablated
        else _room(block.width - block.ones if add else block.ones)
        for add in (True, False)
        for block in content
    )
    select = np.array([law.select for law in views.feature_laws])[views.feature_law]
    p, other = np.asarray(p_lower, np.float64), None if p_other is None else np.asarray(p_other, np.float64)
    return HierarchicalProblem(axes, p, select, rows, room, content, ablated, other)


def _room(counts: IntArray) -> IntArray:
    """(rows + 1,) the most bits in 0, 1, … rows, of which each has so many."""
    return np.concatenate([[0], np.cumsum(-np.sort(-counts))]).astype(np.int64)
