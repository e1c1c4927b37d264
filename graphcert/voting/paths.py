"""The two ways from a sample to votes. Both read the same random bits, so both see the same noisy graphs."""

import copy
from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graphcert.errors import ModelError
from graphcert.models.base import Floats, SparseFirstModel, padded
from graphcert.models.kernels import cast_votes
from graphcert.models.tensors import edge_index_tensor
from graphcert.sampling.philox import CHECK
from graphcert.voting.inspection import NAN_LOGITS, check_logits
from graphcert.voting.problem import Problem

Counts = NDArray[np.int64]


class Path(ABC):
    """Turns samples into votes; one object per thread (`fork`), because each has its own scratch memory.

    Attributes:
        unit: samples that are computed together, at multiples of it; batches of whole units waste nothing.
    """

    name: str
    classes: int
    problem: Problem
    unit: int = 1

    @abstractmethod
    def fork(self) -> "Path":
        """Another path over the same problem and model for another thread."""

    @abstractmethod
    def logits(self, purpose: int, sample: int) -> Floats:
        """(N, K) logits of one sample."""

    @abstractmethod
    def add_votes(self, purpose: int, start: int, stop: int, counts: Counts) -> None:
        """Add the votes of the samples start … stop − 1 to `counts` (N, K)."""


class SparsePath(Path):
    """Models with a sparse first layer: X̃W from the positions of the ones, then compiled kernels, sample by sample."""

    name = "sparse"

    def __init__(self, problem: Problem, model: SparseFirstModel) -> None:
        self.problem, self.model = problem, model
        weight = model.first_weight().detach()
        if weight.shape[0] != problem.x.shape[1]:
            raise ModelError(f"the model takes {weight.shape[0]} features but the data have {problem.x.shape[1]}")
        self._weight = padded(weight, 1)
        self._work = problem.sampler.workspace()
        self._forward = model.compiled(problem.nodes)
        self._hidden = np.empty((problem.nodes, self._weight.shape[1]), np.float32)
        # Clean features need their product once. In float64, so that its rounding does not depend on threads.
        self._clean = None if problem.sampler.noisy_features else _product(problem.x, self._weight)
        self.classes = check_logits(self._plain_logits(), problem.nodes, problem.classes).shape[1]

    def _plain_logits(self) -> Tensor:
        with torch.inference_mode():
            device = self.model.first_weight().device
            edges = edge_index_tensor(self.problem.sampler.clean_graph)
            result: Tensor = self.model(self.problem.x.to(device), edges.to(device)).cpu()
            return result

    def fork(self) -> "SparsePath":
        """A path with its own buffers; weights and clean product are shared."""
        twin = copy.copy(self)
        twin._work = self.problem.sampler.workspace()
        twin._forward = self.model.compiled(self.problem.nodes)
        twin._hidden = np.empty_like(self._hidden)
        return twin

    def _padded_logits(self, purpose: int, sample: int) -> Floats:
        sampler = self.problem.sampler
        if self._clean is None:
            sampler.first_layer(purpose, sample, self._weight, self._hidden, self._work)
        else:
            self._hidden[:] = self._clean
        return self._forward(self._hidden, sampler.graph(purpose, sample, self._work))

    def logits(self, purpose: int, sample: int) -> Floats:
        """(N, K) logits of one sample."""
        return self._padded_logits(purpose, sample)[:, : self.classes].copy()

    def add_votes(self, purpose: int, start: int, stop: int, counts: Counts) -> None:
        """Add votes sample by sample."""
        for sample in range(start, stop):
            if not cast_votes(self._padded_logits(purpose, sample), self.classes, counts):
                raise ModelError(NAN_LOGITS)

    def agrees_with_torch(self) -> bool:
        """Whether the kernels reproduce the model's own forward pass on a noisy sample that no vote uses."""
        device = self.model.first_weight().device
        x, edges = GenericInput(self.problem).union(CHECK, 0, 1)
        with torch.inference_mode():
            expected = self.model(x.to(device), edges.to(device)).cpu().numpy()
        # Relative to the largest logit: small logits must not pass for equal.
        largest = np.abs(expected).max(initial=0)
        return bool(np.isfinite(largest) and np.allclose(self.logits(CHECK, 0), expected, rtol=0, atol=1e-3 * largest))


