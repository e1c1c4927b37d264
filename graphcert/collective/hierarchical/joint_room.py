"""Which additions and deletions fit together into so many changed rows of one block."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from graphcert.collective.solvers.program import BoolArray, IntArray


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
