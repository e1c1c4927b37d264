"""The sampler of one smoothing scheme around one clean graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from graphcert.core.arrays import Mask
from graphcert.noise import CLEAN, Scheme, Views
from graphcert.sampling import philox
from graphcert.sampling.channel import Channel, RowScratch, StripScratch
from graphcert.sampling.csr import CSR, EVERY_ROW, Floats, Integers
from graphcert.sampling.dense import DenseNoise
from graphcert.sampling.edges import STRIP, adjacency, edge_marks, noisy_edges, seen_edges
from graphcert.sampling.local_graph import SeenEdges
from graphcert.sampling.rows import RowLayer, first_layer, noisy_rows
from graphcert.sampling.selection import Selection, selection_of, show_selection, with_selection_column
from graphcert.sampling.turns import TurnNoise
from graphcert.sampling.versions import Layout, Versions

_NO_LAYER: RowLayer = (np.empty(0, np.float32), np.empty((0, 0), np.float32))


def packed_bits(ones: CSR, width: int) -> NDArray[np.uint64]:
    """(N, ⌈width / 64⌉): bit c % 64 of word c // 64 says whether column c of the row is a one."""
    bits = np.zeros((ones.rows, -(-width // 64)), np.uint64)
    row = np.repeat(np.arange(ones.rows), np.diff(ones.indptr))
    column = ones.indices.astype(np.uint64)
    np.bitwise_or.at(bits, (row, column >> np.uint64(6)), np.uint64(1) << (column & np.uint64(63)))
    return bits


@dataclass
class Workspace:
    """Scratch memory of one thread; results never depend on it."""

    rows: RowScratch | None
    strips: StripScratch | None


class Sampler:
    """Draws samples of a noisy graph, each addressed by (purpose, sample index) alone.

    Immutable and shared between threads; every thread brings its own `workspace()`. A localized scheme shows every sample
    in V views, one per kind of output; an isotropic one has V = 1. A hierarchical scheme shows D + 1 columns: the last one
    marks the rows that are selected in that view. The clean features are (N, D), D the `width`, and binary if their bits
    are flipped; `edges` (N, N) is the upper triangle of the clean adjacency, or under a directed scheme all of it, with the
    sources of edges in the row of their target.
    """

    def __init__(self, features: CSR, width: int, edges: CSR, smoothing: Scheme, seed: int) -> None:
        self.key = philox.seed_key(seed)
        self.smoothing = smoothing
        self.nodes, self.width = features.rows, width
        self.views = Views.of(smoothing, self.nodes)
        laws, seen, block = self.views.feature_laws, self.views.feature_law, self.views.block
        self.selection = selection_of(laws, seen, block, smoothing.tiles)
        rows: list[Any] = [law.row for law in laws]
        element = rows[0].element
        self._noise: DenseNoise | TurnNoise | None = None
        if element == "reals":
            self._noise = DenseNoise.of(features, width, rows, seen, block)
        elif element == "turns":
            self._noise = TurnNoise.of(features, width, rows[0])
        self._hidden = element == "rows"
        self.clean_features, self.clean_edges = features, edges
        self._rows = np.repeat(np.arange(self.nodes, dtype=np.int32), np.diff(edges.indptr))
        self._strips = np.append(edges.indptr[:-1:STRIP], edges.indices.size)
        self.clean_graph = CSR(*adjacency(self._rows, edges.indices, self.nodes, smoothing.directed)[:2])
        self._bits = packed_bits(features, width)
        self._marks = edge_marks(edges.indptr, edges.indices)
        self._strip = STRIP * self.nodes
        # Rows that are selected with different probabilities may share a law of flips.
        flips = rows if element == "bits" else [CLEAN] * len(rows)
        distinct = tuple(dict.fromkeys(flips))
        self._flip_law = np.array([distinct.index(law) for law in flips], np.int64)[seen]
        self._features = Channel.of(distinct, width, philox.FEATURE_ADD, philox.FEATURE_DELETE)
        self._edges = Channel.of(self.views.edge_laws, self._strip, philox.EDGE_ADD, philox.EDGE_DELETE)
        dropped = smoothing.dropped_nodes
        self._dropped = Selection.of([dropped], np.zeros((1, 1), np.int64), block) if dropped else None
        self._take_versions(block)

    def _take_versions(self, block: NDArray[np.int64]) -> None:
        """What the views see of rows; where rows are not drawn as versions of their own, every view sees another one."""
        shape, channel = (*self._flip_law.shape, 2), self._features
        sums = np.zeros(shape, np.int64) if channel is None else channel.sums_of_laws[self._flip_law]
        self._by_view = Versions.by_view(sums, block)
        shared = self.takes_layer or not self.noisy_features
        self.versions = Versions.distinct(sums, block) if shared else self._by_view

    @property
    def noisy_features(self) -> bool:
        """Whether the features change from sample to sample."""
        return self.smoothing.perturbs("features")

    @property
    def columns(self) -> int:
        """Number of columns of the noisy features: D, and one more under hierarchical noise."""
        return self.width + (self.selection is not None)

    @property
    def dense(self) -> bool:
        """Whether noisy rows have no zeros, so that `fill_features` is the way to draw them."""
        return self._noise is not None

    @property
    def shows_clean_rows(self) -> bool:
        """Whether `first_layer` needs the product of the clean features."""
        return self.dense or self.selection is not None

    @property
    def takes_layer(self) -> bool:
        """Whether `first_layer` can go on with a layer that follows row by row."""
        return self._features is not None and self.selection is None

    @property
    def noisy_edges(self) -> bool:
        """Whether the edges change from sample to sample."""
        return self._edges is not None or self._dropped is not None

    @property
    def edge_room(self) -> int:
        """A number of edges, undirected ones counted once, that a noisy graph hardly ever exceeds."""
        clean = self.clean_edges.indices.size
        pairs = self.nodes * self.nodes // (1 if self.smoothing.directed else 2)
        return clean if self._edges is None else clean + self._edges.room(pairs)

    @property
    def one_graph(self) -> bool:
        """Whether all views of a sample share one graph."""
        return self._edges is None or len(self.views.edge_laws) == 1

    @property
    def total_variation(self) -> float:
        """Bound on the total-variation distance between the law of one sample and the law described.

        About 1e-18 for Cora-ML; it is subtracted from every `p_lower` all the same. Noise on a lattice adds less than 1e-12
        per number. Rounding of other continuous noise is not part of it, see `graphcert.sampling.dense`.
        """
        total = 0.0 if self.selection is None else self.selection.total_variation()
        if self._noise is not None:
            total += self._noise.total_variation
        if self._features is not None:
            total += self._features.total_variation(self.nodes, self.width, self.clean_features.indices.size)
        if self._edges is not None:
            strips = self.nodes // STRIP + 1
            total += self._edges.total_variation(strips, self._strip, self.clean_edges.indices.size)
        if self._dropped is not None:
            total += self._dropped.total_variation()
        return total

    def workspace(self) -> Workspace:
        """Scratch for one thread."""
        rows = strips = None
        if self._features is not None:
            longest = int(np.diff(self.clean_features.indptr).max(initial=0))
            rows = RowScratch(self._features, self.width, longest)
        if self._edges is not None:
            strips = StripScratch(self._edges, self._strip, int(np.diff(self._strips).max()))
        return Workspace(rows, strips)

    def first_layer(
        self, purpose: int, sample: int, weight: Floats, out: Floats, work: Workspace, clean: Floats | None = None,
        layer: RowLayer | None = None, layout: Layout | None = None, slots: Integers = EVERY_ROW,
    ) -> int:  # fmt: skip
        """X̃_v @ weight for every view v of one sample, never building X̃_v; for noisy features.

        Args:
            weight: (columns, H), H a multiple of `row_sums.LANES`.
            out: (V, N, H), overwritten; or with a layer (V, N, ≥ K), its results; or with a layout (R, …), by `slots`.
            clean: (N, H) the product of the clean features, where the sampler `shows_clean_rows`.
            layer: a layer that follows row by row, where the sampler `takes_layer`.
            layout: the `versions` that are needed, where the sampler `takes_layer`; versions with equal rows share one.
            slots: (layout.places,) overwritten with the row of `out` for every place of the layout.

        Returns:
            How many rows of `out` the slots take, maybe more than it has: then enlarge it and ask again.
        """
        lower, used = weight[: self.width], 0
        selected = self._selected(purpose, sample)
        if self._noise is not None:
            assert clean is not None
            self._noise.first_layer(self.key, purpose, sample, lower, clean, out, selected)
        elif self._hidden:
            out[:] = 0
        else:
            channel, ones = self._features, self.clean_features
            assert channel is not None, "clean features need no sampling: multiply them once"
            assert work.rows is not None
            versions, layout = (self.versions, layout) if layout else (self._by_view, self._by_view.one_below_another)
            used = first_layer(
                self.key, *channel.streams(purpose), sample, layout.wanted if selected is None else selected.any(axis=0),
                ones.indptr, ones.indices, self._bits, channel.thresholds, self.views.block, versions.sums, layout.needed,
                layout.begin, layout.step, lower, work.rows.arrays, work.rows.sums(lower.shape[1]), *(layer or _NO_LAYER),
                slots, out.reshape(-1, out.shape[-1]),
            )  # fmt: skip
        if selected is not None:
            show_selection(selected, clean, weight[self.width], out)
        return used

    def _selected(self, purpose: int, sample: int) -> Mask | None:
        """(V, N) the rows that every view of a sample noises; None for all."""
        return None if self.selection is None else self.selection.rows(self.key, purpose, sample)

    def fill_features(self, purpose: int, sample: int, work: Workspace, view: int, out: Floats) -> None:
        """Write the noisy features of one view over the zeros of `out` (N, columns)."""
        if self._noise is None:
            self.features(purpose, sample, work, view).write(out)
            return
        selected = self._selected(purpose, sample)
        self._noise.fill(self.key, purpose, sample, view, out, None if selected is None else selected[view])
        if selected is not None:
            out[selected[view], self.width] = 1

    def fill_features_of_all_views(self, purpose: int, sample: int, work: Workspace, out: Floats) -> None:
        """As `fill_features` for every view, over the zeros of `out` (V, N, columns); continuous noise is drawn once."""
        if self._noise is None:
            for view in range(self.views.count):
                self.fill_features(purpose, sample, work, view, out[view])
            return
        selected = self._selected(purpose, sample)
        self._noise.fill_views(self.key, purpose, sample, out, selected)
        if selected is not None:
            out[:, :, self.width] = selected

    def features(self, purpose: int, sample: int, work: Workspace, view: int = 0) -> CSR:
        """The noisy features of one view as non-zeros, in no particular order within a row."""
        if self.dense:
            filled = np.zeros((self.nodes, self.columns), np.float32)
            self.fill_features(purpose, sample, work, view, filled)
            return CSR.of(sparse.csr_array(filled))
        of_views = self._selected(purpose, sample)
        selected = None if of_views is None else of_views[view]
        if self._hidden:
            lower = CSR(np.zeros(self.nodes + 1, np.int32), np.empty(0, np.int32))
        else:
            wanted = self._by_view.one_below_another.wanted if selected is None else selected
            lower = self._flipped_features(purpose, sample, wanted, work, view)
        return lower if selected is None else with_selection_column(selected, lower, self.clean_features, self.width)

    def _flipped_features(self, purpose: int, sample: int, wanted: Mask, work: Workspace, view: int) -> CSR:
        """The ones of the wanted rows (N,) under flips (within a row: survivors, then additions)."""
        channel, clean = self._features, self.clean_features
        if channel is None:
            return clean
        assert work.rows is not None
        ranks = channel.ranks[self._flip_law[view]]
        room = clean.indices.size + channel.room(self.nodes * self.width)
        indptr = np.empty(clean.indptr.size, np.int32)
        while True:
            indices = np.empty(room, np.int32)
            total = noisy_rows(
                self.key, *channel.streams(purpose), sample, wanted, self.width, clean.indptr, clean.indices, self._bits,
                channel.thresholds, self.views.block, ranks, work.rows.arrays, indptr, indices,
            )  # fmt: skip
            if total <= room:
                return CSR(indptr, indices[:total])
            room = total

    def graphs(self, purpose: int, sample: int, work: Workspace) -> list[CSR]:
        """The noisy adjacency of every view, sources in the row of their target; undirected edges in both directions."""
        channel, directed = self._edges, self.smoothing.directed
        if not self.noisy_edges:
            return [self.clean_graph] * self.views.count
        *edges, classes = self._noisy_edges(purpose, sample, work)
        if channel is None or self.one_graph:
            return [CSR(*adjacency(*edges, self.nodes, directed)[:2])] * self.views.count
        graphs = []
        for laws in self.views.edge_law:
            seen = np.empty((2, classes.size), np.int32)
            number = seen_edges(*edges, classes, channel.ranks, channel.deletions, self.views.block, laws, *seen)
            graphs.append(CSR(*adjacency(*seen[:, :number], self.nodes, directed)[:2]))
        return graphs

    def seen_edges(self, purpose: int, sample: int, work: Workspace) -> SeenEdges:
        """The noisy adjacencies of all views in one."""
        channel, laws, block = self._edges, self.views.edge_law, self.views.block
        if channel is None or self.one_graph:
            graph = self.graphs(purpose, sample, work)[0]
            return SeenEdges(graph, None, np.zeros_like(laws), np.zeros((1, 2), np.int64), block)
        *edges, classes = self._noisy_edges(purpose, sample, work)
        indptr, indices, of_entry = adjacency(*edges, self.nodes, self.smoothing.directed, classes)
        return SeenEdges(CSR(indptr, indices), of_entry, laws, channel.classes_of_laws, block)

    def _noisy_edges(self, purpose: int, sample: int, work: Workspace) -> tuple[Integers, ...]:
        """The edges of a sample at any level and their classes, see `edges.noisy_edges`, without those of dropped nodes."""
        if self._edges is None:
            edges: tuple[Integers, ...] = (self._rows, self.clean_edges.indices, np.zeros_like(self._rows))
        else:
            edges = self._flipped_edges(self._edges, purpose, sample, work)
        if self._dropped is None:
            return edges
        (dropped,) = self._dropped.rows(self.key, purpose, sample, philox.DROP)
        kept = ~(dropped[edges[0]] | dropped[edges[1]])
        return tuple(part[kept] for part in edges)

    def _flipped_edges(self, channel: Channel, purpose: int, sample: int, work: Workspace) -> tuple[Integers, ...]:
        """The same before any node is dropped."""
        assert work.strips is not None
        clean, directed, room = self.clean_edges, self.smoothing.directed, self.edge_room
        while True:
            firsts, seconds, classes = (np.empty(room, np.int32) for _ in range(3))
            count = noisy_edges(
                self.key, *channel.streams(purpose), sample, directed, clean.indptr, clean.indices, self._rows, self._strips,
                self._marks, channel.thresholds, work.strips.arrays, firsts, seconds, classes,
            )  # fmt: skip
            if count < 0:
                work.strips.grow(-count)
            elif count > room:
                room = count
            else:
                return firsts[:count], seconds[:count], classes[:count]

    def graph(self, purpose: int, sample: int, work: Workspace, view: int = 0) -> CSR:
        """The noisy adjacency of one view."""
        return self.graphs(purpose, sample, work)[view]
