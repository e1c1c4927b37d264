"""The half-spaces of shifts under Gaussian, uniform and Laplace noise (theory, section 5), with rounding that is proved."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.special import ndtri

from graphcert.errors import UnsupportedError
from graphcert.verification.node_bounds import NodeBounds
from graphcert.verification.prices import HalfSpaces, scaled_down, scaled_up
from graphcert.verification.real_laws import survives_shift
from graphcert.verification.schemes import OF_ALL_ROWS, REAL, read_scheme

SHIFT = "feature_shift"
"""The axis of budgets that are a norm of the change of all features."""

_TRIES = 30
_ONE, _NOTHING = Fraction(1), Fraction(0)


def norm_half_spaces(scheme: dict[str, Any], bounds: NodeBounds) -> tuple[HalfSpaces, bool]:
    """The half-spaces of all outputs over one axis per block, and whether budgets are squares of norms.

    What a group sees of a change depends on the changes in units of the scales alone. An output that survives every shift
    of norm t at scale 1 survives Σ_j b_j/σ_ij² ≤ t², b_j squared ℓ2 norms (Gaussian noise), or Σ_j b_j/s_ij ≤ t, b_j ℓ1
    norms (uniform and Laplace noise).

    Raises:
        UnsupportedError: under other noise, or if rows are selected.
    """
    views = read_scheme(scheme, bounds.labels.size)
    kind = views.features[0].kind
    if kind not in REAL or kind in OF_ALL_ROWS or any(law.select != 1 for law in views.features):
        raise UnsupportedError("half-spaces of a norm are checked under noise of real features of every row")
    squared = kind == "gaussian"
    power = 2 if squared else 1
    # Clusters that see every block alike are one view.
    rows, view = np.unique(views.feature_law, axis=0, return_inverse=True)
    weight = [[scaled_up(1 / views.features[law].numbers[0] ** power) for law in row] for row in rows.tolist()]
    rivals = [None] * bounds.labels.size if bounds.rivals is None else bounds.rivals.tolist()
    known: dict[tuple[float, float | None], int] = {}
    eta = []
    for pair in zip(bounds.p_lower.tolist(), rivals, strict=True):
        if pair not in known:
            known[pair] = scaled_down(proved_distance(kind, *pair) ** power)
        eta.append(known[pair])
    blocks = rows.shape[1]
    chains = np.zeros(bounds.labels.size, np.int64)
    spaces = HalfSpaces(view.ravel()[views.group], [eta], [weight], [0] * blocks, [None] * blocks, chains, False)
    return spaces, squared


def proved_distance(kind: str, label: float, other: float | None) -> Fraction:
    """A norm of shifts at scale 1 that a label is proved to survive, next to the largest; 0 if there is none.

    Floats guess it from below, and it is made smaller until it is proved.
    """
    rest = 1.0 - label if other is None else min(other, 1.0 - label)
    if not 0 < rest < label < 1:
        return _NOTHING
    rival, step = None if other is None else Fraction(other), 2.0**-46
    guess = _GUESSES[kind](label, rest)
    for _ in range(_TRIES):
        distance = Fraction(max(guess * (1.0 - step) - 2.0**-80, 0.0))
        if not distance or survives_shift(kind, _ONE, distance, _NOTHING, Fraction(label), rival):
            return distance
        step *= 4
    return _NOTHING


def _gaussian(label: float, rest: float) -> float:
    return float(ndtri(label) - ndtri(rest)) / 2


def _uniform(label: float, rest: float) -> float:
    return label - rest


def _laplace(label: float, rest: float) -> float:
    """Where the upper bounds of both sides add up to 1, by bisection."""
    low, high = 0.0, 800.0
    for _ in range(100):
        middle = (low + high) / 2
        total = _laplace_upper(middle, rest) + _laplace_upper(middle, 1.0 - label)
        low, high = (middle, high) if total < 1 else (low, middle)
    return low


def _laplace_upper(distance: float, q: float) -> float:
    """The most that an event of probability q can have after a shift."""
    fall = math.exp(-distance)
    if q >= 0.5:
        return 1 - fall * (1 - q)
    return q / fall if q <= fall / 2 else 1 - fall / (4 * q)


_GUESSES = {"gaussian": _gaussian, "uniform": _uniform, "laplace": _laplace}
