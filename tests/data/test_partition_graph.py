"""partition_graph: every method gives a true partition, the same one every time, with the right ranks."""

import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

from graphcert.data import partition_graph
from graphcert.data.partition import _adjacency, edge_share, pagerank_mass
from graphcert.data.synthetic import synthetic_graph
from graphcert.errors import DataError, InputError

METHODS = ["metis", "spectral", "louvain", "label_propagation"]


def graph(nodes, pairs):
    """Data of an undirected graph from pairs of nodes, listed in the given order."""
    pairs = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    return Data(edge_index=torch.tensor(np.concatenate([pairs, pairs[:, ::-1]]).T.copy()), num_nodes=nodes)


def planted(seed, nodes, clusters, inside, outside):
    """A graph of planted clusters and their labels; `inside` and `outside` are expected neighbours per node."""
    degree = inside + outside
    raw = synthetic_graph(
        seed, nodes=nodes, classes=clusters, features=1, degree=degree, homophily=inside / degree
    )  # fmt: skip
    return graph(nodes, raw.edges.T), raw.labels


def cut(data, labels):
    source, target = data.edge_index.numpy()
    return int((labels[source] != labels[target]).sum()) // 2


def agreement(labels, truth):
    """Share of the nodes that lie in the most common true class of their cluster."""
    counts = np.zeros((labels.max() + 1, truth.max() + 1), int)
    np.add.at(counts, (labels, truth), 1)
    return counts.max(axis=1).sum() / len(labels)


@st.composite
def graphs(draw):
    nodes = draw(st.integers(1, 16))
    chance = draw(st.sampled_from([0.0, 0.05, 0.2, 0.6, 1.0]))
    upper = np.triu(np.random.default_rng(draw(st.integers(0, 2**32))).random((nodes, nodes)) < chance, 1)
    return graph(nodes, np.argwhere(upper)), draw(st.integers(1, nodes))


@pytest.mark.parametrize("method", METHODS)
@given(graphs(), st.integers(0, 2**70), st.sampled_from(["edges", "pagerank"]))
@settings(max_examples=40)
def test_every_graph_every_number_of_clusters(method, case, seed, affinity):
    data, clusters = case
    partition = partition_graph(data, clusters, method, seed, affinity=affinity)
    assert (partition.clusters, partition.nodes) == (clusters, data.num_nodes)
    assert partition.sizes.min() >= 1
    assert (np.sort(partition.rank, axis=1) == np.arange(clusters)).all()
    assert (partition.rank.diagonal() == 0).all()
    adjacency = _adjacency(data)
    nearness = (
        edge_share(adjacency, partition.labels, clusters)
        if affinity == "edges"
        else pagerank_mass(adjacency, partition.labels, clusters, 0.15)
    )
    for group in range(clusters):
        others = np.argsort(partition.rank[group])[1:]
        assert (np.diff(nearness[group, others]) <= 0).all()
    assert partition == partition_graph(data, clusters, method, seed, affinity=affinity)


@pytest.mark.parametrize("affinity", ["edges", "pagerank"])
@pytest.mark.parametrize("method", METHODS)
def test_four_cliques_are_found_and_ranked(method, affinity):
    """Four cliques of ten with 1, 2 or 3 edges between each two. Sorting by nearness, clique 0 lists 0, 2, 3, 1."""
    cliques = [range(10 * clique, 10 * clique + 10) for clique in range(4)]
    pairs = [(one, other) for clique in cliques for one in clique for other in clique if one < other]
    between = {(0, 1): 1, (0, 2): 3, (0, 3): 2, (1, 2): 2, (1, 3): 3, (2, 3): 1}
    for (one, other), count in between.items():
        pairs += [(cliques[one][step], cliques[other][step]) for step in range(count)]
    partition = partition_graph(graph(40, pairs), 4, method, affinity=affinity)
    assert partition.labels.tolist() == np.repeat(range(4), 10).tolist()
    assert partition.rank.tolist() == [[0, 3, 1, 2], [3, 0, 2, 1], [1, 2, 0, 3], [2, 1, 3, 0]]
    listed = np.argsort(partition.rank, axis=1)
    assert listed.tolist() == [[0, 2, 3, 1], [1, 3, 2, 0], [2, 0, 1, 3], [3, 1, 0, 2]]
    assert partition.method == method


def test_pagerank_sees_further_than_edges():
    """A path of four cliques: by edges 2 and 3 are both at share 0 from 0, by PageRank 2 is nearer. Numbers try to lie."""
    names = [0, 1, 3, 2]  # the path visits 0, 1, 3, 2: the farthest clique has the smaller number
    cliques = [range(10 * name, 10 * name + 10) for name in names]
    pairs = [(one, other) for clique in cliques for one in clique for other in clique if one < other]
    pairs += [(cliques[step][0], cliques[step + 1][1]) for step in range(3)]
    data = graph(40, pairs)
    assert partition_graph(data, 4).rank[0].tolist() == [0, 1, 2, 3]
    assert partition_graph(data, 4, affinity="pagerank").rank[0].tolist() == [0, 1, 3, 2]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", METHODS)
def test_planted_clusters_are_recovered(method, seed):
    data, truth = planted(seed, 900, 6, inside=14, outside=2)
    partition = partition_graph(data, 6, method, seed)
    assert cut(data, partition.labels) <= 1.1 * cut(data, truth)
    assert agreement(partition.labels, truth) >= 0.9


@pytest.mark.parametrize("seed", range(3))
def test_metis_is_balanced_and_cuts_little_where_communities_are_weak(seed):
    data, truth = planted(seed, 900, 12, inside=8, outside=4)
    partition = partition_graph(data, 12, "metis", seed)
    assert cut(data, partition.labels) <= 1.15 * cut(data, truth)
    assert partition.sizes.max() <= 1.1 * 900 / 12


