"""What the views of a sample need: for each the part of the graph that its nodes perceive, and the first products of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Integers
from graphcert.sampling.csr import CSR
from graphcert.sampling.csr import Integers as Places
from graphcert.sampling.local_graph import LocalGraph
from graphcert.sampling.sampler import Sampler, Workspace
from graphcert.sampling.versions import Layout

ROOM = 2**30
"""Bytes of first products and local graphs that a thread holds before it takes the rest of the views in another pass."""


@dataclass(frozen=True, eq=False)
class View:
    """One view of a sample.

    Attributes:
        number: of the view.
        members: (M,) the nodes that vote.
        graph: what they perceive, or all of the graph.
        places: where the table of first products has the rows of the graph's nodes; None for the table as it is.
        chosen: rows of the logits that are the members'; None for all.
    """

    number: int
    members: Integers
    graph: LocalGraph
    places: Places | None
    chosen: Integers | None


@dataclass(frozen=True, eq=False)
class Pass:
    """Views that are computed from one drawing of the features, and the first products that they need."""

    views: list[View]
    layout: Layout


class ViewPasses:
    """The passes of every sample; immutable, shared by threads.

    Args:
        members: (V,) the nodes that vote in each view; a view in which nobody votes costs nothing.
        hops: rounds of message passing.
        width: bytes of one row of the table.
        whole: whether every view is to be shown whole graphs.
    """

    def __init__(self, sampler: Sampler, members: Sequence[Integers], hops: int, width: int, whole: bool) -> None:
        self._sampler, self._members, self._hops, self._width = sampler, members, hops, width
        self._whole = whole or (len(members) == 1 and members[0].size == sampler.nodes)
        self._kept: list[Pass] | None = None
        if self._whole or not sampler.noisy_edges:
            graphs = self._same_graphs() if self._whole else self._local(0, 0, sampler.workspace())
            kept = list(self._packed(graphs))
            # What takes several passes is too large to be kept.
            self._kept = kept if self._whole or len(kept) < 2 else None

    @property
    def rows(self) -> int:
        """The most rows that a view has."""
        if self._kept is None:
            return self._sampler.nodes
        return max((view.graph.sizes[-1] for part in self._kept for view in part.views), default=0)

    def of(self, purpose: int, sample: int, work: Workspace) -> Iterable[Pass]:
        """The passes of one sample."""
        if self._kept is None:
            return self._packed(self._local(purpose, sample, work))
        if not self._sampler.noisy_edges:
            return self._kept
        graphs = [self._whole_graph(graph) for graph in self._sampler.graphs(purpose, sample, work)]
        return (
            replace(part, views=[replace(view, graph=graphs[view.number]) for view in part.views])
            for part in self._kept
        )

    def _whole_graph(self, graph: CSR) -> LocalGraph:
        return LocalGraph.whole(graph, self._hops)

    def _same_graphs(self) -> Iterator[tuple[int, LocalGraph]]:
        """The whole clean graph for every view: whatever the noise, it has the nodes that a view sees."""
        clean = self._whole_graph(self._sampler.clean_graph)
        return ((view, clean) for view, members in enumerate(self._members) if members.size)

    def _local(self, purpose: int, sample: int, work: Workspace) -> Iterator[tuple[int, LocalGraph]]:
        return self._sampler.seen_edges(purpose, sample, work).around(self._members, self._hops)

    def _packed(self, graphs: Iterable[tuple[int, LocalGraph]]) -> Iterator[Pass]:
        """Passes of as many views as the room allows, and of the one that fills it."""
        versions, taken, size = self._sampler.versions, list[tuple[int, LocalGraph]](), 0
        needed = versions.none_needed()
        for view, graph in graphs:
            taken.append((view, graph))
            size += self._width * versions.need(view, graph.nodes, needed) + graph.bytes
            if size > ROOM:
                yield self._pass(taken, needed)
                taken, size, needed = [], 0, versions.none_needed()
        if taken:
            yield self._pass(taken, needed)

    def _pass(self, taken: list[tuple[int, LocalGraph]], needed: NDArray[np.uint64]) -> Pass:
        versions, views = self._sampler.versions, list[View]()
        layout = versions.layout(needed) if self._sampler.takes_layer else versions.one_below_another()
        for number, graph in taken:
            members, places = self._members[number], versions.places(number, graph.nodes, layout)
            # With noise, the table is fresh for every sample and a model may overwrite it.
            same = self._sampler.noisy_features and self._whole and len(self._members) == 1
            chosen = members if self._whole and members.size < places.size else None
            views.append(View(number, members, graph, None if same else places, chosen))
        return Pass(views, layout)
