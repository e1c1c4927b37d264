"""Budgets read from text; a norm is never read smaller than it is written."""

import math
import re
from fractions import Fraction

from graphcert.errors import InputError
from graphcert.tradeoff.base import rounded_up

SWEEP_AXES = ("add", "delete", "edge_add", "edge_delete", "nodes", "shift")

MOST_BUDGETS = 100_000
"""Of one sweep."""

_MOST_NORMS = 200


def sweep_values(axis: str, text: str | int | float) -> tuple[int, ...] | tuple[float, ...]:
    """The budgets of one axis of a sweep: norms for "shift", whole numbers for all others."""
    return norm_values(axis, text) if axis == "shift" else budget_values(axis, text)


def budget_values(axis: str, text: str | int | float) -> tuple[int, ...]:
    """Budgets written as "5", "0:20" (both ends included), "0:20:5" (every fifth) or "1,2,5".

    Raises:
        InputError: for anything else, a negative budget, or a range that runs backwards.
    """
    words = str(text)
    try:
        if ":" in words:
            first, last, step = (*(int(part) for part in words.split(":")), 1)[:3]
            span = range(first, last + 1, step) if first >= 0 and step > 0 and words.count(":") < 3 else range(0)
            # len() of a range fails beyond what an address can count.
            if span and (span[-1] - first) // step >= MOST_BUDGETS:
                raise InputError(
                    f"the budgets {axis} are at most {MOST_BUDGETS:,}, got {_short(words)}; take larger steps"
                )
            values = tuple(span)
        else:
            values = tuple(int(part) for part in words.split(","))
    except InputError:
        raise
    except ValueError:
        values = ()
    if not values or not 0 <= min(values) <= max(values) < 2**63:
        raise InputError(
            f'the budgets {axis} must be whole numbers of at least 0 such as "5", "0:20", "0:20:5" or "1,2,5", got '
            f"{_short(words)}"
        )
    return values


def norm_values(axis: str, text: str | int | float) -> tuple[float, ...]:
    """Norms written as "0.5", "0:1:0.1" (both ends included), "0.1,0.2,0.5" or with fractions; at most 200 of them.

    Each is the smallest float that is not below what is written: what is certified against it is certified against that.

    Raises:
        InputError: for anything else, or a norm that is negative or not finite.
    """
    words = str(text)
    try:
        if ":" in words:
            first, last, step = map(fraction, words.split(":"))
            count = (last - first) // step + 1 if step > 0 else 0
            norms = [first + k * step for k in range(min(count, _MOST_NORMS + 1))]
        else:
            norms = [fraction(part) for part in words.split(",")]
        values = tuple(rounded_up(norm.numerator, norm.denominator) for norm in norms)
    except (ValueError, ArithmeticError):
        values = ()
    if not 1 <= len(values) <= _MOST_NORMS or not 0 <= min(values) <= max(values) < math.inf:
        raise InputError(
            f'{axis} takes up to {_MOST_NORMS} norms of at least 0 such as "0.5", "0:1:0.1" or "0.1,0.2,0.5", got '
            f"{_short(words)}"
        )
    return values


def fraction(text: str) -> Fraction:
    """A number as it is written; raises `ValueError` for none, or one whose digits would fill the memory."""
    if len(text) > 60 or re.search(r"e[+-]?\d{4,}", text, re.IGNORECASE):
        raise ValueError(f"{text[:60]!r} is too long")
    return Fraction(text)


def _short(words: str) -> str:
    return repr(words if len(words) <= 60 else f"{words[:57]}…")
