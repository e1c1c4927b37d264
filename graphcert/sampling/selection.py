"""Which rows of a sample are noised, and what the classifier sees of it (theory, section 6; Scholten et al. 2023).

Every node is selected on its own. Its uniform number is compared with the selection probabilities of all levels, so the
nodes selected at a smaller one are among those at a larger one. An extra column of the features marks the selected rows;
the other rows are the clean ones, bit for bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Integers, Mask
from graphcert.core.compiled import kernel
from graphcert.noise import Interpreter, Law, SubsetAblation, Tiles
from graphcert.sampling import philox
from graphcert.sampling.csr import CSR, Floats
from graphcert.sampling.flips import bit_threshold, draw_bits


@dataclass(frozen=True, eq=False)
class Selection:
    """The selection probabilities of every view and block.

    `high`, `low` (L,) are 128 digits of each distinct probability, `level` (V, J) the place in these lists of the one with
    which a view selects the rows of a block; `block` is (N,), `threshold_error` bounds the total variation of one selection.
    `tile` (N,) is the tile of every row, all of which are selected together; None if every row is selected on its own.
    """

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    level: NDArray[np.int64]
    block: NDArray[np.int64]
    threshold_error: float
    tile: Integers | None = None

    @classmethod
    def of(
        cls, selects: Sequence[float], view_law: NDArray[np.int64], block: NDArray[np.int64], tiles: Tiles | None = None
    ) -> "Selection":
        """From the probabilities of the laws of rows, the (V, J) index of each view's law, and what is drawn together."""
        distinct = sorted(set(selects))
        digits = [bit_threshold(select) for select in distinct]
        place = np.array([distinct.index(select) for select in selects], np.int64)
        high, low = (np.array([getattr(d, half) for d in digits], np.uint64) for half in ("high", "low"))
        # A probability of 1 leaves nothing to chance, whatever its digits are.
        error = max(0.0 if select == 1 else d.total_variation for select, d in zip(distinct, digits, strict=True))
        return cls(high, low, place[view_law], block, error, None if tiles is None else tiles.of_row)

    @property
    def drawn(self) -> int:
        """How many numbers are drawn: one per row, or one per tile."""
        return self.block.size if self.tile is None else int(self.tile[-1]) + 1

    def total_variation(self) -> float:
        """Bound on the total-variation error of one sample: every node, or tile, is selected once."""
        return self.threshold_error * self.drawn

    def rows(self, key: np.uint64, purpose: int, sample: int, channel: int = philox.SELECT) -> Mask:
        """(V, N) the rows that every view of a sample noises; of another `channel`, the nodes that are drawn there."""
        stream = philox.stream_word(purpose, channel)
        chosen = np.empty((self.high.size, self.drawn), np.bool_)
        draw_selection(key, stream, sample, self.high, self.low, np.empty((1, 32), np.uint32), chosen)
        if self.tile is not None:
            chosen = np.ascontiguousarray(chosen[:, self.tile])
        if self.level.size == 1:
            return chosen
        return np.asarray(chosen[self.level[:, self.block], np.arange(self.block.size)])


