"""Graph convolutional network (Kipf & Welling 2017) and its simplification SGC (Wu et al. 2019)."""

from itertools import pairwise

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.models import kernels
from graphcert.models.base import CompiledForward, Floats, SparseFirstModel, glorot, padded, side_by_side
from graphcert.models.scatter import symmetric_propagation
from graphcert.sampling.csr import EVERY_ROW, Integers
from graphcert.sampling.local_graph import JointGraph, LocalGraph
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

    @property
    def joins(self) -> int:
        """See `SparseFirst.joins`: every layer's product but the first, the logits and a factor."""
        widths = [bias.numel() for bias in (*self.biases[1:], self.biases[-1])]
        return 4 * (sum(side_by_side(1, width) for width in widths) + 1)

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
        sums = [aligned(_BLOCK, bias.size) for bias in biases[:-1]] + [aligned(nodes, biases[-1].size)]
        scaled = SymmetricScale()

        def forward(hidden: Floats, graph: LocalGraph | JointGraph, slots: Integers = EVERY_ROW) -> Floats:
            for layer, (bias, out) in enumerate(zip(biases, sums, strict=True)):
                part, scale, rows = graph.round(len(biases) - 1 - layer), scaled.of(graph, layer), scaled.rows
                if layer + 1 == len(biases):
                    kernels.symmetric_rows(*part, slots, hidden, scale, bias, False, rows, 0, out)
                    return out[: part.indptr.size - 1]
                product = products[layer + 1]
                kernels.symmetric_layer(
                    *part, slots, hidden, scale, bias, transposed[layer + 1], rows, out, product[: part.indptr.size - 1]
                )
                hidden, slots = product, EVERY_ROW
            return hidden

        return forward


_BLOCK = 256
"""Rows of hidden units that stay in a fast cache until the next layer's weight has been applied."""


class SymmetricScale:
    """Factors s = (degree + 1)^(−1/2) of the nodes of a graph, computed when another graph comes."""

    def __init__(self) -> None:
        self._graph: LocalGraph | JointGraph | None = None
        self._scales = [_NO_SCALE, _NO_SCALE]
        self.rows = EVERY_ROW
        """Scratch for the longest row of a joint graph."""

    def of(self, graph: LocalGraph | JointGraph, layer: int) -> Floats:
        """The factors of what the rows of a layer are computed from, counted from 0."""
        if graph is not self._graph:
            scale = np.empty(graph.degrees.size, np.float32)
            kernels.symmetric_scale(graph.degrees, scale)
            own = graph.round(len(graph.sizes) - 2).own
            joint = own.size > 0
            self._graph, self._scales = graph, [scale, scale[own] if joint else scale]
            self.rows = np.empty(graph.degrees.max(initial=0), np.int32) if joint else EVERY_ROW
        return self._scales[min(layer, 1)]


_NO_SCALE = np.empty(0, np.float32)


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

    @property
    def joins(self) -> int:
        """See `SparseFirst.joins`: the last two rounds and a factor."""
        return 4 * (2 * side_by_side(1, self.bias.numel()) + 1)

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
        scaled = SymmetricScale()
        odd, even = (aligned(nodes, bias.size) for _ in range(2))
        hops = self.hops

        def forward(hidden: Floats, graph: LocalGraph | JointGraph, slots: Integers = EVERY_ROW) -> Floats:
            for left in reversed(range(hops)):
                out, scale = odd if left % 2 else even, scaled.of(graph, hops - 1 - left)
                kernels.symmetric_rows(*graph.round(left), slots, hidden, scale, None, False, scaled.rows, 0, out)
                hidden, slots = out, EVERY_ROW
            logits = hidden[: graph.sizes[0]]
            kernels.add_bias(logits, bias, False)
            return logits

        return forward
