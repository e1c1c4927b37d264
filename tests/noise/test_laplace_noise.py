"""Laplace noise: trade-off, radii and draws against enumeration, sixty digits and the exact law (theory, section 5).

False-alarm rate: 1e-6 for every statistical test, whatever the seed.
"""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import kstest

import graphcert as gc
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Hierarchical, Laplace, Partition, Smoothing
from graphcert.sampling.csr import CSR
from graphcert.sampling.philox import MAIN, PILOT
from graphcert.sampling.sampler import Sampler
from graphcert.tradeoff import certified_radius, selection_mass, trade_off, with_disjoint_support

FALSE_ALARM = 1e-6
P = st.one_of(st.sampled_from([0.0, 0.5, 0.75, 1.0, 1 - 2.0**-53, 2.0**-60]), st.floats(0, 1))
EPSILON = st.floats(1e-6, 40)


def exact_lower(p: float, epsilon: float) -> mpmath.mpf:
    """Sixty digits of the one-coordinate trade-off."""
    mpmath.mp.dps = 60
    q, fall = mpmath.mpf(p), mpmath.exp(-mpmath.mpf(epsilon))
    if q <= 0.5:
        return fall * q
    return fall / (4 * (1 - q)) if 1 - q >= fall / 2 else 1 - (1 - q) / fall


@given(P, EPSILON)
def test_bounds_are_on_their_side_and_close(p: float, epsilon: float) -> None:
    found = trade_off(Laplace(1.0), shift=epsilon)
    truth = exact_lower(p, epsilon)
    assert truth - mpmath.mpf(10) ** -13 <= mpmath.mpf(float(found.lower(p))) <= truth
    mpmath.mp.dps = 60
    q, fall = mpmath.mpf(p), mpmath.exp(-mpmath.mpf(epsilon))
    truth = q / fall if q <= fall / 2 else 1 - fall / (4 * q) if q <= 0.5 else 1 - fall * (1 - q)
    assert truth <= mpmath.mpf(float(found.upper(p))) <= truth * (1 + mpmath.mpf(10) ** -13)
    assert 1 - fall / 2 <= mpmath.mpf(found.critical) <= 1 - fall / 2 + mpmath.mpf(10) ** -13


@given(P, EPSILON, EPSILON)
def test_monotone_and_convex(p: float, one: float, two: float) -> None:
    low, high = sorted((one, two))
    near, far = trade_off(Laplace(1.0), shift=low), trade_off(Laplace(1.0), shift=high)
    assert far.lower(p) <= near.lower(p) + 1e-13 <= p + 1e-13
    points = np.linspace(0, 1, 101)
    assert (np.diff(near.lower(points), 2) >= -1e-12).all()


def rounded_laplace(step: float, shift: int, reach: int) -> NDArray[np.float64]:
    """Masses of round(z/h) − shift over −reach … reach, tails joined to the ends; z Laplace of scale 1."""
    edges = (np.arange(-reach, reach) + 0.5 - shift) * step
    cdf = np.where(edges < 0, np.exp(np.minimum(edges, 0)) / 2, 1 - np.exp(-np.maximum(edges, 0)) / 2)
    return np.diff(np.concatenate([[0.0], cdf, [1.0]]))


def most_powerful(clean: NDArray[np.float64], moved: NDArray[np.float64], p: float) -> float:
    """Least moved mass of an event of clean mass p: outcomes by rising likelihood ratio."""
    order = np.argsort(moved / clean, kind="stable")
    c, d = np.cumsum(clean[order]), np.cumsum(moved[order])
    return float(np.interp(p, np.concatenate([[0], c]), np.concatenate([[0], d])))


@settings(max_examples=40)
@given(st.lists(st.integers(-6, 6), min_size=1, max_size=3), st.floats(0.05, 0.95))
def test_no_spread_of_a_shift_beats_one_coordinate(shifts: list[int], p: float) -> None:
    """Enumeration of noise on a lattice in one to three coordinates: the bound of the total norm is never passed."""
    step, reach = 0.4, 14
    clean = moved = np.ones(1)
    for shift in shifts:
        clean = np.outer(clean, rounded_laplace(step, 0, reach)).ravel()
        moved = np.outer(moved, rounded_laplace(step, shift, reach)).ravel()
    total = sum(map(abs, shifts)) * step
    bound = trade_off(Laplace(1.0), shift=total)
    assert most_powerful(clean, moved, p) >= bound.lower(p) - 1e-12
    joint = math.prod((trade_off(Laplace(1.0), shift=abs(s) * step) for s in shifts), start=trade_off(Laplace(1.0)))
    assert bound.lower(p) == pytest.approx(joint.lower(p), abs=1e-13)


def test_one_coordinate_meets_the_bound() -> None:
    step, reach = 2.0**-8, 3000
    clean, moved = rounded_laplace(step, 0, reach), rounded_laplace(step, 256, reach)
    bound = trade_off(Laplace(1.0), shift=1.0)
    for p in (0.1, 0.5, 0.6, 0.75, 0.9, 0.99):
        assert most_powerful(clean, moved, p) == pytest.approx(float(bound.lower(p)), abs=1e-4)


