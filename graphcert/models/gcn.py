"""Graph convolutional network (Kipf & Welling 2017)."""

from itertools import pairwise

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.models import kernels
from graphcert.models.base import CompiledForward, Floats, SparseFirstModel, glorot, padded
from graphcert.models.propagation import propagate, symmetric_weights, with_self_loops
from graphcert.sampling.csr import CSR
from graphcert.sampling.simd.row_sums import aligned


class GCN(SparseFirstModel):
    """Layers Â(·)W + b with Â the symmetrically normalised adjacency with self-loops, ReLU and dropout between them."""

    normalisation = "symmetric"

    def __init__(self, features: int, classes: int, hidden: int = 64, layers: int = 2, dropout: float = 0.5) -> None:
        super().__init__()
        widths = [features] + [hidden] * (layers - 1) + [classes]
        self.weights = nn.ParameterList(glorot(a, b) for a, b in pairwise(widths))
        self.biases = nn.ParameterList(nn.Parameter(w.new_zeros(w.shape[1])) for w in self.weights)
        self.dropout = dropout

    @property
    def layers(self) -> int:
        """Rounds of message passing."""
        return len(self.weights)

    def first_weight(self) -> Tensor:
        """The first layer's weight (D, hidden)."""
        weight: Tensor = self.weights[0]
        return weight

    def after_first(self, hidden: Tensor, edge_index: Tensor) -> Tensor:
        """Propagate, then alternate weight and propagation."""
        nodes = hidden.shape[0]
        edges = with_self_loops(edge_index, nodes)
        norm = symmetric_weights(edges, nodes, hidden.dtype)
        for layer, bias in enumerate(self.biases):
            if layer > 0:
                hidden = F.dropout(F.relu(hidden), self.dropout, self.training) @ self.weights[layer]
            hidden = propagate(hidden, edges, norm) + bias
        return hidden

    def compiled(self, nodes: int) -> CompiledForward:
        """The same in kernels: Â x = s ∘ ((A + I)(s ∘ x)) with s = (degree + 1)^(−1/2)."""
        transposed = [padded(weight.T, 1) for weight in self.weights]
        biases = [padded(bias, 0) for bias in self.biases]
        layers: list[tuple[Floats, Floats]] = [
            (aligned(nodes, bias.size), aligned(nodes, bias.size)) for bias in biases
        ]
        scale = np.empty(nodes, np.float32)

        def forward(hidden: Floats, graph: CSR) -> Floats:
            kernels.symmetric_scale(graph.indptr, scale)
            for layer, bias in enumerate(biases):
                scaled, out = layers[layer]
                if layer > 0:
                    kernels.dense(hidden, transposed[layer], out)
                    hidden = out
                kernels.scale_rows(hidden, scale, scaled)
                kernels.gather_sum(graph.indptr, graph.indices, scaled, True, scale, out)
                kernels.add_bias(out, bias, layer + 1 < len(biases))
                hidden = out
            return hidden

        return forward
