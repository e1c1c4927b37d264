"""Models as people bring them: each row votes and certifies, or one sentence says which line to change."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric import nn as pyg
from voting_cases import CLASSES, FEATURES, NODES, NOISE, small_graph

import graphcert as gc
from graphcert.errors import DataError, ModelError

EDGES = small_graph().edge_index.shape[1]
HALVES = {"edge_weight": torch.full((EDGES,), 0.5)}
ATTRIBUTES = {"edge_attr": torch.arange(2.0 * EDGES).reshape(EDGES, 2) % 3}


class Two(nn.Module):
    """Two layers of a kind, as tutorials write them."""

    def __init__(self, layer, hidden=8, last=None, **options):
        super().__init__()
        self.first = layer(FEATURES, hidden, **options)
        self.second = (last or layer)(hidden, CLASSES, **options)

    def forward(self, x, edge_index):
        return self.second(F.dropout(F.relu(self.first(x, edge_index)), 0.5, self.training), edge_index)


class Weighted(Two):
    def forward(self, x, edge_index, edge_weight=None):
        return self.second(self.first(x, edge_index, edge_weight).relu(), edge_index, edge_weight)


class Attributed(Two):
    def forward(self, x, edge_index, edge_attr):
        return self.second(self.first(x, edge_index, edge_attr).relu(), edge_index, edge_attr)


class OfData(Two):
    def forward(self, data):
        return super().forward(data.x, data.edge_index)


class Transposed(Two):
    def forward(self, x, adj_t):
        return super().forward(x, adj_t)


class Tuple(Two):
    def forward(self, x, edge_index):
        hidden = self.first(x, edge_index).relu()
        return self.second(hidden, edge_index), hidden


class Dictionary(Two):
    def forward(self, x, edge_index):
        return {"loss": None, "logits": super().forward(x, edge_index)}


class Output(Two):
    def forward(self, x, edge_index):
        return SimpleNamespace(logits=super().forward(x, edge_index))


class Propagated(nn.Module):
    """A perceptron and APPNP, as the paper has it."""

    def __init__(self, cached=False):
        super().__init__()
        self.first, self.second = nn.Linear(FEATURES, 8), nn.Linear(8, CLASSES)
        self.steps = pyg.APPNP(4, 0.1, cached=cached)

    def forward(self, x, edge_index):
        return self.steps(
            self.second(F.dropout(x, 0.5, self.training).matmul(self.first.weight.t()).relu()), edge_index
        )


class Rows(Two):
    """Normalises its rows."""

    def forward(self, x, edge_index):
        return super().forward(x / x.sum(-1, keepdim=True).clamp(min=1), edge_index)


class Normed(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.first, self.norm, self.second = pyg.GCNConv(FEATURES, 8), norm, pyg.GCNConv(8, CLASSES)

    def forward(self, x, edge_index):
        return self.second(self.norm(self.first(x, edge_index)).relu(), edge_index)


class Jumping(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = pyg.GCNConv(FEATURES, 8), pyg.GCNConv(8, 8)
        self.jump, self.last = pyg.JumpingKnowledge("cat"), nn.Linear(16, CLASSES)

    def forward(self, x, edge_index):
        one = self.first(x, edge_index).relu()
        return self.last(self.jump([one, self.second(one, edge_index)]))


class Initial(nn.Module):
    """GCNII."""

    def __init__(self):
        super().__init__()
        self.enter, self.leave = nn.Linear(FEATURES, 8), nn.Linear(8, CLASSES)
        self.steps = nn.ModuleList(pyg.GCN2Conv(8, 0.1, 0.5, k + 1) for k in range(3))

    def forward(self, x, edge_index):
        x = first = self.enter(x).relu()
        for step in self.steps:
            x = step(x, first, edge_index).relu()
        return self.leave(x)


def network(out):
    return lambda inputs, _: pyg.GINConv(nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, out)))


def gin():
    return Two(lambda inputs, out: pyg.GINConv(nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, out))))


def basic(kind, **options):
    return lambda: kind(FEATURES, 8, num_layers=2, out_channels=CLASSES, dropout=0.5, **options)


def function():
    model = Two(pyg.GCNConv)
    return lambda x, edge_index: model(x, edge_index).log_softmax(-1)


def bound():
    model = Two(pyg.SAGEConv)
    return model.forward


def of_type():
    return Two(lambda inputs, out: pyg.RGCNConv(inputs, out, 2))


class Typed(Two):
    def forward(self, x, edge_index, edge_type):
        return self.second(self.first(x, edge_index, edge_type).relu(), edge_index, edge_type)


WORKS = {
    # Models that come with torch_geometric
    "GCN": (basic(pyg.GCN),),
    "GraphSAGE": (basic(pyg.GraphSAGE),),
    "GIN": (basic(pyg.GIN),),
    "GAT": (basic(pyg.GAT, heads=2),),
    "GATv2": (basic(pyg.GAT, v2=True, heads=2),),
    "PNA": (basic(pyg.PNA, aggregators=["mean", "max"], scalers=["identity"], deg=torch.ones(8)),),
    "EdgeCNN": (basic(pyg.EdgeCNN),),
    "jumping knowledge": (basic(pyg.GCN, jk="max"),),
    "batch norm": (basic(pyg.GraphSAGE, norm="batch_norm"),),
    "MixHop": (lambda: Two(pyg.MixHopConv, hidden=8, powers=[0, 1], last=lambda _, out, **o: pyg.GCNConv(16, out)),),
    "LINKX": (lambda: pyg.LINKX(NODES, FEATURES, 8, CLASSES, 2),),
    # Layers as tutorials put them together
    "GCNConv": (lambda: Two(pyg.GCNConv),),
    "ChebConv": (lambda: Two(pyg.ChebConv, K=2),),
    "SGConv": (lambda: Two(pyg.SGConv, K=2),),
    "TAGConv": (lambda: Two(pyg.TAGConv),),
    "ARMAConv": (lambda: Two(pyg.ARMAConv),),
    "GraphConv": (lambda: Two(pyg.GraphConv),),
    "LEConv": (lambda: Two(pyg.LEConv),),
    "GINConv": (gin,),
    "TransformerConv": (lambda: Two(pyg.TransformerConv),),
    "SuperGATConv": (lambda: Two(pyg.SuperGATConv),),
    "GCNII": (Initial,),
    "APPNP": (Propagated,),
    "jumping layers": (Jumping,),
    "pair norm": (lambda: Normed(pyg.PairNorm()),),
    "graph norm": (lambda: Normed(pyg.GraphNorm(8)),),
    "row normalisation": (lambda: Rows(pyg.GCNConv),),
    "Sequential": (lambda: pyg.Sequential("x, edge_index", [(pyg.GCNConv(FEATURES, CLASSES), "x, edge_index -> x")]),),
    # Other ways to be called
    "function": (function,),
    "bound method": (bound,),
    "data": (lambda: OfData(pyg.GATConv),),
    "transposed adjacency": (lambda: Transposed(pyg.GCNConv),),
    "features alone": (lambda: nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, CLASSES)), {"call": "x"}),
    "tuple": (lambda: Tuple(pyg.GCNConv), {"output": 0}),
    "dictionary": (lambda: Dictionary(pyg.GCNConv), {"output": "logits"}),
    "attribute": (lambda: Output(pyg.GCNConv), {"output": "logits"}),
    "float64": (lambda: Two(pyg.GCNConv).double(),),
    "bfloat16": (lambda: Two(pyg.SAGEConv).bfloat16(),),
    "compiled": (lambda: torch.compile(Two(pyg.GCNConv), backend="eager"),),
    # Weights and attributes of edges
    "weights": (lambda: Weighted(pyg.GCNConv), {}, HALVES),
    "weights of GraphConv": (lambda: Weighted(pyg.GraphConv), {}, HALVES),
    "weights in data": (lambda: pyg.GCN(FEATURES, 8, 2, CLASSES), {}, HALVES),
    "weights told": (lambda: Weighted(pyg.GCNConv), {"call": "x, edge_index, edge_weight"}, HALVES),
    "weights of an adjacency": (lambda: Transposed(pyg.GCNConv), {}, HALVES),
    "attributes of GAT": (lambda: Attributed(pyg.GATConv, edge_dim=2), {}, ATTRIBUTES),
    "attributes of TransformerConv": (lambda: Attributed(pyg.TransformerConv, edge_dim=2), {}, ATTRIBUTES),
    "attributes of NNConv": (lambda: pyg.Sequential("x, edge_index, edge_attr", [
        (pyg.NNConv(FEATURES, CLASSES, nn.Linear(2, FEATURES * CLASSES)), "x, edge_index, edge_attr -> x"),
    ]), {"call": "x, edge_index, edge_attr"}, ATTRIBUTES),
}  # fmt: skip
"""Name → (builder, arguments of `sample_votes`, what the data have beside x and edge_index)."""

REFUSED = {
    "cached": (lambda: Propagated(cached=True), {}, {}, ModelError, "use cached=False"),
    "class": (lambda: Propagated, {}, {}, ModelError, "give an object of it, Propagated"),
    "tuple alone": (lambda: Tuple(pyg.GCNConv), {}, {}, ModelError, "say by output= which part"),
    "one unnamed argument": (
        lambda: nn.Sequential(nn.Linear(FEATURES, CLASSES)), {}, {}, ModelError, "say call='x' .* or call='data'",
    ),
    "lazy": (lambda: Two(lambda _, out: pyg.SAGEConv(-1, out)), {}, {}, ModelError, "call the model once, and train"),
    "edge types": (lambda: Typed(lambda one, two: pyg.RGCNConv(one, two, 2)), {}, {}, ModelError, "needs edge_type"),
    "no weights": (
        lambda: Attributed(pyg.GATConv, edge_dim=2), {}, {}, DataError, "give every edge one, for example data.edge_attr",
    ),
    "weights left out": (lambda: Two(pyg.GATConv), {}, HALVES, DataError, r"say ignore=\('edge_weight',\)"),
    "other width": (lambda: pyg.GCN(FEATURES + 1, 8, 2, CLASSES), {}, {}, ModelError, "the model takes 21 features but"),
    "one class": (lambda: pyg.GCN(FEATURES, 8, 2, 1), {}, {}, ModelError, "K ≥ 2"),
    "random": (lambda: lambda x, edge_index: torch.randn(len(x), CLASSES), {}, {}, ModelError, "identical inputs"),
    "wrong call": (lambda: Two(pyg.GCNConv), {"call": "data"}, {}, ModelError, "name them by call="),
}  # fmt: skip
"""Name → (builder, arguments, data, error, what its sentence says)."""


def take(build, options, data, noise="both"):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = build()
    smoothing = replace(NOISE[noise], added_attr=(0.0, 1.0)) if "edge_attr" in data else NOISE[noise]
    return gc.sample_votes(model, small_graph(**data), smoothing, 30, 10, workers=2, **options)


@pytest.mark.filterwarnings("ignore:Sparse")  # torch calls the layout of an adjacency beta
@pytest.mark.parametrize("noise", ["both", "localized"])
@pytest.mark.parametrize("name", WORKS)
def test_works(name, noise):
    """On whichever path; the dense forward pass casts the same votes, but for ties of rounding."""
    build, options, data = (*WORKS[name], {}, {})[:3]
    votes = take(build, {**options, "scores": True}, data, noise)
    dense = take(build, {**options, "scores": True, "path": "generic"}, data, noise)
    sums = votes.scores.pilot_sums / votes.pilot_samples / 2**16  # (N, K) mean softmax of every node and class
    assert np.abs(sums - dense.scores.pilot_sums / votes.pilot_samples / 2**16).max() < 1e-3
    assert np.abs(votes.counts - dense.counts).sum() <= 4
    assert sums.std(axis=0).max() > 0.002, "the model says the same of every node, so this row tests nothing"
    assert gc.certify(votes, alpha=0.2, simultaneous=False).robust(add=1).shape == (NODES,)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    build, options, data, error, words = REFUSED[name]
    with pytest.raises(error) as caught:
        take(build, options, data)
    sentence = str(caught.value)
    assert re.search(words, sentence), sentence
    assert "\n" not in sentence
    assert len(sentence) < 420


# Data as people bring them


def undirected(*pairs):
    return torch.tensor([*pairs, *((b, a) for a, b in pairs)]).T


BITS = small_graph().x
PLAIN = undirected((0, 1), (1, 2), (5, 7))
DATA = {
    "isolated nodes": {"edge_index": PLAIN},
    "no edges": {"edge_index": torch.empty(2, 0, dtype=torch.long)},
    "directed": {"edge_index": torch.tensor([[0, 1, 2, 7], [1, 2, 0, 5]])},
    "weights": HALVES,
    "rows normalised beforehand": {"x": BITS / BITS.sum(-1, keepdim=True).clamp(min=1)},
    "labels of some nodes": {"y": torch.where(torch.arange(NODES) < 5, 0, -1)},
    "features that require gradients": {"x": BITS.clone().requires_grad_()},
    "columns side by side in memory": {"x": BITS.T.contiguous().T},
    "more attributes": {"pos": torch.zeros(NODES, 3), "name": "mine", "e_id": torch.arange(EDGES)},
}
"""Name → what differs from a small graph of bits."""

REFUSED_DATA = {
    "no features": ({"x": None}, "data.x = torch.eye"),
    "float64": ({"x": BITS.double()}, r"data.x.float\(\)"),
    "whole numbers": ({"x": BITS.long()}, r"data.x.float\(\)"),
    "real numbers under flips": ({"x": BITS + 0.25}, r"\(data.x != 0\).float\(\)"),
    "NaN": ({"x": BITS * float("nan")}, "replace them"),
    "loop": ({"edge_index": undirected((0, 1), (2, 2))}, "remove_self_loops"),
    "edge twice": ({"edge_index": undirected((0, 1), (0, 1))}, "coalesce"),
    "node that is none": ({"edge_index": undirected((0, NODES))}, f"the nodes are 0 to {NODES - 1}"),
    "edges of another type": ({"edge_index": PLAIN.int()}, r"data.edge_index.long\(\)"),
    "edge types": ({"edge_type": torch.zeros(EDGES, dtype=torch.long)}, r"ignore=\('edge_type',\)"),
    "several graphs": ({"batch": torch.arange(NODES) // 12}, r"ignore=\('batch',\)"),
    "too few weights": ({"edge_weight": torch.ones(3)}, "edge_weight"),
    "weights that are NaN": ({"edge_weight": torch.full((EDGES,), float("nan"))}, "edge_weight"),
    "an adjacency alone": ({"edge_index": None}, "need tensors x"),
}
"""Name → (what differs from a small graph of bits, what the sentence says)."""


@pytest.mark.filterwarnings("ignore:the features are bits whose rows")
@pytest.mark.parametrize("name", DATA)
def test_data_that_work(name):
    votes = gc.sample_votes(basic(pyg.GCN)(), small_graph(**DATA[name]), NOISE["both"], 30, 10)
    assert votes.counts.shape == (NODES, CLASSES)
    assert votes.smoothing.directed == (name == "directed")


@pytest.mark.parametrize("name", REFUSED_DATA)
def test_data_that_are_refused(name):
    changes, words = REFUSED_DATA[name]
    with pytest.raises(DataError) as caught:
        gc.sample_votes(basic(pyg.GCN)(), small_graph(**changes), NOISE["both"], 30, 10)
    assert re.search(words, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)
