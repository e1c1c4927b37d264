"""Modules of stock layers become programs that compute the same; a module whose structure cannot be told does not."""

import copy

import numpy as np
import pytest
import torch
from model_cases import FEATURES, assert_close, random_graph
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch_geometric.nn import APPNP, GATConv, GATv2Conv, GCNConv, GINConv, SAGEConv, Sequential, SGConv, models

from graphcert.models import APPNP as OwnAPPNP
from graphcert.models.base import padded
from graphcert.models.recognised import recognised
from graphcert.sampling.local_graph import LocalGraph

NODES, HIDDEN, CLASSES = 40, 12, 3


def stock(kind, layers=2, out=CLASSES, **options):
    return lambda: kind(FEATURES, HIDDEN, layers, out, **options)


class TwoLayers(nn.Module):
    """Two layers as people write them; subclasses change what happens around and between them."""

    def __init__(self, conv=GCNConv, **options):
        super().__init__()
        self.one, self.two = conv(FEATURES, HIDDEN, **options), conv(HIDDEN, CLASSES, **options)

    def between(self, x):
        return F.dropout(x.relu(), training=self.training)

    def forward(self, x, edge_index):
        return self.two(self.between(self.one(x, edge_index)), edge_index)


class Walking(nn.Module):
    def __init__(self, activation=nn.ReLU, bias=True, **options):
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, HIDDEN, bias), nn.Linear(HIDDEN, CLASSES, bias)
        self.activation, self.walk = activation(), APPNP(**{"K": 3, "alpha": 0.2, **options})

    def forward(self, x, edge_index):
        return self.walk(self.last(self.activation(self.first(x))), edge_index)


class Residual(TwoLayers):
    def __init__(self):
        super().__init__()
        self.skip, self.norm = nn.Linear(FEATURES, CLASSES), nn.LayerNorm(HIDDEN)

    def forward(self, x, edge_index):
        hidden = self.one(x, edge_index)
        hidden = hidden + self.norm(hidden)[:, :1]
        hidden += 1
        return F.log_softmax(self.two(self.norm(F.elu(hidden)), edge_index) + self.skip(x), dim=1)


class Rows(TwoLayers):
    """Divides rows by their sums, as NormalizeFeatures does."""

    def forward(self, x, edge_index):
        return super().forward(x / x.sum(dim=-1, keepdim=True).clamp(min=1), edge_index)


class InPlace(TwoLayers):
    def between(self, x):
        x = F.relu(x, inplace=True)
        x.mul_(0.5)
        return x


class Overwritten(TwoLayers):
    """A value is read before it is overwritten."""

    def between(self, x):
        return x * 2 + F.relu(x, inplace=True)


class Gates(TwoLayers):
    """Results that are several tensors, and products of values."""

    def between(self, x):
        one, two = x.chunk(2, dim=1)
        return torch.cat([one * torch.sigmoid(two), two.max(dim=1)[0].unsqueeze(1) * one], dim=1)


class Heads(TwoLayers):
    def __init__(self, conv, **options):
        nn.Module.__init__(self)
        self.one = conv(FEATURES, 4, heads=3, **options)
        self.two = conv(12, CLASSES, heads=2, concat=False, **options)


class Isomorphism(TwoLayers):
    def __init__(self, eps=0.0):
        nn.Module.__init__(self)
        narrow = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(inplace=True))
        self.one, self.two = GINConv(narrow, eps=eps), GINConv(nn.Linear(HIDDEN, 20), train_eps=True, eps=-0.5)
        self.last = nn.Linear(20, CLASSES)

    def forward(self, x, edge_index):
        return self.last(super().forward(x, edge_index))


def sequence():
    layers = [(GCNConv(FEATURES, HIDDEN), "x, edge_index -> x"), nn.ReLU(inplace=True), nn.Linear(HIDDEN, CLASSES)]
    return Sequential("x, edge_index", layers)


