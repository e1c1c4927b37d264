"""How near clusters are: against naive counting and dense linear algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from graphcert.data import partition as module
from graphcert.data.partition import edge_share, pagerank_mass


@st.composite
def clustered_graphs(draw):
    """(dense adjacency (N, N), labels (N,), C), isolated nodes and several components included."""
    nodes = draw(st.integers(1, 10))
    clusters = draw(st.integers(1, nodes))
    rest = draw(st.lists(st.integers(0, clusters - 1), min_size=nodes - clusters, max_size=nodes - clusters))
    labels = np.array(draw(st.permutations([*range(clusters), *rest])))
    chance = draw(st.sampled_from([0.1, 0.3, 0.9]))
    upper = np.triu(np.random.default_rng(draw(st.integers(0, 2**32))).random((nodes, nodes)) < chance, 1)
    return (upper | upper.T).astype(float), labels, clusters


@given(clustered_graphs())
def test_edge_share_against_a_loop_over_edges(graph):
    dense, labels, clusters = graph
    count = [[0] * clusters for _ in range(clusters)]
    for one in range(len(labels)):
        for other in range(one):
            if dense[one, other] and labels[one] != labels[other]:
                count[labels[one]][labels[other]] += 1
                count[labels[other]][labels[one]] += 1
    expected = [[cell / max(sum(row), 1) for cell in row] for row in count]
    assert edge_share(csr_array(dense), labels, clusters).tolist() == expected


def dense_mass(dense, labels, clusters, restart):
    """α (I − (1 − α) P)⁻¹, averaged over starts in i and summed over ends in j."""
    degrees = dense.sum(axis=1)
    walk = np.where(degrees[:, None] > 0, dense / np.maximum(degrees, 1)[:, None], np.eye(len(dense)))
    time = restart * np.linalg.inv(np.eye(len(dense)) - (1 - restart) * walk)
    start = np.eye(clusters)[labels].T
    return (start / start.sum(axis=1, keepdims=True)) @ time @ start.T


@given(clustered_graphs(), st.sampled_from([0.001, 0.01, 0.15, 0.5, 0.999]))
@settings(max_examples=200)
def test_pagerank_against_a_dense_solve(graph, restart):
    dense, labels, clusters = graph
    mass = pagerank_mass(csr_array(dense), labels, clusters, restart)
    assert mass == pytest.approx(dense_mass(dense, labels, clusters, restart), abs=2e-10)
    assert mass.sum(axis=1) == pytest.approx(1, abs=1e-9)


def test_pagerank_on_a_graph_with_hubs_and_long_paths():
    """A star of 40 at the end of a path of 60: the walk's matrix is far from symmetric, its eigenvalues crowd at ±1."""
    edges = [(0, leaf) for leaf in range(1, 41)] + [(node, node + 1) for node in range(40, 100)]
    dense = np.zeros((101, 101))
    for one, other in edges:
        dense[one, other] = dense[other, one] = 1
    labels = np.arange(101) // 21
    mass = pagerank_mass(csr_array(dense), labels, 5, 0.01)
    assert mass == pytest.approx(dense_mass(dense, labels, 5, 0.01), abs=2e-10)


def test_pagerank_in_slices(monkeypatch):
    generator = np.random.default_rng(0)
    upper = np.triu(generator.random((30, 30)) < 0.2, 1)
    adjacency, labels = csr_array((upper | upper.T).astype(float)), np.arange(30) % 7
    at_once = pagerank_mass(adjacency, labels, 7, 0.15)
    monkeypatch.setattr(module, "_CELLS_AT_ONCE", 60)
    assert pagerank_mass(adjacency, labels, 7, 0.15) == pytest.approx(at_once, abs=2e-10)


def test_equal_masses_are_equal_numbers():
    """In a ring of equal clusters, both neighbours of a cluster are equally near, to the last bit."""
    nodes, clusters = 60, 6
    ring = np.arange(nodes)
    adjacency = csr_array(
        (np.ones(2 * nodes), (np.r_[ring, ring], np.r_[np.roll(ring, 1), np.roll(ring, -1)])), shape=(nodes, nodes)
    )
    mass = pagerank_mass(adjacency, ring // (nodes // clusters), clusters, 0.15)
    assert len({mass[cluster, (cluster + step) % clusters] for cluster in range(clusters) for step in (1, -1)}) == 1
