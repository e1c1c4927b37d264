"""Merging and halving communities to exactly the wanted number."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from graphcert.data.clustering import exactly


def graph(nodes, edges):
    dense = np.zeros((nodes, nodes))
    for one, other in edges:
        dense[one, other] = dense[other, one] = 1
    return csr_array(dense)


@st.composite
def grouped_graphs(draw):
    nodes = draw(st.integers(1, 20))
    labels = np.array(draw(st.lists(st.integers(0, 25), min_size=nodes, max_size=nodes)))
    chance = draw(st.sampled_from([0.0, 0.1, 0.3, 1.0]))
    upper = np.triu(np.random.default_rng(draw(st.integers(0, 2**32))).random((nodes, nodes)) < chance, 1)
    return csr_array((upper | upper.T).astype(float)), labels, draw(st.integers(1, nodes))


@given(grouped_graphs())
def test_exactly_the_wanted_number_and_numbered_by_first_node(case):
    adjacency, labels, clusters = case
    result = exactly(adjacency, labels, clusters)
    values, first = np.unique(result, return_index=True)
    assert values.tolist() == list(range(clusters))
    assert (np.diff(first) > 0).all()


@given(grouped_graphs())
def test_communities_are_only_merged_or_only_split(case):
    adjacency, labels, clusters = case
    result = exactly(adjacency, labels, clusters)
    pairs, found = len({*zip(labels.tolist(), result.tolist(), strict=True)}), len(set(labels.tolist()))
    assert pairs == max(found, clusters), "each finer group lies inside one coarser group"


@given(grouped_graphs())
def test_names_of_communities_do_not_matter(case):
    adjacency, labels, clusters = case
    assert np.array_equal(exactly(adjacency, labels, clusters), exactly(adjacency, 7 * labels + 3, clusters))


@given(grouped_graphs())
def test_halves_of_one_community_are_balanced(case):
    adjacency, labels, clusters = case
    sizes = np.bincount(exactly(adjacency, np.zeros_like(labels), clusters))
    assert sizes.max() <= 2 * sizes.min() + 1


def test_the_smallest_joins_the_one_it_shares_most_edges_with():
    """Node 9 has one edge to the group of 0 and two to the group of 4; it joins the latter though it is larger."""
    adjacency = graph(10, [(9, 0), (9, 4), (9, 5), (0, 1), (4, 5)])
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 2])
    assert exactly(adjacency, labels, 2).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]


def test_edges_of_merged_communities_add_up():
    """3 joins 2 (three edges); with its own edges and those of 3, community 2 then shares most with 1, not with 0."""
    edges = [(20, 16), (21, 17), (22, 18), (20, 8), (21, 9), (16, 10), (16, 0), (17, 1)]
    labels = np.repeat([0, 1, 2, 3], [8, 8, 4, 3])
    assert exactly(graph(23, edges), labels, 2).tolist() == [0] * 8 + [1] * 15


def test_a_community_without_outer_edges_joins_the_next_smallest():
    labels = np.array([0, 0, 0, 1, 1, 2])
    assert exactly(graph(6, [(0, 1)]), labels, 2).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_halves_of_a_path_cut_one_edge(seed):
    order = np.random.default_rng(seed).permutation(50)
    adjacency = graph(50, pairwise(order))
    labels = exactly(adjacency, np.zeros(50, int), 2)
    edges = adjacency.tocoo()
    assert (labels[edges.row] != labels[edges.col]).sum() == 2
    assert np.bincount(labels).tolist() == [25, 25]


def test_thousands_of_single_nodes_merge_into_even_clusters():
    sizes = np.bincount(exactly(csr_array((4000, 4000)), np.arange(4000), 8))
    assert sizes.max() <= 2 * sizes.min()
