"""Norms as text that never says more than was proved."""

from decimal import ROUND_FLOOR, Context, Decimal


def norm_words(norm: float, digits: int = 4) -> str:
    """A norm with so many digits, rounded down: what is certified against it is certified against what is written."""
    return f"{Context(prec=digits, rounding=ROUND_FLOOR).create_decimal(Decimal(norm)).normalize():f}"