class GenericInput:
    """Dense noisy graphs, several at once as one disjoint union."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.work = problem.sampler.workspace()
        self.clean_edges = edge_index_tensor(problem.sampler.clean_graph)

    def union(self, purpose: int, start: int, count: int) -> tuple[Tensor, Tensor]:
        """x (count · N, D) and edge_index of the samples start … start + count − 1."""
        sampler, nodes = self.problem.sampler, self.problem.nodes
        x = torch.zeros(count * nodes, self.problem.x.shape[1])
        edges = []
        for k in range(count):
            rows = x[k * nodes : (k + 1) * nodes]
            if sampler.noisy_features:
                ones = sampler.features(purpose, start + k, self.work)
                targets = np.repeat(np.arange(nodes), np.diff(ones.indptr))
                rows.numpy()[targets, ones.indices] = 1
            else:
                rows.copy_(self.problem.x)
            clean = not sampler.noisy_edges
            graph = self.clean_edges if clean else edge_index_tensor(sampler.graph(purpose, start + k, self.work))
            edges.append(graph + k * nodes)
        return x, torch.cat(edges, dim=1)


class GenericPath(Path):
    """Any module called as model(x, edge_index). Always right, slower: x is dense and the model runs as torch runs it.

    Samples are evaluated in unions of `unit` graphs at fixed places (multiples of `unit`), whatever range is asked for:
    a matrix product may round differently for another number of rows, so the composition of a call must not depend on
    batch sizes, threads or restarts.
    """

    name = "generic"
    _union_nodes = 4096

    def __init__(self, problem: Problem, model: nn.Module) -> None:
        self.problem, self.model = problem, model
        tensors = [*model.parameters(), *model.buffers()]
        self._device = tensors[0].device if tensors else torch.device("cpu")
        self._input = GenericInput(problem)
        first = self._call(CHECK, 0, 1)
        self.classes = check_logits(first, problem.nodes, problem.classes).shape[1]
        if not self._same(first, self._call(CHECK, 0, 1)):
            raise ModelError("the model gives different outputs for identical inputs; remove what is random in it")
        self.unit = 1
        unit = max(1, self._union_nodes // problem.nodes)
        if unit > 1 and self._union_is_harmless(unit):
            self.unit = unit

    def _same(self, one: Tensor, two: Tensor) -> bool:
        """Bit for bit on a CPU; accelerators may add in any order."""
        if self._device.type == "cpu":
            return torch.equal(one, two)
        return torch.allclose(one, two, rtol=1e-4, atol=1e-4)

    def _union_is_harmless(self, unit: int) -> bool:
        """Whether graphs do not see each other in a union, as they would under graph-wide normalisation."""
        try:
            together = self._call(CHECK, 0, unit)
        except Exception:  # the model insists on its own number of nodes, for example with a parameter per node
            return False
        alone = torch.cat([self._call(CHECK, k, 1) for k in range(unit)])
        return together.shape == alone.shape and torch.allclose(together, alone, rtol=1e-4, atol=1e-4)

    def fork(self) -> "GenericPath":
        """A path with its own copy of the model: a module may keep scratch values on itself."""
        twin = copy.copy(self)
        twin.model = copy.deepcopy(self.model)
        twin._input = GenericInput(self.problem)
        return twin

    def _call(self, purpose: int, start: int, count: int) -> Tensor:
        x, edges = self._input.union(purpose, start, count)
        with torch.inference_mode():
            result: Tensor = self.model(x.to(self._device), edges.to(self._device))
        return result.cpu() if isinstance(result, Tensor) else result

    def logits(self, purpose: int, sample: int) -> Floats:
        """(N, K) logits of one sample."""
        first = sample - sample % self.unit
        nodes = self.problem.nodes
        at = (sample - first) * nodes
        array: Floats = self._call(purpose, first, self.unit)[at : at + nodes].float().numpy()
        return array

    def add_votes(self, purpose: int, start: int, stop: int, counts: Counts) -> None:
        """Add votes union by union; the samples of a union outside start … stop − 1 do not vote."""
        nodes = self.problem.nodes
        for first in range(start - start % self.unit, stop, self.unit):
            logits = self._call(purpose, first, self.unit).float().numpy()
            for k in range(max(start, first) - first, min(stop, first + self.unit) - first):
                if not cast_votes(logits[k * nodes : (k + 1) * nodes], self.classes, counts):
                    raise ModelError(NAN_LOGITS)


def _product(x: Tensor, weight: Floats) -> Floats:
    """x @ weight in float64, rounded once."""
    product: Floats = (x.numpy().astype(np.float64) @ weight.astype(np.float64)).astype(np.float32)
    return product
