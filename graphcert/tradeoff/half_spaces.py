"""Half-spaces: robustness of a node as a linear inequality in the numbers of perturbed elements (theory, section 4).

A divergence that adds up over independently flipped elements bounds how far a perturbation moves the noise, and data
processing bounds how far it must move before the majority of a node can fall:

    Σ_axis w_axis · b_axis < η(p_lower)   ⇒   the label keeps its majority.

The weight w is the divergence caused by one flipped element (`order_weight`, rounded up), η the least divergence that
can take a majority of p_lower down to 1/2 (`order_eta`, rounded down). Every order gives a valid half-space, so a node is
attacked only if all of them are crossed.

Proof of η. Let s = P(S) ≥ p > q and suppose s' = P'(S) ≤ q; q = 1/2 unless a node tolerates less. Data processing gives
D_α(P'‖P) ≥ d_α(s'‖s), the same divergence of two coins; it falls in s' and rises in s while s' ≤ s, so it is at least
d_α(q‖p) = η_α(p). Likewise, mirrored, D_α(P‖P') ≥ d_α(s‖s') ≥ d_α(p‖q). A perturbation with a smaller divergence leaves
s' > q. ∎

Proof of η of pairs. Let A be the outcomes on which the label is given, B those of one other class, P(A) ≥ p > q ≥ P(B) and
p + q ≤ 1, and suppose P'(A) ≤ P'(B). There are randomised tests a ≤ 1_A and 1_B ≤ b ≤ 1 − a of masses p and q exactly under
P, and P'(a) ≤ P'(A) ≤ P'(B) ≤ P'(b). Data processing leaves three outcomes: (p, q, r), r = 1 − p − q, against some (x, y, z)
with x ≤ y. Somewhere on the way from (p, q, r) to (x, y, z) the first two are equal, and divergences are quasi-convex, so it
is at least D_α((s/2, s/2, 1 − s)‖(p, q, r)) for some s. With u = 2·M_{1−α}(p, q), M the power mean, this is

    ln( u^(1−α) s^α + r^(1−α) (1 − s)^α ) / (α − 1)  ≥  −ln(u + r)

by Hölder's inequality, with equality at s = u/(u + r). Mirrored, D_α((p, q, r)‖(s/2, s/2, 1 − s)) is
ln( u^α s^(1−α) + r^α (1 − s)^(1−α) ) / (α − 1) with u = 2·M_α(p, q), and at least α/(α − 1) · ln(u + r) likewise. ∎
"""

import math
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip, Interpreter, Law
from graphcert.tradeoff.base import Floats, probabilities


class Order(NamedTuple):
    """One Rényi divergence: of the perturbed law from the clean one, or `mirrored` the other way round."""

    alpha: float
    mirrored: bool = False


DEFAULT_ORDERS = (
    Order(0.66), Order(1.13), Order(1.48), Order(2.53), Order(7.43), Order(math.inf),
    Order(1.5, mirrored=True), Order(math.inf, mirrored=True),
)  # fmt: skip
"""Eight orders that together give nearly all that half-spaces can give; order 2 is never among the useful ones."""

