"""What laws whose changes have a size have in common: trade-offs and certified radii (theory, sections 5 and 6)."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graphcert.errors import UnsupportedError
from graphcert.noise import Interpreter, Law, RealLaw, Scheme
from graphcert.noise.law import measured_laws
from graphcert.tradeoff.base import (
    Floats,
    TradeOff,
    checked_shift,
    probabilities,
    refuse_bits,
    trade_off,
    trade_off_of_law,
)
from graphcert.tradeoff.discrete import IDENTITY
from graphcert.tradeoff.disjoint_support import selection_mass, with_disjoint_support

OfShift = Callable[[Any, float], TradeOff]
"""The trade-off of a law of real features for the worst change of at most a norm > 0."""

Radius = Callable[[Any, Floats, Floats | None, Fraction], Floats]
"""Radii of a law for p_lower, p_other_upper (None: binary rule) and the disjoint-support mass δ; see `certified_radius`."""

radius_of_law: Interpreter[Radius] = Interpreter("radius")

_HALVINGS = 40


def real_trade_off(kind: type[Law]) -> Callable[[OfShift], OfShift]:
    """A decorator that registers the trade-off of a law of real features or turns, from the law and a norm > 0."""

    def register(of_shift: OfShift) -> OfShift:
        def answer(law: Law, add: int, delete: int, nodes: int | None, shift: float | None) -> TradeOff:
            refuse_bits(law, add or delete)
            norm = checked_shift(shift)
            return of_shift(law, norm) if norm else IDENTITY

        trade_off_of_law.register(kind)(answer)
        return of_shift

    return register


def certified_radius(smoothing: Scheme, p_lower: ArrayLike, p_other_upper: ArrayLike | None, rows: int) -> Floats:
    """The largest shift, in the norm of the noise, that every label provably survives.

    Localized noise counts with its smallest scale and its rarest selection.

    Args:
        p_lower: lower bounds of the label's probability, any shape.
        p_other_upper: upper bounds of every other class's for the multi-class rule, None for the binary rule.
        rows: the most rows that move; under hierarchical noise all of them have to be selected.

    Returns:
        Radii of the same shape; 0 where nothing is certified. Sound side: never above the exact radius.
    """
    if not smoothing.norm:
        raise UnsupportedError(
            f"a radius is known under {measured_laws()} feature noise only; ask robust(…) for budgets of bits"
        )
    levels = smoothing.levels("features")
    worst = type(levels[0]).worst(levels)
    delta = selection_mass(worst.select, rows)
    return radius_given(worst.row, p_lower, p_other_upper, delta)


def radius_given(law: RealLaw, p_lower: ArrayLike, p_other_upper: ArrayLike | None, delta: Fraction) -> Floats:
    """`certified_radius` under one law, given that some moved row is not selected with probability δ."""
    p = probabilities(p_lower)
    other = None if p_other_upper is None else probabilities(p_other_upper)
    return (radius_of_law.get(law) or searched_radius)(law, p, other, delta)


def searched_radius(law: RealLaw, p_lower: Floats, p_other_upper: Floats | None, delta: Fraction) -> Floats:
    """Radii from a law's trade-off alone, which falls as the norm grows: a norm at which the rule was seen to hold.

    Args and returns: as in `certified_radius`, with the disjoint-support mass δ. Finite: at most 2³² scales.
    """
    other = np.full_like(p_lower, np.nan) if p_other_upper is None else p_other_upper
    pairs, place = np.unique(np.stack([p_lower.ravel(), other.ravel()]), axis=1, return_inverse=True, equal_nan=True)

    def holds(norm: float, p: float, rest: float) -> bool:
        shifted = with_disjoint_support(trade_off(law, shift=norm), delta)
        return float(shifted.lower(p)) > (0.5 if math.isnan(rest) else float(shifted.upper(rest)))

    found = np.array([_farthest(holds, law.scale, p, rest) for p, rest in pairs.T.tolist()])
    return np.asarray(found[place.ravel()].reshape(p_lower.shape))


def _farthest(holds: Callable[[float, float, float], bool], scale: float, p: float, rest: float) -> float:
    """The largest norm found at which a rule holds, 0 if it does nowhere."""
    if not holds(0.0, p, rest):
        return 0.0
    low, high = 0.0, scale
    while high < 2.0**32 * scale and holds(high, p, rest):
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle, p, rest) else (low, middle)
    return low
