"""Personalised propagation of neural predictions (Gasteiger et al. 2019)."""

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.models import kernels
from graphcert.models.base import CompiledForward, Floats, SparseFirstModel, glorot, padded
from graphcert.models.propagation import propagate, symmetric_weights, with_self_loops
from graphcert.sampling.csr import CSR
from graphcert.sampling.gather import aligned


class APPNP(SparseFirstModel):
    """A two-layer perceptron, then `hops` steps Z ← (1 − restart) Â Z + restart · H."""

    normalisation = "symmetric"

    def __init__(
        self, features: int, classes: int, hidden: int = 64, hops: int = 10, restart: float = 0.15, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.weight_in, self.weight_out = glorot(features, hidden), glorot(hidden, classes)
        self.bias_in = nn.Parameter(self.weight_in.new_zeros(hidden))
        self.bias_out = nn.Parameter(self.weight_in.new_zeros(classes))
        self.hops, self.restart, self.dropout = hops, restart, dropout

    @property
    def layers(self) -> int:
        """Rounds of message passing."""
        return self.hops

    def first_weight(self) -> Tensor:
        """The perceptron's first weight (D, hidden)."""
        return self.weight_in

    def after_first(self, hidden: Tensor, edge_index: Tensor) -> Tensor:
        """Finish the perceptron, then propagate its predictions."""
        nodes = hidden.shape[0]
        hidden = F.dropout(F.relu(hidden + self.bias_in), self.dropout, self.training)
        predictions = hidden @ self.weight_out + self.bias_out
        edges = with_self_loops(edge_index, nodes)
        norm = symmetric_weights(edges, nodes, hidden.dtype)
        state = predictions
        for _ in range(self.hops):
            state = (1 - self.restart) * propagate(state, edges, norm) + self.restart * predictions
        return state

    def compiled(self, nodes: int) -> CompiledForward:
        """The same in kernels, on the scaled state S = s ∘ Z: one pass a step, (1 − r) s² ∘ (A + I)S + r s ∘ H."""
        bias_in, bias_out = padded(self.bias_in, 0), padded(self.bias_out, 0)
        transposed = padded(self.weight_out.T, 1)
        anchor, state, odd = (aligned(nodes, bias_out.size) for _ in range(3))
        scale = np.empty(nodes, np.float32)
        keep, restart, hops = np.float32(1 - self.restart), np.float32(self.restart), self.hops

        def forward(hidden: Floats, graph: CSR) -> Floats:
            kernels.add_bias(hidden, bias_in, True)
            kernels.dense(hidden, transposed, state)
            kernels.add_bias(state, bias_out, False)
            kernels.symmetric_scale(graph.indptr, scale)
            kernels.scale_rows(state, scale, anchor)
            step = keep * scale * scale
            if hops > 0:
                kernels.restarting_walk(graph.indptr, graph.indices, anchor, step, restart, hops, odd, state)
                kernels.scale_rows(odd if hops % 2 else state, 1 / scale, state)
            return state

        return forward
