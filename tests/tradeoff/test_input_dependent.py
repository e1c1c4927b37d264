"""Radii under noise that depends on the input, against non-central χ² by other means (theory, section 5)."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gammainc
from scipy.stats import ncx2, norm
from seeds import fresh_rng

import graphcert as gc
from graphcert.errors import InputError
from graphcert.tradeoff.input_dependent import GUARD, MOST_CURVED, curved_median, curved_tail

# The law of L, against 25 digits


def phi_above(x) -> mpmath.mpf:
    return mpmath.erfc(x / mpmath.sqrt(2)) / 2


def exact_tail(theta: float, kappa: float, dimension: int) -> mpmath.mpf:
    """P(U − κ(U² + W − N) ≥ θ): the inequality solved for U, integrated over W ~ χ² with N − 1 degrees."""
    k, bound, rest = mpmath.mpf(kappa), mpmath.mpf(theta) - mpmath.mpf(kappa) * dimension, dimension - 1

    def given_rest(w) -> mpmath.mpf:
        target = bound + k * w
        discriminant = 1 - 4 * k * target
        if discriminant < 0:
            return mpmath.mpf(k < 0)
        near = 2 * target / (1 + mpmath.sqrt(discriminant))
        far = (1 + mpmath.sqrt(discriminant)) / (2 * k)
        return phi_above(near) - phi_above(far) if k > 0 else phi_above(near) + phi_above(-far)

    if rest == 0:
        return given_rest(mpmath.mpf(0))
    constant = mpmath.loggamma(mpmath.mpf(rest) / 2) + mpmath.mpf(rest) / 2 * mpmath.log(2)

    def integrand(root) -> mpmath.mpf:  # over √W
        if root == 0:
            return mpmath.mpf(0) if rest > 1 else 2 * mpmath.exp(-constant) * given_rest(root)
        return 2 * mpmath.exp((rest - 1) * mpmath.log(root) - root**2 / 2 - constant) * given_rest(root**2)

    low, high = max(mpmath.mpf(0), mpmath.sqrt(rest) - 11), mpmath.sqrt(rest) + 13
    edge = (1 / (4 * k) - bound) / k
    points = [low + (high - low) * i / 12 for i in range(13)]
    if edge > 0 and low < mpmath.sqrt(edge) < high:
        points = sorted([*points, mpmath.sqrt(edge)])
    return mpmath.quad(integrand, points)


def tail_cases(rng: np.random.Generator, dimensions: list[int], count: int) -> list[tuple[float, float, int]]:
    found: list[tuple[float, float, int]] = []
    while len(found) < count:
        n = int(rng.choice(dimensions))
        kappa = float(np.exp(rng.uniform(np.log(1e-10), np.log(MOST_CURVED))) * rng.choice([-1, 1]))
        end = 1 / (4 * kappa) + kappa * n
        theta = (
            rng.uniform(-0.3, 8) * math.sqrt(1 + 2 * n * kappa**2) if rng.random() < 0.7 else rng.uniform(0, 1) * end
        )
        if (theta - end) * kappa < 0:
            found.append((float(theta), kappa, n))
    return found


def relative_error(case: tuple[float, float, int]) -> float:
    theta, kappa, n = case
    found = float(curved_tail(np.array(theta), np.array(kappa), n)[0])
    if found < 1e-20:
        return 0.0
    with mpmath.workdps(25):
        return float(abs(found / exact_tail(theta, kappa, n) - 1))


def test_the_contour_integral_is_far_more_accurate_than_assumed() -> None:
    rng = fresh_rng()
    for case in tail_cases(rng, [1], 200):
        assert relative_error(case) < GUARD / 20, case
    for case in tail_cases(rng, [2, 3, 9, 10, 64, 3072, 196_608, 10**7], 4):
        assert relative_error(case) < GUARD / 20, case


@pytest.mark.slow
def test_the_contour_integral_in_many_dimensions() -> None:
    for case in tail_cases(fresh_rng(), [2, 3, 5, 9, 10, 12, 64, 784, 3072, 43_200, 129_600, 196_608, 10**7], 400):
        assert relative_error(case) < GUARD / 20, case


@pytest.mark.parametrize("dimension", [1, 2, 3, 10, 64, 3072, 196_608, 10**7])
def test_medians_are_verified_and_near_those_of_the_non_central_chi_squared(dimension: int) -> None:
    rng = fresh_rng()
    kappa = np.exp(rng.uniform(np.log(1e-10), np.log(MOST_CURVED), 60)) * rng.choice([-1, 1], 60)
    found = curved_median(kappa, dimension)
    assert np.all(np.isfinite(found))
    # N − 1 + λ ≤ median of χ² ≤ N + λ (Robert 1990), which is between 0 and κ for L.
    spread = np.sqrt(1 + 2 * dimension * kappa**2)
    assert np.all(found >= np.minimum(kappa, 0))
    assert np.all(found <= np.maximum(kappa, 0) + 1e-8 * spread)
    usual = (np.abs(kappa) > 0.03) & (dimension < 10**4)  # where the library's quantile is accurate and quick
    kappa, found, spread = kappa[usual], found[usual], spread[usual]
    exact = 1 / (4 * kappa) + kappa * dimension - kappa * ncx2.ppf(0.5, dimension, 1 / (4 * kappa**2))
    assert np.all(np.abs(found - exact) <= 2e-8 * spread)
    assert np.all(curved_tail(found, kappa, dimension)[0] < 0.5)


def test_outside_of_the_support_and_of_the_tested_curvature_there_is_no_number() -> None:
    found, _ = curved_tail(np.array([2.0, -2.0, 0.0]), np.array([0.5, -0.5, 2 * MOST_CURVED]), 1)
    assert np.isnan(found).all()


# Radii


def cdf(x: float, dimension: int, centre: float) -> float:
    """Non-central χ²: (Z + √λ)² + χ² with N − 1 degrees, integrated over Z."""

    def given(z: float) -> float:
        rest = x - (z + math.sqrt(centre)) ** 2
        return norm.pdf(z) * (0.0 if rest < 0 else 1.0 if dimension == 1 else gammainc((dimension - 1) / 2, rest / 2))

    ends = [edge - math.sqrt(centre) for edge in (-math.sqrt(x), math.sqrt(x))]
    low, high = max(-9.0, ends[0]), min(9.0, ends[1])
    return 0.0 if low >= high else quad(given, low, high, epsabs=1e-13, epsrel=1e-12, limit=400)[0]


def xi(distance: float, ratio: float, dimension: int, p_other: float, by_integration: bool = False) -> float:
    """ξ₁ (ratio σ₁/σ₀ < 1) or ξ₂ (> 1) of the paper at σ₀ = 1, as the theory writes them."""
    apart = (1 - ratio**2) ** 2
    clean, moved = distance**2 / apart, ratio**2 * distance**2 / apart
    p = p_other if ratio < 1 else 1 - p_other
    if by_integration:
        top = 4 * (dimension + clean + 100)
        quantile = brentq(lambda x: cdf(x, dimension, clean) - p, 1e-12, top, xtol=1e-11, rtol=1e-14)
        mass = cdf(quantile / ratio**2, dimension, moved)
    else:
        mass = float(ncx2.cdf(ncx2.ppf(p, dimension, clean) / ratio**2, dimension, moved))
    return mass if ratio < 1 else 1 - mass


def worst(distance: float, p_other: float, dimension: int, rate: float, by_integration: bool = False) -> float:
    """The larger of ξ₁ and ξ₂ in units of σ; the radius ends where it comes to 1/2."""
    ends = (math.exp(sign * rate * distance) for sign in (-1, 1))
    return max(xi(distance, ratio, dimension, p_other, by_integration) for ratio in ends)


@pytest.mark.parametrize(
    ("dimension", "rate", "p_other"), [(1, 0.2, 0.1), (2, 1.0, 0.3), (5, 0.3, 0.001), (64, 0.1, 0.2), (784, 0.2, 0.01)]
)
def test_radii_agree_with_numerical_integration(dimension: int, rate: float, p_other: float) -> None:
    found = float(gc.input_dependent_radius(p_other, 1.0, dimension, rate))
    assert worst(found, p_other, dimension, rate, by_integration=True) < 0.5 + 1e-10
    assert worst(found + 1e-6, p_other, dimension, rate, by_integration=True) > 0.5 - 1e-10


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([1, 2, 7, 64, 784, 3072]), st.floats(0.05, 0.3), st.floats(1e-6, 0.45), st.sampled_from([0.5, 1.0])
)
def test_radii_agree_with_the_librarys_non_central_chi_squared(
    n: int, rate: float, p_other: float, sigma: float
) -> None:
    found = float(gc.input_dependent_radius(p_other, sigma, n, rate)) / sigma
    assert worst(found, p_other, n, rate * sigma) < 0.5 + 1e-9
    assert worst(found + 1e-6, p_other, n, rate * sigma) > 0.5 - 1e-9


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([1, 2, 3, 10, 64, 784]),
    st.floats(0.1, 0.5),
    st.floats(1e-4, 0.4),
    st.data(),
)
def test_no_input_within_the_radius_breaks_the_label_with_any_noise_that_it_may_have(
    n: int, rate: float, p_other: float, data: st.DataObject
) -> None:
    """The paper tests both ends of σ₁ at the distance R; this draws distances and noise inside."""
    radius = float(gc.input_dependent_radius(p_other, 1.0, n, rate))
    for _ in range(4):
        distance = radius * data.draw(st.floats(0.02, 1))
        share = data.draw(st.floats(0.05, 1)) * data.draw(st.sampled_from([-1, 1]))
        assert xi(distance, math.exp(share * rate * distance), n, p_other) < 0.5 + 1e-7


def test_at_one_half_the_ends_are_the_worst_but_not_at_other_levels() -> None:
    """Why the proof needs the level 1/2: elsewhere the worst noise can lie inside, even equal noise be worse than less."""
    n, distance, p_other = 1, 1.0, 0.1
    equal = 1 - norm.cdf(norm.isf(p_other) - distance)
    assert equal < 0.5
    assert xi(distance, 0.9, n, p_other) < equal


@pytest.mark.parametrize("dimension", [1, 64, 3072, 129_600, 196_608])
@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_small_elasticity_tends_to_constant_noise(dimension: int, sigma: float) -> None:
    p_other = np.array([1e-9, 1e-3, 0.1, 0.4])
    constant = gc.input_dependent_radius(p_other, sigma, dimension, 0.0)
    closed = sigma * norm.isf(p_other)
    assert np.all((constant <= closed) & (constant >= closed - 1e-9))
    before = constant
    for rate in (1e-300, 1e-30, 1e-12, 1e-9, 1e-7, 1e-6, 1e-5):
        found = gc.input_dependent_radius(p_other, sigma, dimension, rate)
        assert np.all(found <= before + 1e-9)
        assert np.all(found >= constant - 1e-6 - 2 * dimension * (rate * sigma) ** 2 * closed)
        before = found


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([1, 5, 64, 3072]), st.floats(1e-3, 3), st.floats(1e-6, 0.49), st.floats(1, 1.5))
def test_radii_fall_with_elasticity_mass_and_dimension(n: int, rate: float, p_other: float, more: float) -> None:
    found = float(gc.input_dependent_radius(p_other, 0.5, n, rate))
    assert found <= float(gc.input_dependent_radius(p_other, 0.5, n, 0.0)) + 1e-12
    assert float(gc.input_dependent_radius(p_other, 0.5, n, rate * more)) <= found + 1e-7
    assert float(gc.input_dependent_radius(min(p_other * more, 0.5), 0.5, n, rate)) <= found + 1e-7
    assert float(gc.input_dependent_radius(p_other, 0.5, 2 * n, rate)) <= found + 1e-7
    # Lengths have a unit: twice the noise at half of the elasticity is twice the radius.
    assert float(gc.input_dependent_radius(p_other, 1.0, n, rate / 2)) == pytest.approx(2 * found, abs=1e-7)


def test_shapes_broadcast_and_every_entry_is_its_own() -> None:
    p_other, sigma = np.array([[0.1], [0.6], [0.0]]), np.array([0.25, 0.5])
    found = gc.input_dependent_radius(p_other, sigma, 64, 0.1)
    assert found.shape == (3, 2)
    for i, j in np.ndindex(3, 2):
        assert found[i, j] == pytest.approx(
            float(gc.input_dependent_radius(p_other[i, 0], sigma[j], 64, 0.1)), abs=1e-8
        )
    assert np.all(found[1] == 0)
    assert np.all(np.isfinite(found))
    assert gc.input_dependent_radius(np.zeros((0, 3)), 1.0, 64, 0.1).shape == (0, 3)
    many = gc.input_dependent_radius(np.full(5000, 0.1), 0.5, 64, 0.01)
    assert np.ptp(many) == 0


@pytest.mark.parametrize("rate", [1e2, 1e4, 1e8, 1e300])
def test_wild_elasticities_certify_little_or_nothing_without_a_warning(rate: float) -> None:
    found = gc.input_dependent_radius([0.4, 0.01, 1e-9], 1.0, 3072, rate)
    assert np.all((found >= 0) & (found <= 10 / rate))


GOOD = {"p_other": 0.1, "sigma": 1.0, "dimension": 64, "elasticity": 0.1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"p_other": float("nan")}, "NaN"),
        ({"p_other": 1.1}, "between 0 and 1"),
        ({"sigma": 0.0}, "sigma"),
        ({"sigma": [1.0, float("nan")]}, "sigma"),
        ({"dimension": 0}, "dimension"),
        ({"dimension": 10**8}, "dimension"),
        ({"dimension": 3.5}, "dimension"),
        ({"dimension": True}, "dimension"),
        ({"elasticity": -0.1}, "elasticity"),
        ({"elasticity": float("nan")}, "elasticity"),
    ],
)
def test_refusals(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        gc.input_dependent_radius(**{**GOOD, **arguments})  # type: ignore[arg-type]


# Thresholds


@pytest.mark.parametrize(
    ("dimension", "published"),
    [
        (784, (0.946, 0.924, 0.908, 0.892)),
        (3072, (0.973, 0.962, 0.953, 0.945)),
        (196_608, (0.997, 0.995, 0.994, 0.993)),
    ],
)
def test_the_published_thresholds(dimension: int, published: tuple[float, ...]) -> None:
    found = gc.input_dependent_threshold(dimension, [0.1, 0.01, 0.001, 0.00007])
    np.testing.assert_array_equal(np.round(found, 3), published)


@given(st.sampled_from([1, 2, 64, 3072, 10**7]), st.floats(1e-12, 0.999))
def test_thresholds_solve_their_equations(dimension: int, p_other: float) -> None:
    right = 2 * math.log(p_other) / dimension
    for side, share in (("below", 1.0), ("above", (dimension - 1) / dimension)):
        ratio = gc.input_dependent_threshold(dimension, p_other, side)
        if share == 0:
            assert ratio == math.inf
            continue
        y = ratio**2 * share
        assert (y < 1) == (side == "below")
        assert math.log(y) + 1 - y == pytest.approx(right, rel=1e-6, abs=1e-15)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([2, 64, 3072, 196_608]), st.floats(0.01, 10), st.floats(1e-6, 0.4))
def test_no_radius_reaches_beyond_a_threshold(dimension: int, rate: float, p_other: float) -> None:
    radius = float(gc.input_dependent_radius(p_other, 1.0, dimension, rate))
    assert math.exp(-rate * radius) >= gc.input_dependent_threshold(dimension, p_other) * (1 - 1e-9)
    assert math.exp(rate * radius) <= gc.input_dependent_threshold(dimension, p_other, "above") * (1 + 1e-9)


@pytest.mark.parametrize("p_other", [0.0, 1.0, float("nan")])
def test_thresholds_refuse(p_other: float) -> None:
    with pytest.raises(InputError):
        gc.input_dependent_threshold(64, p_other)
    with pytest.raises(InputError, match="'below' or 'above'"):
        gc.input_dependent_threshold(64, 0.1, "left")
