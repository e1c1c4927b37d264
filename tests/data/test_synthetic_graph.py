"""The stochastic block model follows its law; every statistical test states its false-alarm rate."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from graphcert.data import load_dataset, validate
from graphcert.data.synthetic import _densities, _edges, _triangle, synthetic_graph
from graphcert.errors import InputError

FALSE_ALARM = 1e-6
"""Probability that a right sampler fails a statistical test below, each on its own."""


def assert_binomial(counts, trials, probability):
    """Fail with probability at most FALSE_ALARM if every count is Binomial(trials, probability), however dependent."""
    for count in counts:
        assert binomtest(int(count), int(trials), probability).pvalue > FALSE_ALARM / len(counts)


def test_pairs_are_joined_independently_with_their_probability():
    """All pairs and all pairs of pairs of 7 nodes over 2,500 graphs."""
    labels = np.array([0, 1, 0, 0, 1, 2, 1])
    within, between, rounds = 0.6, 0.25, 2500
    pairs = list(itertools.combinations(range(len(labels)), 2))
    generator = np.random.default_rng(11)
    joined = np.zeros((rounds, len(pairs)), bool)
    for one in joined:
        edges = [tuple(sorted(pair)) for pair in _edges(generator, labels, within, between).T.tolist()]
        assert len(edges) == len(set(edges))
        one[:] = [pair in edges for pair in pairs]
    chance = np.array([within if labels[u] == labels[v] else between for u, v in pairs])
    first, second = zip(*itertools.combinations(range(len(pairs)), 2), strict=True)
    both = (joined[:, first] & joined[:, second]).sum(axis=0)
    for value in (within, between):
        assert_binomial(joined.sum(axis=0)[chance == value], rounds, value)
    together = chance[list(first)] * chance[list(second)]
    for value in np.unique(together):
        assert_binomial(both[together == value], rounds, value)


@pytest.mark.parametrize("homophily", [0.0, 0.3, 0.8, 1.0])
def test_degree_and_homophily_are_the_expected_ones(homophily):
    """Edges within and between classes are binomial with the means that the options promise."""
    nodes, classes, degree = 3001, 3, 7.0
    graph = synthetic_graph(5, nodes=nodes, classes=classes, degree=degree, homophily=homophily, features=1)
    inside = int((graph.labels[graph.edges[0]] == graph.labels[graph.edges[1]]).sum())
    sizes = np.bincount(graph.labels)
    pairs_inside = int((sizes * (sizes - 1) // 2).sum())
    pairs_across = nodes * (nodes - 1) // 2 - pairs_inside
    assert_binomial([inside], pairs_inside, homophily * degree * nodes / 2 / pairs_inside)
    assert_binomial([graph.edges.shape[1] - inside], pairs_across, (1 - homophily) * degree * nodes / 2 / pairs_across)


def test_bits_follow_the_topics():
    nodes, classes, width, present, background = 4000, 4, 6, 0.3, 0.02
    graph = synthetic_graph(
        9, nodes=nodes, classes=classes, features=width, present=present, background=background, degree=1
    )
    for label, bit in itertools.product(range(classes), range(width)):
        ones = graph.features[graph.labels == label, bit].sum()
        assert_binomial([ones] * classes * width, nodes / classes, present if bit % classes == label else background)


def test_bits_of_one_node_are_independent():
    graph = synthetic_graph(2, nodes=20000, classes=2, features=6, present=0.5, background=0.5, degree=1)
    equal = [
        (graph.features[:, first] == graph.features[:, second]).sum()
        for first, second in itertools.combinations(range(6), 2)
    ]
    assert_binomial(equal, 20000, 0.5)


@given(st.one_of(st.integers(0, 50), st.integers(1, 2**30).map(lambda u: u * (u - 1) // 2), st.integers(0, 2**46)))
def test_pair_numbers_are_decoded_exactly(number):
    for candidate in (max(number - 1, 0), number, number + 1):
        larger, smaller = (int(part[0]) for part in _triangle(np.array([candidate])))
        assert 0 <= smaller < larger
        assert larger * (larger - 1) // 2 + smaller == candidate


@given(
    st.lists(st.integers(2, 500), min_size=2, max_size=5),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_densities_give_the_wanted_expectations(sizes, degree, homophily):
    sizes = np.array(sizes)
    nodes, within_pairs = sizes.sum(), (sizes * (sizes - 1) // 2).sum()
    between_pairs = nodes * (nodes - 1) // 2 - within_pairs
    try:
        within, between = _densities(sizes, degree, homophily)
    except InputError:
        assert (
            max(homophily * nodes * degree / 2 / within_pairs, (1 - homophily) * nodes * degree / 2 / between_pairs) > 1
        )
        return
    assert within * within_pairs + between * between_pairs == pytest.approx(nodes * degree / 2)
    assert within * within_pairs == pytest.approx(homophily * nodes * degree / 2)


def test_classes_are_equally_large_and_shuffled():
    labels = synthetic_graph(0, nodes=1002, classes=4).labels
    assert sorted(np.bincount(labels)) == [250, 250, 251, 251]
    assert not np.array_equal(labels, np.arange(1002) % 4)


def test_same_seed_same_graph():
    first, again, other = (synthetic_graph(seed, nodes=300) for seed in (7, 7, 8))
    for part in ("features", "edges", "labels"):
        assert np.array_equal(getattr(first, part), getattr(again, part))
    assert not np.array_equal(first.features, other.features)
    assert not np.array_equal(first.labels, other.labels)


def test_loaded_form():
    data = load_dataset("synthetic", nodes=500, classes=3, features=10, seed=4)
    validate(data)
    assert (data.x.shape, data.classes, data.name) == ((500, 10), 3, "synthetic")
    assert data.train_mask.sum() == data.val_mask.sum() == 60


def test_complete_graphs_are_possible():
    data = load_dataset(
        "synthetic", nodes=20, classes=2, homophily=9 / 19, degree=19, per_class_train=1, per_class_validation=1
    )
    assert data.edge_index.shape[1] == 20 * 19


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"nodes": 5, "classes": 3}, "nodes must be at least twice the 3 classes, got 5"),
        ({"classes": 1}, "classes must be at least 2, got 1"),
        ({"features": 0}, "features must be at least 1"),
        ({"nodes": 10**9, "features": 1000}, "lower features"),
        ({"nodes": 2.5}, "nodes must be a whole number"),
        ({"degree": -1}, "degree must be a number of at least 0, got -1"),
        ({"degree": 1000}, "more edges than 1000 nodes have pairs; lower degree"),
        ({"degree": "many"}, "degree must be a number"),
        ({"homophily": 1.1}, r"homophily must be a number in \[0, 1\], got 1.1"),
        ({"present": float("nan")}, "present must be a number in"),
        ({"background": True}, "background must be a number in"),
        ({"seed": -1}, "seed must be at least 0"),
        (
            {"hubs": 3},
            "synthetic has no option hubs; it takes nodes, classes, features, degree, homophily, present, backg",
        ),
    ],
)
def test_options_outside_their_domain(options, sentence):
    with pytest.raises(InputError, match=sentence):
        load_dataset("synthetic", **options)


@pytest.mark.slow
def test_a_million_nodes():
    data = load_dataset("synthetic", nodes=10**6, classes=10, features=16, degree=10)
    validate(data)
    assert_binomial([data.edge_index.shape[1] // 2], 10**6 * (10**6 - 1) // 2, 10 / (10**6 - 1))