@pytest.mark.parametrize("clusters", [15, 25, 29, 30])
def test_metis_with_few_nodes_per_cluster(clusters):
    """METIS itself leaves clusters of such a path empty."""
    partition = partition_graph(graph(30, [(node, node + 1) for node in range(29)]), clusters)
    assert partition.sizes.min() >= 1
    assert partition.sizes.max() <= 4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "data",
    [
        graph(700, [(node, node + 350) for node in range(350)]),
        graph(700, [(0, node) for node in range(1, 700)]),
        graph(700, [(7 * k + one, 7 * k + other) for k in range(90) for one in range(7) for other in range(one)]),
    ],
    ids=["matching", "star", "equal cliques and isolated nodes"],
)  # fmt: skip
def test_large_degenerate_graphs(method, data):
    first, again = (partition_graph(data, 10, method, 1, affinity="pagerank") for _ in range(2))
    assert first == again
    assert first.clusters == 10
    assert first.sizes.min() >= 1


@pytest.mark.parametrize("method", METHODS)
def test_only_the_seed_and_the_graph_decide(method):
    data, _ = planted(0, 600, 4, inside=5, outside=3)
    first = partition_graph(data, 4, method, 5)
    np.random.seed(1)  # noqa: NPY002 - the global state must not matter
    torch.manual_seed(1)
    order = torch.randperm(data.edge_index.shape[1])
    shuffled = Data(edge_index=data.edge_index[:, order], x=torch.zeros(600, 1))
    assert partition_graph(shuffled, 4, method, 5) == first


def test_another_seed_may_find_other_clusters():
    data, _ = planted(0, 300, 4, inside=3, outside=3)
    assert len({partition_graph(data, 4, "metis", seed) for seed in range(5)}) > 1


@pytest.mark.parametrize("method", METHODS)
def test_one_cluster(method):
    partition = partition_graph(graph(3, [(0, 1)]), 1, method)
    assert partition.labels.tolist() == [0, 0, 0]
    assert partition.rank.tolist() == [[0]]
    assert partition.method == "one cluster"


def test_a_graph_without_edges_is_shared_out():
    partition = partition_graph(graph(12, []), 4, affinity="pagerank")
    assert partition.sizes.tolist() == [3, 3, 3, 3]
    assert "no edges" in partition.method


def test_without_metis_louvain_takes_over_and_says_so(monkeypatch):
    data, _ = planted(1, 200, 4, inside=6, outside=2)
    monkeypatch.setitem(sys.modules, "pymetis", None)  # makes every import of it fail
    with pytest.warns(UserWarning, match="metis is not installed, so louvain .* pip install pymetis") as seen:
        fallen = partition_graph(data, 4, seed=3)
    assert len(seen) == 1
    assert seen[0].filename == __file__
    assert fallen.method == "louvain (metis is not installed)"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked = partition_graph(data, 4, "louvain", 3)
    assert asked == fallen
    assert asked.method == "louvain"


TRIANGLE = graph(3, [(0, 1), (1, 2), (0, 2)])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"clusters": 0}, "clusters must be at least 1, got 0"),
        ({"clusters": -2}, "clusters must be at least 1, got -2"),
        ({"clusters": 2.0}, r"clusters must be a whole number, got 2\.0"),
        ({"clusters": True}, "clusters must be a whole number, got True"),
        ({"clusters": None}, "clusters must be a whole number, got None"),
        ({"clusters": 4}, "4 clusters are more than the 3 nodes of the graph; ask for fewer"),
        ({"method": "kmeans"}, "metis, spectral, louvain, label_propagation, consecutive, got 'kmeans'"),
        ({"method": ["metis"]}, "partition method must be one of"),
        ({"affinity": "distance"}, "cluster affinity must be one of edges, pagerank, got 'distance'"),
        ({"affinity": None}, "cluster affinity must be one of"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"restart": 0}, r"restart must be a number in \[0.001, 0.999\], got 0"),
        ({"restart": 1.5}, "restart must be a number in"),
        ({"restart": float("nan")}, "restart must be a number in"),
        ({"restart": "often"}, "restart must be a number in"),
    ],
)  # fmt: skip
def test_arguments_outside_their_domain(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        partition_graph(**{"data": TRIANGLE, "clusters": 2, **arguments})


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (Data(edge_index=torch.tensor([[0], [0]]), num_nodes=2), "self-loop at node 0"),
        (Data(edge_index=torch.tensor([[0, 1, 0, 1], [1, 0, 1, 0]]), num_nodes=2), "listed more than once"),
        (Data(edge_index=torch.tensor([[0, 5], [5, 0]]), num_nodes=2), "names node 5"),
        (Data(edge_index=torch.zeros((2, 0), dtype=torch.long), num_nodes=0), "has no nodes"),
        (Data(x=torch.zeros(2, 1)), "need a tensor edge_index"),
        ("a graph", "need a tensor edge_index"),
    ],
)  # fmt: skip
def test_graphs_that_are_refused(data, sentence):
    with pytest.raises(DataError, match=sentence):
        partition_graph(data, 1)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["metis", "spectral"])
def test_a_hundred_thousand_nodes(method):
    data, truth = planted(0, 100_000, 50, inside=8, outside=2)
    partition = partition_graph(data, 50, method, affinity="pagerank")
    assert cut(data, partition.labels) <= 1.05 * cut(data, truth)
    assert agreement(partition.labels, truth) >= 0.95
