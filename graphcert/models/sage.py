"""GraphSAGE with mean aggregation (Hamilton et al. 2017)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.models import kernels
from graphcert.models.base import CompiledForward, Floats, SparseFirstModel, glorot, padded
from graphcert.models.scatter import segment_mean
from graphcert.sampling.local_graph import LocalGraph
from graphcert.sampling.simd.row_sums import aligned


class GraphSAGE(SparseFirstModel):
    """Two layers x W_own + mean of neighbours W_near + b. Mean and weight commute, so both weights make one product."""

    normalisation = "receiver"
    layers = 2
    local = True

    def __init__(self, features: int, classes: int, hidden: int = 64, dropout: float = 0.5) -> None:
        super().__init__()
        self.own_in, self.near_in = glorot(features, hidden), glorot(features, hidden)
        self.own_out, self.near_out = glorot(hidden, classes), glorot(hidden, classes)
        self.bias_in = nn.Parameter(self.own_in.new_zeros(hidden))
        self.bias_out = nn.Parameter(self.own_in.new_zeros(classes))
        self.dropout = dropout

    def first_weight(self) -> Tensor:
        """[W_own | W_near], (D, 2 · hidden)."""
        return torch.cat([self.own_in, self.near_in], dim=1)

    def after_first(self, hidden: Tensor, edge_index: Tensor) -> Tensor:
        """Mean of the neighbours' half, twice."""
        source, target = edge_index
        own, near = hidden.chunk(2, dim=1)
        hidden = F.relu(own + segment_mean(near[source], target, hidden.shape[0]) + self.bias_in)
        hidden = F.dropout(hidden, self.dropout, self.training)
        near = segment_mean((hidden @ self.near_out)[source], target, hidden.shape[0])
        return hidden @ self.own_out + near + self.bias_out

    def compiled(self, nodes: int) -> CompiledForward:
        """The same in kernels."""
        width = self.bias_in.numel()
        bias_in, bias_out = padded(self.bias_in, 0), padded(self.bias_out, 0)
        own_out, near_out = padded(self.own_out.T, 1), padded(self.near_out.T, 1)
        scale = np.empty(nodes, np.float32)
        buffer, sums = (aligned(nodes, bias_in.size) for _ in range(2))
        out, sent, mean = (aligned(nodes, bias_out.size) for _ in range(3))

        def forward(hidden: Floats, graph: LocalGraph) -> Floats:
            members, near, far = graph.sizes
            kernels.mean_scale(graph.degrees, scale)
            buffer[:far, :width] = hidden[:far, width : 2 * width]
            inner, logits = sums[:near], out[:members]
            kernels.gather_sum(graph.receivers(1), graph.indices, buffer, False, scale, inner)
            inner[:, :width] += hidden[:near, :width]
            kernels.add_bias(inner, bias_in, True)
            kernels.dense(inner, near_out, sent)
            kernels.gather_sum(graph.receivers(0), graph.indices, sent, False, scale, mean)
            kernels.dense(inner[:members], own_out, logits)
            logits += mean[:members]
            kernels.add_bias(logits, bias_out, False)
            return logits

        return forward
