"""Every model computes what PyTorch Geometric's own layers compute with the same weights."""

import pytest
import torch
import torch.nn.functional as F
from model_cases import FEATURES, assert_close, random_graph, random_model
from torch_geometric.nn import APPNP, GATConv, GCNConv, SAGEConv, SGConv

GRAPHS = [random_graph(), random_graph(30, 25.0), random_graph(9, 0.0)]
pytestmark = pytest.mark.parametrize(
    ("x", "edge_index"), [graph[:2] for graph in GRAPHS], ids=["usual", "dense", "empty"]
)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def gcn_layer(weight, bias):
    layer = GCNConv(*weight.shape)
    layer.lin.weight.copy_(weight.T)
    layer.bias.copy_(bias)
    return layer


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_gcn(x, edge_index, layers):
    model = random_model("gcn", 4, hidden=11, layers=layers)
    state = x
    for number, (weight, bias) in enumerate(zip(model.weights, model.biases, strict=True)):
        state = gcn_layer(weight, bias)(F.relu(state) if number else state, edge_index)
    assert len(model.weights) == layers
    assert_close(model(x, edge_index), state)


@pytest.mark.parametrize(("hops", "restart"), [(0, 0.15), (1, 0.3), (10, 0.15)])
def test_appnp(x, edge_index, hops, restart):
    model = random_model("appnp", 5, hidden=9, hops=hops, restart=restart)
    perceptron = F.relu(x @ model.weight_in + model.bias_in) @ model.weight_out + model.bias_out
    assert_close(model(x, edge_index), APPNP(hops, restart)(perceptron, edge_index))


def gat_layer(weight, to, of, bias, slope):
    heads, size = to.shape
    layer = GATConv(weight.shape[0], size, heads, negative_slope=slope)
    layer.lin.weight.copy_(weight.T)
    layer.att_dst.copy_(to[None])
    layer.att_src.copy_(of[None])
    layer.bias.copy_(bias)
    return layer


@pytest.mark.parametrize(("hidden", "heads", "slope"), [(8, 8, 0.2), (5, 3, 0.0), (4, 1, 0.7)])
def test_gat(x, edge_index, hidden, heads, slope):
    model = random_model("gat", 4, hidden=hidden, heads=heads, slope=slope)
    first = gat_layer(model.weight_in, model.to_in, model.of_in, model.bias_in, slope)
    last = gat_layer(model.weight_out, model.to_out, model.of_out, model.bias_out, slope)
    assert_close(model(x, edge_index), last(F.elu(first(x, edge_index)), edge_index))


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_sgc(x, edge_index, hops):
    model = random_model("sgc", 4, hops=hops)
    layer = SGConv(FEATURES, 4, K=hops)
    layer.lin.weight.copy_(model.weight.T)
    layer.lin.bias.copy_(model.bias)
    assert_close(model(x, edge_index), layer(x, edge_index))


def sage_layer(own, near, bias):
    layer = SAGEConv(*own.shape)
    layer.lin_l.weight.copy_(near.T)
    layer.lin_l.bias.copy_(bias)
    layer.lin_r.weight.copy_(own.T)
    return layer


def test_sage(x, edge_index):
    model = random_model("sage", 4, hidden=10)
    first = sage_layer(model.own_in, model.near_in, model.bias_in)
    last = sage_layer(model.own_out, model.near_out, model.bias_out)
    assert_close(model(x, edge_index), last(F.relu(first(x, edge_index)), edge_index))
