"""Recognised modules compute some nodes' logits from what these perceive alone, to the bit as from the whole graph."""

import numpy as np
import pytest
import torch
from model_cases import FEATURES, assert_close, random_graph
from scipy import sparse
from test_recognised import HIDDEN, KNOWN, TwoLayers, first_products, random
from torch import nn
from torch.nn import functional as F

from graphcert.models import operations
from graphcert.models.base import edge_index_tensor, single_torch_thread
from graphcert.models.program import TILE
from graphcert.models.recognised import recognised
from graphcert.models.row_wise import _ALONG_AXES, _EVERY_ENTRY, _RESHAPES, over
from graphcert.sampling.csr import CSR
from graphcert.sampling.local_graph import LocalGraph

NODES = 150


def directed_graph(nodes, degree=2.5, seed=0, isolated=4):
    """Random edges, each in its own direction."""
    generator = np.random.default_rng(seed)
    edges = generator.random((nodes, nodes)) < degree / nodes
    edges[:isolated] = edges[:, :isolated] = False
    np.fill_diagonal(edges, False)
    x = torch.from_numpy((generator.random((nodes, FEATURES)) < 0.3).astype(np.float32))
    return x, CSR.of(sparse.csr_array(edges.astype(np.int8)))


def perceived(graph, members, hops):
    """The part of a graph that members perceive, node by node."""
    near = [graph.indices[begin:end] for begin, end in zip(graph.indptr, graph.indptr[1:], strict=False)]
    nodes, sizes, inner = list(members), [len(members)], 0
    for _ in range(hops):
        inner = len(nodes)
        nodes += [j for j in dict.fromkeys(j for i in nodes for j in near[i]) if j not in set(nodes)]
        sizes.append(len(nodes))
    at = {node: r for r, node in enumerate(nodes)}
    rows = [[at[j] for j in near[node]] for node in nodes[:inner]]
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    indices = np.array([j for row in rows for j in row], np.int32)
    degrees = np.array([len(near[node]) for node in nodes], np.int32)
    return LocalGraph(indptr, indices, nodes=np.array(nodes, np.int32), sizes=tuple(sizes), degrees=degrees)


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "gcn, norm of the graph"])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_a_part_of_a_graph_gives_the_same_bits_as_the_whole(name):
    program, generator = recognised(random(KNOWN[name]()), NODES, FEATURES), np.random.default_rng(0)
    assert program.local
    forward = program.compiled(NODES)
    for seed in range(3):
        x, graph = directed_graph(NODES, seed=seed)
        hidden = first_products(program, x)
        whole = forward(hidden.copy(), LocalGraph.whole(graph, program.layers)).copy()
        for count in (1, 7, 40):
            members = generator.permutation(NODES)[:count]
            part = perceived(graph, members, program.layers)
            with single_torch_thread():
                found = forward(hidden[part.nodes], part)
                fitting = program.compiled(part.sizes[-1])(hidden[part.nodes], part)
            assert np.array_equal(found, whole[members])
            assert np.array_equal(found, fitting)


def test_rounds_are_those_of_the_longest_way():
    rounds = {"gcn, jumping knowledge": 3, "own sgc": 4, "walk, tanh": 3, "residual": 2, "gat2": 2, "sequence": 1}
    assert {name: recognised(random(KNOWN[name]()), NODES, FEATURES).layers for name in rounds} == rounds


def test_only_rows_that_are_needed_are_computed(monkeypatch):
    """On a ring of single steps three neighbours see four, then five; each layer computes what the next reads."""
    taken = []
    for place, name, argument in ((operations, "row_products", 0), (operations.kernels, "symmetric_sum", 0)):
        monkeypatch.setattr(place, name, counting(getattr(place, name), argument, taken))
    ring = CSR(np.arange(NODES + 1, dtype=np.int32), (np.arange(NODES, dtype=np.int32) + 1) % NODES)
    program = recognised(random(TwoLayers()), NODES, FEATURES)
    part = perceived(ring, [10, 11, 12], 2)
    program.compiled(NODES)(np.ones((part.sizes[-1], 16), np.float32), part)
    assert part.sizes == (3, 4, 5)
    assert taken == [4 + 1, 4, 3 + 1]  # pointers to four rows, four products, pointers to three rows