_DECIMAL = Context(prec=80, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_DECIMAL_GUARD = Decimal(10) ** -40
"""Far above the error of 80 digits (below 1e-57 for any order that is not within 1e-16 of 1), far below a float's."""

_FLOAT_GUARD = 2.0**-48
"""32 roundings: more than log, product, sum and quotient below can lose together, relative to their largest term."""

_TINY = 1e-300
"""Probabilities between 0 and this are raised to it, so that none is denormal."""

Coin = tuple[Decimal, Decimal]
"""(P[z = 1], P[z = 0]) of one noisy element."""

coins_of_law: Interpreter[Callable[[Any], tuple[Coin, Coin]]] = Interpreter("half-space")
"""The coins of an element at 0 and of one at 1; a change turns one into the other."""


@coins_of_law.register(BernoulliFlip)
def _flipped(law: BernoulliFlip) -> tuple[Coin, Coin]:
    add, delete = Decimal(law.add), Decimal(law.delete)
    return (add, 1 - add), (1 - delete, delete)


@lru_cache(maxsize=4096)
def order_weight(law: Law, order: float, mirrored: bool = False) -> tuple[float, float]:
    """The divergence that one added, and one deleted, element causes: w_add and w_delete, rounded up.

    For a flip with clean probability a = P[z = 1] and perturbed b = P'[z = 1] (theory, section 4)

        w = ln( b^α a^(1−α) + (1−b)^α (1−a)^(1−α) ) / (α − 1),

    the Kullback–Leibler divergence for α = 1 and the largest log-ratio ln(P'/P) for α = ∞. Mirrored, a and b change
    places. (Mirrored ∞ is thus the negative of the smallest log-ratio.)

    Args:
        order: α > 0, math.inf included.
        mirrored: the divergence of the clean law from the perturbed one.

    Returns:
        (w_add, w_delete), each ≥ 0; inf where the divergence is infinite (such as additions under θ⁺ = 0 and α ≥ 1), 0
        where the law hides the change completely (θ⁺ + θ⁻ = 1). Sound side: never below the exact value.
    """
    alpha = checked_order(order)
    with localcontext(_DECIMAL):
        zero, one = coins_of_law.of(law)(law)
        from_zero, from_one = _divergence(one, zero, alpha), _divergence(zero, one, alpha)
    return (from_one, from_zero) if mirrored else (from_zero, from_one)


def order_eta(p_lower: ArrayLike, order: float, mirrored: bool = False, *, level: ArrayLike = 0.5) -> Floats:
    """The least divergence that takes a majority of `p_lower` down to `level` q, rounded down.

    η_α(p) = ln( q^α p^(1−α) + (1−q)^α (1−p)^(1−α) ) / (α − 1); at q = 1/2 it is −ln(4p(1−p))/2 for α = 1 and −ln(2(1−p))
    for α = ∞. Mirrored, p and q change places, so that ∞ gives ln(p/q). (Theory, section 4; proof at the head of this file.)

    Args:
        order, mirrored: as in `order_weight`; weights and η of one half-space take the same ones.
        level: q in [1/2, 1), rounded up; one number, or as many as there are majorities.

    Returns:
        η ≥ 0 of the shape of `p_lower`: 0 where p_lower ≤ level, inf only where p_lower = 1. Sound side: never above the
        exact value.
    """
    alpha = checked_order(order)
    p, q = probabilities(p_lower), np.asarray(level, dtype=np.float64)
    if q.shape not in ((), p.shape) or not ((q >= 0.5) & (q < 1)).all():
        raise InputError("level must be one number of at least 1/2 and below 1, or one per majority")
    surprise = -np.log(q)
    certain = surprise if mirrored else math.inf if alpha >= 1 else alpha * surprise / (1 - alpha)
    inside = (p > q) & (p < 1.0)
    # 1 − p is exact for p ≥ 1/2, so only the logarithms and what follows are rounded.
    between = np.where(inside, p, q)
    coin, target = (np.log(between), np.log1p(-between)), (np.full_like(p, -surprise), np.log1p(np.full_like(p, -q)))
    value = _two_point(coin, target, alpha) if mirrored else _two_point(target, coin, alpha)
    return np.maximum(np.where(inside, value, np.where(p == 1.0, certain * (1 - _FLOAT_GUARD), 0.0)), 0.0)


def pair_eta(p_lower: ArrayLike, p_other: ArrayLike, order: float, mirrored: bool = False) -> Floats:
    """The least divergence that takes the lead of a label of at least p over each class of at most q, rounded down.

    η_α(p, q) = −ln( 1 − p − q + 2·M_{1−α}(p, q) ), M_t the power mean of exponent t: the geometric mean for t = 0, the
    smaller one for t = −∞ (Li et al. 2019). Mirrored, α/(α − 1) · ln( 1 − p − q + 2·M_α(p, q) ); for α = 1 this is
    p ln p + q ln q − (p + q) ln((p + q)/2), for α = ∞ ln(1 + p − q). What is not the label is at most 1 − p, and with
    q = 1 − p this is `order_eta`. (Theory, section 4; proof at the head of this file.)

    Args:
        p_lower: lower bounds p of the label's probability, any shape.
        p_other: upper bounds q of the probability of every other class, of the same shape or one for all; those above
            1 − p count as 1 − p.
        order, mirrored: as in `order_weight`; weights and η of one half-space take the same ones.

    Returns:
        η ≥ 0 of the shape of `p_lower`: 0 where p ≤ q, inf only where p = 1. Sound side: never above the exact value, and
        never below `order_eta` of p.
    """
    alpha = checked_order(order)
    p, given = probabilities(p_lower), probabilities(p_other)
    if given.shape not in ((), p.shape):
        raise InputError("p_other must be one probability, or one per majority")
    binary = order_eta(p, alpha, mirrored)
    # 1 − p is exact for p ≥ 1/2; elsewhere it exceeds p, and what is above p counts for nothing.
    q = np.minimum(given, 1.0 - p)
    inside = (p > q) & (p < 1.0)  # a label that is always given is known to `order_eta`
    high = np.where(inside, p, 0.75)
    low = np.where(inside, np.where(q > 0, np.maximum(q, _TINY), 0.0), 0.25)
    inside &= high > low
    if mirrored and alpha == 1:
        middle = (high + low) / 2
        value = high * np.log(high / middle) + low * np.log(np.where(low > 0, low, middle) / middle)
        lost = np.full_like(value, 4 * _FLOAT_GUARD)
    else:
        factor = -1.0 if not mirrored else 1.0 if math.isinf(alpha) else alpha / (alpha - 1)
        mean, doubt = _power_mean(high, low, alpha if mirrored else 1.0 - alpha)
        # 1 − p − q has a relative error of few roundings, or terms of at least 1/4 beside it.
        whole = (1.0 - high - low) + 2 * mean
        value = factor * np.log(whole)
        lost = _FLOAT_GUARD * (abs(factor) * (8 + doubt * (2 * mean / whole)) + np.abs(value))
    return np.maximum(binary, np.where(inside, value - lost, 0.0))


def _power_mean(high: Floats, low: Floats, exponent: float) -> tuple[Floats, Floats]:
    """M_t of two numbers, high > low ≥ 0 and low no less than `_TINY` unless it is 0, and its relative error.

    The error is at most `_FLOAT_GUARD` times what is returned. M_t = high · ((1 + e^−h)/2)^(1/t) with h = t ln(high/low),
    and from the other end if t < 0.
    """
    size = abs(exponent)
    with np.errstate(divide="ignore"):
        distance = -np.log(low / high)
    if math.isinf(exponent):
        return (high if exponent > 0 else low), np.zeros_like(high)
    if size < _TINY:  # as far from 0 as floats tell
        return np.sqrt(high) * np.sqrt(low), 1.0 + np.zeros_like(high)
    with np.errstate(over="ignore", invalid="ignore"):
        step = -np.log1p(np.expm1(-size * distance) / 2) / size
        mean = (
            high * np.exp(-step) if exponent > 0 else np.where(low > 0, low * np.exp(np.where(low > 0, step, 0.0)), 0.0)
        )
    doubt = 1.0 + np.minimum(distance, 1.0 / size)
    return mean, doubt


def mean_variance_eta(mean_lower: ArrayLike, variance_upper: ArrayLike) -> Floats:
    """η of the published localized certificate, for the class of largest mean score (Schuchardt et al. 2023).

    η = ln( 1 + (μ − 1/2)² / σ² ), to be used with `order_weight(law, 2)`. By Cauchy and Schwarz a perturbation that
    lowers the mean score from μ to 1/2 has a χ²-divergence of at least (μ − 1/2)²/σ², and D_2 = ln(1 + χ²).

    The two bounds hold jointly; variances above μ_lower(1 − μ_lower), which no score in [0, 1] of a larger mean exceeds, are
    lowered to it. η ≥ 0 has the broadcast shape; it is 0 where mean_lower ≤ 1/2, because there the square would forget the
    sign. Sound side: never above the exact value.
    """
    mean = probabilities(mean_lower)
    variance = np.asarray(variance_upper, dtype=np.float64)
    if not np.all(variance >= 0):
        raise InputError("the variance of a score must be a number of at least 0, and NaN is not one")
    majority = np.where(mean > 0.5, mean, 0.75)
    variance = np.where(variance > 0, np.maximum(variance, 1e-300), 0.0)  # no overflow to a false infinity
    cap = majority * (1 - majority) * (1 + _FLOAT_GUARD)
    with np.errstate(divide="ignore"):
        eta = np.log1p((majority - 0.5) ** 2 / np.minimum(variance, cap)) * (1 - _FLOAT_GUARD)
    return np.where(mean > 0.5, eta, 0.0)


def checked_order(order: float) -> float:
    """Return the order of a divergence as a float above 0 or infinite; raises `InputError` for anything else."""
    alpha = float(order)
    if not alpha > 0:
        raise InputError(f"the order of a divergence must be a positive number or math.inf, got {order!r}")
    return alpha


def _divergence(moved: Coin, clean: Coin, alpha: float) -> float:
    """D_α of two coins, each given as (mass of one, mass of zero); inside the decimal context; rounded up."""
    if moved == clean:
        return 0.0
    sides = [(b, a) for b, a in zip(moved, clean, strict=True) if b]
    if any(not a for _, a in sides) and alpha >= 1:
        return math.inf
    shared = [(b.ln(), a.ln()) for b, a in sides if a]
    if not shared:  # nothing in common, which orders below 1 notice last
        return math.inf
    order = Decimal(alpha)
    if alpha == 1:
        value = sum((b.exp() * (b - a) for b, a in shared), Decimal(0))
    elif math.isinf(alpha):
        value = max(b - a for b, a in shared)
    else:
        value = sum(((order * b + (1 - order) * a).exp() for b, a in shared), Decimal(0)).ln() / (order - 1)
    bound = max(value, Decimal(0)) * (1 + _DECIMAL_GUARD) + _DECIMAL_GUARD
    nearest = float(bound)
    return nearest if Decimal(nearest) >= bound else math.nextafter(nearest, math.inf)


def _two_point(top: tuple[Floats, Floats], bottom: tuple[Floats, Floats], alpha: float) -> Floats:
    """d_α(top‖bottom) of two coins given by the logarithms of their two masses, all positive; rounded down."""
    ratios = [t - b for t, b in zip(top, bottom, strict=True)]
    largest, steepness = 1.0 - top[1] - bottom[1], 1.0
    if alpha == 1:
        value = sum(np.exp(t) * ratio for t, ratio in zip(top, ratios, strict=True))
    elif math.isinf(alpha):
        value = np.maximum(*ratios)
    else:
        value = np.logaddexp(*(alpha * t + (1 - alpha) * b for t, b in zip(top, bottom, strict=True))) / (alpha - 1)
        largest, steepness = 1.0 - alpha * top[1] - abs(1 - alpha) * bottom[1], 1.0 / abs(alpha - 1)
    bound: Floats = value - _FLOAT_GUARD * largest * steepness
    return bound
