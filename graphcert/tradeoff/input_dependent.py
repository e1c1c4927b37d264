"""Certified radii where the noise depends on the input (theory section 5; Súkeník, Kuvshinov & Günnemann 2022).

σ(x) is r-semi-elastic: |ln σ(x) − ln σ(x')| ≤ r‖x − x'‖. The input x has noise σ = σ(x); at a distance R the adversary
also chooses the noise, any σ√s with |ln s| ≤ 2rR. In units of σ the likelihood ratio of the two laws grows with z₁ − κ‖z‖²,
κ = (1 − s)/(2R): the worst event is a ball (s < 1), or the outside of one. The label is lost only if this event, made so
large that the law around x' gives it 1/2, has a clean probability of at most p_other. Its boundary then passes through the
median of an L of `curved_tail`, so

    robust at (R, s)   ⟺   P(L_κ ≥ θ) > p_other,     θ = R(1 + s)/2 + s^(3/2) · median(L_{κ/√s}) + κN(1 − s)

This is the condition ξ < 1/2 of the paper, solved for the perturbed median in place of the clean quantile.

*The ends suffice.* Let the worst event for (R, s) reach 1/2. (1) For s < 1 it is convex and holds half of a law that is
symmetric around x'. So x' lies in it, and less noise around x' gives it more. For s > 1 its complement is convex and holds
at most half: if x' lies in the complement, more noise leaves it less; if not, the complement lies in a half-space without
x' and has less than half under any noise. So an attack at s succeeds at every s' further from 1. (2) Move x' away from x.
For s < 1 let the event follow once x' has come to its centre, which takes clean mass from it (Anderson 1955); for s > 1 the
complement loses mass. So an attack at R succeeds at every larger distance. Hence: robust at R with both ends s = exp(±2rR)
means robust at every x' within R, and the radius falls as r, p_other or the allowance for rounding grow.

*The law of L.* L = U − κ(‖Z‖² − N): Z is standard normal in N dimensions and U its first coordinate. For κ → 0 this is
U itself; otherwise a non-central χ² in disguise, L = 1/(4κ) + κN − κ·χ²_N(λ = 1/(4κ²)), with mean 0 and variance 1 + 2Nκ².
Library routines for the non-central χ² lose all digits where λ is large, where noise hardly depends on the input.

*Method.* With K(z) = ln E exp(zL) = z²/(2(1 + 2κz)) + N/2 · (2κz − ln(1 + 2κz)),

    P(L ≥ θ) = 1/(2πi) ∫ exp(K(z) − zθ) dz/z          (left of 0 the integral is P(L ≥ θ) − 1)

along a parabola through the saddle point, bent as the path of steepest descent is there (Daniels 1987 on saddle points; the
trapezoidal rule converges exponentially for such integrals, Trefethen & Weideman 2014). Near the pole at 0 the path
crosses the axis one standard deviation away from it.
"""

from typing import SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import lambertw, ndtri

from graphcert.errors import InputError
from graphcert.noise.elastic import SLACK
from graphcert.tradeoff.base import Floats, probabilities
from graphcert.tradeoff.gaussian import FLOOR
from graphcert.tradeoff.gaussian import GUARD as QUANTILE_GUARD

MOST_DIMENSIONS = 10**7

GUARD = 2.0**-32
"""Relative allowance for a computed probability: a hundred times the largest error seen against 25 digits, for N from 1 to
10⁷, |κ| up to `MOST_CURVED` and probabilities above 1e-20 (the tests repeat the comparison)."""

MOST_CURVED = 1024.0
"""The largest |κ| for which the comparison was made; beyond it, NaN is returned."""

_NODES = 112
_FEWER_NODES = 80
"""Enough for dimensions of at least `_SEVERAL`."""
_SEVERAL = 10
_REACH = 12.0
"""The path is followed for so many standard deviations of the saddle point's Gaussian."""
_QUADRATIC = 1e-6

