"""A small graph and a model of it that needs no training, for tests of whole calls."""

from functools import cache
from typing import Any

import torch
from torch_geometric.nn import GCNConv

import graphcert as gc


@cache
def graph() -> Any:
    return gc.load_dataset(
        "synthetic", nodes=120, features=40, classes=3, seed=2, per_class_train=5, per_class_validation=5
    )


@cache
def model() -> torch.nn.Module:
    """One GCN layer whose weights are the differences of the class means."""
    data, layer = graph(), GCNConv(40, 3)
    means = torch.stack([data.x[data.y == k].mean(dim=0) for k in range(3)])
    with torch.no_grad():
        layer.lin.weight.copy_(means - means.mean(dim=0))
    return layer
