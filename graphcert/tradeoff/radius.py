"""Certified radii under Gaussian and uniform noise (theory, sections 5 and 6; Cohen et al. 2019; Scholten et al. 2023)."""

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from graphcert.errors import UnsupportedError
from graphcert.noise import CONTINUOUS, Gaussian, Scheme, Selected, Uniform
from graphcert.noise.dominance import dominating
from graphcert.tradeoff.base import Floats, probabilities
from graphcert.tradeoff.escape import selection_escape
from graphcert.tradeoff.gaussian import FLOOR, GUARD

_FARTHEST = 80.0
"""Beyond any distance that a probability below 1 withstands: Φ⁻¹ of a float is less than 9 from 0 on that side."""

_HALVINGS = 48

_ALLOWANCE = 2.0**-46


def certified_radius(smoothing: Scheme, p_lower: ArrayLike, p_other_upper: ArrayLike | None, rows: int) -> Floats:
    """The largest shift, in the norm of the noise, that every label provably survives.

    Localized noise counts with its smallest scale and its rarest selection.

    Args:
        smoothing: any scheme.
        p_lower: lower bounds of the label's probability, any shape.
        p_other_upper: upper bounds of every other class's for the multi-class rule, None for the binary rule.
        rows: the most rows that move; under hierarchical noise all of them have to be selected.

    Returns:
        Radii of the same shape; 0 where nothing is certified. Sound side: never above the exact radius.

    Raises:
        UnsupportedError: if the features carry neither Gaussian nor uniform noise.
    """
    levels = smoothing.levels("features")
    if not all(
        isinstance(level.law if isinstance(level, Selected) else level, CONTINUOUS) for level in levels or [None]
    ):
        raise UnsupportedError(
            "a radius is known under Gaussian and uniform feature noise only; ask robust(…) for budgets of bits"
        )
    worst = dominating(levels)
    select, law = (worst.select, worst.law) if isinstance(worst, Selected) else (1.0, worst)
    delta = selection_escape(select, rows)
    if isinstance(law, Uniform):
        return uniform_radius(p_lower, law.half_width, delta, p_other_upper)
    assert isinstance(law, Gaussian)
    if p_other_upper is None:
        return gaussian_radius(p_lower, law.sigma, delta)
    return gaussian_radius_multiclass(p_lower, p_other_upper, law.sigma, delta)


def uniform_radius(
    p_lower: ArrayLike, half_width: float, delta: Fraction = Fraction(0), p_other_upper: ArrayLike | None = None
) -> Floats:
    """The largest ℓ1 shift that a majority provably survives under uniform noise; by the multi-class rule with pB.

    Both rules ask that the escape be smaller than a margin m: m = p − 1/2, or (pA − pB)/2 (theory, section 5). The escape
    is 1 − (1 − δ)(1 − R/(2λ)), so R = 2λ (1 − (1 − m)/(1 − δ)), which is 2λm = λ(2p − 1) if no row escapes. The allowance
    of 2⁻⁴⁶ is more than what rounding does here and in `Escape`.

    Args:
        p_lower: lower bounds of the label's probability.
        half_width: λ.
        delta: the probability that some perturbed row is not noised, see `Escape`.
        p_other_upper: upper bounds of every other class's, of the same shape; None for the binary rule.

    Returns:
        Radii ≥ 0 of the same shape, at most λ; 0 where nothing is certified. Sound side: below the exact radius.
    """
    p = probabilities(p_lower)
    margin = p - 0.5 if p_other_upper is None else (p - probabilities(p_other_upper)) / 2
    if delta == 1:
        return np.zeros_like(p)
    radius: Floats = np.maximum(1.0 - (1.0 - margin) / float(1 - delta) - _ALLOWANCE, 0.0) * (2 * half_width)
    return radius


def gaussian_radius(p_lower: ArrayLike, sigma: float, delta: Fraction = Fraction(0)) -> Floats:
    """The largest shift that a majority of `p_lower` provably survives, by the binary rule (theory, sections 5 and 6).

    R = σ (Φ⁻¹((p − δ)/(1 − δ)) − Φ⁻¹(1/(2(1 − δ)))), which is σ Φ⁻¹(p) if nothing escapes. Quantiles are taken of the
    complements, which floats hold to full relative accuracy; a relative error e there moves a quantile by at most 1.26e.

    Args:
        p_lower: lower bounds of the label's probability, any shape.
        sigma: standard deviation of the noise on every entry.
        delta: the probability that some perturbed row is not noised, see `Escape`.

    Returns:
        Radii ≥ 0 of the same shape; 0 where nothing is certified, inf where p_lower = 1. Sound side: below the exact
        radius, so that the label survives every shift of at most so much.
    """
    p = probabilities(p_lower)
    if delta >= Fraction(1, 2):
        return np.zeros_like(p)
    share, rest = float(1 - delta), float((1 - 2 * delta) / (2 * (1 - delta)))
    outside = np.minimum((1.0 - p) / share, 1.0)
    distance = ndtri(rest) - ndtri(outside) - 4 * GUARD
    radius: Floats = np.where(outside < rest, np.maximum(distance, 0.0) * sigma * (1 - GUARD), 0.0)
    return radius


def gaussian_radius_multiclass(
    p_lower: ArrayLike, p_other_upper: ArrayLike, sigma: float, delta: Fraction = Fraction(0)
) -> Floats:
    """The same by the multi-class rule, lower(pA) > upper(pB); σ/2 (Φ⁻¹(pA) − Φ⁻¹(pB)) if nothing escapes.

    With an escape there is no closed form. The rule holds up to some distance and not beyond, so that is bisected; the
    answer is a distance at which the rule was seen to hold with a margin above every rounding error.

    Args:
        p_lower: lower bounds of the label's probability.
        p_other_upper: upper bounds of every other class's, of the same shape.
        sigma, delta: as in `gaussian_radius`.

    Returns:
        Radii as there, but finite.
    """
    first, second = probabilities(p_lower), probabilities(p_other_upper)
    share, escaped = float(1 - delta), float(delta)
    if share <= 0.5:
        return np.zeros_like(first)
    label, other = (ndtri(np.minimum(np.maximum(q, FLOOR) / share, 1.0)) for q in (1.0 - first, second))

    def holds(distance: Floats) -> NDArray[np.bool_]:
        # lower(pA) − upper(pB), in probabilities: (1 − δ)(Φ(a − μ) − Φ(b + μ)) − δ.
        return np.asarray(share * (ndtr(-label - distance) - ndtr(other + distance)) - escaped > 4 * GUARD)

    low, high = np.zeros_like(first), np.full_like(first, _FARTHEST)
    certified = holds(low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        inside = holds(middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    radius: Floats = np.where(certified, low * sigma * (1 - GUARD), 0.0)
    return radius
