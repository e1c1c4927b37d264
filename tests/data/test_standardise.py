"""The standard form: simple, undirected, binary, and reached in one step."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.data.raw import (
    MAX_DENSE_BYTES,
    RawGraph,
    check_dense_size,
    keep_largest_component,
    standard_form,
    undirected,
)
from graphcert.errors import DataError


@st.composite
def raw_graphs(draw):
    nodes = draw(st.integers(1, 9))
    node = st.integers(0, nodes - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=25))
    width = draw(st.integers(0, 3))
    value = st.sampled_from([0.0, 1.0, -1.0, 0.25])
    features = draw(st.lists(st.lists(value, min_size=width, max_size=width), min_size=nodes, max_size=nodes))
    labels = draw(st.lists(st.integers(-1, 2), min_size=nodes, max_size=nodes))
    return RawGraph(
        np.array(features, np.float32).reshape(nodes, width),
        np.array(edges, np.int64).reshape(-1, 2).T,
        np.array(labels, np.int64),
        classes=3,
        values={"edge_weight": np.full(len(edges), 2.0, np.float32)} if draw(st.booleans()) else {},
    )


def simple_graph(graph):
    """The same graph as networkx understands "undirected and without loops"."""
    reference = nx.Graph()
    reference.add_nodes_from(range(graph.nodes))
    reference.add_edges_from((u, v) for u, v in graph.edges.T.tolist() if u != v)
    return reference


@given(raw_graphs())
def test_edges_are_those_of_the_simple_undirected_graph_in_order(graph):
    edges = standard_form(graph).edges
    pairs = list(map(tuple, edges.T.tolist()))
    expected = {pair for u, v in simple_graph(graph).edges for pair in ((u, v), (v, u))}
    assert pairs == sorted(expected)
    assert edges.dtype == np.int64


@given(raw_graphs())
def test_features_say_presence(graph):
    features = standard_form(graph).features
    assert features.dtype == np.float32
    assert np.array_equal(features == 1, graph.features != 0)
    assert np.array_equal(features == 0, graph.features == 0)


@given(raw_graphs())
def test_standard_form_is_idempotent(graph):
    once = standard_form(graph)
    twice = standard_form(once)
    for part in ("features", "edges", "labels"):
        assert np.array_equal(getattr(once, part), getattr(twice, part))
    assert not once.values


@given(raw_graphs())
def test_largest_component_keeps_the_order_and_is_idempotent(graph):
    standard = standard_form(graph)
    kept = keep_largest_component(standard)
    components = [sorted(component) for component in nx.connected_components(simple_graph(graph))]
    members = min(components, key=lambda component: (-len(component), component[0]))
    assert np.array_equal(kept.labels, graph.labels[members])
    assert np.array_equal(kept.features, standard.features[members])
    named = np.array(members)[kept.edges]
    inside = np.isin(standard.edges, members).all(axis=0)
    assert np.array_equal(named, standard.edges[:, inside])
    assert np.array_equal(keep_largest_component(kept).edges, kept.edges)


@given(raw_graphs())
def test_directions_and_weights_are_kept_where_that_is_asked_for(graph):
    """Every directed edge once, in order, with what it carried where it was listed first; components are weak ones."""
    listed = list(map(tuple, graph.edges.T.tolist()))
    values = np.arange(len(listed), dtype=np.float32)
    graph = replace(graph, values={"edge_weight": values, "edge_attr": np.stack([values, -values], axis=1)})
    kept = standard_form(graph, directed=True, weights=True)
    expected = sorted({edge for edge in listed if edge[0] != edge[1]})
    assert list(map(tuple, kept.edges.T.tolist())) == expected
    assert kept.values["edge_weight"].tolist() == [listed.index(edge) for edge in expected]
    assert standard_form(graph, directed=True).values == {}
    part = keep_largest_component(kept)
    assert np.array_equal(part.labels, keep_largest_component(standard_form(graph)).labels)
    inside = np.isin(kept.values["edge_weight"], part.values["edge_weight"])
    assert np.array_equal(part.values["edge_attr"], kept.values["edge_attr"][inside])
    names = np.flatnonzero(connected(graph))
    assert np.array_equal(names[part.edges], kept.edges[:, inside])


def connected(graph):
    """Whether a node is in the largest component, of equal ones the earliest."""
    components = [sorted(component) for component in nx.connected_components(simple_graph(graph))]
    return np.isin(np.arange(graph.nodes), min(components, key=lambda component: (-len(component), component[0])))


def test_undirected_does_not_confuse_pairs_with_equal_sums():
    assert undirected(np.array([[0, 1], [3, 2]]), 4).T.tolist() == [[0, 3], [1, 2], [2, 1], [3, 0]]


def graph_of(features=((0.0,), (1.0,)), edges=((0,), (1,)), labels=(0, 1), classes=2):
    return RawGraph(np.array(features, np.float32), np.array(edges, np.int64), np.array(labels, np.int64), classes)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"features": np.zeros((0, 1)), "edges": np.zeros((2, 0)), "labels": ()}, "no nodes"),
        ({"features": [[0.0]]}, "1 feature rows for 2 labels"),
        ({"features": [[0.0], [np.nan]]}, "NaN"),
        ({"edges": [[0], [2]]}, "names node 2, but the nodes are 0 to 1"),
        ({"edges": [[-1], [0]]}, "names node -1"),
        ({"labels": (0, 2)}, "labels must lie in 0 to 1"),
        ({"labels": (0, -2)}, "labels must lie in 0 to 1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, sentence):
    with pytest.raises(DataError, match=sentence):
        graph_of(**parts)


def test_dense_features_beyond_the_limit_are_refused(monkeypatch):
    monkeypatch.setenv("GRAPHCERT_MEMORY", "1T")
    check_dense_size(MAX_DENSE_BYTES // 4, 1)
    with pytest.raises(DataError, match="use fewer features"):
        check_dense_size(MAX_DENSE_BYTES // 4 + 1, 1)
