"""The error rate α that every statistical statement carries."""

from numbers import Real
from typing import SupportsFloat

from graphcert.errors import InputError


def check_level(alpha: SupportsFloat) -> float:
    """Return `alpha` as a float strictly between 0 and 1; raises `InputError` for anything else, NaN included."""
    if not isinstance(alpha, Real) or not 0 < float(alpha) < 1:
        raise InputError(f"the error rate alpha must lie strictly between 0 and 1, got {alpha!r}")
    return float(alpha)
