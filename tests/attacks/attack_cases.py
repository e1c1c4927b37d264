"""A small graph, models of it, and a scheme with budgets of every kind."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

import graphcert as gc
from graphcert.attacks.sandwich import Place
from graphcert.models import GCN

B = gc.Budget
FLIPS = gc.BernoulliFlip(0.05, 0.3)


@cache
def graph() -> Any:
    return gc.load_dataset(
        "synthetic", nodes=40, features=12, classes=3, seed=1, per_class_train=3, per_class_validation=3
    )


def localized() -> gc.Smoothing:
    return gc.Smoothing([FLIPS, gc.BernoulliFlip(0.1, 0.5)], partition=gc.partition_graph(graph(), 2))


CASES = {
    "flips": (lambda: gc.Smoothing(FLIPS), [Place(B(2, 3)), Place(B(0, 4))]),
    "localized": (localized, [Place(B(3)), Place(B(0, 2))]),
    "edges": (lambda: gc.Smoothing(None, gc.BernoulliFlip(0.01, 0.3)), [Place(B(0, 0, 2, 2)), Place(B(0, 0, 0, 3))]),
    "both": (lambda: gc.Smoothing(FLIPS, gc.BernoulliFlip(0.01, 0.3)), [Place(B(1, 1, 1, 1))]),
    "hierarchical": (lambda: gc.Hierarchical(0.7, FLIPS), [Place(B(3, 2, nodes=2))]),
    "ablation": (lambda: gc.Smoothing(gc.SubsetAblation(20)), [Place(B(nodes=3))]),
    "gaussian": (lambda: gc.Smoothing(gc.Gaussian(0.5)), [Place(B(), 0.7)]),
    "uniform": (lambda: gc.Smoothing(gc.Uniform(1.0)), [Place(B(), 1.3)]),
    "lattice": (lambda: gc.Smoothing(gc.Gaussian(0.5, 0.25)), [Place(B(), 1.1)]),
    "gaussian in rows": (lambda: gc.Hierarchical(0.7, gc.Gaussian(0.5)), [Place(B(nodes=2), 0.7)]),
}
"""Scheme, and budgets to attack."""


def model(smoothing: gc.Smoothing | gc.Hierarchical) -> nn.Module:
    """A GCN with random weights that fits what the noise shows."""
    torch.manual_seed(0)
    hidden = smoothing.selects_rows or smoothing.hides_rows
    return GCN(graph().num_features + hidden, 3, hidden=8).eval()


class FirstBit(nn.Module):
    """The label is the first feature bit: one flip decides it, and nothing else does."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return torch.stack([1 - x[:, 0], x[:, 0], x[:, 0] * 0 - 1], dim=1)
