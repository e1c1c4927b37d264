"""The error rate α that every statistical statement carries."""

from decimal import ROUND_FLOOR, Context, Decimal
from numbers import Real
from typing import SupportsFloat

from graphcert.errors import InputError


def check_level(alpha: SupportsFloat) -> float:
    """Return `alpha` as a float strictly between 0 and 1; raises `InputError` for anything else, NaN included."""
    if not isinstance(alpha, Real) or not 0 < float(alpha) < 1:
        raise InputError(f"the error rate alpha must lie strictly between 0 and 1, got {alpha!r}")
    return float(alpha)


def confidence_words(alpha: SupportsFloat) -> str:
    """1 − alpha as text, for alpha as its shortest decimal; rounded down to 28 digits, so never more than is known."""
    return f"{Context(prec=28, rounding=ROUND_FLOOR).subtract(Decimal(1), Decimal(str(float(alpha)))):f}"
