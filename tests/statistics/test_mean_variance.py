"""Joint bounds of mean and variance: outward against exact arithmetic, and as often wrong as promised at most."""

from fractions import Fraction
from itertools import product
from math import comb

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import fresh_rng
from statsmodels.distributions.empirical_distribution import _conf_set

from graphcert.errors import InputError
from graphcert.statistics import bernstein_mean_variance, dkw_mean_variance

UNIT = 64
BINS = 8
LEVELS = st.one_of(st.floats(1e-12, 0.999999), st.sampled_from([0.01 / 2810, 0.05, 5e-324]))
VALUES = st.lists(st.one_of(st.integers(0, UNIT), st.sampled_from([0, 1, 63, UNIT])), min_size=1, max_size=30)


def histogram(q, bins: int = BINS, unit: int = UNIT):
    return np.bincount(np.minimum(np.asarray(q) * bins // unit, bins - 1), minlength=bins)


def bernstein(q, alpha: float, unit: int = UNIT):
    values = np.asarray(q)
    return bernstein_mean_variance(values.sum(), (values**2).sum(), values.size, unit, alpha)


def exact_bernstein(q, alpha: float):
    """The formula of the docstring in 60 digits, by deviations and not by sums of squares."""
    with mpmath.workdps(60):
        n, values = len(q), [mpmath.mpf(v) / UNIT for v in q]
        if n == 1:
            return mpmath.mpf(0), mpmath.mpf(1) / 4
        mean, confidence = mpmath.fsum(values) / n, mpmath.log(2 / mpmath.mpf(alpha))
        sample = mpmath.fsum((v - mean) ** 2 for v in values) / (n - 1)
        sigma = mpmath.sqrt(sample) + mpmath.sqrt(2 * confidence / (n - 1))
        low = mean - sigma * mpmath.sqrt(2 * confidence / n) - confidence / (3 * n)
        return max(low, mpmath.mpf(0)), min(sigma**2, mpmath.mpf(1) / 4)


def exact_dkw(counts, alpha: float):
    """Integrals over the edges of the band, bin by bin in 60 digits, smallest over the edges."""
    with mpmath.workdps(60):
        n, bins = int(sum(counts)), len(counts)
        margin = mpmath.sqrt(mpmath.log(2 / mpmath.mpf(alpha)) / (2 * n))
        cut = [min(mpmath.mpf(1), int(sum(counts[: b + 1])) / mpmath.mpf(n) + margin) for b in range(bins)]
        tail = [min(mpmath.mpf(1), int(sum(counts[b:])) / mpmath.mpf(n) + margin) for b in range(bins)]
        mean = mpmath.fsum(1 - f for f in cut) / bins

        def spread(c):
            below = mpmath.fsum(cut[b] * mpmath.mpf((c - b) ** 2 - (c - b - 1) ** 2) for b in range(c))
            above = mpmath.fsum(tail[b] * mpmath.mpf((b + 1 - c) ** 2 - (b - c) ** 2) for b in range(c, bins))
            return (below + above) / bins**2

        return mean, min(mpmath.mpf(1) / 4, *(spread(c) for c in range(bins + 1)))


@settings(max_examples=300)
@given(VALUES, LEVELS)
def test_both_methods_round_outward_and_not_far(q, alpha) -> None:
    for (low, high), (mean, variance) in (
        (bernstein(q, alpha), exact_bernstein(q, alpha)),
        (dkw_mean_variance(histogram(q), alpha), exact_dkw(histogram(q), alpha)),
    ):
        assert mean - 1e-11 <= low <= mean
        assert variance <= high <= variance + 1e-11


@pytest.mark.parametrize("n", [10**4, 10**9])
@pytest.mark.parametrize("q", [[2**16], [2**16 - 1, 2**16], [0, 2**16], [3, 2**15, 2**16]])
def test_sums_of_many_large_values_are_not_lost_in_rounding(q, n: int) -> None:
    """A billion values of a few: variances down to 1e-11 from sums of squares of 1e18."""
    counts = np.full(len(q), n // len(q))
    counts[0] += n - counts.sum()
    sums, squares = int(counts @ q), int(counts @ np.square(q))
    low, high = bernstein_mean_variance(sums, squares, n, 2**16, 0.01)
    mean = Fraction(sums, n * 2**16)
    sample = (Fraction(squares, 2**32) - n * mean**2) / (n - 1)
    with mpmath.workdps(60):
        confidence = mpmath.log(2 / mpmath.mpf("0.01"))
        sigma = mpmath.sqrt(mpmath.mpf(sample.numerator) / sample.denominator) + mpmath.sqrt(2 * confidence / (n - 1))
        exact = mpmath.mpf(mean.numerator) / mean.denominator - sigma * mpmath.sqrt(2 * confidence / n)
        exact -= confidence / (3 * n)
        assert exact - 1e-12 <= low <= exact
        assert min(sigma**2, mpmath.mpf("0.25")) <= high <= sigma**2 * (1 + 1e-9)


@pytest.mark.parametrize("alpha", [0.5, 0.03, 1e-6])
def test_the_band_is_that_of_statsmodels(alpha: float) -> None:
    """Four bins of 125 values; the band of the distribution function at the end of each bin."""
    _, upper = _conf_set(np.arange(1, 501) / 500, alpha=alpha)
    low, _ = dkw_mean_variance(np.full(4, 125), alpha)
    np.testing.assert_allclose(low, (1 - upper[[124, 249, 374, 499]]).mean(), atol=1e-11)


@settings(max_examples=300)
@given(VALUES, st.floats(1e-6, 0.5))
def test_the_variance_from_the_band_is_below_second_moment_minus_squared_mean(q, alpha) -> None:
    """At c = mean_lower; the grid of c costs at most the square of half a bin."""
    counts = histogram(q)
    low, high = dkw_mean_variance(counts, alpha)
    margin = np.sqrt(np.log(2 / alpha) / (2 * len(q)))
    tail = np.minimum((counts[::-1].cumsum()[::-1]) / len(q) + margin, 1)
    second = tail @ (np.diff(np.arange(BINS + 1) ** 2) / BINS**2)
    assert high <= second - low**2 + (0.5 / BINS) ** 2 + 1e-9


DISTRIBUTIONS = {
    "certain": ([64], [1.0]),
    "coin": ([0, 64], [0.5, 0.5]),
    "rare zero": ([0, 64], [0.02, 0.98]),
    "two near": ([40, 47], [0.3, 0.7]),
    "spread": ([1, 33, 62], [0.25, 0.35, 0.4]),
    "skewed": ([0, 56, 63], [0.05, 0.15, 0.8]),
}
METHODS = {
    "bernstein": lambda q, alpha: bernstein(q, alpha),
    "dkw": lambda q, alpha: dkw_mean_variance(histogram(q), alpha),
}


def failure_probability(method: str, name: str, n: int, alpha: float) -> float:
    """Exact probability that one of the two bounds is wrong: the sum over all samples of n values."""
    values, p = DISTRIBUTIONS[name]
    scaled = np.array(values) / UNIT
    mean = float(scaled @ p)
    variance = float((scaled - mean) ** 2 @ p)
    total = 0.0
    for counts in product(range(n + 1), repeat=len(values) - 1):
        last = n - sum(counts)
        if last < 0:
            continue
        every = [*counts, last]
        low, high = METHODS[method](np.repeat(values, every), alpha)
        if low > mean + 1e-12 or high < variance - 1e-12:
            left, weight = n, 1.0
            for k, q in zip(every, p, strict=True):
                weight *= comb(left, k) * q**k
                left -= k
            total += weight
    return total


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("alpha", [0.9, 0.2, 0.02])
def test_exact_coverage_is_at_least_the_confidence(method: str, name: str, alpha: float) -> None:
    assert failure_probability(method, name, 12, alpha) <= alpha


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("n", [2, 40])
def test_exact_coverage_of_more_samples(method: str, name: str, n: int) -> None:
    for alpha in (0.9, 0.5, 0.05):
        assert failure_probability(method, name, n, alpha) <= alpha


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_simulated_coverage(method: str) -> None:
    """2,000 runs of 400 scores at α = 0.3: if the promise holds, more than 600 + 130 of them are wrong with probability
    below exp(−2 · 130² / 2000) < 5e-8 (Hoeffding)."""
    rng = fresh_rng()
    for shape in ((8, 2), (0.2, 0.1), (40, 1)):
        mean, variance = shape[0] / sum(shape), np.prod(shape) / (sum(shape) ** 2 * (sum(shape) + 1))
        wrong = 0
        for _ in range(2000):
            q = np.floor(rng.beta(*shape, 400) * 2**16).astype(np.int64)
            if method == "bernstein":
                low, high = bernstein(q, 0.3, 2**16)
            else:
                low, high = dkw_mean_variance(histogram(q, 128, 2**16), 0.3)
            wrong += low > mean or high < variance - 4 / 2**16  # flooring moves the variance by less than that
        assert wrong <= 730


def test_without_the_confidence_terms_coverage_fails() -> None:
    """The coverage test can fail: sample mean and sample variance are wrong more than half of the time."""
    plain = {"plain": lambda q, alpha: (np.mean(q) / UNIT, np.var(q) / UNIT**2)}
    METHODS.update(plain)
    try:
        assert failure_probability("plain", "skewed", 12, 0.2) > 0.5
    finally:
        del METHODS["plain"]


def test_shapes_and_vacuous_bounds() -> None:
    counts = np.stack([histogram([3, 64, 64]), histogram([0, 0, 64])])
    low, high = dkw_mean_variance(counts, 0.01)
    assert low.shape == high.shape == (2,)
    assert dkw_mean_variance(counts[None], 0.01)[0].shape == (1, 2)
    assert (low == 0).all()
    assert (high == 0.25).all()
    low, high = bernstein_mean_variance([131, 64], [8201, 4096], 3, UNIT, 0.01)
    assert (low.tolist(), high.tolist()) == ([0, 0], [0.25, 0.25])
    assert bernstein_mean_variance(64, 4096, 1, UNIT, 0.5) == (0, 0.25)


def test_the_methods_suit_different_shapes() -> None:
    """Bernstein for small variance, the band for large variance; both get better with more samples."""
    steady, wild = np.full(5000, 63), np.tile([0, 64, 64, 64], 1250)
    assert bernstein(steady, 0.01)[1] < dkw_mean_variance(histogram(steady), 0.01)[1] / 5
    assert dkw_mean_variance(histogram(wild), 1e-9)[1] < bernstein(wild, 1e-9)[1]
    for method in METHODS.values():
        (low, high), (lower, higher) = method(steady, 0.01), method(steady[:100], 0.01)
        assert lower < low
        assert high < higher


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bernstein_mean_variance(1.0, 1, 2, 4, 0.1), "sums must be integers"),
        (lambda: bernstein_mean_variance(1, 1.0, 2, 4, 0.1), "squares must be integers"),
        (lambda: bernstein_mean_variance(9, 33, 2, 4, 0.1), "no values have"),
        (lambda: bernstein_mean_variance(-1, 1, 2, 4, 0.1), "no values have"),
        (lambda: bernstein_mean_variance(6, 17, 2, 4, 0.1), "no values have"),
        (lambda: bernstein_mean_variance(6, 25, 2, 4, 0.1), "no values have"),
        (lambda: bernstein_mean_variance(6, 18, 0, 4, 0.1), "at least 1 sample"),
        (lambda: bernstein_mean_variance(6, 18, 2**40, 2**16, 0.1), "up to at most"),
        (lambda: bernstein_mean_variance(6, 18, 2, 4, 0), "alpha"),
        (lambda: dkw_mean_variance([1.0, 2.0], 0.1), "integers"),
        (lambda: dkw_mean_variance([], 0.1), "integers"),
        (lambda: dkw_mean_variance([1, -1], 0.1), "at least 0"),
        (lambda: dkw_mean_variance([0, 0], 0.1), "at least one sample"),
        (lambda: dkw_mean_variance([1, 2], 1.0), "alpha"),
    ],
)
def test_bad_input_is_refused(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()
