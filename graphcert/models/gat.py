"""Graph attention network (Veličković et al. 2018)."""

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.models import kernels
from graphcert.models.base import CompiledForward, Floats, SparseFirstModel, glorot, padded
from graphcert.models.scatter import segment_softmax, segment_sum, with_self_loops
from graphcert.sampling.local_graph import LocalGraph
from graphcert.sampling.simd.row_sums import aligned


class GAT(SparseFirstModel):
    """Two attention layers over neighbours and self: `heads` heads of `hidden` units, ELU, then one head of K units."""

    normalisation = "receiver"
    layers = 2
    local = True

    def __init__(
        self, features: int, classes: int, hidden: int = 8, heads: int = 8, dropout: float = 0.5, slope: float = 0.2
    ) -> None:
        super().__init__()
        self.weight_in, self.weight_out = glorot(features, heads * hidden), glorot(heads * hidden, classes)
        self.to_in, self.of_in = glorot(heads, hidden), glorot(heads, hidden)
        self.to_out, self.of_out = glorot(1, classes), glorot(1, classes)
        self.bias_in = nn.Parameter(self.weight_in.new_zeros(heads * hidden))
        self.bias_out = nn.Parameter(self.weight_in.new_zeros(classes))
        self.heads, self.dropout, self.slope = heads, dropout, slope

    def first_weight(self) -> Tensor:
        """The first layer's weight (D, heads · hidden)."""
        return self.weight_in

    def _attend(self, hidden: Tensor, edges: Tensor, to: Tensor, of: Tensor) -> Tensor:
        """One attention step: hidden (N, heads · F) and attention vectors (heads, F) → (N, heads · F)."""
        nodes, (heads, size) = hidden.shape[0], to.shape
        per_head = hidden.view(nodes, heads, size)
        source, target = edges
        scores = F.leaky_relu((per_head * to).sum(-1)[target] + (per_head * of).sum(-1)[source], self.slope)
        shares = F.dropout(segment_softmax(scores, target, nodes), self.dropout, self.training)
        return segment_sum(per_head[source] * shares.unsqueeze(-1), target, nodes).reshape(nodes, heads * size)

    def after_first(self, hidden: Tensor, edge_index: Tensor) -> Tensor:
        """Attend, ELU, weight, attend."""
        edges = with_self_loops(edge_index, hidden.shape[0])
        hidden = F.elu(self._attend(hidden, edges, self.to_in, self.of_in) + self.bias_in)
        hidden = F.dropout(hidden, self.dropout, self.training) @ self.weight_out
        return self._attend(hidden, edges, self.to_out, self.of_out) + self.bias_out

    def compiled(self, nodes: int) -> CompiledForward:
        """The same in kernels."""
        heads, slope = self.heads, np.float32(self.slope)
        to_in, of_in = padded(self.to_in), padded(self.of_in)
        to_out, of_out = padded(self.to_out, 1), padded(self.of_out, 1)
        bias_in, bias_out = padded(self.bias_in), padded(self.bias_out, 0)
        transposed = padded(self.weight_out.T)
        middle = aligned(nodes, bias_in.size)
        last, out = (aligned(nodes, bias_out.size) for _ in range(2))
        to, of = (np.empty((nodes, heads), np.float32) for _ in range(2))
        to_last, of_last = (np.empty((nodes, 1), np.float32) for _ in range(2))

        def forward(hidden: Floats, graph: LocalGraph) -> Floats:
            members, near, far = graph.sizes
            # The first product may be padded; attention reads exactly heads · hidden columns.
            first = np.ascontiguousarray(hidden[:far, : bias_in.size])
            kernels.attention_scores(first, heads, to_in, of_in, to, of)
            inner, sent, logits = middle[:near], last[:near], out[:members]
            kernels.attend(graph.receivers(1), graph.indices, first, heads, to, of, slope, inner)
            kernels.add_bias(inner, bias_in, False)
            kernels.exponential_linear(inner)
            kernels.dense(inner, transposed, sent)
            kernels.attention_scores(sent, 1, to_out, of_out, to_last, of_last)
            kernels.attend(graph.receivers(0), graph.indices, sent, 1, to_last, of_last, slope, logits)
            kernels.add_bias(logits, bias_out, False)
            return logits

        return forward
