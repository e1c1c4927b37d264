"""Whole samples against the slow reference; what a sample may and may not depend on."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from philox_reference import noisy_edges, noisy_features
from sampler_cases import WIDTH, edge_set, feature_matrix, make_sampler, pairs_of, row_sets, rows_of, upper_adjacency

from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip
from graphcert.sampling import channel
from graphcert.sampling.channel import Channel
from graphcert.sampling.philox import CHECK, MAIN, PILOT, TRAIN, VALIDATION
from graphcert.sampling.simd.row_sums import LANES

LAWS = [
    BernoulliFlip(add, delete)
    for add, delete in [
        (0.03, 0.6),
        (0, 0.5),
        (0.4, 0),
        (1, 1),
        (0, 1),
        (1, 0),
        (0.5, 0.5),
        (0.9, 0.97),
        (1e-310, 1e-40),
    ]
]
BOTH = {"features": BernoulliFlip(0.05, 0.5), "edges": BernoulliFlip(0.02, 0.4)}
X, UPPER = feature_matrix(), upper_adjacency()
ROWS = [set(np.flatnonzero(row).tolist()) for row in X]


def sampler(x=X, upper=None, seed=7, **laws):
    """Features with as many empty rows as the graph has nodes more."""
    upper = UPPER[: len(x), : len(x)] if upper is None else upper
    return make_sampler(x, upper, seed=seed, **laws)


def graph_sampler(seed=7, upper=UPPER, **laws):
    return make_sampler(np.zeros((len(upper), 1)), upper, seed=seed, **laws)


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize(("seed", "purpose", "index"), [(0, PILOT, 0), (2**64 - 1, MAIN, 12_345)])
def test_features_are_those_of_the_reference(law, seed, purpose, index):
    one = sampler(features=law, seed=seed)
    found = row_sets(one.features(purpose, index, one.workspace()))
    assert found == noisy_features(seed, purpose, index, ROWS, WIDTH, law)


@pytest.mark.parametrize("law", LAWS[:-1], ids=str)
@pytest.mark.parametrize(("seed", "purpose", "index"), [(0, PILOT, 0), (2**64 - 1, MAIN, 12_345)])
def test_edges_are_those_of_the_reference(law, seed, purpose, index):
    one = graph_sampler(seed, edges=law)
    found = edge_set(one.graph(purpose, index, one.workspace()))
    assert found == noisy_edges(seed, purpose, index, len(UPPER), pairs_of(UPPER), law)


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**31),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([1, 2, 31, 32, 33, 40]),
)
@settings(max_examples=15)
def test_any_graph_at_any_rate(seed, index, add, delete, nodes):
    """Also the sizes at which a strip begins or ends, and a graph of one node."""
    upper = np.triu(np.random.default_rng(seed).random((nodes, nodes)) < 0.2, 1)
    law = BernoulliFlip(add or 0.1, delete)
    one = graph_sampler(seed, upper, edges=law)
    found = edge_set(one.graph(MAIN, index, one.workspace()))
    assert found == noisy_edges(seed, MAIN, index, nodes, pairs_of(upper), law)


def test_rates_of_zero_and_one_leave_nothing_to_chance():
    work_of = lambda one: (PILOT, 3, one.workspace())  # noqa: E731
    complement = sampler(features=BernoulliFlip(1, 1))
    assert row_sets(complement.features(*work_of(complement))) == [set(range(WIDTH)) - row for row in ROWS]
    empty = sampler(features=BernoulliFlip(0, 1))
    assert row_sets(empty.features(*work_of(empty))) == [set() for _ in ROWS]
    complete = graph_sampler(edges=BernoulliFlip(1, 0))
    nodes = len(UPPER)
    assert edge_set(complete.graph(*work_of(complete))) == set(itertools.combinations(range(nodes), 2))


def test_channels_without_a_law_stay_clean():
    silent = BernoulliFlip(0, 0)
    for one in (sampler(features=BOTH["features"]), sampler(features=BOTH["features"], edges=silent)):
        assert not one.noisy_edges
        assert one.graph(MAIN, 5, one.workspace()) is one.clean_graph
        assert edge_set(one.clean_graph) == pairs_of(UPPER[: len(X), : len(X)])
    for one in (sampler(edges=BOTH["edges"]), sampler(edges=BOTH["edges"], features=silent)):
        assert not one.noisy_features
        assert row_sets(one.features(MAIN, 5, one.workspace())) == ROWS


def everything(one, purpose=MAIN, index=4, work=None):
    """One whole sample as plain lists, in the order in which it is stored."""
    work = work or one.workspace()
    return rows_of(one.features(purpose, index, work)), rows_of(one.graph(purpose, index, work))


@pytest.mark.parametrize(("rows", "draws"), [(1, 16), (1, 64), (2, 48), (7, 80), (50, 1024)])
def test_the_size_of_the_scratch_changes_nothing(rows, draws, monkeypatch):
    """However many rows and strips are drawn together, and however many random words for each."""
    expected = everything(sampler(**BOTH))
    monkeypatch.setattr(channel, "_BLOCK_WORDS", rows * -(-draws // 64) * 64)
    monkeypatch.setattr(channel, "_STRIPS", rows)
    monkeypatch.setattr(Channel, "draws", lambda self, elements: draws)
    one = sampler(**BOTH)
    work = one.workspace()
    assert work.rows.words.shape == (rows, -(-draws // 64) * 64)
    work.strips.words = np.empty((1, draws), np.uint32)
    assert everything(one, work=work) == expected


def test_a_sample_alone_equals_the_same_sample_in_any_order():
    one = sampler(**BOTH)
    alone = [everything(one, index=index) for index in range(12)]
    work = one.workspace()
    for order in (range(12), reversed(range(12)), [5, 5, 0, 11, 5]):
        assert all(everything(one, index=index, work=work) == alone[index] for index in order)
    assert everything(sampler(**BOTH), index=9) == alone[9]


def test_one_channel_does_not_disturb_the_other():
    both = everything(sampler(**BOTH))
    assert both[0] == everything(sampler(features=BOTH["features"]))[0]
    assert both[1] == everything(sampler(edges=BOTH["edges"]))[1]


def test_purposes_samples_and_seeds_give_different_samples():
    """With some hundred flips in a sample, equal ones would be a broken address."""
    x = np.concatenate([X] * 11)
    one = sampler(x, **BOTH)
    found = [
        everything(one, purpose, index) for purpose in (PILOT, MAIN, TRAIN, VALIDATION, CHECK) for index in range(3)
    ]
    found += [everything(sampler(x, seed=seed, **BOTH)) for seed in (8, 7 + 2**32)]
    for part in (0, 1):
        assert len({str(sample[part]) for sample in found}) == len(found)


def test_rows_and_channels_have_streams_of_their_own():
    """Equal rows are perturbed differently, and zeros of a feature row differently from those of a strip of edges."""
    x = np.zeros((40, 300), bool)
    one = make_sampler(x, np.zeros((40, 40)), features=BernoulliFlip(0.1, 0), seed=1)
    rows = row_sets(one.features(MAIN, 0, one.workspace()))
    assert len({frozenset(row) for row in rows}) == 40
    law = BernoulliFlip(0.2, 0)
    strip = graph_sampler(1, np.zeros((32, 32)), edges=law)
    pairs = edge_set(strip.graph(MAIN, 0, strip.workspace()))
    flat = make_sampler(np.zeros((1, 32 * 31), bool), np.zeros((1, 1)), features=law, seed=1)
    places = row_sets(flat.features(MAIN, 0, flat.workspace()))[0]
    assert pairs != {(p // 31, 1 + p % 31) for p in places if p // 31 < 1 + p % 31}


def test_too_little_room_at_first_gives_the_same_sample(monkeypatch):
    laws = {"features": BernoulliFlip(0.4, 0.1), "edges": BernoulliFlip(0.4, 0.1)}
    expected = everything(sampler(**laws))
    monkeypatch.setattr(Channel, "room", lambda self, elements: 0)
    cramped = sampler(**laws)
    work = cramped.workspace()
    assert work.strips.hits.size == 0
    assert everything(cramped, work=work) == expected
    assert everything(cramped, work=work) == expected


@pytest.mark.parametrize("width", [1, 5, 16, 17, 64, 130])
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_first_layer_is_the_product_with_the_sampled_features(width, law):
    """Over enough rows to need more than one block of them, also where every row is full."""
    x = np.concatenate([X] * 25)
    one = make_sampler(x, np.zeros((len(x),) * 2), law, seed=7)
    weight = np.random.default_rng(3).normal(size=(WIDTH, width)).astype(np.float32)
    wide = np.pad(weight, [(0, 0), (0, -width % LANES)])
    out = np.full((1, len(x), wide.shape[1]), np.nan, np.float32)
    work = one.workspace()
    for index in range(2):
        one.first_layer(MAIN, index, wide, out, work)
        dense = np.zeros(x.shape)
        for row, ones in enumerate(row_sets(one.features(MAIN, index, work))):
            dense[row, sorted(ones)] = 1
        np.testing.assert_allclose(out[0, :, :width], dense @ weight.astype(np.float64), rtol=0, atol=5e-5)
        assert (out[0, :, width:] == 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 0), (1, 5)])
def test_smallest_graphs(shape):
    one = make_sampler(np.ones(shape, bool), np.zeros((shape[0],) * 2), seed=1, **BOTH)
    features, graph = everything(one)
    assert len(features) == len(graph) == shape[0]


def test_the_stated_error_bounds_the_sum_of_its_parts():
    """Every zero of a row may start a gap, every one draws a lane; nothing else is random."""
    one = sampler(**BOTH)
    assert 0 < one.total_variation < 1e-20
    exact = sampler(features=BernoulliFlip(0, 0.5))
    assert exact.total_variation <= 1e-25
    coarse = sampler(features=BernoulliFlip(0, 1))
    assert coarse.total_variation >= X.sum() * 2.0**-128


def test_a_seed_outside_the_domain_is_refused():
    with pytest.raises(InputError, match="the seed must be a whole number"):
        sampler(seed=-1, **BOTH)