def counting(function, argument, taken):
    def counted(*given):
        taken.append(len(given[argument]))
        function(*given)

    return counted


class PerNode(TwoLayers):
    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(NODES, HIDDEN))

    def between(self, x):
        return x + self.place


class Batch(TwoLayers):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(HIDDEN, track_running_stats=False)

    def between(self, x):
        return self.norm(x)


def between(change):
    class Changed(TwoLayers):
        def between(self, x):
            return change(x)

    return Changed


GRAPH_WIDE = {
    "norm of the graph": KNOWN["gcn, norm of the graph"],
    "norm of a batch": Batch,
    "parameter per node": PerNode,
    "mean of all nodes": between(lambda x: x - x.mean(dim=0)),
    "mean of everything": between(lambda x: x - x.mean()),
    "mean over both axes": between(lambda x: x / x.std(dim=(1, 0))),
    "softmax over nodes": between(lambda x: x.softmax(dim=0)),
    "softmax over nodes, from behind": between(lambda x: x.softmax(dim=-2)),
    "transposed": between(lambda x: x.t().softmax(dim=1).t()),
    "rows mixed by their shape": between(lambda x: x.reshape(-1, NODES).softmax(dim=1).reshape(NODES, -1)),
    "rows moved": between(lambda x: torch.cat([x[1:], x[:1]])),
    "similarity of nodes": between(lambda x: x @ x.t() @ x / NODES),
    "largest of all nodes": between(lambda x: x - x.amax(0, keepdim=True)),
    "norm over everything": between(lambda x: F.layer_norm(x, x.shape)),
    "one node for all": between(lambda x: x - x[5]),
    "broadcast over nodes": between(lambda x: x + x.sum(dim=1).unsqueeze(0).mean(dim=1)),
}


@pytest.mark.parametrize("name", GRAPH_WIDE)
def test_what_looks_at_all_nodes_is_shown_whole_graphs(name):
    model = random(GRAPH_WIDE[name]())
    program = recognised(model, NODES, FEATURES)
    assert not program.local
    x, edge_index, graph = random_graph(NODES)
    with torch.inference_mode():
        expected = model(x, edge_index)
    found = program.compiled(NODES)(first_products(program, x), LocalGraph.whole(graph, 0))
    assert_close(found[:, : expected.shape[1]], expected, 2e-5)
    assert edge_index.equal(edge_index_tensor(graph))


def test_a_graph_of_one_node_is_a_whole_graph():
    """Any axis of one entry could be that of the nodes."""
    assert not recognised(random(between(torch.tanh)()), 1, FEATURES).local


SPECIAL = {
    "__radd__": lambda x: 1 + x, "__rsub__": lambda x: 1 - x, "rsub": lambda x: torch.rsub(x, 1, alpha=0.3),
    "__rmul__": lambda x: 0.3 * x, "__rtruediv__": lambda x: 1 / x, "__rdiv__": lambda x: 1 / x,
    "add": lambda x: torch.add(x, x, alpha=0.3), "sub": lambda x: torch.sub(x, x, alpha=0.3),
    "pow": lambda x: x.abs().pow(1.7), "__pow__": lambda x: x.abs() ** 0.3, "log": lambda x: x.abs().log(),
    "sqrt": lambda x: x.abs().sqrt(), "rsqrt": lambda x: x.abs().rsqrt(), "clamp": lambda x: x.clamp(-0.5, 0.5),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.3])), "threshold": lambda x: F.threshold(x, 0.1, 0.2),
    "over": lambda x: over(x, x.sum(1, keepdim=True)), "max": lambda x: x.max(1)[0], "min": lambda x: x.min(1)[0],
    "narrow": lambda x: x.narrow(1, 0, 1), "select": lambda x: x.select(1, 0), "cat": lambda x: torch.cat([x, x], 1),
    "concat": lambda x: torch.concat([x, x], 1), "stack": lambda x: torch.stack([x, x], 2).sum(2),
    "chunk": lambda x: x.chunk(2, 1)[0].exp(), "split": lambda x: x.split(1, 1)[0].exp(),
    "unbind": lambda x: x.unbind(1)[0].exp(), "norm": lambda x: x.norm(2, 1), "normalize": lambda x: F.normalize(x),
    "glu": lambda x: F.glu(torch.cat([x, x.sin()], 1)),
}  # fmt: skip
MORE = {
    "layer_norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "batch_norm": lambda x: F.batch_norm(x, torch.zeros(x.shape[1]), torch.rand(x.shape[1]) + 1),
    "mean over heads": lambda x: x.reshape(len(x), -1, 1).expand(-1, -1, 7).contiguous().mean(dim=1),
    "by a column": lambda x: x * x.sum(1, keepdim=True).sigmoid(),
    "by a row": lambda x: torch.exp(x + torch.arange(x.shape[1])),
}


