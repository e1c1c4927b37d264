"""What every statistical statement is given: an error rate α, and counts."""

from decimal import ROUND_FLOOR, Context, Decimal
from numbers import Real
from typing import SupportsFloat

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError


def check_rate(alpha: SupportsFloat) -> float:
    """Return `alpha` as a float strictly between 0 and 1; raises `InputError` for anything else, NaN included."""
    if not isinstance(alpha, Real) or not 0 < float(alpha) < 1:
        raise InputError(f"the error rate alpha must lie strictly between 0 and 1, got {alpha!r}")
    return float(alpha)


def check_level(alpha: SupportsFloat) -> float:
    """Return the error rate of claims as a float above 0 and below 1/2; raises `InputError` for anything else.

    Claims that may be wrong half of the time are claims whose `alpha` was taken for a confidence. A single bound may have
    any rate in (0, 1).
    """
    level = check_rate(alpha)
    if level >= 0.5:
        meant = f"; for {level:.4g} confidence give alpha={1 - level:.4g}" if level > 0.5 else ""
        rate = f"alpha is the rate at which claims may be wrong and must be below 1/2, got {alpha!r}"
        raise InputError(f"{rate}: it is not the confidence, which is 1 - alpha{meant}")
    return level


def integers(name: str, values: ArrayLike) -> NDArray[np.integer]:
    """Return `values` as an array of integers; raises `InputError` naming the argument for any other kind."""
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{name} must be integers, got an array of {array.dtype}")
    return array


def confidence_words(alpha: SupportsFloat) -> str:
    """1 − alpha as text, for alpha as its shortest decimal; rounded down to 28 digits, so never more than is known."""
    return f"{Context(prec=28, rounding=ROUND_FLOOR).subtract(Decimal(1), Decimal(str(float(alpha)))):f}"
