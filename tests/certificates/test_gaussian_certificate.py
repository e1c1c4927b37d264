"""Certificates under Gaussian noise: radii, shifts and the levels of a localized scheme (theory, sections 5 and 6)."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.certificates import Certificate, certify
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Budget, Gaussian, Hierarchical, Partition, Scheme, Smoothing
from graphcert.votes import Votes

Φ, QUANTILE = NormalDist().cdf, NormalDist().inv_cdf
COUNTS = np.array([[10_000, 0, 0], [9_990, 6, 4], [9_000, 600, 400], [6_000, 3_000, 1_000], [4_500, 3_000, 2_500]])
N = len(COUNTS)


def certificate(scheme: Scheme, method: str = "binary") -> Certificate:
    return certify(Votes(COUNTS.copy(), COUNTS, scheme, independent=True), method=method)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 7.0])
@pytest.mark.parametrize("select", [1.0, 0.99, 0.9])
@pytest.mark.parametrize("nodes", [1, 2, None])
def test_the_radius_is_the_closed_form(sigma: float, select: float, nodes: int | None) -> None:
    claim = certificate(Hierarchical(select, Gaussian(sigma)))
    δ = 1 - select ** (nodes or N)
    found = claim.radius(nodes)
    for p, radius in zip(claim.p_lower, found, strict=True):
        if p - δ > 0.5:
            truth = sigma * (QUANTILE((p - δ) / (1 - δ)) - QUANTILE(1 / (2 * (1 - δ))))
            assert radius == pytest.approx(truth, rel=1e-6)
        else:
            assert radius == 0
    assert found[0] > 0
    assert found[-1] == 0


@pytest.mark.parametrize("method", ["binary", "multiclass"])
@pytest.mark.parametrize("scheme", [Smoothing(Gaussian(0.5)), Hierarchical(0.98, Gaussian(0.5))], ids=str)
@pytest.mark.parametrize("nodes", [1, 3, None])
def test_a_shift_is_survived_up_to_the_radius(method: str, scheme: Scheme, nodes: int | None) -> None:
    claim = certificate(scheme, method)
    radius = claim.radius(nodes)
    for n in np.flatnonzero(radius):
        assert claim.robust(shift=radius[n] * (1 - 1e-6), nodes=nodes)[n]
        assert not claim.robust(shift=radius[n] * (1 + 1e-6), nodes=nodes)[n]
    assert np.array_equal(claim.robust(), ~claim.abstained)
    assert np.array_equal(claim.robust(shift=1e-9, nodes=nodes), radius > 0)


def test_the_multiclass_radius() -> None:
    claim = certificate(Smoothing(Gaussian(2.0)), "multiclass")
    for p, other, radius in zip(claim.p_lower, claim.p_other_upper, claim.radius(), strict=True):
        truth = (QUANTILE(p) - QUANTILE(other)) if p > other else 0.0
        assert radius == pytest.approx(max(truth, 0.0), rel=1e-6)
    binary = certificate(Smoothing(Gaussian(2.0))).radius()
    assert claim.radius()[-1] > 0 == binary[-1], "a label without a majority"


@given(st.floats(0.6, 0.9999), st.floats(0.05, 3), st.floats(0.9, 1))
def test_a_half_space_reaches_the_radius(p: float, sigma: float, select: float) -> None:
    """The worst classifier sees one coordinate of one row: it wins every unselected clean row, and a half-space else.

    Its probability after a shift is at least 1/2 exactly up to the radius.
    """
    δ = 1 - select
    if p <= δ:
        return
    claim = certificate(Hierarchical(select, Gaussian(sigma)))
    one = replace(claim, p_lower=np.full(N, p))
    radius = float(one.radius(1)[0])
    threshold = QUANTILE((p - δ) / (1 - δ))

    def after(shift: float) -> float:
        return (1 - δ) * Φ(threshold - shift / sigma)

    if radius:
        assert after(radius) > 0.5
        assert after(radius * (1 + 1e-6) + 1e-6 * sigma) < 0.5
    else:
        assert after(1e-8 * sigma) < 0.5 + 1e-8


def test_monotone_in_nodes_and_selection() -> None:
    radii = np.array(
        [[certificate(Hierarchical(s, Gaussian(1.0))).radius(r) for r in (1, 2, 3)] for s in (0.9, 0.95, 1.0)]
    )
    assert np.all(np.diff(radii, axis=0) >= 0)
    assert np.all(np.diff(radii, axis=1) <= 0)
    assert np.array_equal(radii[2], np.tile(certificate(Smoothing(Gaussian(1.0))).radius(), (3, 1)))
    claim = certificate(Hierarchical(0.9, Gaussian(1.0)))
    assert np.array_equal(claim.radius(), claim.radius(N))
    assert np.array_equal(claim.radius(), claim.radius(10 * N))


def test_levels_count_with_their_worst() -> None:
    clusters = Partition(np.arange(N) % 2, [[0, 1], [1, 0]])
    near = certificate(Hierarchical(0.9, Gaussian(0.5)))
    localized = certificate(Hierarchical([0.9, 0.95], Smoothing([Gaussian(0.5), Gaussian(1.0)], None, clusters)))
    assert np.array_equal(near.radius(2), localized.radius(2))
    assert np.array_equal(near.robust(shift=0.4, nodes=2), localized.robust(shift=0.4, nodes=2))


def test_edges_beside_gaussian_features() -> None:
    edges = BernoulliFlip(0.0, 0.4)
    claim = certificate(Hierarchical(0.95, Smoothing(Gaussian(0.5), edges)))
    plain = certificate(Smoothing(BernoulliFlip(0.1, 0.1), edges))
    assert np.array_equal(claim.robust(edge_delete=2), plain.robust(edge_delete=2))
    with pytest.raises(UnsupportedError, match="one of them"):
        claim.robust(edge_delete=2, shift=0.1)


@pytest.mark.parametrize("shift", [-1.0, float("nan"), float("inf"), "0.1?"])
def test_what_is_no_shift(shift) -> None:
    with pytest.raises(InputError, match="finite ℓ2 norm"):
        certificate(Smoothing(Gaussian(0.5))).robust(shift=shift)


def test_bits_are_not_counted_under_gaussian_noise() -> None:
    for scheme in (Smoothing(Gaussian(0.5)), Hierarchical(0.9, Gaussian(0.5))):
        with pytest.raises(UnsupportedError, match="ℓ2 norm"):
            certificate(scheme).robust(Budget(1))
    with pytest.raises(InputError, match="nodes must be a whole number"):
        certificate(Smoothing(Gaussian(0.5))).radius(1.5)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="Gaussian, Laplace, Rotation and Uniform feature noise only"):
        certificate(Smoothing(edges=BernoulliFlip(0.0, 0.4))).radius()
