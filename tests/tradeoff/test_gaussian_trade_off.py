"""Gaussian trade-offs and radii against 60-digit arithmetic (theory, sections 5 and 6)."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from seeds import fresh_rng

from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Gaussian, Hierarchical
from graphcert.tradeoff import (
    DisjointSupport,
    GaussianTradeOff,
    TradeOff,
    gaussian_radius,
    gaussian_radius_multiclass,
    selection_mass,
    trade_off,
    with_disjoint_support,
)
from graphcert.tradeoff.gaussian import FLOOR, GUARD

mpmath.mp.dps = 60
HALF = mpmath.mpf(1) / 2
BLUR = mpmath.mpf(10) ** -40
"""Far above the error of the reference, far below any float's."""
P = st.one_of(st.sampled_from([0.5, 0.75, 0.999, 1 - 1e-9, 1 - 2.0**-53, 0.1, 1e-9]), st.floats(1e-12, 1 - 2.0**-53))
SIGMA, SHIFT = st.floats(0.01, 10), st.floats(0, 3)
DELTA = st.one_of(
    st.just(Fraction(0)), st.builds(lambda s, r: selection_mass(s, r), st.floats(0.8, 1), st.integers(1, 3))
)


def phi(x) -> mpmath.mpf:
    """Φ, to full relative accuracy on both sides."""
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def quantile(p) -> mpmath.mpf:
    """Φ⁻¹ by bisection of Φ, on the side where p is small."""
    if p > HALF:
        return -quantile(1 - p)
    low, high = mpmath.mpf(-40), mpmath.mpf(0)
    for _ in range(180):
        middle = (low + high) / 2
        low, high = (middle, high) if phi(middle) < p else (low, middle)
    return high


def exact_lower(p: float, distance: mpmath.mpf) -> mpmath.mpf:
    return phi(quantile(mpmath.mpf(p)) - distance)


def number(fraction: Fraction) -> mpmath.mpf:
    return mpmath.mpf(fraction.numerator) / fraction.denominator


def test_the_library_is_a_hundred_times_more_accurate_than_assumed() -> None:
    rng = fresh_rng()
    for q in np.concatenate(
        [np.exp(rng.uniform(np.log(FLOOR), 0, 1500)), 1 - np.exp(rng.uniform(np.log(1e-16), 0, 500))]
    ):
        if 0 < q < 1:
            assert abs(phi(mpmath.mpf(float(ndtri(q)))) / mpmath.mpf(float(q)) - 1) < GUARD / 60
    for x in rng.uniform(-10, 10, 2000):
        assert abs(mpmath.mpf(float(ndtr(x))) / phi(mpmath.mpf(float(x))) - 1) < GUARD / 60


@settings(max_examples=150, deadline=None)
@given(P, SIGMA, SHIFT)
def test_bounds_are_sound_and_tight(p: float, sigma: float, shift: float) -> None:
    found = trade_off(Gaussian(sigma), shift=shift)
    distance = mpmath.mpf(shift) / mpmath.mpf(sigma)
    truth = exact_lower(p, distance)
    assert truth - mpmath.mpf(1e-11) <= mpmath.mpf(float(found.lower(p))) <= truth + BLUR
    truth = phi(quantile(mpmath.mpf(p)) + distance)
    assert truth - BLUR <= mpmath.mpf(float(found.upper(p))) <= truth + mpmath.mpf(1e-11)
    critical = phi(distance)
    assert critical - BLUR <= found.critical <= critical + mpmath.mpf(1e-11)


@settings(max_examples=60, deadline=None)
@given(P, SIGMA, st.floats(0.001, 3), DELTA)
def test_disjoint_support_beside_gaussian_shifts(p: float, sigma: float, shift: float, delta: Fraction) -> None:
    found = with_disjoint_support(trade_off(Gaussian(sigma), shift=shift), delta)
    d, distance = number(delta), mpmath.mpf(shift) / mpmath.mpf(sigma)
    truth = (1 - d) * exact_lower((mpmath.mpf(p) - d) / (1 - d), distance) if p > d else mpmath.mpf(0)
    assert truth - mpmath.mpf(1e-11) <= mpmath.mpf(float(found.lower(p))) <= truth + BLUR
    if delta < Fraction(1, 2):
        truth = d + (1 - d) * phi(quantile(1 / (2 * (1 - d))) + distance)
        assert truth - BLUR <= found.critical <= truth + mpmath.mpf(1e-10)
    else:
        assert found.critical == 1


@settings(max_examples=100, deadline=None)
@given(P, SIGMA, DELTA)
def test_radii_are_below_the_closed_form_and_close_to_it(p: float, sigma: float, delta: Fraction) -> None:
    found = float(gaussian_radius(p, sigma, delta))
    d = number(delta)
    if delta >= Fraction(1, 2) or mpmath.mpf(p) - d <= HALF:
        assert found == 0
        return
    truth = mpmath.mpf(sigma) * (quantile((mpmath.mpf(p) - d) / (1 - d)) - quantile(1 / (2 * (1 - d))))
    assert found == 0 or 0 < found < truth
    assert truth - sigma * mpmath.mpf(1e-10) <= found
    # Every shift within the radius is certified by the trade-off as well, and none that is clearly larger.
    assert found == 0 or with_disjoint_support(trade_off(Gaussian(sigma), shift=found), delta).lower(p) > 0.5
    assert (
        with_disjoint_support(trade_off(Gaussian(sigma), shift=found * (1 + 1e-9) + 1e-9 * sigma), delta).lower(p)
        <= 0.5
    )


