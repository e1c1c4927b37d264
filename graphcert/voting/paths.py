"""The ways from a sample to votes. All read the same random bits, so all see the same noisy graphs."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from graphcert.core.arrays import Integers
from graphcert.errors import ModelError
from graphcert.models.base import (
    Floats,
    SparseFirst,
    SparseFirstModel,
    edge_index_tensor,
    feature_tensor,
    padded,
    side_by_side,
)  # fmt: skip
from graphcert.sampling.csr import CSR
from graphcert.sampling.philox import CHECK
from graphcert.sampling.rows import rectified_rows
from graphcert.sampling.simd.row_sums import aligned
from graphcert.voting.cache_detection import alike, copied
from graphcert.voting.model_call import Call
from graphcert.voting.model_checks import NAN_LOGITS, check_logits
from graphcert.voting.noisy_graph import Problem, beside_strangers
from graphcert.voting.vote_sums import VoteTally


class Path(ABC):
    """Turns samples into votes; one object per thread (`fork`), because each has its own scratch memory.

    `unit` samples are computed together, at multiples of it; batches of whole units waste nothing.
    """

    name: str
    problem: Problem
    classes: int
    unit: int = 1

    @abstractmethod
    def fork(self) -> "Path":
        """Another path over the same problem and model for another thread."""

    @abstractmethod
    def shown(self, purpose: int, start: int, stop: int) -> Iterator[tuple[Integers, Floats]]:
        """(nodes, logits (N, ≥ K) that are theirs) in the samples start … stop − 1, each valid until the next ones.

        Every node comes once in every sample.
        """

    def logits(self, purpose: int, sample: int) -> Floats:
        """(N, K) logits of one sample, each node's under its own view."""
        result = np.empty((self.problem.nodes, self.classes), np.float32)
        for members, logits in self.shown(purpose, sample, sample + 1):
            result[members] = logits[members, : self.classes]
        return result

    def add_to(self, tally: VoteTally, purpose: int, start: int, stop: int) -> None:
        """Let `tally` add up what every node says in the samples start … stop − 1."""
        for members, logits in self.shown(purpose, start, stop):
            if not tally.add(logits, members):
                raise ModelError(NAN_LOGITS)

    def add_votes(self, purpose: int, start: int, stop: int, counts: Integers) -> None:
        """Add the votes of the samples start … stop − 1 to `counts` (N, K)."""
        self.add_to(VoteTally(counts), purpose, start, stop)


class GraphPath(Path):
    """A path of `model`, whose own forward pass on dense features is the classifier.

    `densified` names the operations that keep lazy features from staying sparse.
    """

    model: nn.Module
    densified: tuple[str, ...] = ()
    _ask: Call

    @abstractmethod
    def over(self, problem: Problem) -> "GraphPath":
        """The same way from samples to votes of the same model over another graph with as many nodes and features."""

    def agrees_with_torch(self) -> bool:
        """Whether this reproduces the model's own forward pass on dense noisy samples that no vote uses.

        Two samples, so that a path which keeps something of the first is noticed.
        """
        inputs, model = GenericInput(self.problem), copied(self.model)
        for sample in range(2):
            found = self.logits(CHECK, sample)
            for view, members in enumerate(self.problem.members):
                graph = sample * len(self.problem.members) + view
                expected = self._ask(model, *inputs.union(CHECK, graph, 1)).float().numpy()
                # Relative to the largest logit: small logits must not pass for equal.
                largest = np.abs(expected).max(initial=0)
                close = np.allclose(found[members], expected[members], rtol=0, atol=1e-3 * largest)
                if not np.isfinite(largest) or not close:
                    return False
        return True