_STEPS = 60
_CLOSE = 2.0**-30
"""The search ends this near to the crossing, as a difference of normal quantiles."""
_ROUNDING = 2.0**-40
"""Allowance for the rounding of θ and κ, relative to their terms and to the spread of L."""
_LEAST = 1e-300
"""Below every p_other, so that a mass of 0 has a quantile."""
_CHUNK = 2048


def input_dependent_radius(
    p_other: ArrayLike, sigma: ArrayLike, dimension: SupportsIndex, elasticity: SupportsFloat
) -> Floats:
    """How far an input can be moved before its label may change, if the noise depends on the input.

    The radius is sup {R : both ends of the noise at distance R are survived}, by a bracketed search that returns a distance
    at which the rule was *seen* to hold. Probabilities come from a contour integral (`curved_tail`) whose relative error
    was below 1e-11 in every comparison. Charged are a relative 2⁻³² of every probability, 2⁻³⁰ standard deviations of the
    median, a relative 2⁻⁴⁰ of θ, and 2⁻³² in ln σ for the rounding of σ(x). NaN counts as not robust.

    Args:
        p_other: upper bounds of the mass of *all* other classes, 1 − p_lower rounded up (`Certificate.p_other_upper` of the
            binary rule); the runner-up's mass alone would be unsound.
        sigma: σ(x) > 0 around the clean inputs, broadcast against `p_other`.
        dimension: N, the number of entries of an input, up to 10⁷.
        elasticity: r ≥ 0 of σ(x), as in `elastic_sigma`; 0 is constant noise, with the radius σΦ⁻¹(1 − p_other).

    Returns:
        ℓ2 radii ≥ 0 of the broadcast shape, 0 where nothing is certified. Sound side: below the exact radius; within 1e-6 σ
        of it for p_other above 1e-15. Always finite: p_other below 2⁻⁶⁴ counts as 2⁻⁶⁴.

    Raises:
        InputError: if an argument is outside its domain.
    """
    rate, n = float(elasticity), _dimension(dimension)
    if not 0 <= rate < np.inf:
        raise InputError(f"the elasticity must be a finite number of at least 0, got {elasticity!r}")
    deviation = np.asarray(sigma, dtype=np.float64)
    if not np.all((deviation > 0) & (deviation < np.inf)):
        raise InputError("every standard deviation 'sigma' must be a finite number above 0")
    p, deviation = np.broadcast_arrays(np.maximum(probabilities(p_other), FLOOR), deviation)
    constant = np.maximum(-ndtri(p) - 4 * QUANTILE_GUARD, 0.0) * (1 - QUANTILE_GUARD)
    if rate == 0:
        return np.asarray(constant * deviation * (1 - QUANTILE_GUARD))
    flat, elastic = constant.ravel().copy(), (rate * deviation).ravel() * (1 + 2.0**-50)
    for first in range(0, flat.size, _CHUNK):
        part = slice(first, first + _CHUNK)
        flat[part] = _search(p.ravel()[part], flat[part], elastic[part], n)
    return np.asarray(flat.reshape(p.shape) * deviation * (1 - QUANTILE_GUARD))


def _search(p_other: Floats, upper: Floats, rate: Floats, dimension: int) -> Floats:
    """Distances in units of σ up to `upper` at which `_reserve` was seen to be positive, by regula falsi and halvings."""
    low, high = np.zeros_like(upper), upper.copy()
    at_low, at_high = -ndtri(p_other), _reserve(upper, p_other, rate, dimension)
    last = np.zeros(upper.shape, dtype=np.bool_)
    todo = np.flatnonzero(upper > 0)
    for step in range(_STEPS):
        if todo.size == 0:
            break
        a, b, reserve, lack = low[todo], high[todo], at_low[todo], at_high[todo]
        # Aim a little inside of the crossing, so that the rule is seen to hold there.
        share = (reserve - _CLOSE / 2) / (reserve - lack)
        known = np.isfinite(share) & (share > 0) & (share < 1) & (step % 4 < 3)
        guess = a + np.where(known, share, 0.5) * (b - a)
        found = _reserve(guess, p_other[todo], rate[todo], dimension)
        holds = found > 0  # NaN does not
        low[todo], high[todo] = np.where(holds, guess, a), np.where(holds, b, guess)
        # An end that stays for a second time counts half (the Illinois rule).
        weight = np.where((holds == last[todo]) & (step > 0), 0.5, 1.0)
        at_low[todo] = np.where(holds, found, reserve * weight)
        at_high[todo] = np.where(holds, lack * weight, found)
        last[todo] = holds
        todo = todo[~(holds & (found < _CLOSE)) & (high[todo] - low[todo] > 2.0**-40 * high[todo])]
    return low


