"""The law of a Gaussian coordinate on a curved scale, L = U − κ(‖Z‖² − N), which decides input-dependent noise.

Z is standard normal in N dimensions and U its first coordinate. For κ → 0 this is U itself; otherwise it is a non-central χ²
in disguise, L = 1/(4κ) + κN − κ·χ²_N(λ = 1/(4κ²)), with mean 0 and variance 1 + 2Nκ² whatever λ is. Library routines for
the non-central χ² lose all digits where λ is large, that is, where noise hardly depends on the input.

*Method.* With K(z) = ln E exp(zL) = z²/(2(1 + 2κz)) + N/2 · (2κz − ln(1 + 2κz)),

    P(L ≥ θ) = 1/(2πi) ∫ exp(K(z) − zθ) dz/z          (left of 0 the integral is P(L ≥ θ) − 1)

along a parabola through the saddle point, bent as the path of steepest descent is there (Daniels 1987 on saddle points; the
trapezoidal rule converges exponentially for such integrals, Trefethen & Weideman 2014). Near the pole at 0 the path
crosses the axis one standard deviation away from it.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

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


@np.errstate(all="ignore")  # outside of the support and of the tested curvature the answer is NaN
def curved_tail(theta: Floats, kappa: Floats, dimension: int) -> tuple[Floats, Floats]:
    """P(L ≥ θ) and the density of L at θ.

    Args:
        theta: θ, any shape.
        kappa: κ, of the same shape, of either sign.
        dimension: N ≥ 1.

    Returns:
        The probability and the density, neither rounded to a side; NaN where θ is outside the support of L or |κ| above
        `MOST_CURVED`. The relative error of the probability is far below `GUARD` where it is above 1e-20.
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
    crossing = np.where(
        left, np.minimum(saddle, -deviation), np.where(kappa < 0, saddle, np.maximum(saddle, deviation))
    )
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
