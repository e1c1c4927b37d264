"""Results as files and as plain dictionaries: every number exact, files checksummed, and nothing ever unpickled."""

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Self, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import read_sealed, write_sealed
from graphcert.core.reading import damage_refused
from graphcert.errors import DataError, InputError
from graphcert.noise import Scheme, smoothing_from_dict

_FORMAT = 1
_KINDS = {np.bool_: "b", np.int64: "iu", np.float64: "iuf"}
"""The types of arrays that a result may hold, and the kinds of numbers that become them without being rounded."""


class Stored:
    """A frozen dataclass of read-only arrays, plain values and at most one scheme, as a file or as a dictionary.

    What is read is built by the constructor of the class, whose `__post_init__` refuses numbers that contradict each other.
    """

    _LATER_FIELDS: ClassVar[tuple[str, ...]] = ()
    """Fields that files of older versions do not have; where they are None, they are not written."""

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    def summary(self) -> str:
        """A few lines that say what this is."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.summary()

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON ready, with exact numbers); `from_dict` inverts it."""
        plain = {name: value.tolist() for name, value in self._arrays().items()}
        return self._description() | plain

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Self:
        """Rebuild a result from `to_dict`.

        Raises:
            InputError: for anything else, and if the numbers contradict each other.
        """
        try:
            return cls._built(description)
        except Exception as error:  # whatever a value of another kind makes numpy stumble over
            raise InputError(f"this does not describe a {cls.__name__}: {str(error)[:200]}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one .npz file, atomically and durably; equal results give equal bytes.

        Raises:
            DataError: if the file cannot be written.
        """
        bits = {
            name: array.astype("<f8").view("<i8") if array.dtype.kind == "f" else array.astype(np.int64)
            for name, array in self._arrays().items()
        }
        write_sealed(Path(path), self._description(), bits)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a result back, verifying its checksum; it answers exactly as the one that was saved.

        Raises:
            DataError: if the file is missing, truncated, altered, of another kind, or holds numbers that contradict each
                other.
        """
        kind, remedy = f"saved {cls.__name__}", f"write one with {cls.__name__}.save"
        description, arrays = read_sealed(Path(path), kind, None, remedy)
        with damage_refused(f"{path} is not a {kind}", remedy):
            if set(arrays) & set(description):
                raise ValueError("a name stands for two things")
            hints = _hints(cls)
            exact = {name: _from_bits(bits, _element(hints[name])) for name, bits in arrays.items() if name in hints}
            try:
                return cls._built(description | arrays | exact)
            except InputError as error:
                raise DataError(f"{path} is not a {kind}: {error}") from None

    @staticmethod
    def _check_labels(labels: NDArray[np.int64], *others: NDArray[Any]) -> None:
        """Raise `InputError` unless labels are classes from 0 on, at least one, and other arrays have one entry for each."""
        if not labels.size or labels.min() < 0 or any(other.shape != labels.shape for other in others):
            shapes = ", ".join(str(array.shape) for array in (labels, *others))
            raise InputError(
                f"there must be a label of at least 0 for every element, got arrays of the shapes {shapes}"
            )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: value for name in _hints(type(self)) if isinstance(value := getattr(self, name), np.ndarray)}

    def _description(self) -> dict[str, Any]:
        """Everything but the arrays, with the name of the class."""
        hints, arrays = _hints(type(self)), self._arrays()
        values = {name: getattr(self, name) for name in hints if name not in arrays}
        values = {name: value for name, value in values.items() if value is not None or name not in self._LATER_FIELDS}
        plain = {name: value.to_dict() if hints[name] is Scheme else value for name, value in values.items()}
        return {"kind": type(self).__name__, "format": _FORMAT} | plain

    @classmethod
    def _built(cls, description: Mapping[str, Any]) -> Self:
        given = dict(description)
        kind, form = given.pop("kind", None), given.pop("format", None)
        if kind != cls.__name__ or form != _FORMAT:
            raise ValueError(f"it is a {kind!r} of format {form!r}")
        hints = _hints(cls)
        given = dict.fromkeys(cls._LATER_FIELDS) | given
        if set(given) != set(hints):
            raise ValueError(f"its members are {', '.join(map(str, given))}")
        result = cls(**{name: _value(name, given[name], hint) for name, hint in hints.items()})
        result._check_read()
        return result

    def _check_read(self) -> None:
        """Refuse what comes from outside and cannot be a result; made by this package, it needs no such check."""


def _hints(kind: type) -> dict[str, Any]:
    """Type of every field."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _element(hint: Any) -> type[np.generic] | None:
    """The type of an array's elements, for the hint of an array or of an array or None; None for other hints."""
    for part in (hint, *get_args(hint)):
        if getattr(part, "__origin__", None) is np.ndarray:
            element: type[np.generic] = get_args(get_args(part)[1])[0]
            return element
    return None


def _from_bits(bits: NDArray[Any], element: type[np.generic] | None) -> NDArray[Any]:
    """The array that was sealed as whole numbers."""
    if element is None:
        raise ValueError("an array stands for a plain value")
    if element is np.float64:
        return bits.astype("<i8").view("<f8").astype(np.float64)
    if element is np.bool_ and bits.size and not 0 <= bits.min() <= bits.max() <= 1:
        raise ValueError("a truth value is neither 0 nor 1")
    return bits.astype(element)


def _value(name: str, value: Any, hint: Any) -> Any:
    """A plain value, scheme or array of the type of its field; numbers are never rounded or read out of text."""
    element = _element(hint)
    if element is not None and value is not None:
        array = np.array(value)
        if array.size and array.dtype.kind not in _KINDS[element]:
            raise ValueError(f"{name} holds {array.dtype}")
        return array.astype(element)
    if hint is Scheme:
        return smoothing_from_dict(value)
    if element is not None:
        hint = type(None) if type(None) in get_args(hint) else np.ndarray
    if type(value) is int and float in (hint, *get_args(hint)):
        value = float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{name} is {value!r:.50}")
    return value
