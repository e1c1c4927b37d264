"""Simplified graph convolution (Wu et al. 2019)."""

import numpy as np
from torch import Tensor, nn

from graphcert.models import kernels
from graphcert.models.base import CompiledForward, Floats, SparseFirstModel, glorot, padded
from graphcert.models.propagation import propagate, symmetric_weights, with_self_loops
from graphcert.sampling.csr import CSR
from graphcert.sampling.simd.row_sums import aligned


class SGC(SparseFirstModel):
    """Â^hops X W + b. Propagation and weight commute, so the weight comes first and K columns travel instead of D."""

    normalisation = "symmetric"

    def __init__(self, features: int, classes: int, hops: int = 2) -> None:
        super().__init__()
        self.weight = glorot(features, classes)
        self.bias = nn.Parameter(self.weight.new_zeros(classes))
        self.hops = hops

    @property
    def layers(self) -> int:
        """Rounds of message passing."""
        return self.hops

    def first_weight(self) -> Tensor:
        """The only weight (D, K)."""
        return self.weight

    def after_first(self, hidden: Tensor, edge_index: Tensor) -> Tensor:
        """Propagate."""
        nodes = hidden.shape[0]
        edges = with_self_loops(edge_index, nodes)
        norm = symmetric_weights(edges, nodes, hidden.dtype)
        for _ in range(self.hops):
            hidden = propagate(hidden, edges, norm)
        return hidden + self.bias

    def compiled(self, nodes: int) -> CompiledForward:
        """The same in kernels."""
        bias = padded(self.bias, 0)
        scale = np.empty(nodes, np.float32)
        scaled, out = (aligned(nodes, bias.size) for _ in range(2))
        hops = self.hops

        def forward(hidden: Floats, graph: CSR) -> Floats:
            kernels.symmetric_scale(graph.indptr, scale)
            for _ in range(hops):
                kernels.scale_rows(hidden, scale, scaled)
                kernels.gather_sum(graph.indptr, graph.indices, scaled, True, scale, out)
                hidden = out
            if hidden is not out:
                out[:] = hidden
            kernels.add_bias(out, bias, False)
            return out

        return forward
