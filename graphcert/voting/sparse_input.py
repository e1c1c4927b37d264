"""Noisy graphs whose features stay sparse rows, for models with a sparse first layer."""

from torch import Tensor

from graphcert.models.base import edge_index_tensor, feature_tensor
from graphcert.sampling.csr import CSR
from graphcert.voting.noisy_graph import Problem


class SparseInput:
    """As `GenericInput`, one graph at a time: number g is what view g mod V sees of sample g div V."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self._work = problem, problem.sampler.workspace()
        self._drawn: tuple[tuple[int, int], list[CSR]] | None = None

    def union(self, purpose: int, start: int, count: int) -> tuple[Tensor, ...]:
        """x (N, D) as sparse CSR rows, edge_index, and what edges carry, of the graph `start`; `count` is 1."""
        sampler = self.problem.sampler
        sample, view = divmod(start, sampler.views.count)
        if self._drawn is None or self._drawn[0] != (purpose, sample):
            # One draw gives the graphs of all views of a sample.
            self._drawn = (purpose, sample), sampler.graphs(purpose, sample, self._work)
        graph = self._drawn[1][view]
        x = feature_tensor(sampler.features(purpose, sample, self._work, view), sampler.columns)
        return x, edge_index_tensor(graph), *self.problem.carried.on(graph, sampler.clean_graph)
