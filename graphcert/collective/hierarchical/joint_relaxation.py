"""Rows, bits and edges in the same half-spaces, for any number of changed rows.

Under ablation without changed edges an output of majority p falls iff Π_j s_ij^r_j ≤ 3/2 − p, which is one half-space,
−Σ_j r_j ln s_ij ≥ −ln(3/2 − p), and exact (Scholten et al. 2022).

Otherwise orders α < 1 add up over rows and changes: outcomes in which some changed row is not selected are disjoint under
the two laws, so Σ P'^α P^(1−α) is Π_j s_ij^r_j times that of the lower laws, and a row weighs −ln s_ij/(1 − α). (For α ≥ 1
the divergence is infinite.) The least divergence that takes a majority away is that of section 4, at level 1/2.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from graphcert.collective.half_spaces.localized_problem import LocalizedProblem, axis_weights
from graphcert.collective.hierarchical.hierarchical_problem import HierarchicalProblem
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.noise import AXES
from graphcert.tradeoff.half_spaces import Order, order_eta

ORDERS = tuple(Order(alpha) for alpha in (0.2, 0.4, 0.6, 0.75, 0.85, 0.93))
"""Small ones for few bits in many rows, large ones for many bits in few rows."""

_GUARD = 2.0**-48
"""Relative room for the rounding of a logarithm and a quotient."""


def joint_problem(problem: HierarchicalProblem) -> LocalizedProblem:
    """The half-spaces over the axes of the problem and one more per block: its changed rows, of a fifth budget class.

    It does not know that bits lie in changed rows only; sound side: that is more than an adversary can do. Under ablation it
    leaves edges out and is exact.
    """
    axes = problem.axes
    per_row = -np.log(problem.select)
    # s = 1 costs nothing, exactly; else the logarithm is rounded up.
    per_row = np.where(problem.select == 1.0, 0.0, per_row * (1 + _GUARD))
    if problem.ablated:
        weights = np.concatenate([np.zeros((1, *axes.law_of_axis.shape)), per_row[None]], axis=2)
        eta = _ablation_eta(problem.p_lower)[None]
    else:
        changes = axis_weights(axes.laws, axes.law_of_axis, axes.deletes, ORDERS)
        rows = np.array([per_row / (1 - order.alpha) * (1 + _GUARD) for order in ORDERS])
        weights = np.concatenate([changes, rows], axis=2)
        eta = np.array([order_eta(problem.p_lower, *order) for order in ORDERS])
    return LocalizedProblem(
        groups=axes.groups,
        eta=eta,
        weights=weights,
        axis_class=np.concatenate([axes.axis_class, np.full(problem.blocks, len(AXES))]),
        capacity=np.concatenate([axes.capacity, problem.rows]),
        classes=(*AXES, "nodes"),
    )


def _ablation_eta(p_lower: FloatArray) -> FloatArray:
    """−ln(3/2 − p), rounded down; 0 for p ≤ 1/2."""
    p = np.maximum(p_lower, 0.5)
    # 1 − p is exact and so is the sum to less than an ulp; log1p keeps small values accurate.
    eta: FloatArray = -np.log1p(-(p - 0.5)) * (1 - _GUARD)
    return np.where(p_lower > 0.5, np.maximum(eta - math.ulp(1.0), 0.0), 0.0)


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
