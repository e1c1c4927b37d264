"""Personalised propagation of neural predictions (Gasteiger et al. 2019)."""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from graphcert.models import kernels
from graphcert.models.base import CompiledForward, Floats, SparseFirstModel, glorot, padded, side_by_side
from graphcert.models.scatter import symmetric_propagation
from graphcert.sampling.local_graph import LocalGraph
from graphcert.sampling.rows import RowLayer, rectified_rows
from graphcert.sampling.simd.row_sums import aligned


class APPNP(SparseFirstModel):
    """A two-layer perceptron, then `hops` steps Z ← (1 − restart) Â Z + restart · H."""

    normalisation = "symmetric"
    local = True

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

    def after_first(self, hidden: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Finish the perceptron, then propagate its predictions."""
        hidden = F.dropout(F.relu(hidden + self.bias_in), self.dropout, self.training)
        predictions = hidden @ self.weight_out + self.bias_out
        propagate = symmetric_propagation(edge_index, hidden.shape[0], hidden.dtype, edge_weight)
        state = predictions
        for _ in range(self.hops):
            state = (1 - self.restart) * propagate(state) + self.restart * predictions
        return state

    def row_layer(self) -> RowLayer:
        """The perceptron, but for its last bias."""
        return padded(self.bias_in, 0), padded(self.weight_out.T, 1)

    def compiled(self, nodes: int) -> CompiledForward:
        """The perceptron, then the propagation of one view."""
        layer = self.row_layer()
        predictions = aligned(nodes, side_by_side(1, self.bias_out.numel()))
        propagated = self.compiled_views(nodes, np.zeros(nodes, np.int64))

        def forward(hidden: Floats, graph: LocalGraph) -> Floats:
            rectified_rows(hidden[: graph.sizes[-1]], *layer, predictions)
            return propagated(predictions, graph)

        return forward

    def compiled_views(self, nodes: int, view_of_node: NDArray[np.int64]) -> CompiledForward:
        """Propagation of the predictions of all views side by side.

        On the scaled state S = s ∘ Z it takes one pass a step, (1 − r) s² ∘ (A + I)S + r s ∘ H.
        """
        classes, views = self.bias_out.numel(), int(view_of_node.max()) + 1
        bias = padded(self.bias_out.repeat(views), 0)
        anchor, odd, even = (aligned(nodes, bias.size) for _ in range(3))
        logits = aligned(nodes, side_by_side(1, classes))
        scale = np.empty(nodes, np.float32)
        keep, restart, hops = np.float32(1 - self.restart), np.float32(self.restart), self.hops

        def forward(predictions: Floats, graph: LocalGraph) -> Floats:
            members, rows = graph.sizes[0], graph.sizes[-1]
            kernels.symmetric_scale(graph.degrees, scale)
            kernels.scale_sums(predictions[:rows], bias, scale, anchor)
            step, state = keep * scale[:rows] * scale[:rows], anchor
            for left in reversed(range(hops)):
                after = odd if left % 2 else even
                kernels.restarting_step(graph.receivers(left), graph.indices, state, step, anchor, restart, after)
                state = after
            kernels.own_columns(state[:members], 1 / scale[:members], view_of_node, classes, logits)
            return logits[:members]

        return forward
