"""Trade-off of Gaussian noise (theory section 5; Cohen et al. 2019)."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from graphcert.noise import Gaussian
from graphcert.tradeoff.base import Floats, TradeOff, lower_of_upper, probabilities
from graphcert.tradeoff.real_laws import radius_of_law, real_trade_off

FLOOR = 2.0**-64
"""Probabilities below are raised to it: there the library's quantile begins to lose digits."""

GUARD = 2.0**-38
"""Relative allowance for the library's Φ and Φ⁻¹, a hundred times their largest error seen against 60 digits above
`FLOOR` (the tests repeat the comparison)."""

_FARTHEST = 80.0
"""Beyond any distance that a probability below 1 withstands: Φ⁻¹ of a float is less than 9 from 0 on that side."""

_HALVINGS = 48


@dataclass(frozen=True)
class GaussianTradeOff(TradeOff):
    """Noise N(0, 1) around two points at a distance μ: lower(p) = Φ(Φ⁻¹(p) − μ), upper(p) = Φ(Φ⁻¹(p) + μ).

    *Rounding.* `upper` is concave with upper(0) = 0, so a relative error in the probability at which Φ⁻¹ was really taken
    costs no more than itself; Φ, evaluated below 10, adds its own, and μ is rounded up by whoever makes this. Both are
    far below `GUARD`. `lower` takes 1 − upper(1 − p), where 1 − p is exact for p ≥ 1/2 and does no harm below (slope at
    most 2, and `upper` is then large); the last difference is rounded down.

    Attributes:
        distance: μ > 0, the ℓ2 norm of the shift in units of the standard deviation.
    """

    distance: float

    def lower(self, p: ArrayLike) -> Floats:
        """See `TradeOff.lower`; within 1e-11 of the exact value."""
        return lower_of_upper(self, p)

    def upper(self, p: ArrayLike) -> Floats:
        """See `TradeOff.upper`; within 1e-11 of the exact value wherever that is not smaller than p was raised to."""
        q = probabilities(p)
        reached = np.minimum(ndtr(ndtri(np.maximum(q, FLOOR)) + self.distance) * (1 + GUARD), 1.0)
        bound: Floats = np.where(q > 0, reached, 0.0)[()]
        return bound

    def _joint(self, other: TradeOff) -> TradeOff | None:
        """Two independent Gaussian shifts are one."""
        if not isinstance(other, GaussianTradeOff):
            return None
        return GaussianTradeOff(math.nextafter(math.hypot(self.distance, other.distance) * (1 + 2.0**-50), math.inf))


@real_trade_off(Gaussian)
def gaussian_trade_off(law: Gaussian, shift: float) -> TradeOff:
    """The trade-off of Gaussian noise for a shift of ℓ2 norm `shift`."""
    return GaussianTradeOff(math.nextafter(shift / law.sigma, math.inf))


@radius_of_law.register(Gaussian)
def _radius(law: Gaussian, p_lower: Floats, p_other_upper: Floats | None, delta: Fraction) -> Floats:
    if p_other_upper is None:
        return gaussian_radius(p_lower, law.sigma, delta)
    return gaussian_radius_multiclass(p_lower, p_other_upper, law.sigma, delta)


def gaussian_radius(p_lower: ArrayLike, sigma: float, delta: Fraction = Fraction(0)) -> Floats:
    """The largest shift that a majority of `p_lower` provably survives, by the binary rule (theory, sections 5 and 6).

    R = σ (Φ⁻¹((p − δ)/(1 − δ)) − Φ⁻¹(1/(2(1 − δ)))), which is σ Φ⁻¹(p) for δ = 0. Quantiles are taken of the
    complements, which floats hold to full relative accuracy; a relative error e there moves a quantile by at most 1.26e.

    δ is the probability that some perturbed row is not noised, see `DisjointSupport`. Radii ≥ 0 have the shape of `p_lower`;
    0 where nothing is certified, inf where p_lower = 1. Sound side: below the exact radius.
    """
    p = probabilities(p_lower)
    if delta >= Fraction(1, 2):
        return np.zeros_like(p)
    share, rest = float(1 - delta), float((1 - 2 * delta) / (2 * (1 - delta)))
    outside = np.minimum((1.0 - p) / share, 1.0)
    distance = ndtri(rest) - ndtri(outside) - 4 * GUARD
    return np.where(outside < rest, np.maximum(distance, 0.0) * sigma * (1 - GUARD), 0.0)


def gaussian_radius_multiclass(
    p_lower: ArrayLike, p_other_upper: ArrayLike, sigma: float, delta: Fraction = Fraction(0)
) -> Floats:
    """The same by the multi-class rule, lower(pA) > upper(pB); σ/2 (Φ⁻¹(pA) − Φ⁻¹(pB)) for δ = 0.

    With δ > 0 there is no closed form. The rule holds up to some distance and not beyond, so that is bisected; the
    answer is a distance at which the rule was seen to hold with a margin above every rounding error. Radii are finite.
    """
    first, second = probabilities(p_lower), probabilities(p_other_upper)
    share, disjoint = float(1 - delta), float(delta)
    if share <= 0.5:
        return np.zeros_like(first)
    label, other = (ndtri(np.minimum(np.maximum(q, FLOOR) / share, 1.0)) for q in (1.0 - first, second))

    def holds(distance: Floats) -> NDArray[np.bool_]:
        # lower(pA) − upper(pB), in probabilities: (1 − δ)(Φ(a − μ) − Φ(b + μ)) − δ.
        return np.asarray(share * (ndtr(-label - distance) - ndtr(other + distance)) - disjoint > 4 * GUARD)

    low, high = np.zeros_like(first), np.full_like(first, _FARTHEST)
    certified = holds(low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        inside = holds(middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.where(certified, low * sigma * (1 - GUARD), 0.0)
