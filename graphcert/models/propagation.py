"""Propagation steps of the torch forward passes. Nothing is cached: edges change from sample to sample."""

import torch
from torch import Tensor

from graphcert.models.scatter import segment_sum


def with_self_loops(edge_index: Tensor, nodes: int) -> Tensor:
    """Append the edge (i, i) of every node: (2, E) → (2, E + N)."""
    loops = torch.arange(nodes, device=edge_index.device)
    return torch.cat([edge_index, loops.expand(2, -1)], dim=1)


def symmetric_weights(edge_index: Tensor, nodes: int, dtype: torch.dtype) -> Tensor:
    """Weights (deg u · deg v)^(−1/2) of the given edges, self-loops included in the degrees: (2, E) → (E,)."""
    source, target = edge_index
    degree = torch.bincount(target, minlength=nodes).to(dtype)
    scale = degree.clamp(min=1).rsqrt()
    return scale[source] * scale[target]


def propagate(hidden: Tensor, edge_index: Tensor, weights: Tensor) -> Tensor:
    """out[i] = Σ weight(j→i) · hidden[j] over the edges j → i: (N, H) → (N, H)."""
    source, target = edge_index
    return segment_sum(hidden[source] * weights.unsqueeze(1), target, hidden.shape[0])
