"""Small checks of numeric arguments, each answering with one sentence."""

import math
import operator
from typing import SupportsFloat, SupportsIndex

from graphcert.errors import InputError


def whole(name: str, value: SupportsIndex, at_least: int = 0) -> int:
    """Return `value` as an integer ≥ `at_least`, or raise `InputError` naming the argument."""
    try:
        if isinstance(value, bool):
            raise TypeError
        integer = operator.index(value)
    except TypeError:
        raise InputError(f"{name} must be a whole number, got {value!r}") from None
    if integer < at_least:
        raise InputError(f"{name} must be at least {at_least}, got {integer}")
    return integer


def real(name: str, value: SupportsFloat, least: float, most: float = math.inf) -> float:
    """Return `value` as a finite float in [`least`, `most`], or raise `InputError` naming the argument."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or not least <= number <= most:
        domain = f"a number of at least {least:g}" if most == math.inf else f"a number in [{least:g}, {most:g}]"
        raise InputError(f"{name} must be {domain}, got {value!r}")
    return number
