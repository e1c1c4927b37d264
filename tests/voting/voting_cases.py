"""One small graph, schemes of noise, and models of every kind that the voting tests share."""

import numpy as np
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GAT, GCN, GraphSAGE

from graphcert.models import build_model
from graphcert.noise import BernoulliFlip, Partition, Smoothing

NODES, FEATURES, CLASSES = 24, 20, 3
NOISE = {
    "features": Smoothing(features=BernoulliFlip(0.05, 0.4)),
    "edges": Smoothing(edges=BernoulliFlip(0.02, 0.3)),
    "both": Smoothing(BernoulliFlip(0.05, 0.4), BernoulliFlip(0.02, 0.3)),
    "localized": Smoothing(
        [BernoulliFlip(0.02, 0.2), BernoulliFlip(0.08, 0.6)],
        [BernoulliFlip(0.01, 0.1), BernoulliFlip(0.02, 0.3), BernoulliFlip(0.05, 0.5)],
        Partition.of_affinity(np.arange(NODES) % 3, np.arange(9).reshape(3, 3)),
    ),
}
SPARSE_MODELS = ["gcn", "appnp", "gat", "sgc", "sage"]


def small_graph(nodes=NODES, seed=0, **changes):
    """Binary features, undirected edges, an isolated node, all classes among the labels."""
    generator = np.random.default_rng(seed)
    upper = np.triu(generator.random((nodes, nodes)) < 4 / nodes, 1)
    upper[0] = False
    pairs = torch.from_numpy(np.argwhere(upper).T)
    x = torch.from_numpy((generator.random((nodes, FEATURES)) < 0.3).astype(np.float32))
    parts = {"x": x, "edge_index": torch.cat([pairs, pairs.flip(0)], dim=1), "y": torch.arange(nodes) % CLASSES}
    return Data(**{**parts, **changes})


def randomise(model, seed=0, scale=0.5):
    """Random values for every parameter, from a generator of our own."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return model.eval()


def sparse_model(name, seed=0, **options):
    return randomise(build_model(name, FEATURES, CLASSES, **options), seed)


class Perceptron(nn.Module):
    """Ignores the edges."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(FEATURES, 9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, CLASSES))

    def forward(self, x, edge_index):
        return self.layers(x)


class Centred(Perceptron):
    """Subtracts the mean over all nodes that it is shown: graphs in one union would see each other."""

    def forward(self, x, edge_index):
        return self.layers(x - x.mean(dim=0))


class OneByOne(Perceptron):
    """Has a parameter per node, so that a union of graphs is an error."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(NODES, CLASSES))

    def forward(self, x, edge_index):
        return self.layers(x) + self.bias


class Normalised(nn.Module):
    """Dropout and batch statistics, which must both be frozen while voting."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, 8), nn.Linear(8, CLASSES)
        self.norm, self.dropout = nn.BatchNorm1d(8), nn.Dropout(0.5)

    def forward(self, x, edge_index):
        return self.last(self.dropout(self.norm(self.first(x)).relu()))


GENERIC_MODELS = {
    "pyg gcn": lambda: GCN(FEATURES, 8, num_layers=2, out_channels=CLASSES, dropout=0.5),
    "pyg gat": lambda: GAT(FEATURES, 8, num_layers=2, out_channels=CLASSES, heads=2, dropout=0.5),
    "pyg sage": lambda: GraphSAGE(FEATURES, 8, num_layers=2, out_channels=CLASSES, norm="batch_norm"),
    "perceptron": Perceptron,
    "normalised": Normalised,
    "centred": Centred,
    "one by one": OneByOne,
}


def generic_model(name, seed=0):
    return randomise(GENERIC_MODELS[name](), seed)
