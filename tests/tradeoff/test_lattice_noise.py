"""Noise on a lattice in one and two dimensions, its law summed in 40 digits: never more distinguishable than claimed.

What is claimed of round(ε) is what is claimed of ε (theory, section 5). Here the rounded law is written down number by
number, the most powerful events are found by sorting, and every threshold classifier on the lattice is tried.
"""

from itertools import product

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.noise import Gaussian, Smoothing, Uniform
from graphcert.tradeoff import certified_radius, trade_off

mpmath.mp.dps = 40
BLUR = mpmath.mpf(10) ** -30
STEPS = st.sampled_from([0.25, 1.0, 2.5])
"""Scale of the noise in steps of the lattice: finer and coarser than it."""


def distribution(law, value):
    """P[ε ≤ value] of noise in units of the lattice's step, as exactly as its parameters say."""
    if isinstance(law, Gaussian):
        scale = mpmath.mpf(law.sigma) / mpmath.mpf(law.lattice)
        return mpmath.erfc(-mpmath.mpf(value) / scale / mpmath.sqrt(2)) / 2
    scale = mpmath.mpf(law.half_width) / mpmath.mpf(law.lattice)
    return min(max((mpmath.mpf(value) / scale + 1) / 2, mpmath.mpf(0)), mpmath.mpf(1))


def rounded(law):
    """{k: P[round(ε/h) = k]}; a Gaussian tail of 1e-40 is lumped at the ends."""
    scale = float(law.sigma if isinstance(law, Gaussian) else law.half_width) / law.lattice
    reach = int(14 * scale) + 2
    at = [mpmath.mpf(0), *(distribution(law, k + mpmath.mpf(1) / 2) for k in range(-reach, reach)), mpmath.mpf(1)]
    return {k: at[i + 1] - at[i] for i, k in enumerate(range(-reach, reach + 1))}


def lower_at_vertices(law, shift):
    """(p, lower(p)) at all vertices of the exact trade-off of the rounded law against itself moved by whole steps."""
    masses = rounded(law)
    clean = {(): mpmath.mpf(1)}
    moved = dict(clean)
    for steps in shift:
        clean = {(*c, k): a * m for c, a in clean.items() for k, m in masses.items()}
        moved = {(*c, k + steps): a * m for c, a in moved.items() for k, m in masses.items()}
    pairs = [(clean.get(o, mpmath.mpf(0)), moved.get(o, mpmath.mpf(0))) for o in set(clean) | set(moved)]
    pairs.sort(key=lambda pair: pair[1] / pair[0] if pair[0] else mpmath.inf)
    p, q = mpmath.mpf(0), mpmath.mpf(0)
    for a, b in pairs:
        p, q = p + a, q + b
        yield p, q


LAWS = st.one_of(
    st.builds(lambda s, h: Gaussian(s * h, h), STEPS, st.sampled_from([1 / 255, 0.1, 1.0])),
    st.builds(lambda s, h: Uniform(s * h, h), STEPS, st.sampled_from([1 / 255, 0.1, 1.0])),
)


def norm_of(law, shift):
    """The norm of a shift by whole steps, rounded up a little."""
    lengths = [abs(k) * law.lattice for k in shift]
    return (sum(lengths) if isinstance(law, Uniform) else float(np.hypot.reduce(lengths))) * (1 + 1e-15)


def assert_never_passed(law, shift):
    """Between vertices the exact trade-off is a chord and the claimed one convex, so the vertices decide."""
    vertices = list(lower_at_vertices(law, shift))
    assert abs(vertices[-1][0] - 1) < BLUR
    p = np.maximum(np.array([float(a) for a, _ in vertices]) * (1 - 2.0**-51), 0)
    bounds = trade_off(law, shift=norm_of(law, shift)).lower(p)
    assert all(mpmath.mpf(float(bound)) <= exact + BLUR for (_, exact), bound in zip(vertices, bounds, strict=True))


@settings(max_examples=25, deadline=None)
@given(LAWS, st.integers(0, 4))
def test_the_rounded_law_is_no_more_distinguishable_than_claimed(law, steps):
    assert_never_passed(law, [steps])


@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from([Gaussian(0.5, 1.0), Gaussian(0.25, 1.0), Uniform(1.0, 1.0), Uniform(2.5, 1.0)]),
    st.integers(0, 2),
    st.integers(0, 2),
)
def test_in_two_dimensions(law, one, two):
    assert_never_passed(law, [one, two])


@pytest.mark.parametrize(
    "law", [Gaussian(0.25, 0.1), Gaussian(0.02, 0.1), Uniform(0.25, 0.1), Uniform(0.4, 0.1)], ids=str
)
def test_no_threshold_on_the_lattice_falls_within_its_radius(law):
    """Right is whoever sees at most t, around x = 0: certified from its exact probability, then moved to the right."""
    masses = rounded(law)
    certified = met = 0
    for threshold in range(-3, 15):
        p = sum(m for k, m in masses.items() if k <= threshold)
        radius = float(certified_radius(Smoothing(law), np.array([float(p) * (1 - 1e-15)]), None, 1)[0])
        if radius == 0 or np.isinf(radius):
            continue
        reach = int(radius / law.lattice)
        for steps in range(reach + 1):
            after = sum(m for k, m in masses.items() if k + steps <= threshold)
            assert after > 0.5
        certified += reach > 0
        # The next step but one is too far: rounding costs less than a step.
        met += sum(m for k, m in masses.items() if k + reach + 2 <= threshold) < 0.5
    assert certified > 0
    assert met > 0


def test_a_claim_about_less_noise_would_be_caught():
    """The check above has teeth: with a smaller scale claimed for the same law it fails, and a larger one is refuted."""
    law, stronger = Gaussian(1.0, 1.0), Gaussian(1.2, 1.0)
    vertices = list(lower_at_vertices(law, [1]))
    p = np.array([min(float(a), 1.0) for a, _ in vertices])
    wrong = trade_off(stronger, shift=1.0).lower(p)
    assert any(
        mpmath.mpf(float(bound)) > exact + mpmath.mpf(1e-6) for (_, exact), bound in zip(vertices, wrong, strict=True)
    )


def test_boxes_in_two_dimensions_are_met_exactly():
    """Uniform noise of λ = 1; right is whoever sees a point at most t to the right, at any height."""
    for t, (a, b) in product((0.0, 0.3, 0.9), ((0.1, 0.0), (0.3, 0.0), (0.05, 0.2))):
        p = (t + 1) / 2
        after = (t - a + 1) / 2
        bound = float(trade_off(Uniform(1.0), shift=a + b).lower(p))
        assert bound <= after + 1e-15
        assert b > 0 or bound == pytest.approx(after, abs=1e-13)
