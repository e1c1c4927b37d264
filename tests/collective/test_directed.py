"""Directed graphs: truth by enumeration, room for changes, and what nodes perceive along directions."""

from itertools import product
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import graphcert as gc
from graphcert.certificates import Certificate
from graphcert.collective import receptive_field
from graphcert.collective.receptive_field import edge_columns
from graphcert.errors import InputError
from graphcert.models import build_model
from graphcert.noise import Budget

PAIRS = [(i, j) for i in range(3) for j in range(3) if i != j]
"""The six places of directed edges between three nodes, source and target."""

GRAPHS = np.array(list(product((0, 1), repeat=6)))
NEAR, FAR = gc.BernoulliFlip(0.125, 0.25), gc.BernoulliFlip(0.25, 0.5)
CLUSTERS = gc.Partition([0, 0, 1], [[0, 1], [1, 0]])


def laws_of_view(view, laws):
    """The law of every directed edge as nodes of one cluster see it: that of the farther end."""
    block, rank = CLUSTERS.labels, CLUSTERS.rank[view]
    return [laws[max(rank[block[i]], rank[block[j]])] for i, j in PAIRS]


def seen(graph, laws):
    """(64,) the law of noisy graphs around one."""
    one = np.array([1 - law.delete if there else law.add for there, law in zip(graph, laws, strict=True)])
    return np.where(GRAPHS, one, 1 - one).prod(axis=1)


def within(graph, budget):
    """Directed graphs that an adversary reaches, every direction counting once."""
    change = GRAPHS - np.array(graph)
    added, deleted = ((change == sign).sum(axis=1) for sign in (1, -1))
    return GRAPHS[(added <= budget.edge_add) & (deleted <= budget.edge_delete)]


@pytest.mark.parametrize("graph", [(1, 0, 0, 1, 1, 0), (1, 1, 0, 0, 0, 0), (1, 1, 1, 1, 0, 1)])
@pytest.mark.parametrize("localized", [False, True])
def test_no_allocation_breaks_more_than_is_certified(graph, localized):
    """Three nodes with tables of their own over the 64 noisy graphs; all adversaries, one perturbation for all nodes."""
    laws = [NEAR, FAR] if localized else [NEAR]
    scheme = gc.Smoothing(edges=laws, partition=CLUSTERS if localized else None, directed=True)
    data = SimpleNamespace(
        x=np.zeros((3, 1)), edge_index=np.array([e for e, on in zip(PAIRS, graph, strict=True) if on]).T
    )
    data.num_nodes = 3
    noise = [seen(graph, laws_of_view(v, laws * 2)) for v in CLUSTERS.labels]
    rng, certified = np.random.default_rng(0), 0
    for _ in range(10):
        tables = rng.random((3, 64)) < rng.beta(4, 1, (3, 1))
        worst = np.stack([law.argsort() for law in noise])
        tables |= np.take_along_axis(tables, worst, axis=1) & (rng.random() < 0.5)
        p = np.array([table @ law for table, law in zip(tables, noise, strict=True)])
        claim = Certificate(
            labels=np.where(p >= 0.5, 1, 0), p_lower=np.maximum(p, 1 - p), p_other_upper=np.minimum(p, 1 - p),
            targets=np.ones(3, dtype=bool), alpha=0.5, simultaneous=True, method="binary", smoothing=scheme, samples=1,
        )  # fmt: skip
        for budget in (
            Budget(edge_add=1),
            Budget(edge_delete=1),
            Budget(edge_add=1, edge_delete=1),
            Budget(edge_add=2),
        ):
            standing = 3
            alone = np.ones(3, dtype=bool)
            for other in within(graph, budget):
                now = np.array(
                    [t @ seen(other, laws_of_view(v, laws * 2)) for t, v in zip(tables, CLUSTERS.labels, strict=True)]
                )
                kept = np.where(claim.labels == 1, now > 0.5, now < 0.5)
                standing, alone = min(standing, int(kept.sum())), alone & kept
            assert not (claim.robust(budget) & ~alone).any()
            for room in (None, data):
                for method in ("naive", "lp", "tight"):
                    curve = claim.collective([budget], data=room, method=method)
                    assert curve.certified[0] <= standing
                    certified += int(curve.certified[0])
    assert certified > 0


def test_room_counts_every_direction():
    """Of the six places four are taken: two edges can be added, although every pair of nodes is joined."""
    edges = np.array([(0, 1), (1, 0), (1, 2), (2, 0)]).T
    data = SimpleNamespace(x=np.zeros((3, 1)), edge_index=edges, num_nodes=3)
    votes = gc.Votes([[5, 0]] * 3, [[9990, 10]] * 3, gc.Smoothing(edges=gc.BernoulliFlip(0.25, 0.5), directed=True))
    claim = gc.certify(votes)
    for method in ("lp", "milp", "tight"):
        free = claim.collective(edge_add=range(8), edge_delete=0, method=method)
        limited = claim.collective(edge_add=range(8), edge_delete=0, method=method, data=data)
        assert limited.certified.tolist() == free.certified[[0, 1, 2, 2, 2, 2, 2, 2]].tolist()
        gone = claim.collective(edge_delete=range(8), method=method, data=data)
        free = claim.collective(edge_delete=range(8), method=method)
        assert gone.certified.tolist() == free.certified[[0, 1, 2, 3, 4, 4, 4, 4]].tolist()
    with pytest.raises(InputError, match="directed"):
        gc.certify(gc.Votes([[5, 0]] * 3, [[9, 1]] * 3, gc.Smoothing(edges=NEAR))).collective(edge_add=1, data=data)


