"""Noisy graphs whose features stay sparse rows, for models with a sparse first layer."""

from torch import Tensor

from graphcert.models.base import feature_tensor
from graphcert.sampling.csr import CSR
from graphcert.voting.device import Device
from graphcert.voting.generic_input import Drawn, GenericInput, stacked
from graphcert.voting.noisy_graph import Problem


class SparseInput(GenericInput):
    """As `GenericInput`, on the CPU, with x as sparse CSR rows; see `Problem.draws_sparse_rows`."""

    def __init__(self, problem: Problem, device: Device | None = None) -> None:
        super().__init__(problem, device)
        self._travels = True

    def _x(self, drawn: Drawn) -> Tensor:
        clean, columns = self.problem.sampler.clean_features, self.problem.sampler.columns
        rows = CSR(*(part.numpy() for part in drawn.rows)) if drawn.rows else stacked([clean] * drawn.count)
        return feature_tensor(rows, columns)
