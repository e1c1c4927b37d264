"""Collective claims by the multi-class rule against shifts: three classes cut out by two thresholds, and exact allocations.

Node n returns label 0 where u_n · x ≤ t_n, class 1 where u_n · x ≥ t'_n, class 2 between them. Under Gaussian noise
u_n · x is normal, so that all probabilities after a shift are in closed form.
"""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_shift_collective import METHODS, NODES, NORMAL, claim, gaussians, partitions, rising

from graphcert.errors import UnsupportedError
from graphcert.noise import Gaussian, Laplace, Partition, Smoothing, Uniform

NEAR = 1e-9


@st.composite
def pairs(draw):
    """(N,) p and q ≤ 1 − p; the rest belongs to a third class, which has at most q."""
    p = np.array(draw(st.lists(st.floats(0.35, 0.99), min_size=NODES, max_size=NODES)))
    return p, (1 - p) * np.array(draw(st.lists(st.floats(0.5, 0.999), min_size=NODES, max_size=NODES)))


def after(u, deviation, p, q, shift):
    """(N, 3) the probabilities of the three classes after a shift of the features."""
    moved = u @ shift / deviation
    first = np.array([NORMAL.cdf(NORMAL.inv_cdf(a) - m) for a, m in zip(p, moved, strict=True)])
    second = np.array([NORMAL.cdf(NORMAL.inv_cdf(b) + m) for b, m in zip(q, moved, strict=True)])
    return np.stack([first, second, 1 - first - second], axis=1)


@settings(max_examples=40, deadline=None)
@given(gaussians(), pairs(), st.floats(0.05, 2.0), st.integers(0, 2**32 - 1))
def test_no_shift_takes_more_leads_than_certified(drawn, pair, norm, seed) -> None:
    (smoothing, seen), (p, q) = drawn, pair
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(NODES, NODES)) * rng.choice([0.01, 1.0], size=(NODES, NODES))
    deviation = np.sqrt((seen**2 * u**2).sum(axis=1))
    certificate = claim(smoothing, p, "multiclass", q * (1 + 1e-12))
    binary = claim(smoothing, p)
    certified = [int(certificate.collective(shift=norm, method=m, bins=None).certified[0]) for m in METHODS]
    assert certified[0] <= certified[1] <= certified[2]
    for method, found in zip(METHODS, certified, strict=True):
        assert binary.collective(shift=norm * (1 + 1e-6), method=method, bins=None).certified[0] <= found
    for direction in [*rng.normal(size=(100, NODES)), *u, u[0] + u[1], u.sum(axis=0)]:
        moved = after(u, deviation, p, q, direction * norm / np.linalg.norm(direction))
        assert (moved[:, 0] > moved[:, 1:].max(axis=1)).sum() >= certified[2]


@st.composite
def others(draw, law):
    """A scheme of uniform or Laplace noise over two or three clusters."""
    partition = draw(partitions())
    return Smoothing([law(s) for s in rising(draw, partition.clusters, 0.2, 2.0)], partition=partition)


@pytest.mark.parametrize("law", [Gaussian, Uniform, Laplace])
@settings(max_examples=25, deadline=None)
@given(st.data(), pairs(), st.floats(0.05, 1.5), st.booleans())
def test_no_allocation_of_a_norm_leaves_fewer_than_certified(law, data, pair, norm, localized) -> None:
    """Shares of the norm per block, each judged by the exact trade-offs; the whole norm at one level if there is one."""
    p, q = pair
    smoothing = data.draw(others(law)) if localized else Smoothing(law(data.draw(st.floats(0.2, 2.0))))
    blocks = smoothing.partition.clusters if smoothing.localized else 1
    certificate = claim(smoothing, p, "multiclass", q)
    certified = [int(certificate.collective(shift=norm, method=m, bins=None).certified[0]) for m in METHODS]
    assert certified[0] <= certified[1] <= certified[2]
    assert certified[0] >= certificate.robust(shift=norm).sum()
    shares = [np.array(part) / 8 for part in product(range(9), repeat=blocks) if sum(part) == 8]
    for share in shares:
        norms = norm * (np.sqrt(share) if law is Gaussian else share) * (1 - NEAR)
        assert certificate.robust_at(shift=norms).sum() >= certified[2]


def test_a_lead_without_a_majority_withstands_shifts() -> None:
    """Isotropic Gaussian noise: σ(Φ⁻¹(pA) − Φ⁻¹(pB))/2, which is 0 under the binary rule below one half."""
    p, q = np.linspace(0.4, 0.9, NODES), np.linspace(0.2, 0.05, NODES)
    certificate = claim(Smoothing(Gaussian(0.5)), p, "multiclass", q)
    radii = np.array([0.25 * (NORMAL.inv_cdf(a) - NORMAL.inv_cdf(b)) for a, b in zip(p, q, strict=True)])
    norms = np.concatenate([radii * (1 - 1e-6), radii * (1 + 1e-6)])
    kept = [int((radii > norm).sum()) for norm in norms]
    for method in METHODS:
        assert certificate.collective(shift=norms, method=method, bins=None).certified.tolist() == kept
    assert claim(Smoothing(Gaussian(0.5)), p).collective(shift=radii[0] * 0.5).certified[0] < NODES


def test_localized_noise_gains_over_each_node_alone_by_the_multiclass_rule() -> None:
    partition = Partition(np.arange(NODES) % 2, np.array([[0, 1], [1, 0]]))
    p, q = np.full(NODES, 0.45), np.full(NODES, 0.1)
    certificate = claim(Smoothing([Gaussian(0.5), Gaussian(2.0)], partition=partition), p, "multiclass", q)
    shift = 0.3
    assert certificate.robust(shift=shift).sum() == 0
    assert certificate.collective(shift=shift, method="milp").certified[0] == NODES / 2
    with pytest.raises(UnsupportedError, match="against a shift"):
        certificate.collective(shift=shift, method="tight")