def _reserve(distance: Floats, p_other: Floats, rate: Floats, dimension: int) -> Floats:
    """Φ⁻¹ of the least clean mass of an event that takes the label away at a distance R, minus Φ⁻¹(p_other)."""
    with np.errstate(all="ignore"):  # what overflows becomes NaN, which holds nowhere
        widest = 2 * (rate * distance + SLACK)
        mass = np.minimum(_clean_mass(distance, -widest, dimension), _clean_mass(distance, widest, dimension))
        reserve: Floats = ndtri(np.maximum(mass * (1 - GUARD), _LEAST)) - ndtri(p_other) * (1 + QUANTILE_GUARD)
    return reserve


def _clean_mass(distance: Floats, log_s: Floats, dimension: int) -> Floats:
    """P(L_κ ≥ θ) with θ rounded up: what an event that gets half of the law at (R, s) has under the clean one."""
    s, less = np.exp(log_s), -np.expm1(log_s)
    kappa = less / (2 * distance)
    median = curved_median(kappa * np.exp(-log_s / 2), dimension)
    shift, curved, inflated = distance * (1 + s) / 2, s * np.sqrt(s) * median, kappa * dimension * less
    spread = np.sqrt(1 + 2 * dimension * kappa**2)
    theta = shift + curved + inflated + _ROUNDING * (shift + np.abs(curved) + inflated + spread)
    mass, _ = curved_tail(theta, kappa, dimension)
    return mass


def input_dependent_threshold(dimension: SupportsIndex, p_other: ArrayLike, side: str = "below") -> Floats:
    """The ratio σ(x')/σ(x) beyond which nothing can be certified however near x' is (theory section 5).

    With s the squared ratio, nothing is certified for σ(x') < σ(x) if ln s + 1 − s < 2 ln(p_other)/N, and for σ(x') > σ(x)
    if the same holds of s(N − 1)/N in place of s. The thresholds tend to 1 as N grows: noise may hardly change in high
    dimension. These are necessary conditions, for choosing an elasticity; radii come from `input_dependent_radius`.

    Args:
        dimension: N, up to 10⁷.
        p_other: the mass of all other classes, in (0, 1).
        side: "below" for the ratio under 1, "above" for the one over 1 (infinite for N = 1).

    Returns:
        Ratios of the shape of `p_other`, a float for a number; accurate to 1e-12.

    Raises:
        InputError: if an argument is outside its domain.
    """
    n, p = _dimension(dimension), probabilities(p_other)
    if not np.all((p > 0) & (p < 1)):
        raise InputError("a threshold needs masses of the other classes strictly between 0 and 1")
    if side not in ("below", "above"):
        raise InputError(f"the side of a threshold is 'below' or 'above', got {side!r}")
    # ln y + 1 − y = v  ⟺  (−y) exp(−y) = −exp(v − 1), whose branches are y < 1 and y > 1; near 1 a series.
    v, sign, branch = 2 * np.log(p) / n, *((-1, 0) if side == "below" else (1, -1))
    root = sign * np.sqrt(-2 * v)
    series = 1 + root + root**2 / 3 + root**3 / 36 - root**4 / 270
    squared = np.where(v > -1e-4, series, -lambertw(-np.exp(v - 1), branch).real)
    if side == "above":
        squared = squared * n / (n - 1) if n > 1 else np.full_like(squared, np.inf)
    ratio: Floats = np.sqrt(squared)[()]
    return ratio


