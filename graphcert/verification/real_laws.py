"""What survives a shift under noise of real features or random turns, proved (theory, sections 5, 6 and 13)."""

import math
from fractions import Fraction

from scipy import special

from graphcert.verification.enclosures import exp_bounds, normal_bounds

_TRIES = 60
_SMALLEST = Fraction(1, 2**90)
"""Smaller masses are raised to it: Φ is enclosed to 2⁻¹¹⁰."""


def survives_shift(
    kind: str, scale: Fraction, shift: Fraction, delta: Fraction, label: Fraction, other: Fraction | None
) -> bool:
    """Whether a label is proved to survive every shift of at most a norm: > 1/2, or > every other class, under P'.

    Args:
        kind: "gaussian" (ℓ2 norm), "uniform" or "laplace" (ℓ1 norm), "turn" (the angle) or "rotation" (‖R − I‖).
        scale: σ, λ or the scale of Laplace noise, the smallest one if there are several.
        shift: the norm, > 0.
        delta: the probability that some moved row is not noised, and shows itself.
        label: a lower bound of the label's probability.
        other: an upper bound of every other class's, None for the binary rule.
    """
    shift = min(shift, _FARTHEST.get(kind, shift))
    low = 1 - shifted_upper(kind, scale, shift, delta, 1 - label)
    return 2 * low > 1 or (other is not None and low > shifted_upper(kind, scale, shift, delta, other))


def shifted_upper(kind: str, scale: Fraction, shift: Fraction, delta: Fraction, q: Fraction) -> Fraction:
    """An upper bound of the P'-mass of an event of P-mass q: all of δ, and the most of what both laws show."""
    if q + delta >= 1:
        return Fraction(1)
    return delta + (1 - delta) * _UPPER[kind](shift / scale, q / (1 - delta))


def quantile_above(q: Fraction) -> float | None:
    """A z, a few roundings above Φ⁻¹(q), for which Φ(z) ≥ q is proved; None if none of `_TRIES` tries was, as for q = 1."""
    q = max(q, _SMALLEST)
    guess = float(special.ndtri(float(q))) if 2 * q <= 1 else -float(special.ndtri(float(1 - q)))
    tries = (guess + 2.0 ** (doubling - 52) * max(1.0, abs(guess)) for doubling in range(_TRIES))
    return next((z for z in tries if math.isfinite(z) and normal_bounds(Fraction(z))[0] >= q), None)


def _gaussian(distance: Fraction, q: Fraction) -> Fraction:
    """Φ(Φ⁻¹(q) + μ)."""
    z = quantile_above(q) if q > 0 else None
    return Fraction(q > 0) if z is None else normal_bounds(Fraction(z) + distance)[1]


def _uniform(distance: Fraction, q: Fraction) -> Fraction:
    """q + TV, where boxes around the two inputs differ most if one coordinate takes the whole shift."""
    return min(Fraction(1), q + distance / 2)


def _laplace(distance: Fraction, q: Fraction) -> Fraction:
    """The least of the pieces that lie above: lines touch the concave function, and between their ends there is a curve."""
    if distance > 1000:
        return Fraction(q > 0)
    rise, (fall, fall_above) = exp_bounds(distance)[1], exp_bounds(-distance)
    pieces = [Fraction(1), rise * q, 1 - fall * (1 - q)]
    if fall_above <= 2 * q <= 1:
        pieces.append(1 - fall / (4 * q))
    return min(pieces)


_UPPER = {
    "gaussian": _gaussian, "uniform": _uniform, "laplace": _laplace, "rotation": _gaussian, "turn": _gaussian,
}  # fmt: skip

_FARTHEST = {"rotation": Fraction(2828427124746191, 10**15), "turn": Fraction(3141592653589794, 10**15)}
"""The size of a turn by 180°, rounded up: 2√2 and π. No turn is larger."""