@st.composite
def digraphs(draw):
    nodes = draw(st.integers(1, 8))
    ends = st.integers(0, nodes - 1)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=16))
    return nodes, np.array(pairs, dtype=np.int64).reshape(-1, 2).T


@given(digraphs(), st.integers(0, 6), st.sampled_from(["symmetric", "receiver"]))
def test_nodes_perceive_along_directions(graph, layers, rule):
    nodes, edges = graph
    listed = edge_columns(edges, nodes, directed=True)
    assert listed.T.tolist() == [list(pair) for pair in sorted({(u, v) for u, v in edges.T.tolist() if u != v})]
    network = nx.DiGraph()
    network.add_nodes_from(range(nodes))
    network.add_edges_from(listed.T.tolist())
    reach = dict(nx.all_pairs_shortest_path_length(network))
    fields = [receptive_field(edges, layers, axis, num_nodes=nodes, normalisation=rule, directed=True)
              for axis in ("feature_add", "edge_delete")]  # fmt: skip
    expected = [[reach[m].get(n, 99) <= layers for m in range(nodes)] for n in range(nodes)]
    assert fields[0].toarray().tolist() == expected
    ends = [(v,) if rule == "receiver" else (u, v) for u, v in listed.T.tolist()]
    hops = layers - (rule == "receiver")
    expected = [[layers > 0 and min(reach[e].get(n, 99) for e in edge) <= hops for edge in ends] for n in range(nodes)]
    assert fields[1].toarray().tolist() == np.array(expected, dtype=float).reshape(nodes, -1).tolist()


@pytest.mark.parametrize("name", ["gcn", "sage", "gat", "sgc"])
def test_models_perceive_no_more_than_that(name):
    """Every deletion of an edge and every change of a row, against the model itself on random directed graphs."""
    rng, nodes = np.random.default_rng(3), 9
    model = build_model(name, 4, 3).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    perceived = 0
    for _ in range(4):
        links = (rng.random((nodes, nodes)) < 0.2) & ~np.eye(nodes, dtype=bool)
        edges, x = np.argwhere(links).T, torch.rand(nodes, 4, dtype=torch.float64)
        columns = edge_columns(edges, nodes, directed=True)
        features, deletions = (
            receptive_field(
                edges, model.layers, axis, num_nodes=nodes, normalisation=model.normalisation, directed=True
            ).toarray() > 0
            for axis in ("feature_add", "edge_delete")
        )  # fmt: skip
        with torch.no_grad():
            clean = model(x, torch.from_numpy(columns))
            for column in range(columns.shape[1]):
                other = model(x, torch.from_numpy(np.delete(columns, column, axis=1)))
                moved = ((other - clean).abs().sum(dim=1) > 1e-9).numpy()
                assert not (moved & ~deletions[:, column]).any()
                perceived += int(moved.sum())
            for row in range(nodes):
                changed = x.clone()
                changed[row] += 1
                moved = ((model(changed, torch.from_numpy(columns)) - clean).abs().sum(dim=1) > 1e-9).numpy()
                assert not (moved & ~features[:, row]).any()
    assert perceived > 0


def test_receptive_fields_of_a_certificate_follow_directions():
    """On a path 0 → 1 → 2 a deleted edge is perceived behind it only."""
    edges = np.array([(0, 1), (1, 2)]).T
    data = SimpleNamespace(x=np.zeros((3, 1)), edge_index=edges, num_nodes=3)
    votes = gc.Votes([[5, 0]] * 3, [[990, 10]] * 3, gc.Smoothing(edges=gc.BernoulliFlip(0, 0.01), directed=True))
    curve = gc.certify(votes).collective(
        edge_delete=[1, 2], data=data, layers=1, normalisation="receiver", method="milp"
    )
    assert curve.certified.tolist() == [2, 1]


def test_clusters_of_a_directed_graph_are_those_of_its_edges_both_ways():
    rng = np.random.default_rng(0)
    links = (rng.random((40, 40)) < 0.08) & ~np.eye(40, dtype=bool)
    one, both = (
        SimpleNamespace(edge_index=torch.from_numpy(np.argwhere(m).T), num_nodes=40) for m in (links, links | links.T)
    )
    for affinity in ("edges", "pagerank"):
        assert gc.partition_graph(one, 4, affinity=affinity) == gc.partition_graph(both, 4, affinity=affinity)
