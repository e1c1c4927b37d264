"""The one form of linear program that every collective certificate is written in."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Amounts = IntArray | FloatArray
"""Budgets and what is spent of them: whole numbers of changes, or shares of a norm."""
BoolArray = npt.NDArray[np.bool_]
Sparse = Any
"""A scipy sparse array or matrix (any format, any numeric dtype)."""


UNLIMITED = 2**31
"""Stands for "no local budget": no budget may be larger, and sums over all columns of a graph stay exact."""


@dataclass(frozen=True, eq=False)
class LinearProgram:
    """maximise c·x subject to A x ≤ row_upper and 0 ≤ x ≤ column_upper (x whole where `integer`, if asked for).

    x counts what an adversary does and what that breaks, so x = 0 (do nothing) must be feasible: row_upper ≥ 0. The
    floats are the exact data of the problem; a bound is a bound for these numbers, not for what was rounded into them.
    Programs of one sweep share the same `matrix` object, by which a solver knows that it may start hot.

    Attributes:
        objective: (n,) c, how many targets one unit of a column breaks.
        matrix: (m, n) A, scipy CSC.
        row_upper: (m,) finite, ≥ 0.
        column_upper: (n,) ≥ 0, and finite (an infinite one makes the recomputed dual bound infinite, see `bounded`).
        integer: (n,) which columns are whole numbers in the integer program.
    """

    objective: FloatArray
    matrix: Sparse
    row_upper: FloatArray
    column_upper: FloatArray
    integer: BoolArray

    def bounded(self) -> "LinearProgram":
        """The same program with finite column_upper wherever a row without negative entries implies one."""
        if np.isfinite(self.column_upper).all():
            return self
        matrix = self.matrix.tocsr()
        upper = self.column_upper.copy()
        for row, limit in enumerate(self.row_upper.tolist()):
            entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
            columns, values = matrix.indices[entries], matrix.data[entries]
            if (values >= 0).all():
                columns, values = columns[values > 0], values[values > 0]
                upper[columns] = np.minimum(upper[columns], np.nextafter(limit / values, np.inf))
        return replace(self, column_upper=upper)


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver says about a `LinearProgram`: claims to be checked, not facts.

    Attributes:
        status: the solver's own word ("optimal", "time limit", …).
        duals: (m,) row multipliers in the sign of y ≥ 0, or None.
        best_bound: the upper bound on the optimum that branch and bound claims to have proved; inf if none.
        point: (n,) the best x found, or None.
        trusted: whether the status is one after which `best_bound` is a proved bound.
    """

    status: str
    duals: FloatArray | None = None
    best_bound: float = float("inf")
    point: FloatArray | None = None
    trusted: bool = False


class Rows:
    """The rows A x ≤ limit of a program under construction; the columns of x come in named blocks.

    Args:
        widths: the number of columns of every block, in their order in x.
    """

    def __init__(self, widths: Mapping[Any, int]) -> None:
        starts = np.concatenate([[0], np.cumsum(list(widths.values()))]).tolist()
        self.columns = {name: slice(a, b) for name, a, b in zip(widths, starts[:-1], starts[1:], strict=True)}
        self.width, self.height = int(starts[-1]), 0
        self._entries: list[tuple[Any, Any, Any]] = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
        self._limits: list[FloatArray] = [np.zeros(0)]

    def add(self, limit: npt.ArrayLike, parts: Mapping[Hashable, Sparse]) -> slice:
        """Append one row per limit, made of one matrix per block of columns (none: zeros); returns where they are."""
        limits = np.asarray(limit, dtype=np.float64)
        for name, part in parts.items():
            entries = sp.coo_array(part)
            row, column = entries.coords
            self._entries.append((row + self.height, column + self.columns[name].start, entries.data))
        self._limits.append(limits)
        self.height += limits.size
        return slice(self.height - limits.size, self.height)

    def matrix(self) -> Sparse:
        """A, as a solver takes it."""
        row, column, value = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        matrix = sp.csc_array((value.astype(np.float64), (row, column)), shape=(self.height, self.width))
        return solver_matrix(matrix)

    def limits(self) -> FloatArray:
        """(m,) the right-hand sides."""
        return np.concatenate(self._limits)


def solver_matrix(matrix: Sparse) -> Sparse:
    """The same CSC matrix without stored zeros, with sorted indices of 32 bits."""
    matrix.eliminate_zeros()
    matrix.sort_indices()
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return matrix


_WORK = 5e8
"""Multiplications that the search for dominated columns may take (seconds at most; it only saves time)."""


def reduce_columns(perceived: Sparse, capacity: IntArray) -> tuple[IntArray, IntArray]:
    """Columns that suffice for an optimal attack, and their capacities, where columns are tied by nothing but a budget.

    Columns that the same nodes perceive become one, with the sum of their capacities. A column is dropped if another
    one without a local limit is perceived by all of its nodes and more: moving a change there never breaks fewer nodes.
    Both keep the optimum of the integer program and of its relaxation.

    Args:
        perceived: (G, M) CSC of ones, every column non-empty.
        capacity: (M,) the most units a column can take.

    Returns:
        kept (M',) and their capacities (M',).
    """
    kept, member = _distinct(perceived)
    total = np.zeros(len(kept), dtype=np.int64)
    np.add.at(total, member, capacity)
    total = np.minimum(total, UNLIMITED)
    free = ~_dominated(perceived[:, kept], total == UNLIMITED)
    return kept[free], total[free]


def _distinct(perceived: Sparse) -> tuple[IntArray, IntArray]:
    """The first column of every pattern, and for every column which of these it equals."""
    starts, rows = perceived.indptr, perceived.indices
    first: dict[bytes, int] = {}
    member = np.empty(perceived.shape[1], dtype=np.int64)
    kept: list[int] = []
    for column in range(perceived.shape[1]):
        pattern = rows[starts[column] : starts[column + 1]].tobytes()
        if pattern not in first:
            first[pattern] = len(kept)
            kept.append(column)
        member[column] = first[pattern]
    return np.array(kept, dtype=np.int64), member


def _dominated(perceived: Sparse, unlimited: BoolArray) -> BoolArray:
    """(M,) columns whose nodes are a proper part of those of an unlimited column (patterns are distinct)."""
    degree = np.diff(perceived.tocsr().indptr).astype(np.float64)
    result = np.zeros(perceived.shape[1], dtype=bool)
    if not unlimited.any() or (degree**2).sum() > _WORK:
        return result
    common = sp.coo_array(perceived.T @ perceived[:, unlimited])
    column, dominator = common.coords
    other = column != np.flatnonzero(unlimited)[dominator]
    whole = common.data == np.diff(perceived.indptr)[column]
    result[column[other & whole]] = True
    return result