@dataclass(frozen=True, eq=False)
class SubsetSelection:
    """All rows but `kept` random ones of `nodes` (Levine & Feizi 2020): every row draws 64 bits, the smallest are kept."""

    kept: int
    nodes: int

    def total_variation(self) -> float:
        """Rows whose bits are equal are not told apart, which happens with probability at most N²/2⁶⁵."""
        return float(self.nodes**2) * 2.0**-65

    def rows(self, key: np.uint64, purpose: int, sample: int) -> Mask:
        """(1, N) the rows that a sample hides; one view sees them all."""
        if self.kept == self.nodes:
            return np.zeros((1, self.nodes), np.bool_)
        words = np.empty((1, 4 * -(-self.nodes // 2)), np.uint32)
        philox.fill_blocks(key, philox.stream_word(purpose, philox.SUBSET), sample, 0, 1, 0, words)
        ranks = words.view(np.uint64)[0, : self.nodes]
        return np.asarray(ranks >= np.partition(ranks, self.kept)[self.kept])[None]


subset_selection: Interpreter[Callable[[Any, int], SubsetSelection]] = Interpreter("choice of rows")
"""The choice of rows of a law of all rows together, from the law and the number of rows."""


@subset_selection.register(SubsetAblation)
def _kept_rows(law: SubsetAblation, nodes: int) -> SubsetSelection:
    return SubsetSelection(law.kept, nodes)


def selection_of(
    laws: Sequence[Law], view_law: NDArray[np.int64], block: NDArray[np.int64], tiles: Tiles | None = None
) -> Selection | SubsetSelection | None:
    """How the laws choose rows, view_law (V, J) being the index of each view's law; None where every row is noised."""
    if laws[0].of_all_rows and laws[0].element == "rows":
        return subset_selection.of(laws[0])(laws[0], block.size)
    return Selection.of([law.select for law in laws], view_law, block, tiles) if laws[0].selects else None


@kernel
def draw_selection(key, stream, sample, high, low, words, chosen):  # type: ignore[no-untyped-def]
    """chosen[l, i] = whether node i is selected at the l-th probability; all compare the same digits of node i.

    `high`, `low` (L,) are 128 digits of the probabilities, all ones standing for 1; `words` (1, 32) is scratch.
    """
    nodes = chosen.shape[1]
    for level in range(high.size):
        always = (~high[level] | ~low[level]) == np.uint64(0)
        for word in range((nodes + 63) // 64):
            first = 64 * word
            size = min(64, nodes - first)
            lanes = ~np.uint64(0) >> np.uint64(64 - size)
            mask = lanes
            if not always:
                mask = draw_bits(key, stream, sample, word, 0, lanes, high[level], low[level], words)
            for lane in range(size):
                chosen[level, first + lane] = (mask >> np.uint64(lane)) & np.uint64(1) == np.uint64(1)


@kernel
def show_selection(selected, clean, token, out):  # type: ignore[no-untyped-def]
    """Turn the first layer of the lower noise into that of hierarchical noise, in place.

    Args:
        selected: (V, N) bool.
        clean: (N, H) product of the clean features; an unselected row is a copy of it.
        token: (H,) the weights of the extra column, added to selected rows.
        out: (V, N, H).
    """
    for v in range(out.shape[0]):
        for i in range(out.shape[1]):
            if selected[v, i]:
                for h in range(out.shape[2]):
                    out[v, i, h] += token[h]
            else:
                for h in range(out.shape[2]):
                    out[v, i, h] = clean[i, h]


def with_selection_column(selected: Mask, noisy: CSR, clean: CSR, column: int) -> CSR:
    """The noisy rows where selected (N,), with a one in the extra `column`, and the clean rows elsewhere."""
    parts = (noisy, selected), (clean, ~selected)
    row = [np.repeat(np.arange(ones.rows), np.diff(ones.indptr)) for ones, _ in parts]
    kept = [keep[rows] for rows, (_, keep) in zip(row, parts, strict=True)]
    marks = np.flatnonzero(selected)
    rows = np.concatenate([*(rows[keep] for rows, keep in zip(row, kept, strict=True)), marks])
    columns = [ones.indices[keep] for (ones, _), keep in zip(parts, kept, strict=True)]
    indices = np.concatenate([*columns, np.full(marks.size, column, np.int32)])
    order = np.argsort(rows, kind="stable")
    indptr = np.zeros(selected.size + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=selected.size), out=indptr[1:])
    values: Floats | None = None
    if noisy.values is not None or clean.values is not None:
        pieces = [
            (np.ones(ones.indices.size, np.float32) if ones.values is None else ones.values)[keep]
            for (ones, _), keep in zip(parts, kept, strict=True)
        ]
        values = np.concatenate([*pieces, np.ones(marks.size, np.float32)])[order]
    return CSR(indptr, indices[order], values)
