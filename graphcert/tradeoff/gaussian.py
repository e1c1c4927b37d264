"""Trade-off of Gaussian noise (theory section 5; Cohen et al. 2019)."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from graphcert.errors import InputError, UnsupportedError
from graphcert.noise.laws import Gaussian, Uniform
from graphcert.tradeoff.base import Floats, TradeOff, probabilities, rounded_up
from graphcert.tradeoff.discrete import IDENTITY
from graphcert.tradeoff.dispatch import trade_off_of_law

FLOOR = 2.0**-64
"""Probabilities below are raised to it: there the library's quantile begins to lose digits."""

GUARD = 2.0**-38
"""Relative allowance for the library's Φ and Φ⁻¹, a hundred times their largest error seen against 60 digits above
`FLOOR` (the tests repeat the comparison)."""


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
        bound: Floats = np.maximum(np.nextafter(1.0 - self.upper(1.0 - probabilities(p)), -1.0), 0.0)
        return bound

    def upper(self, p: ArrayLike) -> Floats:
        """See `TradeOff.upper`; within 1e-11 of the exact value wherever that is not smaller than p was raised to."""
        q = probabilities(p)
        reached = np.minimum(ndtr(ndtri(np.maximum(q, FLOOR)) + self.distance) * (1 + GUARD), 1.0)
        bound: Floats = np.where(q > 0, reached, 0.0)[()]
        return bound

    @cached_property
    def critical(self) -> float:
        """See `TradeOff.critical`: Φ(μ), rounded up."""
        return rounded_up(*self.inverse(Fraction(1, 2)).as_integer_ratio())

    def compose(self, other: TradeOff) -> TradeOff:
        """Two independent Gaussian shifts are one; with what is not perturbed, nothing changes.

        Raises:
            UnsupportedError: with a discrete trade-off.
        """
        if isinstance(other, GaussianTradeOff):
            return GaussianTradeOff(
                math.nextafter(math.hypot(self.distance, other.distance) * (1 + 2.0**-50), math.inf)
            )
        return other * self

    def _compose_discrete(self, discrete: TradeOff) -> TradeOff:
        if discrete == IDENTITY:
            return self
        raise UnsupportedError(
            "Gaussian and discrete noise are not certified together; give a budget of one of them, shift or counts"
        )


@trade_off_of_law.register
def gaussian_trade_off(
    law: Gaussian, add: int = 0, delete: int = 0, nodes: int | None = None, shift: float | None = None
) -> TradeOff:
    """The trade-off of Gaussian noise for a shift of ℓ2 norm `shift`; bits are not counted under it.

    Rounding to a lattice is a post-processing of it, see `Gaussian`: the same bound, which is then sound and not tight.
    """
    refuse_bits(law, add or delete)
    distance = checked_shift(shift)
    return GaussianTradeOff(math.nextafter(distance / law.sigma, math.inf)) if distance else IDENTITY


def refuse_bits(law: Gaussian | Uniform, bits: int) -> None:
    """Raise `UnsupportedError` if bits are counted under noise of real features."""
    if bits:
        raise UnsupportedError(
            f"perturbations under {type(law).__name__} noise are measured by their {law.norm} norm; give shift, no bits"
        )


def checked_shift(shift: float | None) -> float:
    """Return the norm of a shift as a finite float ≥ 0, 0 for None; raises `InputError` for anything else."""
    try:
        value = 0.0 if shift is None else float(shift)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise InputError(
            f"the shift must be a finite ℓ2 norm of at least 0 (ℓ1 norm under uniform noise), got {shift!r}"
        )
    return value
