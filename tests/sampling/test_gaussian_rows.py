"""Gaussian noise from counter-based bits: its law, its addresses, its levels.

False-alarm rate: 1e-6 for every statistical test (see flip_law), for whatever seed.
"""

import numpy as np
import pytest
from flip_law import FALSE_ALARM, assert_independent_bits
from sampler_cases import csr
from scipy.stats import chi2, norm
from seeds import fresh_seed

from graphcert.noise import Gaussian, Partition, Smoothing
from graphcert.sampling.philox import MAIN, PILOT
from graphcert.sampling.sampler import Sampler

NODES = 6


def noisy(one, sample, purpose=MAIN, view=0):
    out = np.zeros((one.nodes, one.columns), np.float32)
    one.fill_features(purpose, sample, one.workspace(), view, out)
    return out


def normals(samples, width=7, sigma=0.5, seed=1, purpose=MAIN):
    """(S, N·D) numbers that are independent and standard normal if the law is right, up to rounding."""
    x = np.random.default_rng(2).random((NODES, width)) < 0.5
    one = Sampler(csr(x), width, csr(np.zeros((NODES, NODES))), Smoothing(Gaussian(sigma)), seed)
    return np.array([((noisy(one, sample, purpose) - x) / sigma).ravel() for sample in range(samples)])


@pytest.mark.parametrize("width", [1, 2, 7, 31])
def test_exceedances_are_independent_bits_at_their_rates(width):
    found = normals(3000, width)
    for quantile in (-2.0, -0.5, 0.0, 1.0, 2.5):
        assert_independent_bits(found > quantile, np.full(found.shape[1], norm.sf(quantile)))


def test_squares_follow_their_law():
    """The sum of squares of every entry, and of all of them, is chi-squared."""
    found = normals(3000)
    for sums, degrees in ((found**2).sum(axis=0), len(found)), (np.array([(found**2).sum()]), found.size):
        tails = np.minimum(chi2.cdf(sums, degrees), chi2.sf(sums, degrees))
        assert tails.min() > FALSE_ALARM / (4 * len(tails))


@pytest.mark.slow
def test_the_law_with_a_fresh_seed_and_many_samples():
    seed = fresh_seed()
    found = normals(60_000, seed=seed)
    for quantile in (-3.0, -1.0, 0.3, 2.0):
        assert_independent_bits(found > quantile, np.full(found.shape[1], norm.sf(quantile)))


def test_pilot_and_main_samples_are_independent():
    both = np.concatenate([normals(3000, 4, purpose=purpose) for purpose in (PILOT, MAIN)], axis=1)
    assert_independent_bits(both > 0.4, np.full(both.shape[1], norm.sf(0.4)))


def test_tails_reach_far_and_are_finite():
    found = normals(4000, 31)
    assert np.isfinite(found).all()
    assert 4 < np.abs(found).max() < 9.5


def test_levels_share_their_numbers():
    """A view at a larger level has the same noise, scaled: one product with the weights serves all."""
    partition = Partition.of_affinity(np.arange(NODES) % 2, [[0, 1], [1, 0]])
    x = np.zeros((NODES, 5))
    one = Sampler(csr(x), 5, csr(np.zeros((NODES, NODES))), Smoothing((Gaussian(0.5), Gaussian(2)), None, partition), 4)
    near, far = noisy(one, 3, view=0), noisy(one, 3, view=1)
    ratio = np.where(np.arange(NODES) % 2 == one.views.of_node[0], 4.0, 0.25)
    np.testing.assert_allclose(far, near * ratio[:, None], rtol=1e-6)


def test_an_odd_number_of_columns_keeps_the_numbers_of_an_even_one():
    x = np.zeros((2, 8))
    samplers = [Sampler(csr(x[:, :w]), w, csr(np.zeros((2, 2))), Smoothing(Gaussian(1)), 4) for w in (7, 8)]
    assert (noisy(samplers[0], 1) == noisy(samplers[1], 1)[:, :7]).all()
