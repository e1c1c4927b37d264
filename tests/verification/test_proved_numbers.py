"""Binomial tails, quantiles and enclosures that are proved in integers, against fractions and sixty digits."""

from fractions import Fraction
from math import comb

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.statistics import clopper_pearson_lower, clopper_pearson_upper
from graphcert.verification import enclosures
from graphcert.verification.binomials import Tails, lower_bounds, upper_bounds

mpmath.mp.dps = 70


def exact_tail(n: int, k: int, p: Fraction) -> Fraction:
    hit, whole = p.numerator, p.denominator
    return Fraction(sum(comb(n, j) * hit**j * (whole - hit) ** (n - j) for j in range(k, n + 1)), whole**n)


@pytest.mark.parametrize("n", [1, 2, 9, 30])
def test_tails_are_decided_as_exact_fractions_are(n: int) -> None:
    tails = Tails(n, range(n + 1))
    for k in range(n + 1):
        for p in map(Fraction, (0.0, 0.1, 0.5, 0.93, 1.0)):
            level = exact_tail(n, k, p)
            assert tails.at_most(k, p, level * (1 + Fraction(1, 2**90)))
            assert not level or not tails.at_most(k, p, level * (1 - Fraction(1, 2**90)))


@given(st.integers(1, 60), st.floats(0, 1), st.floats(1e-9, 0.4))
def test_bounds_are_proved_and_within_roundings_of_the_exact_ones(n: int, share: float, level: float) -> None:
    k, rate = round(share * n), Fraction(level)
    low, high = (float(bound(np.array([k]), n, rate)[0]) for bound in (lower_bounds, upper_bounds))
    assert exact_tail(n, k, Fraction(low)) <= rate or k == 0 == low
    assert exact_tail(n, n - k, 1 - Fraction(high)) <= rate or (k, high) == (n, 1.0)
    assert k == 0 or exact_tail(n, k, Fraction(low * (1 + 1e-12))) > rate
    assert k == n or exact_tail(n, n - k, 1 - Fraction(high * (1 - 1e-12))) > rate


@pytest.mark.parametrize("n", [1_000, 100_000, 1_000_000])
def test_bounds_are_never_weaker_than_those_of_the_package(n: int) -> None:
    counts, level = np.unique(np.linspace(0, n, 40).astype(np.int64)), 0.005 / 2530
    assert (lower_bounds(counts, n, Fraction(level)) >= clopper_pearson_lower(counts, n, level)).all()
    assert (upper_bounds(counts, n, Fraction(level)) <= clopper_pearson_upper(counts, n, level)).all()
    assert lower_bounds(counts, n, Fraction(level)) == pytest.approx(clopper_pearson_lower(counts, n, level), rel=1e-9)


def as_mpf(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


@given(st.floats(-15, 15))
def test_functions_lie_in_their_enclosures(x: float) -> None:
    z = Fraction(x)
    for bounds, value, width in (
        (enclosures.normal_bounds(z), mpmath.ncdf(x), 2.0**-100),
        (enclosures.exp_bounds(z), mpmath.exp(x), 1e-50 * float(mpmath.exp(x))),
        (enclosures.log_bounds(z * z + 1), mpmath.log(1 + mpmath.mpf(x) ** 2), 1e-50),
    ):
        low, high = map(as_mpf, bounds)
        assert low <= value <= high
        assert high - low <= width


def test_the_root_of_two_pi_lies_between_its_bounds() -> None:
    low, high = map(as_mpf, enclosures._ROOT_TWO_PI)
    assert low < mpmath.sqrt(2 * mpmath.pi) < high


@given(st.floats(0.5, 1), st.integers(0, 3000))
def test_powers_are_rounded_down(base: float, exponent: int) -> None:
    power = as_mpf(enclosures.power_down(Fraction(base), exponent))
    exact = mpmath.mpf(base) ** exponent
    assert exact * (1 - mpmath.mpf(10) ** -65) - mpmath.mpf(2) ** -120 <= power <= exact * (1 + mpmath.mpf(10) ** -65)