def _dimension(dimension: SupportsIndex) -> int:
    if isinstance(dimension, bool) or not hasattr(dimension, "__index__"):
        raise InputError(f"the dimension of the inputs must be a whole number, got {dimension!r}")
    if not 1 <= dimension.__index__() <= MOST_DIMENSIONS:
        raise InputError(f"the dimension of the inputs must lie between 1 and {MOST_DIMENSIONS:,}, got {dimension!r}")
    return dimension.__index__()


@np.errstate(all="ignore")  # outside of the support and of the tested curvature the answer is NaN
def curved_tail(theta: Floats, kappa: Floats, dimension: int) -> tuple[Floats, Floats]:
    """P(L ≥ θ) and the density of L at θ.

    Neither is rounded to a side; NaN where θ is outside the support of L or |κ| above `MOST_CURVED`. The relative error of
    the probability is far below `GUARD` where it is above 1e-20.
    """
    n = float(dimension)
    variance = 1 + 2 * n * kappa**2
    # K'(c) = θ is quadratic in 1 − 1/(1 + 2κc).
    root = variance + np.sqrt(variance**2 - 4 * kappa * theta)
    saddle = 2 * theta / (root - 4 * kappa * theta)
    scale = 1 + 2 * kappa * saddle
    # K is finite on a half-line. Where the saddle point is too near 0, the path goes through the side without an end.
    left = (kappa < 0) & (saddle * np.sqrt(1 / scale**3 + 2 * n * kappa**2 / scale**2) < 1)
    deviation = 1 / np.sqrt(variance)
    right = np.where(kappa < 0, saddle, np.maximum(saddle, deviation))
    crossing = np.where(left, np.minimum(saddle, -deviation), right)
    scale = 1 + 2 * kappa * crossing
    gamma = n * kappa**2 / scale**2
    second = 1 / scale**3 + 2 * gamma
    bend = -kappa / scale * (1 / scale**3 + 4 / 3 * gamma) / second
    nodes = _NODES if dimension < _SEVERAL else _FEWER_NODES
    step = _REACH / nodes / np.sqrt(second)
    y = step[..., None] * (np.arange(nodes) + 0.5)
    along = 1j + 2 * bend[..., None] * y
    z = crossing[..., None] + bend[..., None] * y**2 + 1j * y
    w = 2 * kappa[..., None] * z
    exponent = z**2 / (2 * (1 + w)) + n / 2 * (w - _log1p(w)) - z * theta[..., None]
    values = np.exp(exponent) * along
    inside = (variance**2 >= 4 * kappa * theta) & (scale > 0) & (np.abs(kappa) <= MOST_CURVED)
    tail, density = (np.where(inside, part.imag.sum(axis=-1) * step / np.pi, np.nan) for part in (values / z, values))
    return tail + left, density


def _log1p(w: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """ln(1 + w) with an absolute error of an ulp of |w|, on the principal branch, which the path never leaves."""
    modulus = np.log1p(w.real * (2 + w.real) + w.imag**2) / 2
    return modulus + 1j * np.arctan2(w.imag, 1 + w.real)


def curved_median(kappa: Floats, dimension: int) -> Floats:
    """A point above the median of L, by at most 1e-8 standard deviations; NaN where that was not verified.

    Newton's method from the first term of the Cornish–Fisher expansion, then a step outward whose tail is checked.
    """
    gamma = dimension * kappa**2
    spread = np.sqrt(1 + 2 * gamma)
    point = kappa * (1 + 4 / 3 * gamma) / spread**2
    for _ in range(4):
        tail, density = curved_tail(point, kappa, dimension)
        point = point + (tail - 0.5) / density
        if np.all(np.abs(tail - 0.5) < _QUADRATIC):  # the step has squared this
            break
    point = point + 4 * GUARD * spread
    tail, _ = curved_tail(point, kappa, dimension)
    return np.where(tail * (1 + GUARD) <= 0.5, point, np.nan)
