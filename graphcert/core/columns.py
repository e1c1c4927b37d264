"""Long columns of numbers in JSON files: each value once, and of every entry only which value it is."""

from base64 import b64decode, b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLAIN = 20_000
"""Columns of so many entries are written as plain lists; a million numbers in words would take 20 MB each."""


def column(entries: NDArray[Any]) -> Any:
    """Numbers or truth values (N,) as JSON: a list, or above `PLAIN` an object with the keys "values" and "places".

    "values" are the different values, ascending. "places" is, in base 64, the place of each entry's value among them: whole
    numbers of 1, 2 or 4 bytes, the fewest that suffice, the lowest byte first.
    """
    if entries.size <= PLAIN:
        return entries.tolist()
    values, places = np.unique(entries, return_inverse=True)
    return {
        "values": values.tolist(),
        "places": b64encode(places.astype(_place_type(values.size)).tobytes()).decode(),
    }


def read_column(written: Any) -> NDArray[Any]:
    """The array (N,) that `column` wrote; raises `ValueError` or `KeyError` if it is damaged."""
    if not isinstance(written, dict):
        return np.array(written)
    values = np.array(written["values"])
    places = np.frombuffer(b64decode(written["places"], validate=True), _place_type(values.size))
    if places.max(initial=0) >= values.size:
        raise ValueError(f"it names place {places.max()} of {values.size} values")
    return np.asarray(values[places])


def _place_type(values: int) -> np.dtype[Any]:
    """The smallest unsigned whole numbers that count so many values."""
    return np.min_scalar_type(max(values - 1, 0)).newbyteorder("<")