KNOWN = {
    "gcn": stock(models.GCN),
    "gcn, one layer": stock(models.GCN, 1),
    "gcn, three layers, no bias": stock(models.GCN, 3, bias=False),
    "gcn, jumping knowledge": stock(models.GCN, 3, jk="cat", norm="batch_norm", act="elu"),
    "gcn, jumping to the largest": stock(models.GCN, 2, jk="max"),
    "gcn, norm of the graph": stock(models.GCN, norm="LayerNorm", act=nn.PReLU()),
    "sage": stock(models.GraphSAGE),
    "sage, no root": stock(models.GraphSAGE, root_weight=False),
    "sage, sums": stock(models.GraphSAGE, 3, aggr="add"),
    "gin": stock(models.GIN),
    "gin, eps": lambda: Isomorphism(0.3),
    "gat": stock(models.GAT, heads=3),
    "gat, slope": stock(models.GAT, heads=2, negative_slope=0.0, out=None),
    "gat2": stock(models.GAT, heads=3, v2=True),
    "gat2, shared": stock(models.GAT, heads=2, v2=True, share_weights=True),
    "own gcn": TwoLayers,
    "own sgc": lambda: TwoLayers(SGConv, K=2),
    "own gat": lambda: Heads(GATConv),
    "own gat2": lambda: Heads(GATv2Conv),
    "walk": Walking,
    "walk, no bias": lambda: Walking(bias=False),
    "walk, tanh": lambda: Walking(nn.Tanh),
    "walk, no steps": lambda: Walking(K=0),
    "residual": Residual,
    "rows": Rows,
    "in place": InPlace,
    "gates": Gates,
    "sequence": sequence,
    "parametrised": lambda: parametrised(TwoLayers()),
}


def parametrised(model):
    parametrizations.weight_norm(model.one.lin)
    return model


