from fractions import Fraction
from math import comb

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from statsmodels.stats.proportion import proportion_confint

from graphcert.errors import InputError
from graphcert.statistics import binomial, clopper_pearson_lower, clopper_pearson_upper

LEVELS = st.one_of(
    st.floats(1e-15, 0.999999), st.sampled_from([0.5, 0.01, 0.01 / 2810, 1e-3 / 2**20, 1 - 1e-9, 2.0**-40])
)
SMALL = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def at_least(k: int, n: int, p: float) -> Fraction:
    """P[Bin(n, p) ≥ k], exactly."""
    x = Fraction(p)
    return sum((comb(n, j) * x**j * (1 - x) ** (n - j) for j in range(k, n + 1)), Fraction(0))


def at_most(k: int, n: int, p: float) -> Fraction:
    return 1 - at_least(k + 1, n, p)


@given(SMALL, LEVELS)
def test_lower_is_sound_and_tight_against_exact_tails(pair: tuple[int, int], alpha: float) -> None:
    k, n = pair
    bound = float(clopper_pearson_lower(k, n, alpha))
    assert 0 <= bound < 1
    if k == 0:
        assert bound == 0
    else:
        assert at_least(k, n, bound) <= Fraction(alpha)
        assert at_least(k, n, min(bound * (1 + 1e-9), 1.0)) > Fraction(alpha)


@given(SMALL, LEVELS)
def test_upper_is_sound_and_tight_against_exact_tails(pair: tuple[int, int], alpha: float) -> None:
    k, n = pair
    bound = float(clopper_pearson_upper(k, n, alpha))
    assert 0 < bound <= 1
    if k == n:
        assert bound == 1
    else:
        assert at_most(k, n, bound) <= Fraction(alpha)
        assert at_most(k, n, bound * (1 - 1e-9)) > Fraction(alpha)


def precise_tail(k: int, n: int, p: float) -> mpmath.mpf:
    """P[Bin(n, p) ≥ k] to 40 digits, by summing the smaller side outward from k."""
    if p >= 1:
        return mpmath.mpf(k <= n)
    with mpmath.workdps(50):
        x = mpmath.mpf(p)
        upward = k >= n * x
        j = k if upward else k - 1
        term = mpmath.binomial(n, j) * x**j * (1 - x) ** (n - j)
        total = mpmath.mpf(0)
        while 0 <= j <= n and term > total * mpmath.mpf(10) ** -42:
            total += term
            term *= (n - j) * x / ((j + 1) * (1 - x)) if upward else j * (1 - x) / ((n - j + 1) * x)
            j += 1 if upward else -1
        return total if upward else 1 - total


LARGE = [
    (1, 10_000), (5_300, 10_000), (9_999, 10_000), (50_600, 100_000), (99_990, 100_000), (700_000, 1_000_000),
    (999_900, 1_000_000), (3, 10**7), (10**7 - 5, 10**7), (10**9 - 50, 10**9),
]  # fmt: skip


@pytest.mark.parametrize(("k", "n"), LARGE)
@pytest.mark.parametrize("alpha", [0.3, 0.01 / 2810, 1e-12])
def test_bounds_of_large_counts_against_fifty_digits(k: int, n: int, alpha: float) -> None:
    bound = float(clopper_pearson_lower(k, n, alpha))
    assert precise_tail(k, n, bound) <= alpha < precise_tail(k, n, bound * (1 + 1e-9))
    bound = float(clopper_pearson_upper(k, n, alpha))
    assert 1 - precise_tail(k + 1, n, bound) <= alpha < 1 - precise_tail(k + 1, n, bound * (1 - 1e-9))


@pytest.mark.parametrize(("k", "n"), LARGE)
def test_the_guard_is_fifty_times_the_error_of_the_tail_it_covers(k: int, n: int) -> None:
    for alpha in (0.49, 0.01, 1e-6, 1e-12):
        p = float(clopper_pearson_lower(k, n, alpha))
        truth = precise_tail(k, n, p)
        assert abs(special.betainc(k, n - k + 1, p) - truth) <= truth * binomial._GUARD / 50
        rest = 1 - truth
        assert abs(special.betaincc(k, n - k + 1, p) - rest) <= rest * binomial._GUARD / 50


