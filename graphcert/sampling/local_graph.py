"""The part of a noisy graph that the logits of some nodes depend on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Integers as Nodes
from graphcert.core.compiled import kernel
from graphcert.sampling.csr import CSR, EVERY_ROW, Integers


@dataclass(frozen=True, eq=False, kw_only=True)
class LocalGraph(CSR):
    """What some nodes, the members, perceive in k rounds of message passing; nodes are numbered by distance from them.

    Row r of the matrix belongs to `nodes[r]`; the columns are such numbers too. A model computes after round l = 1 … k the
    rows below sizes[k − l] from those below sizes[k − l + 1]. Rows nearer than k hops have all their neighbours, in the
    order of the whole graph; the outermost ring has no rows: `indptr` has sizes[k − 1] + 1 entries, or 1 if k = 0.

    Attributes:
        nodes: (sizes[k],) the nodes, members first and in their order.
        sizes: k + 1 numbers of nodes, sizes[h] of those within h hops of the members.
        degrees: (sizes[k],) the number of neighbours in the whole graph, also of the outermost ring.
    """

    nodes: Integers
    sizes: tuple[int, ...]
    degrees: Integers

    @staticmethod
    def whole(graph: CSR, hops: int) -> "LocalGraph":
        """All of a graph, for so many rounds; every node is a member."""
        nodes = np.arange(graph.rows, dtype=np.int32)
        degrees = np.diff(graph.indptr)
        return LocalGraph(graph.indptr, graph.indices, nodes=nodes, sizes=(nodes.size,) * (hops + 1), degrees=degrees)

    def receivers(self, left: int) -> Integers:
        """The `indptr` of the rows that are computed when so many rounds are left after the present one."""
        return self.indptr[: self.sizes[left] + 1]

    def round(self, left: int) -> "Round":
        """What the rows are computed from in the round after which so many are left."""
        return Round(self.receivers(left), self.indices, EVERY_ROW)

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return sum(part.nbytes for part in (self.indptr, self.indices, self.nodes, self.degrees))


class Round(NamedTuple):
    """One round of message passing: row r gets the messages of senders[indptr[r] : indptr[r + 1]].

    `own` (rows,) says where its input has row r itself; it is empty where that is row r.
    """

    indptr: Integers
    senders: Integers
    own: Integers


@dataclass(frozen=True, eq=False)
class JointGraph:
    """The local graphs of several views at once, k ≥ 1 rounds; views read the first products of a node from one table.

    Rows are numbered as in a `LocalGraph`: first the members of all views, one view after another, then what is one hop
    away in some view, and so on. A row is a node in a view. Within a ring the rows of one node stand together, so that what
    they read is read from memory once. The outermost ring has no rows but places in the table.

    Attributes:
        indptr, indices: all rounds but the first; `indices` ends where the rows of the second round do.
        senders: the first round's; they are places.
        own: (sizes[k − 1],) every row's own place.
        sizes: k + 1 numbers; sizes[h] of rows within h hops, sizes[k] of places.
        degrees: (sizes[k],) the number of neighbours of the node of every place.
    """

    indptr: Integers
    indices: Integers
    senders: Integers
    own: Integers
    sizes: tuple[int, ...]
    degrees: Integers

    @staticmethod
    def of(graphs: Sequence[LocalGraph], places: Sequence[Integers], table: int) -> "JointGraph":
        """Join graphs whose node r has its first product at places[v][r] of a table of so many places."""
        hops = len(graphs[0].sizes) - 1
        numbers = [np.empty(graph.sizes[hops - 1], np.int32) for graph in graphs]
        sizes = [0]
        for hop in range(hops):
            rings = [slice(graph.sizes[hop - 1] if hop else 0, graph.sizes[hop]) for graph in graphs]
            nodes = np.concatenate([graph.nodes[ring] for graph, ring in zip(graphs, rings, strict=True)])
            fresh = np.empty(nodes.size, np.int32)
            order = np.argsort(nodes, kind="stable") if hop else slice(None)
            fresh[order] = np.arange(sizes[-1], sizes[-1] + nodes.size)
            done = 0
            for number_of, ring in zip(numbers, rings, strict=True):
                number_of[ring] = fresh[done : done + ring.stop - ring.start]
                done += ring.stop - ring.start
            sizes.append(sizes[-1] + nodes.size)
        rows, degrees = sizes[hops], np.empty(table, np.int32)
        indptr, own = np.zeros(rows + 1, np.int32), np.empty(rows, np.int32)
        for graph, numbered in zip(graphs, numbers, strict=True):
            indptr[numbered + 1] = np.diff(graph.indptr)
        np.cumsum(indptr, out=indptr)
        indices, senders = np.empty(indptr[sizes[hops - 1]], np.int32), np.empty(indptr[rows], np.int32)
        for graph, numbered, place in zip(graphs, numbers, places, strict=True):
            degrees[place] = graph.degrees
            join(graph.indptr, graph.indices, numbered, place, indptr, indices, senders, own)
        return JointGraph(indptr, indices, senders, own, (*sizes[1:], table), degrees)

    def round(self, left: int) -> Round:
        """See `LocalGraph.round`."""
        if left == len(self.sizes) - 2:
            return Round(self.indptr, self.senders, self.own)
        return Round(self.indptr[: self.sizes[left] + 1], self.indices, EVERY_ROW)

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return sum(part.nbytes for part in (self.indptr, self.indices, self.senders, self.own, self.degrees))


@dataclass(frozen=True, eq=False)
class SeenEdges:
    """Noisy adjacencies of several views in one, of which a view sees the entries of some classes.

    Attributes:
        graph: every edge that some view sees, in its row's order.
        classes: (nnz,) the class of every entry; None if all views see all of them.
        laws: (V, J, J) the law that a view puts on pairs of blocks.
        limits: (laws, 2) the first and the last class that is seen under a law.
        block: (N,) the block of every node.
    """

    graph: CSR
    classes: Integers | None
    laws: NDArray[np.int64]
    limits: NDArray[np.int64]
    block: NDArray[np.int64]

    def around(self, members: Sequence[Nodes], hops: int) -> Iterator[tuple[int, "LocalGraph"]]:
        """For each view that somebody votes in its number and the local graph of these `members`."""
        rows, entries = self.graph.rows, self.graph.indices.size
        place, nodes, degrees = np.full(rows, -1, np.int32), np.empty(rows, np.int32), np.empty(rows, np.int32)
        indptr, indices = np.empty(rows + 1, np.int32), np.empty(entries, np.int32)
        sizes = np.empty(hops + 1, np.int64)
        for view, own in enumerate(members):
            if own.size == 0:
                continue
            inner, found = explore(
                self.graph.indptr, self.graph.indices, self.classes, self.laws[view], self.limits, self.block, own, place,
                nodes, sizes, indptr, indices, degrees,
            )  # fmt: skip
            outer = int(sizes[hops])
            yield view, LocalGraph(
                indptr[: inner + 1].copy(), indices[:found].copy(), nodes=nodes[:outer].copy(),
                sizes=tuple(sizes.tolist()), degrees=degrees[:outer].copy(),
            )  # fmt: skip


@kernel
def explore(  # type: ignore[no-untyped-def]
    indptr, indices, classes, laws, limits, block, members, place, nodes, sizes, local_indptr, local_indices, degrees
):
    """Breadth-first search from `members`, for the arrays of a `LocalGraph`; see `SeenEdges` for what is read.

    `place` (N,) int32 is −1 everywhere, before and after. Written are the beginnings of `nodes`, `degrees` (N,),
    `local_indptr` (N + 1,) and `local_indices` (nnz,), all int32, and `sizes` (k + 1,). Returns (rows, entries).
    """
    count, at, done = 0, 0, 0
    for node in members:
        place[node] = count
        nodes[count] = node
        count += 1
    sizes[0] = count
    for hop in range(1, sizes.size):
        begin = at
        for r in range(done, sizes[hop - 1]):
            i = nodes[r]
            local_indptr[r] = at
            for entry in range(indptr[i], indptr[i + 1]):
                j = indices[entry]
                if classes is not None and not is_seen(classes[entry], limits[laws[block[i], block[j]]]):
                    continue
                if place[j] == -1:
                    place[j] = -2
                    nodes[count] = j
                    count += 1
                local_indices[at] = j
                at += 1
            degrees[r] = at - local_indptr[r]
        sizes[hop] = count
        number(place, nodes, sizes[hop - 1], count)
        for entry in range(begin, at):
            local_indices[entry] = place[local_indices[entry]]
        done = sizes[hop - 1]
    local_indptr[done] = at
    for r in range(done, count):
        i = nodes[r]
        degrees[r] = indptr[i + 1] - indptr[i]
        if classes is not None:
            for entry in range(indptr[i], indptr[i + 1]):
                degrees[r] -= not is_seen(classes[entry], limits[laws[block[i], block[indices[entry]]]])
    for r in range(count):
        place[nodes[r]] = -1
    return done, at


@kernel
def join(local_indptr, local_indices, numbers, places, indptr, indices, senders, own):  # type: ignore[no-untyped-def]
    """Write the rows of one local graph into the arrays of a `JointGraph`: row r is its row numbers[r]."""
    for r in range(numbers.size):
        row = numbers[r]
        own[row] = places[r]
        for k in range(local_indptr[r + 1] - local_indptr[r]):
            column, at = local_indices[local_indptr[r] + k], indptr[row] + k
            senders[at] = places[column]
            if at < indices.size:
                indices[at] = numbers[column]


@kernel
def number(place, nodes, start, stop):  # type: ignore[no-untyped-def]
    """Put nodes[start:stop], those whose `place` is −2, into ascending order, as tables are read, and note their places."""
    if start == stop:
        return
    ring = nodes[start:stop]
    low, high = ring.min(), ring.max()
    if high - low < _SPARSE * ring.size:
        at = start
        for j in range(low, high + 1):
            if place[j] == -2:
                nodes[at] = j
                place[j] = at
                at += 1
        return
    ring.sort()
    for r in range(start, stop):
        place[nodes[r]] = r


_SPARSE = 16
"""A ring with one in so many nodes or more is put into order by looking at all of them."""


@kernel
def is_seen(of_entry, limits):  # type: ignore[no-untyped-def]
    """Whether a class lies within (first, last)."""
    return limits[0] <= of_entry and of_entry <= limits[1]
