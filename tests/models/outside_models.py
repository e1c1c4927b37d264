"""A model and a data set as a user writes them: in a file outside the package, which registers both."""

import torch
from torch import nn
from torch_geometric.data import Data

import graphcert as gc


class NeighbourMean(nn.Module):
    """A module without a sparse first layer: own features and the mean of the neighbours' through one weight each."""

    layers = 1
    normalisation = "receiver"

    def __init__(self, features: int, classes: int, sharpness: float = 2.0) -> None:
        super().__init__()
        self.own, self.near = nn.Linear(features, classes), nn.Linear(features, classes)
        self.sharpness = sharpness

    def forward(self, x, edge_index):
        source, target = edge_index
        sums = torch.zeros_like(x).index_add_(0, target, x[source])
        degree = torch.bincount(target, minlength=len(x)).clamp(min=1).unsqueeze(1)
        return self.sharpness * (self.own(x) + self.near(sums / degree))


def two_rings(seed: int = 0, size: int = 60) -> Data:
    """Two rings of nodes, each of a class, with bits that mostly tell the class."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(2 * size) // size
    x = (torch.rand(2 * size, 12, generator=generator) < torch.where(y == 0, 0.1, 0.9).unsqueeze(1)).float()
    ring = torch.arange(size)
    ends = torch.stack([ring, (ring + 1) % size])
    ends = torch.cat([ends, ends + size], dim=1)
    return Data(x=x, edge_index=torch.cat([ends, ends.flip(0)], dim=1), y=y)


def register() -> None:
    """Register both."""
    gc.register_model("neighbour_mean", NeighbourMean)
    gc.register_dataset("two_rings", two_rings, source="drawn in a test", licence="none needed")
