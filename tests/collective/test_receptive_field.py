"""Receptive fields against shortest paths."""

from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.collective import receptive_field, undirected_edges
from graphcert.errors import InputError

FEATURE, EDGE = ["feature_add", "feature_delete"], ["edge_delete", "edge_add"]


@st.composite
def graphs(draw):
    nodes = draw(st.integers(1, 9))
    ends = st.integers(0, nodes - 1)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=14))
    return nodes, np.array(pairs, dtype=np.int64).reshape(-1, 2).T


def distances(nodes, edges):
    graph = nx.Graph()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from(edges.T.tolist())
    return dict(nx.all_pairs_shortest_path_length(graph))


@given(graphs(), st.integers(0, 11), st.sampled_from(FEATURE))
def test_features_are_perceived_within_k_hops(graph, layers, axis):
    nodes, edges = graph
    near = distances(nodes, edges)
    expected = [[near[n].get(m, 99) <= layers for m in range(nodes)] for n in range(nodes)]
    assert receptive_field(edges, layers, axis, num_nodes=nodes).toarray().tolist() == expected


@given(graphs(), st.integers(0, 6), st.sampled_from(EDGE), st.sampled_from(["symmetric", "receiver"]))
def test_an_edge_is_perceived_where_its_nearer_end_is(graph, layers, axis, rule):
    nodes, edges = graph
    near = distances(nodes, edges)
    hops = layers - (rule == "receiver")
    ends = undirected_edges(edges, nodes)
    expected = [
        [layers > 0 and min(near[n].get(u, 99), near[n].get(v, 99)) <= hops for u, v in ends.T] for n in range(nodes)
    ]
    found = receptive_field(edges, layers, axis, num_nodes=nodes, normalisation=rule)
    assert found.toarray().tolist() == np.array(expected, dtype=float).reshape(nodes, -1).tolist()


@given(graphs())
def test_edges_are_listed_once_in_order_whatever_the_direction(graph):
    nodes, edges = graph
    expected = sorted({(min(u, v), max(u, v)) for u, v in edges.T.tolist() if u != v})
    listed = undirected_edges(edges, nodes)
    assert listed.T.tolist() == [list(pair) for pair in expected]
    assert undirected_edges(np.concatenate([edges[::-1], edges], axis=1), nodes).tolist() == listed.tolist()


def test_a_data_object_is_read_by_its_edge_index_and_node_count():
    path = np.array([[0, 1], [1, 2]])
    data = SimpleNamespace(edge_index=path, num_nodes=5)
    assert receptive_field(data, 1, "feature_add").shape == (5, 5)
    assert receptive_field(data, 1, "edge_delete").shape == (5, 2)
    assert undirected_edges(data).tolist() == path.tolist()


def test_one_layer_of_symmetric_normalisation_sees_the_degree_of_a_neighbour():
    path = np.array([[0, 1], [1, 2]])  # 0 – 1 – 2: deleting 1–2 changes the degree of 1, by which 0 scales its message
    assert receptive_field(path, 1, "edge_delete").toarray()[0].tolist() == [1, 1]
    assert receptive_field(path, 1, "edge_delete", normalisation="receiver").toarray()[0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"layers": -1}, "layers must be a whole number"),
        ({"layers": 1.5}, "layers must be a whole number"),
        ({"axis": "nodes"}, "axis must be one of"),
        ({"normalisation": "none"}, "normalisation must be one of"),
        ({"edges": np.zeros((3, 2), dtype=int)}, "shape \\(2, E\\)"),
        ({"edges": np.zeros((2, 2))}, "integer array"),
        ({"edges": np.array([[0], [-1]])}, "name nodes from 0"),
        ({"num_nodes": 1}, "name nodes from 0"),
    ],
)
def test_bad_input_is_one_sentence(change, sentence):
    arguments = {"edges": np.array([[0], [1]]), "layers": 2, "axis": "feature_add", **change}
    with pytest.raises(InputError, match=sentence):
        receptive_field(**arguments)