@given(st.floats(0.5, 1 - 2.0**-53), st.floats(0.1, 10), st.floats(0.7, 1), st.integers(0, 3))
def test_radii_are_met_and_never_passed(p: float, scale: float, select: float, rows: int) -> None:
    delta = selection_mass(select, rows)
    scheme = Smoothing(Laplace(scale)) if rows == 0 else Hierarchical(select, Laplace(scale))
    found = float(certified_radius(scheme, p, None, rows))
    rest = Fraction(1, 2) - delta
    ratio = mpmath.mpf(rest.numerator) / rest.denominator / (1 - mpmath.mpf(p))
    truth = float(scale * mpmath.log(ratio)) if rest > 0 else -1.0
    assert found <= max(truth, 0.0)
    assert truth - scale * 1e-9 <= found
    if found:
        assert with_disjoint_support(trade_off(Laplace(scale), shift=found), delta).lower(p) > 0.5


@settings(max_examples=25)
@given(st.floats(0.3, 1 - 2.0**-40), st.floats(0, 1), st.integers(0, 2))
def test_multi_class_radii_hold(p: float, share: float, rows: int) -> None:
    law, other = Laplace(0.5), share * (1 - p)
    scheme = Hierarchical(0.9, law) if rows else Smoothing(law)
    found = float(certified_radius(scheme, p, other, rows))
    pair = with_disjoint_support(trade_off(law, shift=found), selection_mass(0.9, rows))
    if found:
        assert pair.lower(p) > pair.upper(other)
    further = with_disjoint_support(trade_off(law, shift=found * 1.001 + 1e-6), selection_mass(0.9, rows))
    assert further.lower(p) <= further.upper(other)


def test_what_does_not_compose_or_count() -> None:
    with pytest.raises(UnsupportedError, match="not certified together"):
        trade_off(Laplace(1.0), shift=0.5) * trade_off(BernoulliFlip(0.1, 0.2), 1)
    with pytest.raises(UnsupportedError, match="ℓ1 norm"):
        trade_off(Laplace(1.0), add=1)
    for bad in (0, -1, math.nan, math.inf, "1"):
        with pytest.raises(InputError):
            Laplace(bad)  # type: ignore[arg-type]
    assert Laplace(1, 0.5).to_dict() == {"law": "laplace", "scale": 1.0, "lattice": 0.5}


def drawn(law: Laplace, samples: int, purpose: int = MAIN) -> NDArray[np.float64]:
    """(S, 24) noise of `samples` samples."""
    empty = CSR.of(sparse.csr_array((4, 4)))
    one = Sampler(CSR.of(sparse.csr_array(np.zeros((4, 6), np.float32))), 6, empty, Smoothing(law), 3)
    out = np.zeros((samples, 4, 6), np.float32)
    for s in range(samples):
        one.fill_features(purpose, s, one.workspace(), 0, out[s])
    return out.reshape(samples, -1).astype(np.float64)


def test_draws_follow_the_law_and_are_independent() -> None:
    found = drawn(Laplace(0.5), 2000)
    assert kstest(found.ravel(), "laplace", args=(0, 0.5)).pvalue > FALSE_ALARM
    pilot = drawn(Laplace(0.5), 2000, PILOT)
    above = np.concatenate([found, pilot], axis=1) > 0.2
    correlation = np.corrcoef(above.T.astype(float)) - np.eye(above.shape[1])
    # A sum of 2,000 independent products; 1,128 pairs share the false-alarm rate.
    assert np.abs(correlation).max() < 7.5 / math.sqrt(2000)


def test_draws_on_a_lattice_follow_the_rounded_law() -> None:
    law, values = Laplace(0.5, 0.25), np.arange(-8, 9)
    found = np.rint(drawn(law, 2000) / 0.25)
    masses = rounded_laplace(0.5, 0, 8)
    for k, mass in zip(values, masses, strict=True):
        count = (found == k).sum() if abs(k) < 8 else (found * np.sign(k) >= 8).sum()
        deviation = abs(count - found.size * mass) / math.sqrt(found.size * mass * (1 - mass))
        assert deviation < 6.5
    assert (
        0
        < Sampler(
            CSR.of(sparse.csr_array((4, 6), dtype=np.float32)), 6, CSR.of(sparse.csr_array((4, 4))), Smoothing(law), 0
        ).total_variation
        == pytest.approx(24 * 2.0**-48 * 3)
    )


def test_certificates_of_every_scheme() -> None:
    counts = np.stack([np.full(6, 990), np.full(6, 10)], axis=1)
    partition = Partition(np.arange(6) % 2, [[0, 1], [1, 0]])
    near = gc.certify(gc.Votes(counts // 10, counts, Smoothing(Laplace(0.5))))
    local = gc.certify(gc.Votes(counts // 10, counts, Smoothing((Laplace(0.5), Laplace(1.0)), None, partition)))
    chosen = gc.certify(gc.Votes(counts // 10, counts, Hierarchical(0.9, Laplace(0.5))))
    assert (near.radius() == local.radius()).all()
    assert (near.radius() <= -0.5 * np.log(2 * (1 - near.p_lower))).all()
    assert (chosen.radius(1) > 0).all()
    norms = [0.0, 1.0, 1.5, 2.0, 2.5, 3.0]
    milp, naive = (local.collective(shift=norms, method=way) for way in ("milp", "naive"))
    assert (milp.certified >= naive.certified).all()
    assert (milp.certified > naive.certified).any()
    assert "Laplace noise of scale 0.5 to 1 (by cluster)" in local.guarantee()
