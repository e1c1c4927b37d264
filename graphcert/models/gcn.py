"""Graph convolutional network (Kipf & Welling 2017) and its simplification SGC (Wu et al. 2019)."""

from itertools import pairwise

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.models import kernels
from graphcert.models.base import CompiledForward, Floats, SparseFirstModel, glorot, padded
from graphcert.models.scatter import symmetric_propagation
from graphcert.sampling.local_graph import LocalGraph
from graphcert.sampling.simd.row_sums import aligned


class GCN(SparseFirstModel):
    """Layers Â(·)W + b with Â the symmetrically normalised adjacency with self-loops, ReLU and dropout between them."""

    normalisation = "symmetric"
    local = True

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

    def after_first(self, hidden: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Propagate, then alternate weight and propagation."""
        propagate = symmetric_propagation(edge_index, hidden.shape[0], hidden.dtype, edge_weight)
        for layer, bias in enumerate(self.biases):
            if layer > 0:
                hidden = F.dropout(F.relu(hidden), self.dropout, self.training) @ self.weights[layer]
            hidden = propagate(hidden) + bias
        return hidden

    def compiled(self, nodes: int) -> CompiledForward:
        """The same in kernels: Â x = s ∘ ((A + I)(s ∘ x)) with s = (degree + 1)^(−1/2)."""
        transposed = [padded(weight.T, 1) for weight in self.weights]
        biases = [padded(bias, 0) for bias in self.biases]
        # The first product is the input.
        products = [aligned(nodes if layer else 0, bias.size) for layer, bias in enumerate(biases)]
        results = [aligned(nodes, bias.size) for bias in biases]
        scale = np.empty(nodes, np.float32)

        def forward(hidden: Floats, graph: LocalGraph) -> Floats:
            kernels.symmetric_scale(graph.degrees, scale)
            for layer, bias in enumerate(biases):
                product, out = products[layer], results[layer]
                if layer > 0:
                    kernels.dense(hidden, transposed[layer], product)
                    hidden = product
                receivers = graph.receivers(len(biases) - 1 - layer)
                kernels.symmetric_sum(receivers, graph.indices, hidden, scale, bias, layer + 1 < len(biases), out)
                hidden = out[: receivers.size - 1]
            return hidden

        return forward


class SGC(SparseFirstModel):
    """Â^hops X W + b. Propagation and weight commute, so the weight comes first and K columns travel instead of D."""

    normalisation = "symmetric"
    local = True

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

    def after_first(self, hidden: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Propagate."""
        propagate = symmetric_propagation(edge_index, hidden.shape[0], hidden.dtype, edge_weight)
        for _ in range(self.hops):
            hidden = propagate(hidden)
        return hidden + self.bias

    def compiled(self, nodes: int) -> CompiledForward:
        """The same in kernels."""
        bias = padded(self.bias, 0)
        scale = np.empty(nodes, np.float32)
        odd, even = (aligned(nodes, bias.size) for _ in range(2))
        hops = self.hops

        def forward(hidden: Floats, graph: LocalGraph) -> Floats:
            kernels.symmetric_scale(graph.degrees, scale)
            for left in reversed(range(hops)):
                out = odd if left % 2 else even
                kernels.symmetric_sum(graph.receivers(left), graph.indices, hidden, scale, None, False, out)
                hidden = out
            logits = hidden[: graph.sizes[0]]
            kernels.add_bias(logits, bias, False)
            return logits

        return forward
