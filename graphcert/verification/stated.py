"""Values out of a JSON file from outside, each checked to be what it should be; whatever is not is one `DataError`."""

import math
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError


def member(found: Any, name: str, where: str) -> Any:
    """The value of a name of a JSON object; raises `DataError` without one."""
    if not isinstance(found, Mapping) or name not in found:
        raise DataError(f"{where} lacks {name}; write it again")
    return found[name]


def number(value: Any, name: str, low: float, high: float) -> float:
    """A number from `low` to `high`; raises `DataError` for anything else."""
    if type(value) not in (int, float) or not low <= value <= high or not math.isfinite(value):
        raise DataError(f"{name} is {str(value)[:40]}, which is no number from {low:g} to {high:g}; write it again")
    return float(value)


def whole(value: Any, name: str, low: int = 0, high: int = 2**53) -> int:
    """A whole number from `low` to `high`; raises `DataError` for anything else."""
    if type(value) is not int or not low <= value <= high:
        raise DataError(f"{name} is {str(value)[:40]}, which is no whole number from {low} to {high}; write it again")
    return value


def numbers(values: Any, name: str, shape: tuple[int, ...], high: float = 1.0) -> NDArray[np.float64]:
    """Numbers from 0 to `high` in nested lists of a shape; raises `DataError` for anything else."""
    array = _array(values, name, shape)
    if array.dtype.kind not in "if" or not ((array >= 0) & (array <= high)).all():
        raise DataError(f"{name} must hold numbers from 0 to {high:g}; write it again")
    return array.astype(np.float64)


def whole_numbers(values: Any, name: str, shape: tuple[int, ...], high: int) -> NDArray[np.int64]:
    """Whole numbers from 0 to `high`, likewise."""
    array = _array(values, name, shape)
    if array.dtype.kind != "i" or array.min(initial=0) < 0 or array.max(initial=0) > high:
        raise DataError(f"{name} must hold whole numbers from 0 to {high}; write it again")
    return array.astype(np.int64)


def mask(values: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Truth values, likewise."""
    array = _array(values, name, shape)
    if array.dtype.kind != "b":
        raise DataError(f"{name} must hold true and false; write it again")
    return array


def _array(values: Any, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array = _spread(values, shape) if isinstance(values, Mapping) else np.array(values)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    if array.shape != shape:
        raise DataError(f"{name} must have the shape {shape}, it has {array.shape}; write it again")
    return array


def _spread(column: Mapping[str, Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A long column: the different values, and in base 64 which of them each entry is, in 1, 2 or 4 bytes."""
    values, places = np.array(column.get("values")), column.get("places")
    if set(column) != {"values", "places"} or values.ndim != 1 or not values.size or not isinstance(places, str):
        raise ValueError("a column has values and places")
    width = next(width for width in (1, 2, 4, 8) if values.size <= 256**width)
    if len(places) > 4 * (math.prod(shape) * width // 3 + 1):
        raise ValueError("it has too many places")
    at = np.frombuffer(b64decode(places, validate=True), f"<u{width}")
    if at.max(initial=0) >= values.size:
        raise ValueError("a place is beyond the values")
    return np.asarray(values[at])
