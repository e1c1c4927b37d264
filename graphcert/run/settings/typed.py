"""Settings are of the types that they declare, wherever they come from: a file, the command line or a program."""

import math
import re
import tomllib
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from graphcert.core.reading import damage_refused, read_bytes
from graphcert.errors import DataError, InputError

_LONGEST_FILE, _LONGEST_TEXT = 2**20, 4096
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""No text of settings has these characters, which end a path or act on the terminal that shows it."""
_WORDS = {
    bool: "true or false", int: "a whole number", float: "a finite number", str: "a text", type(None): "nothing",
    dict: "a table of plain values",
}  # fmt: skip


def option(
    help: str, *flags: str, metavar: str | None = None, kind: Any = None, values: Callable[[], Sequence[str]] | None = None
) -> dict[str, Any]:  # fmt: skip
    """The metadata of a field of settings that is an option of the command line too.

    `flags` by default are the name of the field with dashes, `metavar` (what stands for the value in the help) the usual
    word, `kind` (the type that the command line reads) that of the field, or a text, and `values` what a shell completes.
    """
    return {"help": help, "flags": flags, "metavar": metavar, "kind": kind, "values": values}


def setting(default: Any, help: str, *flags: str, **form: Any) -> Any:
    """A field of settings with a default that is an option of the command line too, see `option`."""
    return field(default=default, metadata=option(help, *flags, **form))


def check_types(section: Any, name: str) -> None:
    """Raise `InputError` naming the first field of a dataclass, called `name` in files, that is not of its declared type.

    Truth values are no numbers, numbers are finite, whole numbers below 2^64, and lists stand for tuples.
    """
    check_values(type(section), {one.name: getattr(section, one.name) for one in fields(section)}, name)


def check_values(kind: type, values: Mapping[str, Any], name: str) -> None:
    """The same for values from which a dataclass `kind` is to be made."""
    hints = get_type_hints(kind)
    for key, value in values.items():
        check_value(value, hints[key], f"{name}.{key}" if name else key)


def check_value(value: Any, hint: Any, label: str) -> None:
    """Raise `InputError` naming a setting whose value is not of the declared type."""
    if not _is(value, hint):
        raise InputError(f"the setting {label} must be {_words(hint)}, got {_short(value)}")


def read_toml(path: Path, missing: str) -> dict[str, Any]:
    """The content of a file of settings; `DataError` if there is no file (`missing` says so), or no TOML in it."""
    try:
        with damage_refused(f"{path} is not valid TOML", "correct it; experiments/ holds examples"):
            content = read_bytes(path)
            if len(content) > _LONGEST_FILE:
                most = f"{_LONGEST_FILE:,} bytes"
                raise DataError(f"{path} is larger than any file of settings ({most}); name another one")
            return tomllib.loads(content.decode())
    except FileNotFoundError:
        raise DataError(missing) from None


def read_section(path: Path, name: str) -> dict[str, Any]:
    """The only section of a file of settings; `DataError` if there is no file, or not this section alone in it."""
    values = read_toml(path, f"there is no file of settings at {path}")
    section = values.get(name)
    if not isinstance(section, dict) or len(values) != 1:
        raise DataError(f"{path} must have one section [{name}] and nothing else")
    return section


def _is(value: Any, hint: Any) -> bool:
    """Whether a value is of a declared type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value is None or any(_is(value, kind) for kind in (bool, int, float, str)) or _is(value, list[Any])
    if origin in (Union, types.UnionType):
        return any(_is(value, kind) for kind in arguments)
    if origin is tuple or origin is list:
        if not isinstance(value, (list, tuple)):
            return False
        if origin is tuple and arguments[-1] is not Ellipsis:
            return len(value) == len(arguments) and all(map(_is, value, arguments))
        return all(_is(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, Mapping) and all(_is(k, str) and _is(v, arguments[1]) for k, v in value.items())
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return not isinstance(value, bool) and isinstance(value, Integral) and abs(int(value)) < 2**64
    if hint is float:
        return _is_finite(value)
    if hint is str:
        return isinstance(value, str) and len(value) <= _LONGEST_TEXT and not _CONTROL.search(value)
    return isinstance(value, hint)


def _is_finite(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(float(value))
    except OverflowError:
        return False


def _words(hint: Any) -> str:
    """What a type is called."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        kinds = [kind for kind in arguments if kind is not type(None)]
        return " or ".join(dict.fromkeys(map(_words, kinds)))
    if origin in (tuple, list):
        return f"a list, each {_words(arguments[0])}"
    return _WORDS.get(origin or hint, f"a section of {getattr(hint, '__name__', hint)}")


def _short(value: Any) -> str:
    """A value as one short piece of text."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        text = f"a {type(value).__name__} that is too long to show"
    return text if len(text) <= 60 else f"{text[:57]}…"
