"""The sampler of one smoothing scheme around one clean graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.sampling import philox
from graphcert.sampling.edges import STRIP, adjacency, noisy_edges
from graphcert.sampling.rows import first_layer, noisy_rows
from graphcert.sampling.tables import BitThreshold, GapTable, bit_threshold, gap_table

Integers = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class CSR:
    """Positions of ones: row i holds indices[indptr[i] : indptr[i + 1]]."""

    indptr: Integers
    indices: Integers

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.indptr.size - 1

    @classmethod
    def of(cls, matrix: "sparse.coo_array[Any] | sparse.csr_array[Any]") -> "CSR":
        """Positions of the non-zeros of a SciPy matrix, ascending in each row."""
        compressed = sparse.csr_array(matrix)
        compressed.eliminate_zeros()
        compressed.sort_indices()
        return cls(compressed.indptr.astype(np.int32), compressed.indices.astype(np.int32))


def packed_bits(ones: CSR, width: int) -> NDArray[np.uint64]:
    """(N, ⌈width / 64⌉): bit c % 64 of word c // 64 says whether column c of the row is a one."""
    bits = np.zeros((ones.rows, -(-width // 64)), np.uint64)
    row = np.repeat(np.arange(ones.rows), np.diff(ones.indptr))
    column = ones.indices.astype(np.uint64)
    np.bitwise_or.at(bits, (row, column >> np.uint64(6)), np.uint64(1) << (column & np.uint64(63)))
    return bits


@dataclass(frozen=True)
class _Flips:
    """A flip law turned into thresholds for rows (or strips) of a given number of elements."""

    gaps: GapTable
    delete: BitThreshold
    add_rate: float
    add_channel: int
    delete_channel: int

    @classmethod
    def of(cls, law: BernoulliFlip | None, elements: int, add_channel: int, delete_channel: int) -> "_Flips | None":
        if law is None or law.silent:
            return None
        return cls(gap_table(law.add, elements), bit_threshold(law.delete), law.add, add_channel, delete_channel)

    def streams(self, purpose: int) -> tuple[int, int]:
        """Counter words of the additions and of the deletions."""
        return philox.stream_word(purpose, self.add_channel), philox.stream_word(purpose, self.delete_channel)

    def thresholds(self) -> tuple[Any, ...]:
        """The arrays and digits in the order the kernels take them."""
        return self.gaps.high, self.gaps.low, self.gaps.guide, self.delete.high, self.delete.low

    def room(self, elements: int) -> int:
        """Room for the additions among so many elements that hardly ever needs to grow."""
        mean = self.add_rate * elements
        return int(min(elements, mean + 8 * mean**0.5 + 64))

    def total_variation(self, rows: int, elements: int, ones: int) -> float:
        """Every row draws at most elements + 1 gaps, every one draws one lane."""
        return self.gaps.total_variation * rows * (elements + 1) + self.delete.total_variation * ones


class Workspace:
    """Scratch memory of one thread; results never depend on it."""

    def __init__(self, width: int, longest_row: int, strip_room: int) -> None:
        self.words = np.empty(64, np.uint32)
        self.columns = np.empty(width + longest_row, np.int32)
        self.hits = np.empty(strip_room, np.int32)

    @property
    def row_scratch(self) -> tuple[NDArray[np.uint32], Integers]:
        """What the row kernels need."""
        return self.words, self.columns


class Sampler:
    """Draws samples of a noisy graph, each addressed by (purpose, sample index) alone.

    Immutable and shared between threads; every thread brings its own `workspace()`.

    Args:
        features: (N, D) clean ones.
        width: D.
        edges: (N, N) upper triangle of the clean adjacency.
        smoothing: the scheme. Channels without a law stay clean.
        seed: whole number from 0 to 2^64 − 1.
    """

    def __init__(self, features: CSR, width: int, edges: CSR, smoothing: Smoothing, seed: int) -> None:
        self.key = philox.seed_key(seed)
        self.smoothing = smoothing
        self.nodes, self.width = features.rows, width
        self.clean_features, self.clean_edges = features, edges
        sources = np.repeat(np.arange(self.nodes, dtype=np.int32), np.diff(edges.indptr))
        self.clean_graph = CSR(*adjacency(sources, edges.indices, self.nodes))
        self._bits = packed_bits(features, width)
        self._strip = STRIP * self.nodes
        self._features = _Flips.of(smoothing.law("features"), width, philox.FEATURE_ADD, philox.FEATURE_DELETE)
        self._edges = _Flips.of(smoothing.law("edges"), self._strip, philox.EDGE_ADD, philox.EDGE_DELETE)

    @property
    def noisy_features(self) -> bool:
        """Whether the features change from sample to sample."""
        return self._features is not None

    @property
    def noisy_edges(self) -> bool:
        """Whether the edges change from sample to sample."""
        return self._edges is not None

    @property
    def total_variation(self) -> float:
        """Bound on the total-variation distance between the law of one sample and the law described.

        About 1e-18 for Cora-ML; it is subtracted from every `p_lower` all the same.
        """
        total = 0.0
        if self._features is not None:
            total += self._features.total_variation(self.nodes, self.width, self.clean_features.indices.size)
        if self._edges is not None:
            strips = self.nodes // STRIP + 1
            total += self._edges.total_variation(strips, self._strip, self.clean_edges.indices.size)
        return total

    def workspace(self) -> Workspace:
        """Scratch for one thread."""
        longest = int(np.diff(self.clean_features.indptr).max(initial=0))
        return Workspace(self.width, longest, 0 if self._edges is None else self._edges.room(self._strip))

    def first_layer(self, purpose: int, sample: int, weight: Floats, out: Floats, work: Workspace) -> None:
        """out (N, H) = X̃ @ weight for one sample and a weight (D, H), never building X̃.

        Clean features count too: then the result is the same for every sample.
        """
        clean = self.clean_features
        flips = self._features or _SILENT
        first_layer(
            self.key, *flips.streams(purpose), sample, clean.indptr, clean.indices, self._bits,
            *flips.thresholds(), weight, work.row_scratch, out,
        )  # fmt: skip

    def features(self, purpose: int, sample: int, work: Workspace) -> CSR:
        """The noisy ones of the feature matrix (within a row: survivors, then additions)."""
        clean, flips = self.clean_features, self._features
        if flips is None:
            return clean
        room = clean.indices.size + flips.room(self.nodes * self.width)
        indptr = np.empty(clean.indptr.size, np.int32)
        while True:
            indices = np.empty(room, np.int32)
            total = noisy_rows(
                self.key, *flips.streams(purpose), sample, self.width, clean.indptr, clean.indices,
                self._bits, *flips.thresholds(), work.row_scratch, indptr, indices,
            )  # fmt: skip
            if total <= room:
                return CSR(indptr, indices[:total])
            room = total

    def graph(self, purpose: int, sample: int, work: Workspace) -> CSR:
        """The noisy adjacency, every undirected edge in both directions."""
        clean, flips = self.clean_edges, self._edges
        if flips is None:
            return self.clean_graph
        room = clean.indices.size + flips.room(self.nodes * self.nodes // 2)
        while True:
            sources, targets = np.empty(room, np.int32), np.empty(room, np.int32)
            total = noisy_edges(
                self.key, *flips.streams(purpose), sample, clean.indptr, clean.indices, *flips.thresholds(),
                work.words, work.hits, sources, targets,
            )  # fmt: skip
            if total < 0:
                work.hits = np.empty(-total, np.int32)
            elif total > room:
                room = total
            else:
                return CSR(*adjacency(sources[:total], targets[:total], self.nodes))


_SILENT = _Flips(gap_table(0.0, 1), bit_threshold(0.0), 0.0, philox.FEATURE_ADD, philox.FEATURE_DELETE)