class SparsePath(GraphPath):
    """Models with a sparse first layer: X̃W from the positions of the ones, then compiled kernels, sample by sample.

    `kernels` stand for a model that has none of its own: it is recognised.
    """

    name = "sparse"

    def __init__(self, problem: Problem, model: nn.Module, kernels: SparseFirst | None = None) -> None:
        self.problem, self.model, self._ask = problem, model, Call(model)
        if kernels is not None:
            self.name = "recognised"
        self._kernels: SparseFirst = kernels or cast(SparseFirstModel, model)
        weight = self._kernels.first_weight().detach()
        if weight.shape[0] != problem.x.shape[1]:
            raise ModelError(_wrong_width(problem, weight.shape[0]))
        self._weight, sampler = padded(weight, 1), problem.sampler
        self._layer = self._kernels.row_layer() if sampler.one_graph else None
        self._take_buffers()
        # Clean features need their product once. In float64, so that its rounding does not depend on threads.
        needed = sampler.shows_clean_rows or not sampler.noisy_features
        exact = problem.x.numpy().astype(np.float64) @ self._weight.astype(np.float64) if needed else None
        self._clean: Floats | None = None if exact is None else exact.astype(np.float32)
        edges = edge_index_tensor(sampler.clean_graph)
        plain = self._ask.first(copied(model), problem.x.clone(), edges)
        self.classes = check_logits(plain, problem.nodes, *problem.classes).shape[1]

    def over(self, problem: Problem) -> "SparsePath":
        """See `GraphPath.over`."""
        return SparsePath(problem, self.model, self._kernels if self.name == "recognised" else None)

    def _take_buffers(self) -> None:
        """Everything that a sample writes to."""
        kernels, sampler, nodes = self._kernels, self.problem.sampler, self.problem.nodes
        views = sampler.views
        self._work = sampler.workspace()
        self._forward = kernels.compiled_views(nodes, views.of_node) if sampler.one_graph else kernels.compiled(nodes)
        self._hidden = self._rows = aligned(views.count, nodes, self._weight.shape[1])
        if self._layer is not None:
            self._rows = aligned(nodes, side_by_side(views.count, self._layer[1].shape[0]))

    def fork(self) -> "SparsePath":
        """A path with its own buffers; weights and clean product are shared."""
        twin = copy.copy(self)
        twin._take_buffers()
        return twin

    def _first(self, purpose: int, sample: int) -> Floats:
        """The first products of all views (V, N, H), or what the row layer makes of them (N, ≥ V · K)."""
        sampler = self.problem.sampler
        if self._layer is not None and sampler.takes_layer:
            sampler.first_layer(purpose, sample, self._weight, self._rows, self._work, layer=self._layer)
            return self._rows
        if sampler.noisy_features:
            sampler.first_layer(purpose, sample, self._weight, self._hidden, self._work, self._clean)
        else:
            self._hidden[:] = self._clean
        if self._layer is not None:
            rectified_rows(self._hidden.reshape(-1, self._hidden.shape[-1]), *self._layer, self._rows)
        return self._rows

    def shown(self, purpose: int, start: int, stop: int) -> Iterator[tuple[Integers, Floats]]:
        """Sample by sample."""
        sampler, everybody = self.problem.sampler, np.arange(self.problem.nodes)
        for sample in range(start, stop):
            first, graphs = self._first(purpose, sample), sampler.graphs(purpose, sample, self._work)
            if sampler.one_graph:
                yield everybody, self._forward(first, graphs[0])
                continue
            for members, hidden, graph in zip(self.problem.members, first, graphs, strict=True):
                yield members, self._forward(hidden, graph)


class GenericInput:
    """Dense noisy graphs, several at once as one disjoint union.

    Graphs are numbered: number g is what view g mod V sees of sample g div V. To an accelerator features travel as the
    positions of what is not zero, and clean ones once.
    """

    def __init__(self, problem: Problem, device: torch.device | None = None) -> None:
        self.problem, self._device = problem, torch.device("cpu") if device is None else device
        self._travels = self._device.type != "cpu" and not problem.sampler.dense
        self._clean_x = problem.x.to(self._device)
        self.work = problem.sampler.workspace()
        self._clean = self._shown(problem.sampler.clean_graph)
        self._drawn: tuple[tuple[int, int], list[CSR]] | None = None

    def union(self, purpose: int, start: int, count: int) -> tuple[Tensor, ...]:
        """x (count · N, D), edge_index, and what edges carry, of the graphs start … start + count − 1."""
        nodes, views, edges = self.problem.nodes, self.problem.sampler.views.count, []
        for k in range(count):
            edge_index, *carried = self._edges(purpose, *divmod(start + k, views))
            edges.append((edge_index + k * nodes, *carried))
        edge_indices, *parts = zip(*edges, strict=True)
        x = self.features(purpose, start, count)
        return x, torch.cat(edge_indices, dim=1), *(torch.cat(part) for part in parts)

    def features(self, purpose: int, start: int, count: int) -> Tensor:
        """x (count · N, D) of the graphs start … start + count − 1."""
        sampler, nodes = self.problem.sampler, self.problem.nodes
        if not sampler.noisy_features:
            return self._clean_x.repeat(count, 1)
        places = [divmod(start + k, sampler.views.count) for k in range(count)]
        if self._travels:
            rows = (sampler.features(purpose, sample, self.work, view) for sample, view in places)
            return torch.cat([feature_tensor(one, sampler.columns).to(self._device).to_dense() for one in rows])
        x = torch.zeros(count * nodes, self.problem.x.shape[1])
        for k, (sample, view) in enumerate(places):
            sampler.fill_features(purpose, sample, self.work, view, x[k * nodes : (k + 1) * nodes].numpy())
        return x

    def fork(self) -> "GenericInput":
        """The same with buffers of its own."""
        return GenericInput(self.problem, self._device)

    def _shown(self, graph: CSR) -> tuple[Tensor, ...]:
        """edge_index of a graph, and what its edges carry."""
        return edge_index_tensor(graph), *self.problem.carried.on(graph, self.problem.sampler.clean_graph)

    def _edges(self, purpose: int, sample: int, view: int) -> tuple[Tensor, ...]:
        if not self.problem.sampler.noisy_edges:
            return self._clean
        # One draw gives the graphs of all views of a sample.
        if self._drawn is None or self._drawn[0] != (purpose, sample):
            self._drawn = (purpose, sample), self.problem.sampler.graphs(purpose, sample, self.work)
        return self._shown(self._drawn[1][view])