def function_named(name):
    if name in SPECIAL:
        return SPECIAL[name]
    if name in _ALONG_AXES:
        return lambda x: getattr(F if name in ("softmax", "log_softmax") else torch, name)(x, dim=1)
    function = next(getattr(place, name) for place in (Tensor, torch, F) if hasattr(place, name))
    binary = name.strip("_") in ("mul", "div", "true_divide", "truediv", "maximum", "minimum", "add", "sub")
    return (lambda x: function(x, x.cos())) if binary else function


Tensor = torch.Tensor


RESHAPED = {
    "view": lambda x: x.exp().view(NODES, -1, 2).softmax(2).view(NODES, -1),
    "reshape": lambda x: x.reshape(x.shape[0], -1, 2).softmax(2).reshape(x.shape),
    "flatten": lambda x: x.unsqueeze(2).exp().flatten(1),
    "unflatten": lambda x: x.unflatten(1, (-1, 2)).softmax(2).view_as(x),
    "squeeze": lambda x: x.unsqueeze(1).exp().squeeze(1), "unsqueeze": lambda x: x.unsqueeze(-1).exp().sum(2),
    "view_as": lambda x: x.exp().view_as(x), "shape of another": lambda x: x.unsqueeze(1).exp().view_as(x.sin()),
}  # fmt: skip


def test_every_reshape_is_tried():
    assert set(RESHAPED) == {*_RESHAPES, "shape of another"}


@pytest.mark.parametrize("name", RESHAPED)
def test_reshaped_rows_are_those_of_the_whole_graph(name):
    program, (x, graph) = recognised(random(between(RESHAPED[name])()), NODES, FEATURES), directed_graph(NODES)
    hidden, members = first_products(program, x), np.arange(0, NODES, 9)
    assert program.local
    whole = program.compiled(NODES)(hidden.copy(), LocalGraph.whole(graph, program.layers)).copy()
    part = perceived(graph, members, program.layers)
    with single_torch_thread():
        assert np.array_equal(program.compiled(part.sizes[-1])(hidden[part.nodes], part), whole[members])


def test_a_reshape_by_names_is_shown_whole_graphs_or_left_to_torch():
    program = recognised(random(between(lambda x: torch.reshape(input=x, shape=x.shape))()), NODES, FEATURES)
    assert program is None or not program.local


@pytest.mark.parametrize("name", sorted({*_EVERY_ENTRY, *_ALONG_AXES, *MORE}))
def test_functions_of_torch_round_a_row_alike_wherever_it_stands(name):
    """In any tiles, beside any rows, whether the columns fill their memory or not."""
    function, generator = MORE.get(name) or function_named(name), np.random.default_rng(0)
    for columns in (2, 3, 7, 12, 16, 33, 64):
        for gap in (0, 5):
            wide = torch.from_numpy(generator.normal(size=(5 * TILE, columns + gap)).astype(np.float32))
            some = generator.permutation(5 * TILE)
            with single_torch_thread():
                torch.manual_seed(0)
                whole = function(wide[:, :columns])
                for tiles in (1, 2, 4):
                    torch.manual_seed(0)
                    part = function(wide[some[: tiles * TILE]][:, :columns])
                    assert part.numpy().tobytes() == whole[some[: tiles * TILE]].numpy().tobytes(), columns
