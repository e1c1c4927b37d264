"""The ways from a sample to votes. All read the same random bits, so all see the same noisy graphs."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor, nn

from graphcert.core.arrays import Integers
from graphcert.errors import ModelError
from graphcert.models.base import Floats, SparseFirstModel
from graphcert.sampling.philox import CHECK
from graphcert.voting.cache_detection import alike, copied
from graphcert.voting.device import Device
from graphcert.voting.footprint import arrays_in, call_bytes
from graphcert.voting.generic_input import Drawn, GenericInput
from graphcert.voting.model_call import Call
from graphcert.voting.model_checks import NAN_LOGITS, check_logits
from graphcert.voting.noisy_graph import Problem, beside_strangers
from graphcert.voting.sparse_input import SparseInput
from graphcert.voting.vote_sums import VoteTally


class Path(ABC):
    """Turns samples into votes; one object per thread (`fork`), because each has its own scratch memory.

    `unit` samples are computed together, at multiples of it; batches of whole units waste nothing. `members` are the nodes
    that vote in each view: all, or those of `only`.
    """

    name: str
    problem: Problem
    members: list[Integers]
    classes: int
    unit: int = 1

    @abstractmethod
    def fork(self) -> "Path":
        """Another path over the same problem and model for another thread."""

    def only(self, nodes: Integers | None) -> "Path":
        """The same path, with scratch memory of its own, on which only these nodes vote, to the bit as on the whole path.

        All nodes vote if it is None.
        """
        twin = self.fork()
        twin.members = self._voters(nodes)
        return twin

    def _voters(self, nodes: Integers | None) -> list[Integers]:
        """Those of the given nodes (M,) that vote in each view."""
        if nodes is None:
            return self.problem.members
        votes = np.zeros(self.problem.nodes, np.bool_)
        votes[nodes] = True
        return [members[votes[members]] for members in self.problem.members]

    @abstractmethod
    def shown(self, purpose: int, start: int, stop: int) -> Iterator[tuple[Integers, Floats]]:
        """(nodes (M,), their logits (M, ≥ K)) in the samples start … stop − 1, each valid until the next ones.

        Every node that votes comes once in every sample.
        """

    def logits(self, purpose: int, sample: int) -> Floats:
        """(N, K) logits of one sample, each node's under its own view; NaN for nodes that do not vote."""
        result = np.full((self.problem.nodes, self.classes), np.nan, np.float32)
        for members, logits in self.shown(purpose, sample, sample + 1):
            result[members] = logits[:, : self.classes]
        return result

    def add_to(self, tally: VoteTally, purpose: int, start: int, stop: int) -> None:
        """Let `tally` add up what every node says in the samples start … stop − 1."""
        for members, logits in self.shown(purpose, start, stop):
            if not tally.add(logits, members):
                raise ModelError(NAN_LOGITS)

    def bytes_taken(self) -> tuple[int, int]:
        """Bytes of memory of the CPU: what all threads share, and what each of them takes, while it votes too."""
        mine, others = arrays_in(self), arrays_in(self.fork())
        shared = sum(size for place, size in mine.items() if place in others)
        return shared, sum(mine.values()) - shared + self._bytes_of_a_call()

    def _bytes_of_a_call(self) -> int:
        """Bytes of memory that are taken for one call and given back."""
        return 0

    def add_votes(self, purpose: int, start: int, stop: int, counts: Integers) -> None:
        """Add the votes of the samples start … stop − 1 to `counts` (N, K)."""
        self.add_to(VoteTally(counts), purpose, start, stop)


_COMPARED = 10**6
"""Nodes of all views together that a path is compared with torch on; at least one view."""


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
        """Whether this reproduces the model's own forward pass on noisy samples that no vote uses.

        What raises an error does not. Two samples, so that a path which keeps something of the first is noticed. Of the
        views of a large graph only some are compared, for each costs a forward pass on all nodes.
        """
        sparse = self.problem.draws_sparse_rows and isinstance(self.model, SparseFirstModel)
        inputs, model = (SparseInput if sparse else GenericInput)(self.problem), copied(self.model)
        views = len(self.problem.members)
        most = min(views, max(1, _COMPARED // self.problem.nodes))
        compared = np.linspace(0, views - 1, most).astype(int).tolist()
        for sample in range(2):
            try:
                found = self.logits(CHECK, sample)
            except Exception:  # whatever kernels, or a module that is shown lazy features, stumble over
                return False
            for view in compared:
                members = self.problem.members[view]
                graph = sample * len(self.problem.members) + view
                expected = self._ask(model, *inputs.union(CHECK, graph, 1)).float().numpy()
                # Relative to the largest logit: small logits must not pass for equal.
                largest = np.abs(expected).max(initial=0)
                close = np.allclose(found[members], expected[members], rtol=0, atol=1e-3 * largest)
                if not np.isfinite(largest) or not close:
                    return False
        return True


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
        self.members = problem.members
        self._input, self.model = given or GenericInput(problem, Device(self._ask.device)), copied(model)
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
        nodes, shown = self.problem.nodes, GenericInput(self.problem).union(CHECK, 0, 1)
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

    def _bytes_of_a_call(self) -> int:
        each = call_bytes(self.problem, self.model)
        x = each.x if not self._input.device.far or self.problem.sampler.dense else 0
        return self.unit * (x + each.edges + each.inside)

    def _call(self, purpose: int, start: int, count: int) -> Tensor:
        result: Tensor = self._ask(self.model, *self._input.union(purpose, start, count))
        return result

    def shown(self, purpose: int, start: int, stop: int) -> Iterator[tuple[Integers, Floats]]:
        """Union by union, but for those in which nobody votes; graphs that belong to other samples are left out."""
        nodes, views, unit = self.problem.nodes, self.problem.sampler.views.count, self.unit
        begin, end = start * views, stop * views
        drawn: Drawn | None = None
        asked = [
            first for first in range(begin - begin % unit, end, unit)
            if any(self.members[graph % views].size for graph in range(max(begin, first), min(end, first + unit)))
        ]  # fmt: skip
        for first, following in zip_longest(asked, asked[1:]):
            drawn = drawn or self._input.draw(purpose, first, unit)
            answer = self._ask.begun(self.model, *self._input.shown(drawn))
            # An accelerator still computes while the next union is drawn and begins to travel.
            ahead = self._input.device.far and following is not None
            drawn = self._input.draw(purpose, following, unit) if ahead else None
            logits = answer.cpu().float().numpy()
            for graph in range(max(begin, first), min(end, first + unit)):
                members = self.members[graph % views]
                yield members, logits[(graph - first) * nodes + members]
