"""What models are shown of weighted, attributed and directed graphs, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv
from torch_geometric.utils import coalesce
from voting_cases import CLASSES, FEATURES, NODES, NOISE, SPARSE_MODELS, randomise, small_graph, sparse_model

import graphcert as gc
from graphcert.errors import DataError, InputError
from graphcert.noise import BernoulliFlip
from graphcert.sampling.philox import MAIN
from graphcert.voting.generic_input import GenericInput
from graphcert.voting.noisy_graph import Problem, lookalikes

EDGES = small_graph().edge_index
NOISES = {
    "isotropic": gc.Smoothing(edges=BernoulliFlip(0.02, 0.3), added_weight=0.5, added_attr=(7, 8)),
    "localized": gc.Smoothing(
        edges=[BernoulliFlip(0.01, 0.1), BernoulliFlip(0.05, 0.5)],
        partition=gc.Partition(np.arange(NODES) % 2, [[0, 1], [1, 0]]), added_weight=0.5, added_attr=(7, 8),
    ),
    "clean": gc.Smoothing(features=BernoulliFlip(0.02, 0.3), added_weight=0.5, added_attr=(7, 8)),
}  # fmt: skip


def directed_edges(seed=1, nodes=NODES, degree=4):
    generator = np.random.default_rng(seed)
    matrix = generator.random((nodes, nodes)) < degree / nodes
    np.fill_diagonal(matrix, False)
    matrix[:, 0] = False
    return torch.from_numpy(np.argwhere(matrix).T)


def weighted(edges=EDGES, **changes):
    """Every direction of an edge has a weight and attributes of its own."""
    number = edges.shape[1]
    order = torch.randperm(number, generator=torch.Generator().manual_seed(0))
    values = {"edge_weight": 1 + torch.arange(number).float(), "edge_attr": torch.rand(number, 2)}
    return small_graph(edge_index=edges[:, order], **{**values, **changes})


class Weighted(nn.Module):
    """Takes weights only."""

    def __init__(self):
        super().__init__()
        self.layer = GCNConv(FEATURES, CLASSES)

    def forward(self, x, edge_index, edge_weight=None):
        return self.layer(x, edge_index, edge_weight)


def take(model, data, noise, **options):
    return gc.sample_votes(model, data, noise, 12, 6, workers=1, **options)


@pytest.mark.parametrize("edges", [EDGES, directed_edges()], ids=["undirected", "directed"])
@pytest.mark.parametrize("noise", NOISES)
def test_values_stay_with_their_edges_and_added_edges_get_the_stated_ones(edges, noise):
    data = weighted(edges)
    problem = Problem.of(data, NOISES[noise], 3, takes=("edge_weight", "edge_attr"))
    clean = {
        pair: (weight, attr)
        for pair, weight, attr in zip(
            map(tuple, data.edge_index.T.tolist()), data.edge_weight.tolist(), data.edge_attr.tolist(), strict=True
        )
    }
    shown, added, kept = GenericInput(problem), 0, 0
    for graph in range(0, 20, 2):
        _, edge_index, weight, attr = shown.union(MAIN, graph, 2)
        assert len(weight) == len(attr) == edge_index.shape[1] == coalesce(edge_index).shape[1]
        for (source, target), *values in zip(edge_index.T.tolist(), weight.tolist(), attr.tolist(), strict=True):
            pair = source % NODES, target % NODES
            assert source // NODES == target // NODES
            assert tuple(values) == clean.get(pair, (0.5, [7.0, 8.0]))
            added, kept = added + (pair not in clean), kept + (pair in clean)
    assert kept > 0
    assert (added > 0) == (noise != "clean")
    assert problem.smoothing.edge_values == "own"
    assert problem.smoothing.directed == (edges is not EDGES)


def test_both_directions_of_an_undirected_edge_go_together():
    shown = GenericInput(Problem.of(weighted(), NOISES["isotropic"], 3, takes=("edge_weight", "edge_attr")))
    for graph in range(5):
        listed = set(map(tuple, shown.union(MAIN, graph, 1)[1].T.tolist()))
        assert {(j, i) for i, j in listed} == listed


@pytest.mark.parametrize("name", SPARSE_MODELS)
@pytest.mark.parametrize("noise", ["features", "edges", "both", "localized"])
def test_our_own_models_vote_on_directed_graphs_as_torch_runs_them(name, noise):
    data = small_graph(edge_index=directed_edges())
    found = {path: take(sparse_model(name), data, NOISE[noise], path=path) for path in ("sparse", "generic")}
    assert found["sparse"].smoothing == found["generic"].smoothing
    assert found["sparse"].smoothing.directed
    assert np.abs(found["sparse"].counts - found["generic"].counts).sum() <= 2  # equal logits may be rounded apart


def test_votes_say_that_the_graph_is_directed_only_if_it_is():
    model, noise = sparse_model("gcn"), NOISE["edges"]
    assert take(model, small_graph(), noise).smoothing == noise
    votes = take(model, small_graph(edge_index=directed_edges()), noise)
    assert votes.smoothing == gc.Smoothing(edges=noise.edges, directed=True)
    assert take(model, small_graph(), gc.Smoothing(edges=noise.edges, directed=True)).smoothing.directed
    selected = gc.Hierarchical(0.8, NOISE["both"])
    wide = randomise(gc.models.build_model("gcn", FEATURES + 1, CLASSES))
    assert take(wide, small_graph(edge_index=directed_edges()), selected).smoothing.lower.directed


def test_an_undirected_graph_may_be_noised_by_direction():
    problem = Problem.of(small_graph(), gc.Smoothing(edges=BernoulliFlip(0.0, 0.5), directed=True), 0)
    _, edges = GenericInput(problem).union(MAIN, 0, 1)
    listed = set(map(tuple, edges.T.tolist()))
    assert any((j, i) not in listed for i, j in listed)


@pytest.mark.parametrize("noise", NOISES)
def test_weights_are_part_of_what_votes(noise):
    data, model = weighted(edge_attr=None), randomise(Weighted())
    scheme = gc.Smoothing(NOISES[noise].features, NOISES[noise].edges, NOISES[noise].partition)
    votes = take(model, data, scheme)
    plain = take(model, data, scheme, ignore="edge_weight")
    assert not np.array_equal(votes.counts, plain.counts)
    assert votes.manifest["data"] != plain.manifest["data"]
    assert plain.smoothing == scheme
    ones = take(model, weighted(edge_attr=None, edge_weight=torch.ones(EDGES.shape[1])), scheme)
    assert np.array_equal(ones.counts, plain.counts)
    assert ones.smoothing.edge_values == "as added"
    assert votes.smoothing.reweighted == (noise != "clean")
    assert not ones.smoothing.reweighted
    half = gc.Smoothing(edges=BernoulliFlip(0.02, 0.3), added_weight=0.5)
    assert take(model, weighted(edge_attr=None, edge_weight=torch.full((EDGES.shape[1],), 0.5)), half).smoothing == (
        half.on_graph(False, "as added")
    )


def test_fingerprints_follow_weights_and_not_the_order_of_edges():
    data, model, noise = weighted(edge_attr=None), randomise(Weighted()), gc.Smoothing(edges=BernoulliFlip(0.02, 0.3))
    votes = take(model, data, noise)
    order = torch.arange(EDGES.shape[1]).flip(0)
    other = small_graph(edge_index=data.edge_index[:, order], edge_weight=data.edge_weight[order])
    again = take(model, other, noise)
    assert again == votes
    assert again.manifest["data"] == votes.manifest["data"]
    other.edge_weight = data.edge_weight
    assert take(model, other, noise).manifest["data"] != votes.manifest["data"]
    certificate = gc.certify(votes, alpha=0.4)
    assert certificate.collective(edge_add=1, data=data).targets == NODES
    with pytest.raises(InputError, match="edges of data are not those of the graph"):
        certificate.collective(edge_add=1, data=other)


REFUSED = {
    "edge_weight must be of shape": {"edge_weight": torch.ones(3)},
    "edge_weight must be float32": {"edge_weight": torch.ones(EDGES.shape[1], dtype=torch.float64)},
    "edge_weight holds NaN": {"edge_weight": torch.full((EDGES.shape[1],), torch.nan)},
    "edge_attr must be a dense tensor": {"edge_attr": torch.ones(EDGES.shape[1], 1, 1)},
}


@pytest.mark.parametrize("message", REFUSED)
def test_values_that_are_none(message):
    with pytest.raises(DataError, match=message):
        Problem.of(weighted(**REFUSED[message]), NOISES["isotropic"], 0, takes=("edge_weight", "edge_attr"))


def test_what_added_edges_carry_is_stated_where_it_is_needed_and_nowhere_else():
    both, law = ("edge_weight", "edge_attr"), BernoulliFlip(0.02, 0.3)
    with pytest.raises(InputError, match=r"added_attr=\(0.0, 0.0,\)"):
        Problem.of(weighted(), gc.Smoothing(edges=law), 0, takes=both)
    with pytest.raises(InputError, match="added_attr has 3 numbers; give 2"):
        Problem.of(weighted(), gc.Smoothing(edges=law, added_attr=(1, 2, 3)), 0, takes=both)
    deletions = gc.Smoothing(edges=BernoulliFlip(0, 0.3))
    assert not Problem.of(weighted(), deletions, 0, takes=both).smoothing.reweighted
    for stated in ({"added_weight": 2}, {"added_attr": (1, 2)}):
        with pytest.raises(InputError, match=f"leave {next(iter(stated))} out"):
            Problem.of(small_graph(), gc.Smoothing(edges=law, **stated), 0, takes=both)
    with pytest.raises(DataError, match="the data have edge_attr"):
        take(randomise(Weighted()), weighted(), gc.Smoothing(edges=law))


@pytest.mark.parametrize("edges", [EDGES, directed_edges()], ids=["undirected", "directed"])
def test_lookalikes_carry_values_and_keep_directions(edges):
    problem = Problem.of(weighted(edges), NOISES["isotropic"], 0, takes=("edge_weight", "edge_attr"))
    for pair in lookalikes(problem):
        assert [part.shape for part in pair[0]] == [part.shape for part in pair[1]]
        for _, edge_index, weight, attr in pair:
            listed = set(map(tuple, edge_index.T.tolist()))
            assert len(listed) == edge_index.shape[1] == len(weight) == len(attr)
            assert edges is not EDGES or {(j, i) for i, j in listed} == listed
    first = lookalikes(problem)[0][0][1]
    assert first.shape == edges.shape


class Remembers(Weighted):
    """Keeps the weights of its first call."""

    def forward(self, x, edge_index, edge_weight=None):
        if getattr(self, "kept", None) is None or self.kept.shape != edge_weight.shape:
            self.kept = edge_weight.clone()
        return super().forward(x, edge_index, self.kept)


def test_a_model_that_keeps_weights_is_caught():
    with pytest.raises(gc.errors.ModelError, match="remembers earlier graphs"):
        take(randomise(Remembers()), weighted(edge_attr=None), gc.Smoothing(edges=BernoulliFlip(0.02, 0.3)))


# Normalised rows


def normalised(data):
    data = data.clone()
    data.x = data.x / data.x.sum(-1, keepdim=True).clamp(min=1)
    return data


@pytest.mark.parametrize("noise", ["features", "both"])
def test_rows_of_bits_that_were_normalised_are_noised_as_bits(noise):
    data, model = small_graph(), randomise(Weighted())
    with pytest.warns(UserWarning, match=r"gc.Rownormalised\(model\)"):
        found = take(model, normalised(data), NOISE[noise])
    told = take(gc.Rownormalised(model), data, NOISE[noise])
    assert found == told
    assert found.manifest["row_normalised"]
    assert "row_normalised" not in told.manifest
    assert found.manifest["data"] == told.manifest["data"]
    certificate = gc.certify(found, alpha=0.4)
    assert certificate.collective(add=1, data=normalised(data)).targets == NODES
    assert certificate.collective(add=1, data=data).targets == NODES


def test_other_real_features_and_other_noise_are_left_alone():
    model = randomise(Weighted())
    with pytest.raises(DataError, match=r"gc\.Rownormalised"):
        take(model, small_graph(x=torch.rand(NODES, FEATURES)), NOISE["features"])
    votes = take(model, normalised(small_graph()), gc.Gaussian(0.1))
    assert "row_normalised" not in votes.manifest


def test_rows_are_normalised_in_a_call_of_any_form():
    data = weighted(edge_attr=None)
    x, inner = data.x.clone(), randomise(Weighted())
    expected = inner(normalised(data).x, data.edge_index, data.edge_weight)
    assert torch.equal(gc.Rownormalised(inner)(data.x, data.edge_index, edge_weight=data.edge_weight), expected)

    class OfData(nn.Module):
        def forward(self, data):
            return inner(data.x, data.edge_index, data.edge_weight)

    assert torch.equal(gc.Rownormalised(OfData())(data), expected)
    assert torch.equal(data.x, x)
    noise = gc.Smoothing(BernoulliFlip(0.05, 0.4), BernoulliFlip(0.02, 0.3))
    assert take(gc.Rownormalised(OfData()), data, noise).counts.tolist() == (
        take(gc.Rownormalised(inner), data, noise).counts.tolist()
    )
