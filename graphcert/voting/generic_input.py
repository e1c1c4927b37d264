"""Noisy graphs as a model is shown them, several at once, on its device."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphcert.sampling.csr import CSR
from graphcert.voting.device import Device, Positions, dense_rows, row_numbers
from graphcert.voting.noisy_graph import Problem

Place = tuple[int, int]
"""(sample, view)"""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Graphs start … start + count − 1 on their way to the device.

    Attributes:
        rows: their features below each other, as positions or dense; nothing if no noise changes them.
        edges: one graph of all as positions, and what its edges carry; nothing if no noise changes them.
    """

    purpose: int
    start: int
    count: int
    rows: tuple[Tensor, ...]
    edges: tuple[Tensor, ...]


class GenericInput:
    """Dense noisy graphs, several at once as one disjoint union.

    Graphs are numbered: number g is what view g mod V sees of sample g div V. To an accelerator features and edges travel as
    the positions of what is not zero, and clean ones once.
    """

    def __init__(self, problem: Problem, device: Device | None = None) -> None:
        self.problem, self.device = problem, device or Device()
        # Whether features are drawn as positions.
        self._travels = self.device.far and not problem.sampler.dense
        self.work = problem.sampler.workspace()
        self._clean_edges = self._arrived(self._with_values([problem.sampler.clean_graph]))
        self._last: tuple[tuple[int, int], list[CSR]] | None = None
        self._clean_x: Tensor | None = None

    def union(self, purpose: int, start: int, count: int) -> tuple[Tensor, ...]:
        """x (count · N, D), edge_index, and what edges carry, of the graphs start … start + count − 1."""
        return self.shown(self.draw(purpose, start, count))

    def draw(self, purpose: int, start: int, count: int) -> Drawn:
        """Draw graphs and let them begin to travel; `shown` shows them."""
        sampler = self.problem.sampler
        places = [divmod(start + k, sampler.views.count) for k in range(count)]
        rows = self._rows(purpose, places) if sampler.noisy_features else ()
        edges = self._with_values([self._graph(purpose, place) for place in places]) if sampler.noisy_edges else ()
        return Drawn(purpose, start, count, *(tuple(map(self.device.send, part)) for part in (rows, edges)))

    def shown(self, drawn: Drawn) -> tuple[Tensor, ...]:
        """What a model is shown of graphs that were drawn."""
        self.device.wait((*drawn.rows, *drawn.edges))
        if drawn.edges:
            indptr, indices, *carried = drawn.edges
            return self._x(drawn), _edge_index(indptr, indices), *carried
        indptr, indices, *carried = self._clean_edges
        once, nodes = _edge_index(indptr, indices), self.problem.nodes
        edges = torch.cat([once + k * nodes for k in range(drawn.count)], dim=1)
        return self._x(drawn), edges, *(torch.cat([part] * drawn.count) for part in carried)

    def fork(self) -> "GenericInput":
        """The same with buffers of its own."""
        return type(self)(self.problem, self.device.fork())

    def features(self, purpose: int, start: int, count: int) -> Tensor:
        """x (count · N, D) of graphs, dense; noisy features are on the CPU, where they were drawn."""
        sampler, nodes = self.problem.sampler, self.problem.nodes
        if not sampler.noisy_features:
            return self._clean_features().repeat(count, 1)
        self.problem.check_dense(count)
        x = torch.zeros(count * nodes, sampler.columns)
        for k in range(count):
            sample, view = divmod(start + k, sampler.views.count)
            sampler.fill_features(purpose, sample, self.work, view, x[k * nodes : (k + 1) * nodes].numpy())
        return x

    def _rows(self, purpose: int, places: list[Place]) -> tuple[Tensor, ...]:
        """What travels of the features of some graphs."""
        sampler = self.problem.sampler
        if self._travels:
            drawn = (sampler.features(purpose, sample, self.work, view) for sample, view in places)
            return _positions(stacked(list(drawn)))
        (sample, view), count = places[0], len(places)
        return (self.features(purpose, sample * sampler.views.count + view, count),)

    def _x(self, drawn: Drawn) -> Tensor:
        """x of graphs that have arrived."""
        if not drawn.rows:
            return self._clean_features().repeat(drawn.count, 1)
        return dense_rows(drawn.rows, self.problem.sampler.columns) if self._travels else drawn.rows[0]

    def _clean_features(self) -> Tensor:
        """(N, D) the clean features on the device, dense."""
        if self._clean_x is None:
            sampler, problem = self.problem.sampler, self.problem
            self._clean_x = dense_rows(self._clean_positions(), sampler.columns) if self.device.far else problem.dense_x
        return self._clean_x

    def _clean_positions(self) -> Positions:
        return self._arrived(_positions(self.problem.sampler.clean_features))

    def _arrived(self, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Tensors on the device that may be read."""
        sent = tuple(map(self.device.send, parts))
        self.device.wait(sent)
        return sent

    def _with_values(self, graphs: list[CSR]) -> tuple[Tensor, ...]:
        """The positions of a union of graphs, and what its edges carry."""
        carried = [self.problem.carried.on(graph, self.problem.sampler.clean_graph) for graph in graphs]
        union = stacked(graphs, self.problem.nodes)
        return *_positions(union), *(torch.cat(part) for part in zip(*carried, strict=True))

    def _graph(self, purpose: int, place: Place) -> CSR:
        sample, view = place
        # One draw gives the graphs of all views of a sample.
        if self._last is None or self._last[0] != (purpose, sample):
            self._last = (purpose, sample), self.problem.sampler.graphs(purpose, sample, self.work)
        return self._last[1][view]


def stacked(parts: list[CSR], shift: int = 0) -> CSR:
    """Sparse matrices below each other, the columns of each one moved on by `shift`."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([0, *(part.indices.size for part in parts[:-1])], dtype=np.int32)
    pointers = [part.indptr[1:] + end for part, end in zip(parts, ends, strict=True)]
    indices = [part.indices + np.int32(k * shift) for k, part in enumerate(parts)]
    values = None
    if any(part.values is not None for part in parts):
        values = np.concatenate([np.ones(p.indices.size, np.float32) if p.values is None else p.values for p in parts])
    return CSR(np.concatenate([np.zeros(1, np.int32), *pointers]), np.concatenate(indices), values)


def _positions(matrix: CSR) -> Positions:
    parts = (matrix.indptr, matrix.indices) if matrix.values is None else (matrix.indptr, matrix.indices, matrix.values)
    return tuple(map(torch.from_numpy, parts))


def _edge_index(indptr: Tensor, indices: Tensor) -> Tensor:
    """Sources over targets of every edge, int64, grouped by target."""
    return torch.stack([indices.long(), row_numbers(indptr, indices.numel())])
