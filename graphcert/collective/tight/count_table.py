"""Critical probabilities of all level counts within a budget, each computed exactly, where they are few enough."""

from collections.abc import Sequence
from math import comb, prod

import numpy as np

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.tight.critical import critical
from graphcert.collective.tight.law_table import law_table
from graphcert.collective.tight.problem import TightProblem
from graphcert.kernel import kernel

LARGEST = 200_000
"""Level counts that are tabulated, about two seconds of work."""


def table_size(laws_of_class: Sequence[IntArray], most: IntArray) -> int:
    """How many ways there are to spend at most `most` changes of each class under its laws."""
    return prod(comb(int(n) + laws.size, laws.size) for n, laws in zip(most, laws_of_class, strict=True))


class CountTable:
    """c of all level counts up to `most` changes per class, at every target level of the problem.

    Args:
        problem: says which laws there are and which classes delete.
        laws_of_class: the laws under which some group sees changes of each class.
        most: the largest number of changes per class.
    """

    def __init__(self, problem: TightProblem, laws_of_class: Sequence[IntArray], most: IntArray) -> None:
        laws = len(problem.laws)
        self._most = most
        counts = np.zeros((1, 2 * laws), dtype=np.int64)
        number = np.zeros((1, most.size), dtype=np.int64)
        for index, (mine, name) in enumerate(zip(laws_of_class, problem.classes, strict=True)):
            spent = np.zeros((comb(int(most[index]) + mine.size, mine.size), 2 * laws), dtype=np.int64)
            spent[:, mine + laws * name.endswith("delete")] = _spendings(int(most[index]), mine.size)
            used = np.zeros((len(spent), most.size), dtype=np.int64)
            used[:, index] = spent.sum(axis=1)
            counts = (counts[:, None, :] + spent[None, :, :]).reshape(-1, 2 * laws)
            number = (number[:, None, :] + used[None, :, :]).reshape(-1, most.size)
        self._counts, self._number = counts, number
        table = law_table(problem.laws)
        self._critical = [_all_critical(table, counts, level) for level in problem.levels[0]]

    def by_weight(self, weight: IntArray, total: int) -> FloatArray:
        """(Q, n_0 + 1, …, total + 1) the largest c at each of the problem's levels, or 0.

        Of so many changes per class and so much weight (L, 2).
        """
        z = self._counts @ weight.T.ravel()
        found = np.zeros((len(self._critical), *(int(n) + 1 for n in self._most), total + 1))
        for mine, values in zip(found, self._critical, strict=True):
            np.maximum.at(mine, (*self._number.T, np.minimum(z, total)), values)
        return found


def _spendings(most: int, parts: int) -> IntArray:
    """All rows of `parts` numbers ≥ 0 whose sum is at most `most`."""
    if parts == 0:
        return np.zeros((1, 0), dtype=np.int64)
    rows = []
    for first in range(most + 1):
        rest = _spendings(most - first, parts - 1)
        rows.append(np.concatenate([np.full((len(rest), 1), first), rest], axis=1))
    return np.concatenate(rows)


@kernel
def _all_critical(table, counts, level):  # type: ignore[no-untyped-def]
    laws = table.shape[0]
    found = np.empty(counts.shape[0])
    for row in range(counts.shape[0]):
        found[row] = critical(table, counts[row, :laws], counts[row, laws:], level)
    return found
