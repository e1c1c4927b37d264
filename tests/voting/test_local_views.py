"""Views evaluate only what their nodes perceive, and vote to the bit as whole evaluations of every view do."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from voting_cases import CLASSES, randomise

from graphcert.models import GCN, build_model
from graphcert.models.base import padded
from graphcert.noise import BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing
from graphcert.sampling.csr import CSR
from graphcert.sampling.local_graph import LocalGraph, SeenEdges
from graphcert.sampling.philox import MAIN
from graphcert.sampling.simd.row_sums import aligned
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import GenericPath
from graphcert.voting.sparse_path import SparsePath
from graphcert.voting.vote_sums import ClassScoreTally

NODES, FEATURES = 90, 20
MODELS = {
    "gcn": {"hidden": 64}, "gcn of three layers": {"layers": 3}, "sgc": {}, "sgc without hops": {"hops": 0},
    "appnp": {"hops": 3}, "appnp without hops": {"hops": 0}, "gat": {}, "sage": {},
}  # fmt: skip


def levels(count, scale=1.0):
    adds, deletes = np.linspace(0.01, 0.08, count), np.linspace(0.2, 0.7, count)
    return [BernoulliFlip(add * scale, delete) for add, delete in zip(adds.tolist(), deletes.tolist(), strict=True)]


def partition(clusters):
    rng = np.random.default_rng(clusters)
    return Partition.of_affinity(rng.permutation(np.arange(NODES) % clusters), rng.random((clusters, clusters)))


def schemes():
    rare = BernoulliFlip(0.002, 0.3)
    for clusters, number in ((2, 2), (5, 5), (9, 3)):
        laws, edges, groups = levels(number), levels(number, 0.05), partition(clusters)
        yield f"features, {clusters} clusters", Smoothing(laws, None, groups)
        yield f"edges, {clusters} clusters", Smoothing(None, edges, groups)
        yield f"both, {clusters} clusters", Smoothing(laws, edges, groups)
    yield "features localized, edges not", Smoothing(levels(5), rare, partition(5))
    yield "hierarchical", Hierarchical((0.4, 0.7), Smoothing(levels(2), levels(2, 0.05), partition(2)))
    yield "Gaussian", Smoothing([Gaussian(0.1), Gaussian(0.5)], levels(2, 0.05), partition(2))
    yield "isotropic", Smoothing(levels(1)[0], rare)


SCHEMES = dict(schemes())
every_scheme = pytest.mark.parametrize("scheme", SCHEMES)


def graph(directed=False, degree=2.5):
    """A sparse graph with isolated nodes, so that fields of two hops leave nodes out."""
    rng = np.random.default_rng(0)
    edges = rng.integers(0, NODES - 5, (2, int(NODES * degree / 2)))
    edges = edges[:, edges[0] != edges[1]]
    both = edges if directed else np.concatenate([edges, edges[::-1]], axis=1)
    x = torch.from_numpy((rng.random((NODES, FEATURES)) < 0.3).astype(np.float32))
    return Data(x=x, edge_index=torch.from_numpy(np.unique(both, axis=1)), num_classes=CLASSES)


def model_for(problem, name):
    model = build_model(name.split()[0], problem.sampler.columns, CLASSES, **MODELS[name])
    return randomise(model)


def full_logits(problem, model, sample):
    """(N, K): every view evaluated on all nodes, from products of all rows in that view; each node is read off its own."""
    sampler, work = problem.sampler, problem.sampler.workspace()
    weight = padded(model.first_weight(), 1)
    clean = (problem.x.numpy().astype(np.float64) @ weight.astype(np.float64)).astype(np.float32)
    products = aligned(sampler.views.count, NODES, weight.shape[1])
    products[:] = clean
    if sampler.noisy_features:
        sampler.first_layer(MAIN, sample, weight, products, work, clean)
    logits = np.empty((NODES, CLASSES), np.float32)
    forward = model.compiled(NODES)
    for view, seen in enumerate(sampler.graphs(MAIN, sample, work)):
        own = sampler.views.of_node == view
        logits[own] = forward(products[view].copy(), LocalGraph.whole(seen, model.layers))[own, :CLASSES]
    return logits


@every_scheme
@pytest.mark.parametrize("name", MODELS)
def test_local_views_are_whole_ones_to_the_bit(name, scheme):
    problem = Problem.of(graph(), SCHEMES[scheme], 4)
    model = model_for(problem, name)
    path = SparsePath(problem, model)
    for sample in range(3):
        assert np.array_equal(path.logits(MAIN, sample), full_logits(problem, model, sample))


@pytest.mark.parametrize("scheme", ["features, 5 clusters", "edges, 5 clusters", "both, 9 clusters"])
@pytest.mark.parametrize("name", ["gcn", "appnp", "gat", "sage"])
def test_the_same_on_directed_graphs(name, scheme):
    problem = Problem.of(graph(directed=True), SCHEMES[scheme], 4)
    assert problem.smoothing.directed
    model = model_for(problem, name)
    assert np.array_equal(SparsePath(problem, model).logits(MAIN, 2), full_logits(problem, model, 2))


@every_scheme
@pytest.mark.parametrize("name", ["gcn", "appnp", "gat"])
def test_chosen_nodes_vote_as_among_all_and_nobody_else_votes(name, scheme):
    problem = Problem.of(graph(), SCHEMES[scheme], 4)
    path = SparsePath(problem, model_for(problem, name))
    tallies = [ClassScoreTally(NODES, CLASSES) for _ in range(3)]
    path.add_to(tallies[0], MAIN, 0, 5)
    some = np.sort(np.random.default_rng(len(scheme)).choice(NODES, 20, replace=False))
    few = path.only(some)
    few.fork().add_to(tallies[1], MAIN, 0, 5)
    few.only(None).add_to(tallies[2], MAIN, 0, 5)
    for every, chosen, again in zip(*(tally.sums.values() for tally in tallies), strict=True):
        assert np.array_equal(every, again)
        assert np.array_equal(chosen[some], every[some])
        assert not np.delete(chosen, some, axis=0).any()
    assert list(path.only(np.empty(0, np.int64)).shown(MAIN, 0, 2)) == []


def test_chosen_nodes_vote_alone_on_the_generic_path_too():
    problem = Problem.of(graph(), SCHEMES["both, 5 clusters"], 4)
    path = GenericPath(problem, model_for(problem, "gcn"))
    some = np.array([3, 50, 51])
    counts, chosen = np.zeros((2, NODES, CLASSES), np.int64)
    path.add_votes(MAIN, 0, 4, counts)
    path.only(some).add_votes(MAIN, 0, 4, chosen)
    assert np.array_equal(chosen[some], counts[some])
    assert chosen.sum() == 4 * len(some)


@pytest.mark.parametrize("room", [1, 20_000])
@every_scheme
def test_views_that_do_not_fit_together_are_taken_in_passes(scheme, room):
    problem = Problem.of(graph(), SCHEMES[scheme], 4)
    model = model_for(problem, "gcn")
    whole = SparsePath(problem, model)
    parted = SparsePath(replace(problem, room=room), model)
    passes, views = list(parted._passes.of(MAIN, 1, problem.sampler.workspace())), problem.sampler.views.count
    if room == 1:
        assert len(passes) == views
    elif scheme == "both, 9 clusters":
        assert 1 < len(passes) < views
    for sample in range(2):
        assert np.array_equal(parted.logits(MAIN, sample), whole.logits(MAIN, sample))


def test_more_versions_than_bits_of_a_word_and_more_levels_than_are_compared_at_once():
    clusters = 70
    apart = (np.arange(clusters) - np.arange(clusters)[:, None]) % clusters
    smoothing = Smoothing(levels(clusters), None, Partition(np.arange(NODES) % clusters, apart))
    problem = Problem.of(graph(), smoothing, 4)
    assert problem.sampler.versions.sums.shape[1] > 64
    model = model_for(problem, "gcn")
    path = SparsePath(problem, model)
    for sample in range(2):
        assert np.array_equal(path.logits(MAIN, sample), full_logits(problem, model, sample))


# What is saved


def ring(nodes=600, reach=2):
    """Every node is joined to the `reach` next ones on either side."""
    places = np.arange(nodes)
    edges = np.concatenate([np.stack([places, (places + step) % nodes]) for step in range(1, reach + 1)], axis=1)
    x = torch.from_numpy((np.random.default_rng(0).random((nodes, FEATURES)) < 0.3).astype(np.float32))
    both = np.unique(np.concatenate([edges, edges[::-1]], axis=1), axis=1)
    return Data(x=x, edge_index=torch.from_numpy(both), num_classes=CLASSES)


def test_on_a_ring_every_view_costs_its_arc():
    """20 arcs of 30 nodes; two layers of reach 2 see 4 nodes more on each side, and compute 2 more."""
    nodes, arcs = 600, 20
    labels = np.arange(nodes) * arcs // nodes
    apart = np.abs(np.arange(arcs)[:, None] - np.arange(arcs))
    groups = Partition.of_affinity(labels, -np.minimum(apart, arcs - apart))
    problem = Problem.of(ring(), Smoothing(levels(3), None, groups), 0)
    path = SparsePath(problem, randomise(GCN(FEATURES, CLASSES)))
    (only_pass,) = path._passes.of(MAIN, 0, problem.sampler.workspace())
    assert only_pass.joint.sizes == (30 * arcs, 34 * arcs, only_pass.layout.places)
    # Every node is seen by its own arc and near an end by the neighbour, which may put the same law on it.
    assert nodes <= only_pass.layout.places <= nodes + 8 * arcs
    alone = path.only(np.array([100]))
    (seen,) = alone._passes.of(MAIN, 0, problem.sampler.workspace())
    assert seen.joint.sizes == (1, 5, 9)
    assert np.flatnonzero(seen.layout.wanted).tolist() == list(range(96, 105))


def test_equal_rows_of_a_sample_are_computed_once():
    """Without additions and with one feature each, a row has at most two versions, whatever the number of levels."""
    data = ring()
    data.x = torch.zeros(600, FEATURES)
    data.x[:, 0] = 1
    laws = [BernoulliFlip(0.0, delete) for delete in (0.1, 0.3, 0.5, 0.7, 0.9)]
    labels = np.arange(600) % 5
    problem = Problem.of(data, Smoothing(laws, None, Partition.of_affinity(labels, np.zeros((5, 5)))), 0)
    path = SparsePath(problem, randomise(GCN(FEATURES, CLASSES)))
    path.logits(MAIN, 0)
    assert path._slots.size > 2 * 600
    assert path._slots.max() + 1 <= 2 * 600


# Local graphs


def searched(adjacency, members, hops):
    """Nodes by distance, each ring in ascending order, by the definition."""
    found, rings = set(members), [list(members)]
    for _ in range(hops):
        ring = sorted({int(j) for i in rings[-1] for j in adjacency[i].nonzero()[0]} - found)
        found |= set(ring)
        rings.append(ring)
    return [node for ring in rings for node in ring], tuple(np.cumsum([len(ring) for ring in rings]).tolist())


@pytest.mark.parametrize("nodes", [40, 2000])
@pytest.mark.parametrize("hops", [0, 1, 3])
def test_local_graphs_are_the_rows_near_their_members(nodes, hops):
    rng = np.random.default_rng(nodes)
    dense = rng.random((nodes, nodes)) < 1.5 / nodes
    targets, sources = dense.nonzero()
    indptr = np.searchsorted(targets, np.arange(nodes + 1)).astype(np.int32)
    whole = CSR(indptr, sources.astype(np.int32))
    laws, limits = np.zeros((1, 1, 1), np.int64), np.zeros((1, 2), np.int64)
    seen = SeenEdges(whole, None, laws, limits, np.zeros(nodes, np.int64))
    members = rng.permutation(nodes)[:5]
    ((view, local),) = seen.around([members], hops)
    order, sizes = searched(dense, members.tolist(), hops)
    assert view == 0
    assert (local.nodes.tolist(), local.sizes) == (order, sizes)
    assert np.array_equal(local.degrees, dense[local.nodes].sum(axis=1))
    assert local.indptr.size == (sizes[hops - 1] if hops else 0) + 1
    for r in range(local.indptr.size - 1):
        row = local.indices[local.indptr[r] : local.indptr[r + 1]]
        assert np.array_equal(local.nodes[row], dense[local.nodes[r]].nonzero()[0])
