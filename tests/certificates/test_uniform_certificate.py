"""Certificates under uniform noise and on a lattice: shifts, radii, levels, edges, words (theory, sections 5 and 6)."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.certificates import Certificate, certify
from graphcert.errors import UnsupportedError
from graphcert.noise import BernoulliFlip, Budget, Gaussian, Hierarchical, Partition, Scheme, Smoothing, Uniform
from graphcert.votes import Votes

COUNTS = np.array([[10_000, 0, 0], [9_990, 6, 4], [9_000, 600, 400], [6_000, 3_000, 1_000], [4_500, 3_000, 2_500]])
N = len(COUNTS)
TWO = Partition(np.arange(N) % 2, [[0, 1], [1, 0]])


def certificate(scheme: Scheme, method: str = "binary") -> Certificate:
    return certify(Votes(COUNTS.copy(), COUNTS, scheme, independent=True), method=method)


@pytest.mark.parametrize("half_width", [0.1, 1.0, 7.0])
def test_the_radius_is_the_closed_form(half_width: float) -> None:
    claim = certificate(Smoothing(Uniform(half_width)))
    assert claim.radius() == pytest.approx(np.maximum(half_width * (2 * claim.p_lower - 1), 0), rel=1e-11, abs=1e-12)
    claim = certificate(Smoothing(Uniform(half_width)), "multiclass")
    truth = np.maximum(half_width * (claim.p_lower - claim.p_other_upper), 0)
    assert claim.radius() == pytest.approx(truth, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("method", ["binary", "multiclass"])
@pytest.mark.parametrize("scheme", [Smoothing(Uniform(0.5)), Hierarchical(0.98, Uniform(0.5, 0.1))], ids=str)
@pytest.mark.parametrize("nodes", [1, 3, None])
def test_a_shift_is_survived_up_to_the_radius(method: str, scheme: Scheme, nodes: int | None) -> None:
    claim = certificate(scheme, method)
    radius = claim.radius(nodes)
    assert radius.any()
    for n in np.flatnonzero(radius):
        assert claim.robust(shift=radius[n], nodes=nodes)[n]
        assert not claim.robust(shift=radius[n] * (1 + 1e-6), nodes=nodes)[n]
    assert np.array_equal(claim.robust(), ~claim.abstained)


@given(st.floats(0.5, 1), st.floats(0.05, 3))
def test_the_worst_interval_falls_just_beyond_the_radius(p: float, half_width: float) -> None:
    """The classifier that answers right for x + u ≤ t, around x = 0, has probability p; moved by s it has p − s/(2λ)."""
    one = replace(certificate(Smoothing(Uniform(half_width))), p_lower=np.full(N, p))
    radius = float(one.radius()[0])
    threshold = half_width * (2 * p - 1)

    def after(shift: float) -> float:
        return float(np.clip((threshold - shift + half_width) / (2 * half_width), 0, 1))

    assert after(radius) >= 0.5
    assert after(radius * (1 + 1e-9) + 1e-9 * half_width) < 0.5


def test_levels_count_with_their_worst() -> None:
    near = certificate(Hierarchical(0.9, Uniform(0.5)))
    localized = certificate(Hierarchical([0.9, 0.95], Smoothing([Uniform(0.5), Uniform(1.0)], None, TWO)))
    assert np.array_equal(near.radius(2), localized.radius(2))
    assert np.array_equal(near.robust(shift=0.2, nodes=2), localized.robust(shift=0.2, nodes=2))


def test_edges_together_with_a_shift() -> None:
    edges = BernoulliFlip(0.0, 0.5)
    claim = certificate(Smoothing(Uniform(0.5), edges))
    only_edges = certificate(Smoothing(BernoulliFlip(0.1, 0.1), edges))
    assert np.array_equal(claim.robust(edge_delete=1), only_edges.robust(edge_delete=1))
    both = claim.robust(edge_delete=1, shift=0.05)
    assert both.any()
    assert not (both & ~(claim.robust(edge_delete=1) & claim.robust(shift=0.05))).any()


def test_what_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="ℓ1 norm"):
        certificate(Smoothing(Uniform(0.5))).robust(Budget(1))
    incomparable = (BernoulliFlip(0.05, 0.65), BernoulliFlip(0.08, 0.95))
    for scheme in (Smoothing(incomparable, None, TWO), Hierarchical(0.9, Smoothing(incomparable, None, TWO))):
        with pytest.raises(UnsupportedError, match="a radius is known"):
            certificate(scheme).radius()


@pytest.mark.parametrize(
    ("law", "noise", "threat"),
    [
        (Gaussian(0.5), "Gaussian noise of standard deviation 0.5.", "moves the features by at most that ℓ2 norm,"),
        (Uniform(0.5), "uniform noise of up to ±0.5.", "moves the features by at most that ℓ1 norm,"),
        (
            Uniform(0.5, 0.25),
            "uniform noise of up to ±0.5, rounded to whole multiples of 0.25.",
            "moves the features to other whole multiples of 0.25 by at most that ℓ1 norm,",
        ),
    ],
)
def test_the_guarantee_names_noise_and_norm(law, noise: str, threat: str) -> None:
    said = certificate(Smoothing(law)).guarantee()
    assert noise in said
    assert threat in said
