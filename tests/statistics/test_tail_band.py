"""The band of all tails: outward against exact arithmetic, never looser than the uniform band, wrong as rarely as said."""

from collections.abc import Callable
from itertools import product
from math import comb, log

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from seeds import fresh_rng

from graphcert.errors import InputError
from graphcert.statistics import clopper_pearson_lower, dkw_mean_variance, tail_band, tail_mean_variance

Floats = NDArray[np.float64]
HISTOGRAMS = st.lists(st.integers(0, 400), min_size=2, max_size=9).filter(any)
LEVELS = st.one_of(st.floats(1e-12, 0.999), st.sampled_from([0.01 / 2530, 0.05, 5e-324]))


@settings(max_examples=200)
@given(HISTOGRAMS, LEVELS)
def test_the_band_is_the_better_one_of_two_and_never_above(counts: list[int], alpha: float) -> None:
    tails = tail_band(counts, alpha)
    n, bins = sum(counts), len(counts)
    with mpmath.workdps(60):
        margin = mpmath.sqrt(mpmath.log(2 / mpmath.mpf(alpha)) / (2 * n))
        uniform = [max(mpmath.mpf(sum(counts[b + 1 :])) / n - margin, mpmath.mpf(0)) for b in range(bins)]
    reached = [sum(counts[b + 1 :]) for b in range(bins)]
    share = alpha / (2 * (bins - 1))
    single = clopper_pearson_lower(reached, n, share) if share else np.zeros(bins)
    for b in range(bins):
        exact = max(float(uniform[b]), *single[b:])
        assert tails[b] <= exact + 1e-15
        assert tails[b] >= exact - 1e-11
        assert tails[b] <= max(uniform[b], *single[b:])
    assert tails[-1] == 0
    assert (np.diff(tails) <= 0).all()


@settings(max_examples=200)
@given(HISTOGRAMS, LEVELS)
def test_its_smallest_variable_has_more_mean_and_less_variance_than_the_uniform_band_says(counts, alpha) -> None:
    mean, variance = tail_mean_variance(tail_band(counts, alpha))
    low, high = dkw_mean_variance(counts, alpha)
    assert mean >= low - 1e-11
    # The published variance is the best over the edges of the bins only, which can only raise it.
    if low > 0:
        assert tail_mean_variance(np.maximum(1 - _upper_edge(counts, alpha), 0))[1] <= high + 1e-11
    assert 0 <= mean <= 1
    assert 0 <= variance <= 0.25


