"""Which noisy versions of a feature row the views of a sample see, and where a table has the first products of each.

Views that put the same law on a row's block see the same version of it, and a view needs only the rows that its nodes
perceive. So a table with a row per needed version is smaller than one with all N rows for all V views.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Mask
from graphcert.core.compiled import kernel
from graphcert.sampling.csr import Integers
from graphcert.sampling.simd.row_sums import prefetch_row
from graphcert.sampling.simd.vectors import WORD, ones_in


@dataclass(frozen=True, eq=False)
class Layout:
    """The needed versions of every row, and their places in a table.

    Attributes:
        needed: (N, W) bit p mod 64 of word p div 64 says whether version p of a row is needed.
        begin: (N,) the place of its first needed version.
        step: from one needed version of a row to the next.
        places: their number.
    """

    needed: NDArray[np.uint64]
    begin: NDArray[np.int64]
    step: int
    places: int

    @cached_property
    def wanted(self) -> Mask:
        """(N,) the rows of which some version is needed."""
        return np.asarray(self.needed.any(axis=1))


@dataclass(frozen=True, eq=False)
class Versions:
    """The versions of every row, known by the running sums of `first_layer` that make them up.

    Attributes:
        sums: (J, P, 2) the sums of version p of the rows of block j.
        of_view: (V, J) the version that a view sees of the rows of a block.
        block: (N,) the block of every row.
    """

    sums: NDArray[np.int64]
    of_view: NDArray[np.int64]
    block: NDArray[np.int64]

    @classmethod
    def distinct(cls, seen: NDArray[np.int64], block: NDArray[np.int64]) -> "Versions":
        """The fewest versions for views that see the sums `seen` (V, J, 2)."""
        views, blocks, _ = seen.shape
        found = [np.unique(seen[:, j], axis=0, return_inverse=True) for j in range(blocks)]
        sums = np.zeros((blocks, max(len(pairs) for pairs, _ in found), 2), np.int64)
        for j, (pairs, _) in enumerate(found):
            sums[j, : len(pairs)] = pairs
        of_view = np.stack([inverse.reshape(views) for _, inverse in found], axis=1)
        return cls(sums, np.ascontiguousarray(of_view), block)

    @classmethod
    def by_view(cls, seen: NDArray[np.int64], block: NDArray[np.int64]) -> "Versions":
        """One version per view, whatever it sees."""
        views, blocks, _ = seen.shape
        of_view = np.repeat(np.arange(views)[:, None], blocks, axis=1)
        return cls(np.ascontiguousarray(seen.transpose(1, 0, 2)), of_view, block)

    def none_needed(self) -> NDArray[np.uint64]:
        """(N, W) what `need` marks."""
        return np.zeros((self.block.size, -(-self.sums.shape[1] // WORD)), np.uint64)

    def need(self, view: int, nodes: Integers, needed: NDArray[np.uint64]) -> int:
        """Mark what a view sees of some nodes as needed; return how many versions were not yet."""
        return int(mark_versions(nodes, self.of_view[view], self.block, needed))

    def layout(self, needed: NDArray[np.uint64]) -> Layout:
        """The versions of a row together, row by row."""
        begin = np.empty(self.block.size, np.int64)
        return Layout(needed, begin, 1, int(place_versions(needed, begin)))

    @cached_property
    def one_below_another(self) -> Layout:
        """Every version of all rows, (P · N), for versions `by_view`."""
        versions, rows = self.sums.shape[1], self.block.size
        needed = self.none_needed()
        for view in range(versions):
            needed[:, view // WORD] |= np.uint64(1) << np.uint64(view % WORD)
        return Layout(needed, np.arange(rows, dtype=np.int64), rows, versions * rows)

    def places(self, view: int, nodes: Integers, layout: Layout) -> Integers:
        """(M,) where the table has what a view sees of some nodes."""
        out = np.empty(nodes.size, np.int32)
        find_versions(nodes, self.of_view[view], self.block, layout.needed, layout.begin, layout.step, out)
        return out


@kernel
def mark_versions(nodes, version, block, needed):  # type: ignore[no-untyped-def]
    """Set the bit of version[block[i]] in `needed` for all nodes i; return how many were not set."""
    new = 0
    for i in nodes:
        p = version[block[i]]
        bit = np.uint64(1) << np.uint64(p % WORD)
        new += (needed[i, p // WORD] & bit) == np.uint64(0)
        needed[i, p // WORD] |= bit
    return new


@kernel
def place_versions(needed, begin):  # type: ignore[no-untyped-def]
    """begin[i] = number of bits in all rows of `needed` before row i; returns their number in all rows."""
    total = 0
    for i in range(begin.size):
        begin[i] = total
        for word in needed[i]:
            total += ones_in(word)
    return total


@kernel
def find_versions(nodes, version, block, needed, begin, step, out):  # type: ignore[no-untyped-def]
    """out[r] = the place of version[block[i]] of node i = nodes[r], see `Layout`."""
    for r in range(nodes.size):
        i = nodes[r]
        p = version[block[i]]
        before = ones_in(needed[i, p // WORD] & ((np.uint64(1) << np.uint64(p % WORD)) - np.uint64(1)))
        for word in range(p // WORD):
            before += ones_in(needed[i, word])
        out[r] = begin[i] + step * before


_AHEAD = 8
"""Rows that are asked for before they are read."""


@kernel
def copy_rows(table, slots, places, first, columns, out):  # type: ignore[no-untyped-def]
    """out[r, first + c] = table[slots[places[r]], c] for c < `columns`; no slots at all are their own places."""
    for r in range(places.size):
        soon = places[min(r + _AHEAD, places.size - 1)]
        prefetch_row(table, np.int64(slots[soon] if slots.size > 0 else soon))
        given, row = table[slots[places[r]] if slots.size > 0 else places[r]], out[r]
        # Unsigned: an index that could count from the end is not turned into vector code.
        for c in range(np.uint64(columns)):
            row[np.uint64(first) + c] = given[c]
