"""Fewer columns of the same problem: places that an adversary need not tell apart."""

import numpy as np
import scipy.sparse as sp

from graphcert.collective.adversary import UNLIMITED
from graphcert.collective.solvers.program import BoolArray, IntArray, Sparse

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