class GenericPath(GraphPath):
    """Any module called as model(x, edge_index). Always right, slower: x is dense and the model runs as torch runs it.

    Graphs are evaluated in unions of `unit` at fixed places (multiples of `unit`), whatever range is asked for: a matrix
    product may round differently for another number of rows, so the composition of a call must not depend on batch
    sizes, threads or restarts.
    """

    name = "generic"
    _union_nodes = 4096

    def __init__(self, problem: Problem, model: nn.Module, given: GenericInput | None = None) -> None:
        self.problem, self._untouched, self._ask = problem, model, Call(model, problem.carried.names)
        self._input, self.model = given or GenericInput(problem, self._ask.device), copied(model)
        first = self._ask.first(self.model, *self._input.union(CHECK, 0, 1))
        first = check_logits(first, problem.nodes, *problem.classes).clone()
        self.classes = first.shape[1]
        if not self._same(first, self._call(CHECK, 0, 1)):
            raise ModelError("the model gives different outputs for identical inputs; remove what is random in it")
        unit = max(1, self._union_nodes // problem.nodes)
        if unit > 1 and self._union_is_harmless(unit):
            self.unit = unit

    def _same(self, one: Tensor, two: Tensor) -> bool:
        """Bit for bit on a CPU; accelerators may add in any order."""
        exact = self._ask.device.type == "cpu"
        return torch.equal(one, two) if exact else torch.allclose(one, two, rtol=0, atol=1e-4 * float(one.abs().max()))

    def _union_is_harmless(self, unit: int) -> bool:
        """Whether graphs do not see each other in a union, as they would under graph-wide normalisation.

        Noisy graphs resemble each other, so what a whole graph seldom decides would pass; graphs unlike them show it.
        """
        nodes, shown = self.problem.nodes, GenericInput(self.problem, self._ask.device).union(CHECK, 0, 1)
        try:
            beside = self._ask(self.model, *beside_strangers(self.problem, shown))[nodes : 2 * nodes]
            together = torch.cat([self._call(CHECK, 0, unit), beside])
        except Exception:  # the model insists on its own number of nodes, for example with a parameter per node
            return False
        alone = [*(self._call(CHECK, k, 1) for k in range(unit)), self._ask(self.model, *shown)]
        return alike(together.float().numpy(), torch.cat(alone).float().numpy())

    def over(self, problem: Problem) -> "GenericPath":
        """See `GraphPath.over`."""
        return GenericPath(problem, self._untouched)

    def fork(self) -> "GenericPath":
        """A path with its own copy of the model: a module may keep scratch values on itself."""
        twin = copy.copy(self)
        twin.model = copied(self._untouched)
        twin._input = self._input.fork()
        return twin

    def _call(self, purpose: int, start: int, count: int) -> Tensor:
        result: Tensor = self._ask(self.model, *self._input.union(purpose, start, count))
        return result

    def shown(self, purpose: int, start: int, stop: int) -> Iterator[tuple[Integers, Floats]]:
        """Union by union; graphs of a union that belong to other samples are left out."""
        nodes, views, unit = self.problem.nodes, self.problem.sampler.views.count, self.unit
        begin, end = start * views, stop * views
        for first in range(begin - begin % unit, end, unit):
            logits = self._call(purpose, first, unit).float().numpy()
            for graph in range(max(begin, first), min(end, first + unit)):
                place = (graph - first) * nodes
                yield self.problem.members[graph % views], logits[place : place + nodes]


def _wrong_width(problem: Problem, takes: int) -> str:
    """Why a model does not fit the features that it is shown."""
    width, columns = problem.sampler.width, problem.sampler.columns
    if columns == width:
        return f"the model takes {takes} features but the data have {width}"
    return (
        f"the model takes {takes} features but hierarchical noise shows it {columns}: the {width} of the data and the "
        f"column that marks selected rows; build it with features={columns}"
    )
