"""Modules of points for tests."""

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP, global_max_pool


class AboveX(nn.Module):
    """Class 0 where x exceeds a threshold."""

    def __init__(self, threshold: float = 0.0) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, points: Tensor) -> Tensor:
        value = points[..., 0] - self.threshold
        return torch.stack([value, -value], dim=-1)


class Union(nn.Module):
    """As modules of torch_geometric are called: points of all clouds one after the other, and which cloud each is in."""

    def __init__(self) -> None:
        super().__init__()
        self.own = MLP([3, 8, 8], norm=None)
        self.last = nn.Linear(16, 3)

    def forward(self, x: Tensor | None, pos: Tensor, batch: Tensor) -> Tensor:
        own = self.own(pos)
        out: Tensor = self.last(torch.cat([own, global_max_pool(own, batch)[batch]], dim=1))
        return out if x is None else out + x