@settings(max_examples=60, deadline=None)
@given(P, st.floats(0, 1), SIGMA, DELTA)
def test_radii_of_the_multiclass_rule(p: float, share: float, sigma: float, delta: Fraction) -> None:
    other = float(share * (1 - p))
    found = float(gaussian_radius_multiclass(p, other, sigma, delta))

    def holds(shift: float) -> bool:
        pair = with_disjoint_support(trade_off(Gaussian(sigma), shift=shift), delta)
        return bool(pair.lower(p) > pair.upper(other))

    assert found == 0 or holds(found)
    assert other < FLOOR or p < 0.5 or not holds(found * (1 + 1e-6) + 1e-6 * sigma)
    if delta == 0 and p > other > FLOOR:
        truth = mpmath.mpf(sigma) / 2 * (quantile(mpmath.mpf(p)) - quantile(mpmath.mpf(other)))
        assert found <= truth
        # The margin is one in probability: it costs distance where the density is tiny.
        assert p < 0.5 or truth > 3 * sigma or found >= truth - sigma * 1e-7
    assert found >= float(gaussian_radius(p, sigma, delta)) * (1 - 1e-6) - 1e-6 * sigma


def test_shape_and_extremes() -> None:
    assert gaussian_radius(np.full((2, 3), 0.9), 1.0).shape == (2, 3)
    assert np.isinf(gaussian_radius(1.0, 1.0))
    assert gaussian_radius(0.999, 1.0, Fraction(1, 2)) == 0
    assert gaussian_radius_multiclass(0.999, 0.0, 1.0, Fraction(1, 2)) == 0
    assert np.all(gaussian_radius([0.0, 0.5], 1.0) == 0)
    assert np.all(gaussian_radius_multiclass([0.2, 0.0], [0.2, 1.0], 1.0) == 0)
    far = trade_off(Gaussian(0.01), shift=1e300)
    assert far.critical == 1
    assert far.lower(1 - 2.0**-53) == 0
    assert far.upper(0.0) == 0
    assert isinstance(far.upper(0.5), float)
    assert trade_off(Gaussian(1.0), shift=0.3).lower(np.full((2, 3), 0.9)).shape == (2, 3)


def test_no_shift_is_the_identity_and_shifts_compose() -> None:
    law = Gaussian(0.5)
    none = trade_off(law)
    assert none == trade_off(law, shift=0.0) == trade_off(BernoulliFlip(0.1, 0.1))
    one, two = trade_off(law, shift=0.3), trade_off(Gaussian(1.0), shift=0.8)
    joint = one * two
    assert isinstance(joint, GaussianTradeOff)
    assert joint.distance == pytest.approx(1.0, rel=1e-14)
    assert joint.distance >= 1
    assert one * none == none * one == one
    with pytest.raises(UnsupportedError, match="one of them"):
        one * trade_off(BernoulliFlip(0.1, 0.1), 1)
    with pytest.raises(UnsupportedError, match="one of them"):
        trade_off(BernoulliFlip(0.1, 0.1), 1) * trade_off(Hierarchical(0.9, law), shift=1.0, nodes=1)


def test_selected_rows_of_a_shift() -> None:
    found = trade_off(Hierarchical(0.75, Gaussian(0.5)), shift=0.25, nodes=2)
    assert found == DisjointSupport(trade_off(Gaussian(0.5), shift=0.25), 1 - Fraction(9, 16))
    assert trade_off(Hierarchical(1.0, Gaussian(0.5)), shift=0.25) == trade_off(Gaussian(0.5), shift=0.25)
    assert trade_off(Hierarchical(0.75, Gaussian(0.5)), shift=0.25, nodes=0).critical == 0.5
    assert trade_off(Hierarchical(0.75, Gaussian(0.5)), nodes=2).critical == 0.5


@pytest.mark.parametrize("shift", [-0.1, float("nan"), float("inf"), "far"])
def test_what_is_no_shift(shift) -> None:
    with pytest.raises(InputError, match="finite ℓ2 norm"):
        trade_off(Gaussian(1.0), shift=shift)


class Steep(TradeOff):
    """lower(p) = max(0, 2p − 1), rounded down by much; only what the default inverse needs."""

    upper = compose = None  # type: ignore[assignment]
    critical = 0.75

    def lower(self, p):
        return np.maximum(2 * np.asarray(p) - 1 - 1e-3, 0)


@given(st.fractions(0, 1))
def test_the_bisected_inverse_is_never_too_small(level: Fraction) -> None:
    found = Steep().inverse(level)
    assert min((level + 1) / 2, Fraction(1)) <= found <= min((level + 1) / 2 + Fraction(6, 10_000), Fraction(1))
