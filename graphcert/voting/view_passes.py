"""What the views of a sample need: for each the part of the graph that its nodes perceive, and the first products of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Integers
from graphcert.sampling.csr import CSR
from graphcert.sampling.csr import Integers as Places
from graphcert.sampling.local_graph import JointGraph, LocalGraph
from graphcert.sampling.sampler import Sampler, Workspace
from graphcert.sampling.versions import Layout


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
    """Views that are computed from one drawing of the features, and the first products that they need.

    Views that are computed at once have a `joint` graph, of the `members` of each, in place of `views`. `taken` are about
    the bytes that a thread takes for a pass, without the graphs.
    """

    layout: Layout
    taken: int
    views: list[View] = field(default_factory=list)
    joint: JointGraph | None = None
    members: list[Integers] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Size of the graphs in memory."""
        if self.joint is not None:
            return self.joint.bytes
        return sum({id(view.graph): view.graph.bytes for view in self.views}.values())

    @property
    def rows(self) -> int:
        """The most rows that a graph has."""
        if self.joint is not None:
            return self.joint.own.size
        return max((view.graph.sizes[-1] for view in self.views), default=0)


class ViewPasses:
    """The passes of every sample; immutable, shared by threads.

    Args:
        members: (V,) the nodes that vote in each view; a view in which nobody votes costs nothing.
        hops: rounds of message passing.
        width: bytes of one row of the table.
        whole: whether every view is to be shown whole graphs.
        joins: bytes of one row of a joint graph in the model's buffers; 0 if the model takes one view at a time.
        room: bytes that a pass may take; it is left by the view that fills it.

    Attributes:
        rows: the most rows that a graph has.
        taken: about the bytes that a thread takes for a pass, beside what all threads share.
    """

    def __init__(
        self, sampler: Sampler, members: Sequence[Integers], hops: int, width: int, whole: bool, joins: int, room: int
    ) -> None:
        self._sampler, self._members, self._hops, self._room = sampler, members, hops, room
        # Products that are not drawn version by version are all there, whatever is needed.
        self._width = width if sampler.takes_layer else 0
        self._whole = whole or (len(members) == 1 and members[0].size == sampler.nodes)
        # Noisy edges come anew with every sample: joining them would cost more than it saves.
        self._joins = 0 if self._whole or hops == 0 or sampler.noisy_edges or not sampler.takes_layer else joins
        graphs = self._same_graphs() if self._whole else self._local(0, 0, sampler.workspace())
        self._kept = self._look_through(graphs)
        if self._kept is None and sampler.noisy_edges:
            self.rows = sampler.nodes

    @property
    def joined(self) -> bool:
        """Whether the views of a pass are computed at once."""
        return self._joins > 0

    def _look_through(self, graphs: Iterable[tuple[int, LocalGraph]]) -> list[Pass] | None:
        """Find out how large passes are; return them where they are the same in all samples and not too large to keep."""
        kept, size, largest = list[Pass](), 0, 0
        same = self._whole or not self._sampler.noisy_edges
        self.rows = self.taken = 0
        for part in self._packed(graphs):
            self.rows, self.taken = max(self.rows, part.rows), max(self.taken, part.taken)
            largest = max(largest, part.bytes)
            size += part.bytes
            if same and size <= self._room:
                kept.append(part)
        if same and size <= self._room:
            return kept
        self.taken += largest
        return None

    def of(self, purpose: int, sample: int, work: Workspace) -> Iterable[Pass]:
        """The passes of one sample."""
        if self._kept is None:
            return self._packed(self._local(purpose, sample, work))
        if not self._sampler.noisy_edges:
            return self._kept
        graphs = self._sampler.graphs(purpose, sample, work)
        wholes = {id(graph): self._whole_graph(graph) for graph in graphs}
        return (
            replace(part, views=[replace(view, graph=wholes[id(graphs[view.number])]) for view in part.views])
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
        versions, chosen, size, held = self._sampler.versions, list[tuple[int, LocalGraph]](), 0, 0
        needed = versions.none_needed()
        for view, graph in graphs:
            chosen.append((view, graph))
            size += self._width * versions.need(view, graph.nodes, needed) + self._joins * (graph.indptr.size - 1)
            # Whole graphs are there anyway.
            held += 0 if self._whole else graph.bytes
            if size + held > self._room:
                yield self._pass(chosen, needed, size)
                chosen, size, held, needed = [], 0, 0, versions.none_needed()
        if chosen:
            yield self._pass(chosen, needed, size)

    def _pass(self, chosen: list[tuple[int, LocalGraph]], needed: NDArray[np.uint64], size: int) -> Pass:
        versions, views = self._sampler.versions, list[View]()
        layout = versions.layout(needed) if self._sampler.takes_layer else versions.one_below_another
        if self._joins:
            places_of = [versions.places(number, graph.nodes, layout) for number, graph in chosen]
            joint = JointGraph.of([graph for _, graph in chosen], places_of, layout.places)
            return Pass(layout, size, joint=joint, members=[self._members[number] for number, _ in chosen])
        for number, graph in chosen:
            members, places = self._members[number], versions.places(number, graph.nodes, layout)
            # With noise, the table is fresh for every sample and a model may overwrite it.
            same = self._sampler.noisy_features and self._whole and len(self._members) == 1
            rows = members if self._whole and members.size < places.size else None
            views.append(View(number, members, graph, None if same else places, rows))
        return Pass(layout, size, views)
