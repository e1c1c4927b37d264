"""Checks of arguments: each returns the value, or says in one sentence why it is not one."""

import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def real(name: str, value: SupportsFloat, least: float = -math.inf, most: float = math.inf) -> float:
    """Return `value` as a finite float in [`least`, `most`], or raise `InputError` naming the argument."""
    number = _number(value)
    if not math.isfinite(number) or not least <= number <= most:
        domain = f"a number of at least {least:g}" if most == math.inf else f"a number in [{least:g}, {most:g}]"
        domain = "a finite number" if least == -math.inf else domain
        raise InputError(f"{name} must be {domain}, got {value!r}")
    return number


def half_open(name: str, value: SupportsFloat, least: float, below: float) -> float:
    """Return `value` as a float in [`least`, `below`), or raise `InputError` naming the argument."""
    if not least <= _number(value) < below:
        raise InputError(f"{name} must lie in [{least:g}, {below:g}), got {value!r}")
    return float(value)


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


def one_of(name: str, value: str, known: Iterable[str]) -> str:
    """Return `value` if it is one of the `known` words, or raise `InputError` naming the argument and all of them."""
    if value not in tuple(known):
        raise InputError(f"{name} must be one of {', '.join(known)}; got {value!r}")
    return value


def target_mask(targets: ArrayLike | None, nodes: int) -> NDArray[np.bool_]:
    """Targets as a mask (N,) with at least one node, from a mask of booleans, node numbers (each once), or None for all."""
    if targets is None:
        return np.ones(nodes, dtype=bool)
    try:
        chosen = np.asarray(targets)
    except (TypeError, ValueError):
        chosen = np.empty((0, 0))
    if chosen.dtype == np.bool_:
        if chosen.ndim == 2 and len(chosen) == nodes:
            raise InputError(f"targets hold {chosen.shape[1]} splits, one per column; choose one, such as mask[:, 0]")
        if chosen.shape != (nodes,):
            raise InputError(f"a mask of targets needs the shape ({nodes},), got {chosen.shape}")
        mask = chosen.copy()
    else:
        mask = np.zeros(nodes, dtype=bool)
        mask[_node_numbers(chosen, nodes)] = True
    if not mask.any():
        raise InputError("there are no target nodes to certify; name at least one")
    return mask


def _node_numbers(chosen: NDArray[Any], nodes: int) -> NDArray[np.int64]:
    if chosen.ndim != 1 or (chosen.size and not np.issubdtype(chosen.dtype, np.integer)):
        raise InputError("targets are given as a mask of booleans or as a list of node numbers")
    numbers, times = np.unique(chosen, return_counts=True)
    if chosen.size and not (numbers[0] >= 0 and numbers[-1] < nodes):
        raise InputError(f"target nodes are numbered from 0 to {nodes - 1}, got {numbers[0]} to {numbers[-1]}")
    if (times > 1).any():
        if chosen.size == nodes and numbers[-1] <= 1:
            mistake = "targets is a mask of zeros and ones, which would be read as the numbers of nodes 0 and 1"
            raise InputError(f"{mistake}; give booleans, targets=mask.astype(bool)")
        raise InputError(f"node {numbers[times > 1][0]} is named {times.max()} times in targets; name every node once")
    return numbers.astype(np.int64)
