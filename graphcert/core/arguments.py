"""Checks of numeric arguments: each returns the value, or says in one sentence why it is not one."""

import math
import operator
from numbers import Real
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
    number = _number(value)
    if not math.isfinite(number) or not least <= number <= most:
        domain = f"a number of at least {least:g}" if most == math.inf else f"a number in [{least:g}, {most:g}]"
        raise InputError(f"{name} must be {domain}, got {value!r}")
    return number


def probability(name: str, value: SupportsFloat) -> float:
    """Return `value` as a float in [0, 1], or raise `InputError` naming the argument."""
    if not 0 <= _number(value) <= 1:
        raise InputError(f"{name} must be a probability between 0 and 1, got {value!r}")
    return float(value) + 0.0  # a negative zero is the same probability and must not be another key


def positive(name: str, value: SupportsFloat) -> float:
    """Return `value` as a finite float above 0, or raise `InputError` naming the argument."""
    if not 0 < _number(value) < math.inf:
        raise InputError(f"{name} must be a finite number above 0, got {value!r}")
    return float(value)


def _number(value: SupportsFloat) -> float:
    """Return `value` as a float; NaN for what is no real number, infinity for what is too large for a float."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
