"""The one form of linear program that every collective certificate is written in."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Amounts = IntArray | FloatArray
"""Budgets and what is spent of them: whole numbers of changes, or shares of a norm."""
BoolArray = npt.NDArray[np.bool_]
Sparse = Any
"""A scipy sparse array or matrix (any format, any numeric dtype)."""


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
