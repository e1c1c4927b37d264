"""Three ways to evaluate a model agree: torch on dense features, torch on sparse features, compiled kernels."""

import numpy as np
import pytest
import torch
from model_cases import CASES, assert_close, case_name, random_graph, random_model
from scipy import sparse

from graphcert.models import MODELS, SparseFirstModel, build_model
from graphcert.models.base import feature_tensor, padded, sparse_features, upper_triangle
from graphcert.sampling.csr import CSR
from graphcert.sampling.local_graph import LocalGraph

every_model = pytest.mark.parametrize(("name", "options"), CASES, ids=[case_name(case) for case in CASES])
GRAPHS = {
    "usual": random_graph(),
    "dense": random_graph(30, 25.0),
    "without edges": random_graph(9, 0.0),
    "one node": random_graph(1, isolated=0),
    "two nodes": random_graph(2, 9.0, isolated=0),
}


def compiled_logits(model, x, graph, classes, forward=None):
    forward = forward or model.compiled(len(x))
    hidden = padded(x @ model.first_weight(), 1)
    return torch.from_numpy(forward(hidden, LocalGraph.whole(graph, model.layers))[:, :classes].copy())


@every_model
@pytest.mark.parametrize("classes", [2, 3, 16, 19])
@pytest.mark.parametrize("kind", GRAPHS)
def test_kernels_compute_the_forward_pass(name, options, classes, kind):
    x, edge_index, graph = GRAPHS[kind]
    model = random_model(name, classes, **options)
    with torch.inference_mode():
        expected = model(x, edge_index)
        found = compiled_logits(model, x, graph, classes)
    assert expected.shape == (len(x), classes)
    assert_close(found, expected)


@every_model
def test_the_buffers_of_a_compiled_pass_keep_no_memory(name, options):
    """One pass over another graph in between, and over not-a-numbers, changes nothing."""
    model = random_model(name, **options)
    forward = model.compiled(40)
    with torch.inference_mode():
        x, _, graph = random_graph()
        other_x, _, other_graph = random_graph(seed=5, isolated=0)
        first = compiled_logits(model, x, graph, 3, forward)
        compiled_logits(model, other_x, other_graph, 3, forward)
        assert compiled_logits(model, torch.full_like(x, np.nan), other_graph, 3, forward).isnan().all()
        assert torch.equal(compiled_logits(model, x, graph, 3, forward), first)


@every_model
def test_the_order_of_neighbours_is_only_rounding(name, options):
    """Kernels read neighbours in any order."""
    x, _, graph = random_graph()
    shuffled = graph.indices.copy()
    for begin, end in zip(graph.indptr[:-1], graph.indptr[1:], strict=True):
        shuffled[begin:end] = shuffled[begin:end][::-1]
    model = random_model(name, **options)
    with torch.inference_mode():
        assert_close(
            compiled_logits(model, x, CSR(graph.indptr, shuffled), 3), compiled_logits(model, x, graph, 3)
        )  # fmt: skip


@every_model
def test_sparse_features_give_the_same_logits(name, options):
    x, edge_index, _ = random_graph()
    model = random_model(name, **options)
    with torch.inference_mode():
        assert_close(model(feature_tensor(sparse_features(x), x.shape[1]), edge_index), model(x, edge_index))


@every_model
def test_sparse_features_give_the_same_gradients(name, options):
    x, edge_index, _ = random_graph()
    model = random_model(name, **options)
    slopes = []
    for features in (x, feature_tensor(sparse_features(x), x.shape[1])):
        model.zero_grad()
        model(features, edge_index).square().sum().backward()
        slopes.append([parameter.grad.clone() for parameter in model.parameters()])
    for one, two in zip(*slopes, strict=True):
        assert_close(one, two)
        assert torch.isfinite(one).all()


def test_features_whose_columns_come_in_any_order_mean_the_same():
    """The sampler writes survivors before additions."""
    unsorted = CSR(np.array([0, 3, 3, 5], np.int32), np.array([4, 0, 2, 3, 1], np.int32))
    dense = torch.tensor([[1.0, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]])
    weight = torch.randn(5, 4)
    assert_close(feature_tensor(unsorted, 5) @ weight, dense @ weight)


@every_model
def test_dropout_acts_in_training_alone(name, options):
    x, edge_index, _ = random_graph()
    model = random_model(name, **options)
    with torch.inference_mode():
        assert torch.equal(model(x, edge_index), model(x, edge_index))
        model.train()
        drops = "dropout" in vars(model) and options.get("layers") != 1
        assert torch.equal(model(x, edge_index), model(x, edge_index)) != drops


@every_model
def test_nodes_without_a_path_between_them_do_not_meet(name, options):
    """Two graphs side by side are what each of them is alone: nothing is normalised over the whole graph."""
    (x, edge_index, _), (y, other_index, _) = random_graph(), random_graph(seed=7)
    model = random_model(name, **options)
    with torch.inference_mode():
        together = model(torch.cat([x, y]), torch.cat([edge_index, other_index + len(x)], dim=1))
        assert_close(together, torch.cat([model(x, edge_index), model(y, other_index)]))


def test_every_model_is_tested():
    assert {name for name, _ in CASES} == set(MODELS)
    assert all(issubclass(model, SparseFirstModel) for model in MODELS.values())


def test_positions_survive_the_way_to_tensors_and_back():
    x, edge_index, graph = random_graph()
    for form in (x, x.to_sparse_csr(), x.to_sparse()):
        found = sparse_features(form)
        assert (found.indptr == sparse_features(x).indptr).all()
        assert (found.indices == sparse_features(x).indices).all()
    assert torch.equal(feature_tensor(sparse_features(x), x.shape[1]).to_dense(), x)
    upper = upper_triangle(edge_index[:, torch.randperm(edge_index.shape[1])], len(x))
    rows = np.repeat(np.arange(len(x)), np.diff(upper.indptr))
    assert (rows < upper.indices).all()
    both = sparse.coo_array((np.ones(rows.size, np.int8), (rows, upper.indices)), shape=(len(x),) * 2)
    back = CSR.of((both + both.T).tocsr())
    assert (back.indptr == graph.indptr).all()
    assert (back.indices == graph.indices).all()


@pytest.mark.parametrize("name", ["gcn", "sgc", "appnp"])
def test_propagation_in_parts_is_the_same_to_the_bit(name, monkeypatch):
    found = []
    generator = torch.Generator().manual_seed(0)
    x, edges = torch.rand(50, 6, generator=generator), torch.randint(50, (2, 400), generator=generator)
    for at_once in (2**26, 40):
        monkeypatch.setattr("graphcert.models.scatter._AT_ONCE", at_once)
        torch.manual_seed(1)
        model = build_model(name, 6, 3).eval()
        logits = model(x, edges)
        found.append((logits, torch.autograd.grad(logits.square().sum(), list(model.parameters()))))
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(one, other) for one, other in zip(found[0][1], found[1][1], strict=True))
