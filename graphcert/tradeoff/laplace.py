"""Trade-off and radii of Laplace noise (theory section 5; Teng et al. 2020)."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from graphcert.noise import Laplace
from graphcert.tradeoff.base import Floats, TradeOff, lower_of_upper, probabilities
from graphcert.tradeoff.real_laws import radius_of_law, real_trade_off, searched_radius

_GUARD = 2.0**-48
"""32 roundings: more than exp, products, quotients and differences below can lose together, relative to values above 1/2 or
to a single product."""

_ALLOWANCE = 2.0**-45
"""More than `_GUARD` and the roundings of a quotient and a logarithm move a radius, in units of the scale."""


@dataclass(frozen=True)
class LaplaceTradeOff(TradeOff):
    """Laplace noise of scale 1 around x and around the worst x' with ‖x' − x‖₁ ≤ ε: one coordinate takes the whole shift.

        upper(q) = e^ε q                   q ≤ e^(−ε)/2          lower(p) = 1 − upper(1 − p)
                   1 − e^(−ε)/(4q)         e^(−ε)/2 ≤ q ≤ 1/2
                   1 − e^(−ε)(1 − q)       1/2 ≤ q

    so that a majority of p survives while ε < −ln(2(1 − p)). Proof: theory, section 5.

    *Rounding.* A concave piece is tangent to its neighbours, so a boundary that is off by one rounding costs its square.
    `_GUARD` is relative to q e^ε or to values above 1/2. `lower` is as for `GaussianTradeOff`: 1 − p is exact for p ≥ 1/2,
    and below it the slope of `upper` is at most 1.

    Attributes:
        epsilon: ε > 0, the ℓ1 norm of the shift in units of the scale, rounded up.
    """

    epsilon: float

    def lower(self, p: ArrayLike) -> Floats:
        """See `TradeOff.lower`; within 1e-14 of the exact value."""
        return lower_of_upper(self, p)

    def upper(self, p: ArrayLike) -> Floats:
        """See `TradeOff.upper`; within a relative 1e-14 of the exact value."""
        q = probabilities(p)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            rise, fall = np.exp(self.epsilon), np.exp(-self.epsilon)
            below = np.where(q > fall / 2, 1 - fall / 4 / np.maximum(q, fall / 2), rise * q)
            reached = np.where(q >= 0.5, 1 - fall * (1 - q), below)
        bound: Floats = np.where(q > 0, np.minimum(reached * (1 + _GUARD), 1.0), 0.0)[()]
        return bound

    def _joint(self, other: TradeOff) -> TradeOff | None:
        """Two shifts of one budget are no worse than one of both norms together (theory, section 5)."""
        if not isinstance(other, LaplaceTradeOff):
            return None
        return LaplaceTradeOff(math.nextafter(self.epsilon + other.epsilon, math.inf))


@real_trade_off(Laplace)
def laplace_trade_off(law: Laplace, shift: float) -> TradeOff:
    """The trade-off of Laplace noise for the worst shift of ℓ1 norm `shift`."""
    return LaplaceTradeOff(math.nextafter(shift / law.scale, math.inf))


@radius_of_law.register(Laplace)
def laplace_radius(law: Laplace, p_lower: Floats, p_other_upper: Floats | None, delta: Fraction) -> Floats:
    """ℓ1 radii: R = λ ln((1/2 − δ)/(1 − p)) by the binary rule, a search by the multi-class rule.

    By the binary rule a majority with the disjoint-support mass δ survives iff its rest q = (p − δ)/(1 − δ) has lower(q) >
    1/(2(1 − δ)), which is above 1/2, where lower(q) = 1 − e^ε(1 − q).
    """
    if p_other_upper is not None:
        return searched_radius(law, p_lower, p_other_upper, delta)
    rest, outside = float(max(Fraction(1, 2) - delta, Fraction(0))), 1.0 - p_lower
    with np.errstate(divide="ignore"):
        distance = np.log(rest / outside) if rest else np.full_like(p_lower, -math.inf)
    radius: Floats = np.maximum(distance - _ALLOWANCE, 0.0) * (1 - _ALLOWANCE) * law.scale
    return radius
