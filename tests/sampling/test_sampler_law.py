"""The law sampled is the law certified: means, variances, pairs and counts of flips of ones and zeros.

False-alarm rate: 1e-6 for every test below (see flip_law), for whatever seed.
"""

import numpy as np
import pytest
from flip_law import FALSE_ALARM, assert_independent_bits, count_tails, independent_bits_tails
from sampler_cases import csr, make_sampler
from seeds import fresh_seed

from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.sampling.flips import draw_gaps, gap_table
from graphcert.sampling.philox import MAIN, PILOT
from graphcert.sampling.sampler import Sampler

LAWS = [BernoulliFlip(0.05, 0.4), BernoulliFlip(0.5, 0.9), BernoulliFlip(0.7, 0.02)]
NODES = 40
"""More than one strip of rows of edges."""


def small_graph():
    """A few feature bits, among them a full and an empty row, and a graph on 40 nodes."""
    generator = np.random.default_rng(5)
    x = np.zeros((NODES, 6), bool)
    x[:3] = True
    x[6:] = generator.random((NODES - 6, 6)) < 0.3
    return x, np.triu(generator.random((NODES, NODES)) < 0.15, 1)


def sampled_flips(x, links, features, edges, seed, samples, purpose=MAIN, directed=False):
    """(S, M) flips and (M,) their rates: all feature bits, then all pairs i < j of nodes, or all i ≠ j if directed."""
    scheme = Smoothing(features, edges, directed=directed)
    one = Sampler(csr(x), x.shape[1], csr(links), scheme, seed)
    pairs = np.nonzero(~np.eye(len(x), dtype=bool)) if directed else np.triu_indices(len(x), 1)
    flips = np.empty((samples, x.size + len(pairs[0])), bool)
    noisy_x, adjacency, work = np.empty_like(x), np.empty((len(x),) * 2, bool), one.workspace()
    for sample in range(samples):
        for matrix, ones in (
            (noisy_x, one.features(purpose, sample, work)),
            (adjacency, one.graph(purpose, sample, work)),
        ):
            matrix[:] = False
            matrix[np.repeat(np.arange(len(x)), np.diff(ones.indptr)), ones.indices] = True
        flips[sample, : x.size] = (noisy_x != x).ravel()
        assert not adjacency.diagonal().any()
        flips[sample, x.size :] = (adjacency != links)[pairs]
    rates = [np.where(clean, law.delete, law.add) for clean, law in ((x.ravel(), features), (links[pairs], edges))]
    return flips, np.concatenate(rates)


@pytest.mark.parametrize(("features", "edges", "seed"), [(*LAWS[:2], 1), (*LAWS[1:], 2), (LAWS[2], LAWS[0], 2**63)])
def test_bits_and_edges_flip_independently_at_their_rates(features, edges, seed):
    assert_independent_bits(*sampled_flips(*small_graph(), features, edges, seed, 3000))


@pytest.mark.parametrize(("features", "edges", "seed"), [(*LAWS[:2], 4)])
def test_directions_flip_independently_at_their_rates(features, edges, seed):
    """Every ordered pair is drawn for itself, both directions of a pair of nodes too."""
    x, upper = small_graph()
    links = upper | (np.random.default_rng(7).random(upper.shape) < 0.15) & ~np.eye(NODES, dtype=bool)
    assert_independent_bits(*sampled_flips(x, links, features, edges, seed, 3000, directed=True))


def test_pilot_and_main_samples_are_independent():
    """Side by side they are twice as many independent bits."""
    x, upper = small_graph()
    x, upper = x[:12], upper[:12, :12]
    (pilot, rates), (main, _) = (sampled_flips(x, upper, *LAWS[:2], 3, 4000, purpose) for purpose in (PILOT, MAIN))
    assert_independent_bits(np.concatenate([pilot, main], axis=1), np.tile(rates, 2))


@pytest.mark.parametrize(("lines", "rate"), [(1, 0.11), (2, 0.11), (5, 0.11), (60, 0.5)])
def test_a_table_cut_short_keeps_the_law(lines, rate):
    """A gap as long as the table starts afresh: the law has no memory. At 1/2 a drawn position is often drawn already."""
    samples, elements = 6000, 60
    table = gap_table(rate, lines)
    flips = np.zeros((samples, elements), bool)
    out, words = np.empty(elements, np.int32), np.empty((1, 32), np.uint32)
    for row in range(samples):
        end = draw_gaps(np.uint64(4), 0, 0, row, elements, table.high, table.low, table.cells, words, 0, 0, out, 0)
        flips[row, out[:end]] = True
    assert_independent_bits(flips, np.full(elements, rate))


@pytest.mark.slow
@pytest.mark.parametrize(("features", "edges"), [LAWS[:2], LAWS[1:], (LAWS[2], LAWS[0])])
def test_the_law_with_a_fresh_seed_and_many_samples(features, edges):
    seed = fresh_seed()
    assert_independent_bits(*sampled_flips(*small_graph(), features, edges, seed, 60_000))


@pytest.mark.slow
def test_the_number_of_additions_over_a_large_matrix():
    """400 rows of 1,000 zeros: the count of additions is binomial, in every row and in all."""
    rows, width, rate, samples, seed = 400, 1000, 0.01, 300, fresh_seed()
    one = make_sampler(np.zeros((rows, width), bool), np.zeros((rows, rows)), BernoulliFlip(rate, 0), seed=seed)
    work = one.workspace()
    counts = np.array([np.diff(one.features(MAIN, sample, work).indptr) for sample in range(samples)])
    for found in count_tails(counts.ravel(), width, rate):
        assert np.min(found) > FALSE_ALARM / 1e4


# A test that cannot fail is a defect: each of these wrong samplers must be caught.


def fails(flips, rates):
    found = independent_bits_tails(flips, rates)
    return found.min() <= FALSE_ALARM / (2 * len(found))


def right_flips(generator, samples, rates):
    return generator.random((samples, len(rates))) < rates


RATES = np.repeat([0.3, 0.6], [40, 20])


def with_replacement(generator, samples, rates):
    """Positions drawn with replacement, their number corrected so that only the mean is right (theory, trap 5)."""
    flips = right_flips(generator, samples, rates)
    bits = 40
    draws = generator.binomial(bits, -np.log(1 - rates[0]), size=samples)
    flips[:, :bits] = False
    for sample, number in enumerate(draws):
        flips[sample, generator.integers(bits, size=number)] = True
    return flips


def too_often(generator, samples, rates):
    return right_flips(generator, samples, rates * 1.05)


def two_bits_in_one(generator, samples, rates):
    flips = right_flips(generator, samples, rates)
    flips[:, 7] = flips[:, 31]
    return flips


def one_sample_twice(generator, samples, rates):
    return np.repeat(right_flips(generator, samples // 2, rates), 2, axis=0)


def too_wide_a_count(generator, samples, rates):
    """The variance of the count is 1.3 times too large: all bits share a little luck."""
    bits, rate = 40, rates[0]
    shared = np.sqrt(0.3 * rate * (1 - rate) / bits)
    flips = right_flips(generator, samples, rates)
    flips[:, :bits] = generator.random((samples, bits)) < rate + shared * generator.choice([-1, 1], size=(samples, 1))
    return flips


@pytest.mark.parametrize("wrong", [with_replacement, too_often, two_bits_in_one, one_sample_twice, too_wide_a_count])
def test_wrong_samplers_are_caught(wrong):
    generator = np.random.default_rng(6)
    assert not fails(right_flips(generator, 20_000, RATES), RATES)
    assert fails(wrong(generator, 20_000, RATES), RATES)