def _upper_edge(counts, alpha: float) -> Floats:
    margin = np.sqrt((log(2) - log(alpha)) / (2 * sum(counts)))
    return np.minimum(np.cumsum(counts) / sum(counts) + margin, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_mean_and_variance_of_tails_are_those_of_the_distribution(values: list[float]) -> None:
    tails = np.sort(values)[::-1]
    bins = len(tails)
    mass = -np.diff(tails, prepend=1, append=0)
    levels = np.arange(bins + 1) / bins
    exact = mass @ levels
    mean, variance = tail_mean_variance(tails)
    assert exact - 1e-11 <= mean <= exact
    spread = mass @ (levels - exact) ** 2
    assert min(spread, 0.25) - 1e-15 <= variance <= spread + 1e-11


CASES = {
    "one bin": [1.0, 0, 0, 0],
    "spread": [0.25, 0.25, 0.25, 0.25],
    "high": [0.05, 0.05, 0.2, 0.7],
    "rare low": [0.02, 0.0, 0.0, 0.98],
    "coin": [0.5, 0, 0, 0.5],
}


def failure_probability(band: Callable[[NDArray[np.int64], float], Floats], p: list[float], n: int, a: float) -> float:
    """Exact probability that some tail is bounded too high: the sum over all histograms of n values."""
    truth = 1 - np.cumsum(p)
    every = np.array([c for c in product(range(n + 1), repeat=len(p)) if sum(c) == n])
    wrong = (band(every, a) > truth + 1e-12).any(axis=1)
    total = 0.0
    for counts in every[wrong].tolist():
        left, weight = n, 1.0
        for k, q in zip(counts, p, strict=True):
            weight *= comb(left, k) * q**k
            left -= k
        total += weight
    return total


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("alpha", [0.9, 0.3, 0.02])
def test_exact_coverage_is_at_least_the_confidence(name: str, alpha: float) -> None:
    assert failure_probability(tail_band, CASES[name], 14, alpha) <= alpha


RIVALS = {
    "two in turn": [(0.5, 3, 3, 3, 3), (0.25, 1, 1, 2, 3), (0.25, 1, 2, 1, 3)],
    "three in turn": [(0.4, 3, 3, 3, 3), (0.2, 0, 0, 2, 2), (0.2, 0, 2, 0, 2), (0.2, 0, 2, 2, 0)],
    "one for each edge": [(0.4, 3, 3, 3, 3), (0.3, 0, 0, 3, 3), (0.3, 1, 3, 1, 1)],
}
"""Outcomes: probability, the bin of s, and those of three variables that are at least s."""


def smallest_failure(band: Callable[..., Floats], outcomes: list[tuple[float, ...]], n: int, a: float) -> float:
    """Exact probability that the smallest of three tails is bounded too high at some edge."""
    p, bins = [outcome[0] for outcome in outcomes], np.array([outcome[1:] for outcome in outcomes], int)
    is_in = bins[:, :, None] == np.arange(4)
    truth = (1 - np.einsum("o,ovb->vb", p, is_in[:, 1:]).cumsum(axis=1)).min(axis=0)
    total = 0.0
    for c in product(range(n + 1), repeat=len(p)):
        if sum(c) != n:
            continue
        counts = np.einsum("o,ovb->vb", c, is_in)
        if (band(counts[0], a, counts[1:]) > truth + 1e-12).any():
            left, weight = n, 1.0
            for k, q in zip(c, p, strict=True):
                weight *= comb(left, k) * q**k
                left -= k
            total += weight
    return total


def smallest_tails(histogram: NDArray[np.int64], alpha: float, others: NDArray[np.int64]) -> Floats:
    return tail_band(histogram, alpha, np.diff(others.cumsum(axis=1).max(axis=0), prepend=0))


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("alpha", [0.9, 0.3, 0.02])
def test_the_smallest_of_several_tails_needs_no_smaller_share_of_the_level(name: str, alpha: float) -> None:
    assert smallest_failure(smallest_tails, RIVALS[name], 12, alpha) <= alpha


@pytest.mark.parametrize("name", ["two in turn", "one for each edge"])
def test_bounding_one_of_the_variables_only_would_fail(name: str) -> None:
    """What a pilot's runner-up says about the others: nothing."""
    alone = smallest_failure(lambda h, a, others: tail_band(h, a, others[2]), RIVALS[name], 12, 0.3)
    assert alone > 0.3


@settings(max_examples=100)
@given(HISTOGRAMS, LEVELS, st.integers(0, 2**32 - 1))
def test_the_smallest_tails_are_never_bounded_below_those_of_the_variable_beneath(counts, alpha, seed) -> None:
    rng = np.random.default_rng(seed)
    bins = np.repeat(np.arange(len(counts)), counts)
    above = np.bincount(rng.integers(bins, len(counts)), minlength=len(counts))
    assert (tail_band(counts, alpha, above) >= tail_band(counts, alpha)).all()
    np.testing.assert_array_equal(tail_band(counts, alpha, counts), tail_band(counts, alpha))


def test_bounding_every_tail_at_the_whole_level_would_fail() -> None:
    """The coverage test can fail: without sharing α over the bins the promise is broken."""

    def careless(counts: NDArray[np.int64], alpha: float) -> Floats:
        reached = counts.sum(axis=1, keepdims=True) - counts.cumsum(axis=1)
        return clopper_pearson_lower(reached, counts.sum(axis=1, keepdims=True), alpha)

    assert failure_probability(careless, CASES["spread"], 14, 0.3) > 0.3


@pytest.mark.slow
def test_simulated_coverage_of_fine_bins() -> None:
    """2,000 runs of 400 scores at α = 0.3: if the promise holds, more than 600 + 130 of them are wrong with probability
    below exp(−2 · 130² / 2000) < 5e-8 (Hoeffding)."""
    from scipy import stats

    rng = fresh_rng()
    edges = np.arange(1, 129) / 128
    for shape in ((8, 2), (0.2, 0.1), (40, 1)):
        law = stats.beta(*shape)
        scores = law.rvs((2000, 400), random_state=rng)
        bins = np.minimum((scores * 128).astype(np.int64), 127)
        counts = np.stack([np.bincount(row, minlength=128) for row in bins])
        wrong = (tail_band(counts, 0.3) > law.sf(edges)).any(axis=1).sum()
        assert wrong <= 730


def test_near_certainty_it_is_far_sharper_than_the_uniform_band() -> None:
    counts = np.zeros(128, np.int64)
    counts[-1] = 10_000
    tails = tail_band(counts, 0.01 / 2530)
    assert tails[0] > 0.998
    assert np.sqrt(np.log(2 * 2530 / 0.01) / 20_000) > 0.025  # the uniform band knows less than .975
    assert tail_band(np.stack([counts, counts[::-1]]), 0.01).shape == (2, 128)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tail_band([1.0, 2.0], 0.1), "integers"),
        (lambda: tail_band([0, 0], 0.1), "at least one sample"),
        (lambda: tail_band([1, -1], 0.1), "at least 0"),
        (lambda: tail_band([1, 2], 1.0), "alpha"),
        (lambda: tail_band([1, 2], 0.1, [2, 1]), "nowhere below"),
        (lambda: tail_band([1, 2], 0.1, [1, 3]), "same samples"),
        (lambda: tail_band([1, 2], 0.1, [1, 2, 0]), "same samples"),
    ],
)
def test_bad_input_is_refused(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()
