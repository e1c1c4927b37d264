"""Trade-off of random turns, and the conversion between degrees and shifts (theory section 13)."""

import math
from fractions import Fraction
from typing import SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from graphcert.core.arguments import real
from graphcert.errors import InputError
from graphcert.noise import Rotation
from graphcert.tradeoff.base import Floats, TradeOff
from graphcert.tradeoff.gaussian import GaussianTradeOff, gaussian_radius, gaussian_radius_multiclass
from graphcert.tradeoff.real_laws import radius_of_law, real_trade_off

_GUARD = 2.0**-40
"""Relative allowance for conversions: a hundred times what the library's sine and arcsine could be wrong by."""

_TINY = 2.0**-1060
"""Absolute allowance, for numbers so small that floats lose their digits."""


@real_trade_off(Rotation)
def rotation_trade_off(law: Rotation, shift: float) -> TradeOff:
    """The trade-off of Gaussian noise at that shift.

    The angle, or the matrix I + G that the input is turned by, moves by the shift; what is seen follows from it. No turn is
    a larger shift than the one by 180°, so larger budgets are that one.
    """
    return GaussianTradeOff(math.nextafter(min(shift, law.farthest) / law.sigma, math.inf))


@radius_of_law.register(Rotation)
def _radius(law: Rotation, p_lower: Floats, p_other_upper: Floats | None, delta: Fraction) -> Floats:
    if p_other_upper is None:
        return gaussian_radius(p_lower, law.sigma, delta)
    return gaussian_radius_multiclass(p_lower, p_other_upper, law.sigma, delta)


def turn_shift(degrees: SupportsFloat, law: Rotation) -> float:
    """The shift of a turn by an angle under a law of turns: what `robust(shift=…)` takes.

    Args:
        degrees: the angle φ, from 0 to 180; a turn by more in one sense is one by less in the other.
        law: about an axis the shift is the angle in radians; in space it is 2√2 sin(φ/2), about whatever axis.

    Returns:
        The shift. Sound side: rounded up, so that what survives it survives the turn.

    Raises:
        InputError: for an angle outside its domain, or another law.
    """
    angle = real("the angle of a turn, in degrees,", degrees, 0, 180)
    radians = math.radians(angle)
    exact = radians if _checked(law).axis is not None else 2 * math.sqrt(2) * math.sin(radians / 2)
    return min(exact * (1 + _GUARD) + _TINY, law.farthest) if angle else 0.0


def certified_turn(shift: ArrayLike, law: Rotation) -> Floats:
    """The turns in degrees that are no larger shifts than these; `turn_shift` the other way round.

    Args:
        shift: shifts ≥ 0 of any shape, such as `Certificate.radius()`; infinity stands for every turn.
        law: of turns.

    Returns:
        Angles in [0, 180] of the same shape. Sound side: rounded down; 180 only where the shift is not below that of 180°,
        and then every turn is a shift of at most so much.

    Raises:
        InputError: if a shift is negative or NaN, or for another law.
    """
    given = np.asarray(shift, dtype=np.float64)
    if not np.all(given >= 0):
        raise InputError("the shift of a turn must be at least 0, and NaN is not")
    if _checked(law).axis is not None:
        angle = np.degrees(given)
    else:
        # Rounded down before the arcsine, which is infinitely steep at 1.
        angle = np.degrees(2 * np.arcsin(np.minimum(given / (2 * math.sqrt(2)), 1.0) * (1 - _GUARD)))
    less = np.maximum(np.minimum(angle, 180.0) * (1 - _GUARD) - _TINY, 0.0)
    found: Floats = np.where(given >= law.farthest, 180.0, less)[()]
    return found


def _checked(law: Rotation) -> Rotation:
    farthest = getattr(law, "farthest", None)
    if farthest is None:
        raise InputError(f"turns are measured under Rotation noise, got {law!r:.100}")
    return law