def random(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            if value.is_floating_point():
                value.copy_(
                    torch.rand(value.shape, generator=generator) + 0.1
                    if value.dim() == 1
                    else torch.randn(value.shape, generator=generator) / 3
                )
    return model.eval()


def first_products(program, x):
    return np.ascontiguousarray(x.numpy() @ padded(program.first_weight(), 1))


def computed(program, x, graph):
    """What the kernels make of x, by the same way as on the sparse path."""
    hidden, whole = first_products(program, x), LocalGraph.whole(graph, program.layers)
    layer = program.row_layer()
    if layer is not None:
        bias, weight = layer
        hidden = padded(torch.from_numpy(np.maximum(hidden + bias, 0) @ weight.T), 1)
        return program.compiled_views(NODES, np.zeros(NODES, np.int64))(hidden, whole)[:, :CLASSES]
    return program.compiled(NODES)(hidden, whole)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_programs_compute_what_modules_do(name):
    model = random(KNOWN[name]())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    program = recognised(model, NODES, FEATURES)
    assert program is not None
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    for seed in range(2):
        x, edge_index, graph = random_graph(NODES, seed=seed)
        with torch.inference_mode():
            expected = model(x, edge_index)
        assert_close(computed(program, x, graph)[:, : expected.shape[1]], expected, 2e-5)


class Divided(TwoLayers):
    """Divides rows by what may be zero."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Linear(FEATURES, 1)

    def forward(self, x, edge_index):
        return super().forward(x / self.scale(x).relu(), edge_index)


def test_division_of_rows_by_zero_is_no_number():
    """0 / 0 of an entry is none; of a sum of entries it may be infinite."""
    model = random(Divided())
    x, edge_index, graph = random_graph(NODES, seed=0)
    with torch.inference_mode():
        expected = model(x, edge_index).isnan()
    assert expected.any()
    assert not expected.all()
    found = np.isnan(computed(recognised(model, NODES, FEATURES), x, graph))[:, :CLASSES]
    assert (found == expected.numpy()).all()


def test_a_perceptron_with_a_walk_is_our_own_model():
    """Whose perceptron runs while features are drawn."""
    assert isinstance(recognised(random(Walking()), NODES, FEATURES), OwnAPPNP)
    assert not isinstance(recognised(random(Walking(nn.Tanh)), NODES, FEATURES), OwnAPPNP)


class OtherGCN(GCNConv):
    """A layer with another message."""

    def message(self, x_j, edge_weight):
        return x_j


class Branching(TwoLayers):
    def between(self, x):
        return x.relu() if x.sum() > 0 else x


class Caught(TwoLayers):
    """Hides that it asked for numbers."""

    def between(self, x):
        try:
            return x.relu() if bool(x.sum() > 0) else x
        except Exception:
            return x


class ByEdges(TwoLayers):
    def between(self, x):
        return self.one.bias * x if self.edge_index.shape[1] > 5 else x

    def forward(self, x, edge_index):
        self.edge_index = edge_index
        return super().forward(x, edge_index)


class Counting(TwoLayers):
    calls = 0

    def between(self, x):
        self.calls += 1
        return x.relu() if self.calls < 100 else x


class Changing(TwoLayers):
    """Another activation in every call, without a trace in the module."""

    turns = iter([torch.relu, torch.tanh] * 50)

    def between(self, x):
        return next(self.turns)(x)


class Noisy(TwoLayers):
    def between(self, x):
        return x + torch.randn_like(x)


class Dropping(TwoLayers):
    def between(self, x):
        return F.dropout(x, training=True)


class Squares(TwoLayers):
    """The features themselves, before any weight."""

    def forward(self, x, edge_index):
        return super().forward(x**2, edge_index)


class Loops(TwoLayers):
    def forward(self, x, edge_index):
        return super().forward(x, edge_index.flip(0))


class Weighted(TwoLayers):
    def forward(self, x, edge_index):
        hidden = self.one(x, edge_index, torch.ones(edge_index.shape[1]))
        return self.two(self.between(hidden), edge_index)


class Constant(TwoLayers):
    def forward(self, x, edge_index):
        return torch.zeros(x.shape[0], CLASSES)


def changed(change):
    def make():
        model = TwoLayers()
        change(model)
        return model

    return make


def own_message(model):
    model.one.message = lambda x_j, edge_weight: x_j


def hooked(model):
    model.one.register_propagate_forward_hook(lambda layer, given, result: result * 2)


UNKNOWN = {
    "subclass of a layer": lambda: TwoLayers(OtherGCN),
    "method of an object": changed(own_message),
    "hook inside of a layer": changed(hooked),
    "hook of a layer": changed(lambda model: model.one.register_forward_hook(lambda layer, given, result: result * 2)),
    "hook of an aggregation": changed(
        lambda model: model.one.aggr_module.register_forward_hook(lambda layer, given, result: result * 2)
    ),
    "cache that is full": changed(lambda model: setattr(model.one, "_cached_edge_index", (torch.zeros(2, 0), None))),
    "branch": Branching,
    "branch that is caught": Caught,
    "branch by edges": ByEdges,
    "counter": Counting,
    "another call": Changing,
    "noise": Noisy,
    "dropout that stays": Dropping,
    "overwritten": Overwritten,
    "squares": Squares,
    "reversed edges": Loops,
    "weights of edges": Weighted,
    "constant": Constant,
    "improved": lambda: TwoLayers(improved=True),
    "cached": lambda: TwoLayers(cached=True),
    "no normalisation": lambda: TwoLayers(normalize=False),
    "no self-loops": lambda: TwoLayers(add_self_loops=False),
    "maximum": lambda: TwoLayers(SAGEConv, aggr="max"),
    "normalised rows": lambda: TwoLayers(SAGEConv, normalize=True),
    "projection": lambda: TwoLayers(SAGEConv, project=True),
    "flow": lambda: TwoLayers(flow="target_to_source"),
    "several aggregations": lambda: TwoLayers(SAGEConv, aggr=["mean", "max"]),
    "edge features": lambda: Heads(GATConv, edge_dim=2),
    "residual attention": lambda: Heads(GATConv, residual=True),
    "attention without self": lambda: Heads(GATv2Conv, add_self_loops=False),
    "principal neighbourhood": lambda: models.PNA(
        FEATURES, HIDDEN, 1, CLASSES, aggregators=["mean"], scalers=["identity"], deg=torch.tensor([1, 2])
    ),
    "compiled to a script": lambda: torch.jit.trace(nn.Linear(FEATURES, CLASSES), torch.zeros(2, FEATURES)),
}


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_cannot_be_told_exactly_is_not_recognised(name):
    assert recognised(random(UNKNOWN[name]()), NODES, FEATURES) is None


def test_hooks_of_all_modules_are_noticed():
    handle = nn.modules.module.register_module_forward_hook(lambda layer, given, result: None)
    try:
        assert recognised(random(TwoLayers()), NODES, FEATURES) is None
    finally:
        handle.remove()
    assert recognised(random(TwoLayers()), NODES, FEATURES) is not None


def test_layers_in_training_are_not_recognised():
    model = random(TwoLayers())
    model.two.train()
    assert recognised(model, NODES, FEATURES) is None


def test_a_module_is_left_as_it_was():
    model = random(ByEdges())
    before = copy.copy(vars(model.one))
    recognised(model, NODES, FEATURES)
    assert not hasattr(model, "edge_index")
    assert vars(model.one) == before
