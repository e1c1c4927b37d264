"""Localized samples: every group of outputs sees its own levels of noise, all made from the same uniform numbers."""

from fractions import Fraction

import numpy as np
import pytest
from flip_law import assert_independent_bits
from philox_reference import (
    EDGE_ADD,
    EDGE_DELETE,
    FEATURE_ADD,
    FEATURE_DELETE,
    STRIP,
    deleted,
    gap_positions,
    gap_thresholds,
    uniform96,
)
from sampler_cases import csr, edge_set, pairs_of, row_sets

from graphcert.noise import BernoulliFlip, Partition, Smoothing
from graphcert.sampling import channel
from graphcert.sampling.channel import Channel
from graphcert.sampling.philox import LEVEL, MAIN
from graphcert.sampling.rows import rectified_rows
from graphcert.sampling.sampler import Sampler
from graphcert.sampling.simd.row_sums import LANES

NODES, WIDTH = 70, 40
PARTITION = Partition.of_affinity(
    np.arange(NODES) % 4, [[0, 3, 2, 1], [5, 0, 4, 6], [1, 1, 0, 2], [0.5, 0.25, 0.75, 0]]
)
SCHEMES = {
    "two levels": [(0.02, 0.3), (0.1, 0.6)],
    "a level per rank": [(0.01, 0.1), (0.05, 0.4), (0.05, 0.7), (0.3, 0.9)],
    "from nothing to all": [(0.0, 0.0), (0.2, 0.5), (1.0, 1.0)],
    "one rate alone": [(0.1, 0.2), (0.1, 0.8)],
    "additions alone": [(0.0, 0.0), (0.001, 0.0), (0.2, 0.0)],
}
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:graphcert.noise")


def clean_graph():
    generator = np.random.default_rng(8)
    x = generator.random((NODES, WIDTH)) < 0.2
    x[0], x[1] = True, False
    return x, np.triu(generator.random((NODES, NODES)) < 0.1, 1)


X, UPPER = clean_graph()


def sampler_of(scheme, seed=3, x=X, upper=UPPER, partition=PARTITION):
    levels = [BernoulliFlip(*rates) for rates in SCHEMES[scheme]]
    return Sampler(csr(x), x.shape[1], csr(upper), Smoothing(levels, levels, partition), seed)


def law_of_rank(scheme, rank):
    """Level ⌊rank · L / C⌋ (theory, section 8)."""
    levels = SCHEMES[scheme]
    return BernoulliFlip(*levels[rank * len(levels) // PARTITION.clusters])


def visible_additions(seed, purpose, channel, sample, row, elements, scheme):
    """{position: function of a law that says whether the addition happens at its rate}."""
    stream = purpose * 16 + channel
    largest = max(add for add, _ in SCHEMES[scheme])
    positions = gap_positions(seed, stream, sample, row, elements, gap_thresholds(largest, elements_of(channel)))

    def happens(number, law):
        share = int(Fraction(law.add) / Fraction(largest) * 2**96)
        return uniform96(seed, stream + LEVEL, sample, row, number) < share

    return {position: (lambda law, k=k: happens(k, law)) for k, position in enumerate(positions)}


def elements_of(channel):
    return WIDTH if channel == FEATURE_ADD else STRIP * NODES


def expected_features(scheme, group, seed, sample):
    result = []
    for row in range(NODES):
        law = law_of_rank(scheme, PARTITION.rank[group, PARTITION.labels[row]])
        ones = np.flatnonzero(X[row]).tolist()
        stream = MAIN * 16 + FEATURE_DELETE
        kept = {c for number, c in enumerate(ones) if not deleted(seed, stream, sample, row, number, law.delete)}
        added = visible_additions(seed, MAIN, FEATURE_ADD, sample, row, WIDTH, scheme)
        result.append(kept | {c for c, happens in added.items() if not X[row, c] and happens(law)})
    return result


def expected_edges(scheme, group, seed, sample):
    rank = PARTITION.rank[group][PARTITION.labels]
    clean, result = pairs_of(UPPER), set()
    for strip, first in enumerate(range(0, NODES, STRIP)):
        here = sorted(pair for pair in clean if first <= pair[0] < first + STRIP)
        stream = MAIN * 16 + EDGE_DELETE
        for number, (i, j) in enumerate(here):
            law = law_of_rank(scheme, max(rank[i], rank[j]))
            if not deleted(seed, stream, sample, strip, number, law.delete):
                result.add((i, j))
        width = NODES - first - 1
        elements = min(STRIP, NODES - first) * width
        for hit, happens in visible_additions(seed, MAIN, EDGE_ADD, sample, strip, elements, scheme).items():
            i, j = first + hit // width, first + 1 + hit % width
            if i < j and (i, j) not in clean and happens(law_of_rank(scheme, max(rank[i], rank[j]))):
                result.add((i, j))
    return result


def view_of(one, group):
    return int(one.views.of_node[PARTITION.labels == group][0])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", [3, 2**64 - 1])
def test_every_group_sees_the_levels_of_the_reference(scheme, seed):
    one = sampler_of(scheme, seed)
    work = one.workspace()
    for group in range(PARTITION.clusters):
        view = view_of(one, group)
        assert row_sets(one.features(MAIN, 5, work, view)) == expected_features(scheme, group, seed, 5)
        assert edge_set(one.graph(MAIN, 5, work, view)) == expected_edges(scheme, group, seed, 5)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("rows", "draws"), [(1, 16), (3, 16), (70, 64)])
def test_the_size_of_the_scratch_changes_nothing(scheme, rows, draws, monkeypatch):
    """Rows that need more random words than are drawn at once, and more than one block of them."""
    x = np.random.default_rng(2).random((NODES, 300)) < 0.3
    one = sampler_of(scheme, x=x)
    views = range(one.views.count)
    expected = [row_sets(one.features(MAIN, 1, one.workspace(), v)) for v in views]
    monkeypatch.setattr(channel, "_BLOCK_WORDS", rows * 64)
    monkeypatch.setattr(Channel, "draws", lambda self, elements: draws)
    assert one.workspace().rows.words.shape == (rows, 64)
    assert [row_sets(one.features(MAIN, 1, one.workspace(), v)) for v in views] == expected


@pytest.mark.parametrize("scheme", SCHEMES)
def test_too_little_room_at_first_gives_the_same_sample(scheme, monkeypatch):
    one = sampler_of(scheme)
    work = one.workspace()
    views = range(one.views.count)
    expected = [(row_sets(one.features(MAIN, 1, work, v)), edge_set(one.graph(MAIN, 1, work, v))) for v in views]
    monkeypatch.setattr(Channel, "room", lambda self, elements: 0)
    work = one.workspace()
    found = [(row_sets(one.features(MAIN, 1, work, v)), edge_set(one.graph(MAIN, 1, work, v))) for v in views]
    assert found == expected


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [3, 70])
def test_the_first_layer_of_every_view_is_the_product_with_its_features(scheme, width):
    one = sampler_of(scheme)
    work = one.workspace()
    weight = np.random.default_rng(3).normal(size=(WIDTH, width)).astype(np.float32)
    wide = np.pad(weight, [(0, 0), (0, -width % LANES)])
    out = np.full((one.views.count, NODES, wide.shape[1]), np.nan, np.float32)
    one.first_layer(MAIN, 2, wide, out, work)
    for view in range(one.views.count):
        dense = np.zeros(X.shape)
        for row, ones in enumerate(row_sets(one.features(MAIN, 2, work, view))):
            dense[row, sorted(ones)] = 1
        np.testing.assert_allclose(out[view, :, :width], dense @ weight.astype(np.float64), rtol=0, atol=5e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("width", "classes"), [(16, 1), (64, 3), (112, 16)])
