"""Trade-off of uniform noise (theory section 5)."""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from graphcert.errors import InputError
from graphcert.noise import Uniform
from graphcert.tradeoff.base import Floats, TradeOff, probabilities
from graphcert.tradeoff.discrete import IDENTITY
from graphcert.tradeoff.disjoint_support import with_disjoint_support
from graphcert.tradeoff.real_laws import radius_of_law, real_trade_off

_ALLOWANCE = 2.0**-46


@real_trade_off(Uniform)
def uniform_trade_off(law: Uniform, shift: float) -> TradeOff:
    """The trade-off of uniform noise for the worst shift of ℓ1 norm `shift`: lower(p) = max(0, p − min(1, shift/(2λ))).

    *Proof.* Uniform noise around x and around x + δ fills two boxes of equal volume. Where they overlap both densities are
    the same; the rest belongs to one of them alone. So the pair is a `DisjointSupport` of the identity, with the
    mass 1 − Π_d max(0, 1 − x_d) with x_d = |δ_d|/(2λ). For x_d in [0, 1], Π(1 − x_d) ≥ 1 − Σ x_d, by induction:
    (1 − a)(1 − b) = 1 − a − b + ab ≥ 1 − (a + b). Hence 1 − Π ≤ min(1, ‖δ‖₁/(2λ)), attained when one coordinate takes all.

    With other λ per part of a shared budget the sum Σ_j s_j/(2λ_j) is at most s/(2 min λ): all at the smallest. Rounding to
    a lattice is a post-processing: the same bound.
    """
    return with_disjoint_support(IDENTITY, box_mass([shift], [law.half_width]))


def box_mass(shift: Iterable[float], half_width: Iterable[float]) -> Fraction:
    """1 − Π_d max(0, 1 − |δ_d|/(2λ_d)), the total variation between two boxes of uniform noise; an exact fraction.

    Coordinate d moves by δ_d, its noise has the half-width λ_d > 0.
    """
    overlap = Fraction(1)
    for moved, width in zip(shift, half_width, strict=True):
        if not width > 0:
            raise InputError(f"half-widths must be above 0, got {width!r}")
        overlap *= max(Fraction(0), 1 - abs(Fraction(moved)) / (2 * Fraction(width)))
    return 1 - overlap


@radius_of_law.register(Uniform)
def _radius(law: Uniform, p_lower: Floats, p_other_upper: Floats | None, delta: Fraction) -> Floats:
    return uniform_radius(p_lower, law.half_width, delta, p_other_upper)


def uniform_radius(
    p_lower: ArrayLike, half_width: float, delta: Fraction = Fraction(0), p_other_upper: ArrayLike | None = None
) -> Floats:
    """The largest ℓ1 shift that a majority provably survives under uniform noise; by the multi-class rule with pB.

    Both rules ask that the disjoint-support mass be smaller than a margin m: m = p − 1/2, or (pA − pB)/2 (theory, section
    5). It is 1 − (1 − δ)(1 − R/(2λ)), so R = 2λ (1 − (1 − m)/(1 − δ)), which is 2λm = λ(2p − 1) if every row is noised. The
    allowance of 2⁻⁴⁶ is more than what rounding does here and in `DisjointSupport`.

    Radii of the shape of `p_lower`, at most λ; 0 where nothing is certified. Sound side: below the exact radius.
    """
    p = probabilities(p_lower)
    margin = p - 0.5 if p_other_upper is None else (p - probabilities(p_other_upper)) / 2
    if delta == 1:
        return np.zeros_like(p)
    radius: Floats = np.maximum(1.0 - (1.0 - margin) / float(1 - delta) - _ALLOWANCE, 0.0) * (2 * half_width)
    return radius