@pytest.mark.parametrize("alpha", [0.4, 0.01, 1e-6])
def test_agrees_with_statsmodels(alpha: float) -> None:
    k = np.arange(0, 201)
    low, high = proportion_confint(k, 200, alpha=2 * alpha, method="beta")
    np.testing.assert_allclose(clopper_pearson_lower(k, 200, alpha), np.nan_to_num(low), rtol=2e-9)
    np.testing.assert_allclose(clopper_pearson_upper(k, 200, alpha), np.nan_to_num(high, nan=1.0), rtol=2e-9)


@pytest.mark.parametrize("n", [1, 7, 10_000, 10**6])
def test_unanimous_counts_use_the_closed_form(n: int) -> None:
    alpha = 0.01 / 2810
    with mpmath.workdps(40):
        root = mpmath.mpf(alpha) ** (mpmath.mpf(1) / n)
        low, high = float(clopper_pearson_lower(n, n, alpha)), float(clopper_pearson_upper(0, n, alpha))
        assert root * (1 - mpmath.mpf("1e-12")) < low <= root
        assert 1 - root <= high < (1 - root) * (1 + mpmath.mpf("1e-12"))
    assert clopper_pearson_lower(0, n, alpha) == 0
    assert clopper_pearson_upper(n, n, alpha) == 1


@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.001])
@pytest.mark.parametrize("p", [0.02, 0.5, 0.83])
def test_exact_coverage_is_at_least_the_confidence(alpha: float, p: float) -> None:
    n = 40
    k = np.arange(n + 1)
    weight = special.binom(n, k) * p**k * (1 - p) ** (n - k)
    assert weight[clopper_pearson_lower(k, n, alpha) > p].sum() <= alpha
    assert weight[clopper_pearson_upper(k, n, alpha) < p].sum() <= alpha


def test_shapes_broadcast_and_bounds_grow_with_successes() -> None:
    k, n = np.arange(6).reshape(2, 1, 3), np.array([[5], [50], [5000]])
    low = clopper_pearson_lower(k, n, 0.05)
    assert low.shape == (2, 3, 3)
    assert isinstance(clopper_pearson_lower(3, 7, 0.05), float)
    assert low[1, 2, 0] == clopper_pearson_lower(3, 5000, 0.05)
    assert np.all(low < clopper_pearson_upper(k, n, 0.05))
    assert np.all(np.diff(clopper_pearson_lower(np.arange(1001), 1000, 0.01)) > 0)
    assert clopper_pearson_lower(np.zeros(0, dtype=int), 5, 0.05).shape == (0,)


def test_a_bound_that_cannot_be_verified_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quantile function that fails, or overshoots beyond repair, must not certify."""
    for wrong in (np.nan, 1.0):
        broken = binomial._Side(special.betainc, special.betaincc, lambda a, b, y, w=wrong: np.full(a.shape, w), -1)
        monkeypatch.setattr(binomial, "_LOWER", broken)
        assert clopper_pearson_lower(7, 10, 0.01) == 0


@pytest.mark.parametrize(
    ("k", "n", "alpha"),
    [(1.0, 2, 0.1), (3, 2, 0.1), (-1, 2, 0.1), (0, 0, 0.1), (1, 2.0, 0.1), (True, 2, 0.1), ([1, 2], [3, 4, 5], 0.1)]
    + [(1, 2, alpha) for alpha in (0, 1, -0.1, 1.5, float("nan"), "0.1", True, None)],
)
@pytest.mark.parametrize("bound", [clopper_pearson_lower, clopper_pearson_upper])
def test_bad_input_is_refused(bound: object, k: object, n: object, alpha: object) -> None:
    with pytest.raises(InputError):
        bound(k, n, alpha)  # type: ignore[operator]