def test_a_layer_that_follows_row_by_row_is_the_same_layer_of_the_first_layer(scheme, width, classes):
    one = sampler_of(scheme)
    work = one.workspace()
    generator = np.random.default_rng(3)
    weight, products = (generator.normal(size=size).astype(np.float32) for size in ((WIDTH, width), (classes, width)))
    bias = generator.normal(size=width).astype(np.float32)
    first = np.full((one.views.count, NODES, width), np.nan, np.float32)
    one.first_layer(MAIN, 2, weight, first, work)
    fused, after = (np.full((one.views.count * NODES, classes + 3), np.nan, np.float32) for _ in range(2))
    one.first_layer(MAIN, 2, weight, fused, work, layer=(bias, products))
    rectified_rows(first.reshape(-1, width), bias, products, after)
    expected = np.maximum(first.astype(np.float64) + bias, 0) @ products.T.astype(np.float64)
    for found in (fused, after):
        np.testing.assert_allclose(found[:, :classes], np.concatenate(expected), rtol=0, atol=2e-3)
        assert np.isnan(found[:, classes:]).all()


def test_equal_levels_are_isotropic_bit_for_bit():
    law = BernoulliFlip(0.1, 0.6)
    levels = Sampler(csr(X), WIDTH, csr(UPPER), Smoothing([law] * 3, [law] * 4, PARTITION), 3)
    plain = Sampler(csr(X), WIDTH, csr(UPPER), Smoothing(law, law), 3)
    assert levels.views.count == 1
    for sample in range(3):
        for draw in ("features", "graph"):
            one, two = (getattr(s, draw)(MAIN, sample, s.workspace()) for s in (levels, plain))
            assert (one.indptr == two.indptr).all()
            assert (one.indices == two.indices).all()


@pytest.mark.parametrize("scheme", ["two levels", "a level per rank"])
def test_the_law_of_every_view_is_that_of_its_levels(scheme):
    """Independent bits at the rates that a group puts on them; false-alarm rate 1e-6 per view (see flip_law)."""
    nodes, samples = 14, 4000
    x, upper = X[:nodes, :5], UPPER[:nodes, :nodes]
    partition = Partition(PARTITION.labels[:nodes], PARTITION.rank)
    one = sampler_of(scheme, 5, x, upper, partition)
    work, pairs = one.workspace(), np.triu_indices(nodes, 1)
    for group in range(partition.clusters):
        rank = partition.rank[group][partition.labels]
        view = int(one.views.of_node[partition.labels == group][0])
        flips = np.zeros((samples, x.size + len(pairs[0])), bool)
        for sample in range(samples):
            noisy_x, noisy_a = np.zeros(x.shape, bool), np.zeros((nodes, nodes), bool)
            for matrix, ones in (
                (noisy_x, one.features(MAIN, sample, work, view)),
                (noisy_a, one.graph(MAIN, sample, work, view)),
            ):
                matrix[np.repeat(np.arange(nodes), np.diff(ones.indptr)), ones.indices] = True
            flips[sample] = np.concatenate([(noisy_x != x).ravel(), (noisy_a != upper)[pairs]])
        bits = [(law_of_rank(scheme, rank[n]), x[n, c]) for n in range(nodes) for c in range(x.shape[1])]
        bits += [(law_of_rank(scheme, max(rank[i], rank[j])), upper[i, j]) for i, j in zip(*pairs, strict=True)]
        assert_independent_bits(flips, np.array([law.delete if one_bit else law.add for law, one_bit in bits]))
