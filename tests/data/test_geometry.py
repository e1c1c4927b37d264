"""Synthetic graphs with local structure: degree, homophily and locality by counts, up to five standard deviations."""

import numpy as np
import pytest

from graphcert.data import data_fingerprint, load_dataset, partition_graph
from graphcert.data.geometry import _hilbert
from graphcert.data.synthetic import _places, synthetic_graph
from graphcert.errors import InputError

NODES, DEGREE = 20_000, 6.0
GEOMETRIES = ("ring", "grid", "blocks")


def drawn(geometry, **options):
    graph = synthetic_graph(1, **{"nodes": NODES, "degree": DEGREE, "features": 8, "geometry": geometry, **options})
    return graph, *graph.edges


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("homophily", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_degree_homophily_and_simplicity(geometry, homophily, classes):
    graph, one, other = drawn(geometry, homophily=homophily, classes=classes)
    expected = NODES * DEGREE / 2
    assert abs(one.size - expected) < 5 * np.sqrt(expected)
    same = np.count_nonzero(graph.labels[one] == graph.labels[other])
    assert abs(same - homophily * one.size) <= 5 * np.sqrt(one.size * homophily * (1 - homophily))
    assert (one != other).all()
    assert np.unique(np.minimum(one, other) * NODES + np.maximum(one, other)).size == one.size
    assert np.bincount(graph.labels, minlength=classes).min() > 0.9 * NODES / classes


def test_neighbours_on_a_ring_are_near_at_every_step():
    _, one, other = drawn("ring", reach=9, homophily=0.5)
    steps = np.minimum((one - other) % NODES, (other - one) % NODES)
    assert steps.min() == 1
    assert steps.max() == 9


def test_neighbours_on_a_grid_are_near_and_have_near_numbers():
    nodes, side = 30**2, 30
    place = np.argsort(np.argsort(_hilbert(*np.divmod(np.arange(nodes), side))))
    row, column = np.divmod(np.argsort(place), side)
    _, one, other = drawn("grid", nodes=nodes, reach=2)
    assert max(np.abs(row[one] - row[other]).max(), np.abs(column[one] - column[other]).max()) == 2
    # A quarter of consecutive nodes is a compact patch: few of its edges leave it.
    _, one, other = drawn("grid")
    assert (one * 16 // NODES != other * 16 // NODES).mean() < 0.2


def test_hilbert_curves_take_single_steps():
    row, column = np.divmod(np.arange(64), 8)
    order = np.argsort(_hilbert(row, column))
    assert (np.abs(np.diff(row[order])) + np.abs(np.diff(column[order])) == 1).all()


@pytest.mark.parametrize("inside", [0.5, 0.95])
def test_blocks_hold_their_share_of_the_edges_whatever_the_classes(inside):
    graph, one, other = drawn("blocks", blocks=20, inside=inside)
    within = one * 20 // NODES == other * 20 // NODES
    for part in (within, within[graph.labels[one] == graph.labels[other]]):
        assert abs(part.mean() - inside) < 5 * np.sqrt(inside * (1 - inside) / part.size)


@pytest.mark.parametrize("chance", [0.0, 1e-5, 0.03, 0.5, 1.0])
def test_places_of_ones_are_those_of_independent_bits(chance):
    bits, generator = 200_000, np.random.default_rng(2)
    found = _places(generator, bits, chance)
    assert (np.diff(found) > 0).all()
    assert abs(found.size - bits * chance) <= 5 * np.sqrt(bits * chance * (1 - chance))
    halves = np.bincount(found * 2 // bits, minlength=2)
    assert abs(halves[0] - halves[1]) <= 5 * np.sqrt(bits * chance * (1 - chance))
    assert _places(generator, 0, chance).size == 0


def test_bits_follow_the_topics():
    graph, *_ = drawn("grid", features=10, present=0.4, background=0.1)
    own = np.arange(10) % 4 == graph.labels[:, None]
    for bits, chance in ((graph.features[own], 0.4), (graph.features[~own], 0.1)):
        assert abs(bits.mean() - chance) < 5 * np.sqrt(chance * (1 - chance) / bits.size)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_same_seed_same_graph_and_consecutive_clusters(geometry):
    one, same, other = (load_dataset("synthetic", nodes=900, geometry=geometry, seed=seed) for seed in (3, 3, 4))
    assert data_fingerprint(one) == data_fingerprint(same) != data_fingerprint(other)
    partition = partition_graph(one, 5, "consecutive")
    assert partition.method == "consecutive"
    assert partition.labels.tolist() == (np.arange(900) * 5 // 900).tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"geometry": "torus"}, "geometry must be one of ring, grid, blocks"),
        ({"reach": 3}, "has no reach"),
        ({"geometry": "ring", "blocks": 3}, "has no blocks"),
        ({"geometry": "blocks", "reach": 3}, "has no reach"),
        ({"geometry": "grid", "inside": 0.5}, "has no inside"),
        ({"geometry": "ring", "nodes": 30}, "too small for a reach of 16"),
        ({"geometry": "ring", "reach": 0}, "reach"),
        ({"geometry": "ring", "reach": 2}, "raise reach"),
        ({"geometry": "grid", "reach": 1, "degree": 9}, "raise reach"),
        ({"geometry": "blocks", "blocks": 2000}, "lower blocks"),
        ({"geometry": "blocks", "blocks": 250}, "lower degree"),
        ({"geometry": "blocks", "blocks": 1}, "lower degree"),
        ({"geometry": "blocks", "inside": 1.5}, "inside"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        synthetic_graph(**options)
