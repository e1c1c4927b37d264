"""Certified radii under Gaussian noise (theory sections 5 and 6; Cohen et al. 2019; Scholten et al. 2023)."""

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from graphcert.errors import UnsupportedError
from graphcert.noise import Gaussian, Scheme, Selected
from graphcert.tradeoff.base import Floats, probabilities
from graphcert.tradeoff.gaussian import FLOOR, GUARD

_FARTHEST = 80.0
"""Beyond any distance that a probability below 1 withstands: Φ⁻¹ of a float is less than 9 from 0 on that side."""

_HALVINGS = 48


def worst_gaussian(smoothing: Scheme) -> tuple[float, float]:
    """The smallest probability of selection and the smallest σ among the levels of feature noise.

    Raises:
        UnsupportedError: if the features do not carry Gaussian noise.
    """
    levels = smoothing.levels("features")
    laws = [level.law if isinstance(level, Selected) else level for level in levels]
    sigmas = [law.sigma for law in laws if isinstance(law, Gaussian)]
    if not sigmas:  # levels are of one kind
        raise UnsupportedError("a radius is known under Gaussian feature noise only; ask robust(…) for budgets of bits")
    return min(getattr(level, "select", 1.0) for level in levels), min(sigmas)


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
