"""Files from outside: opened without waiting, measured before memory is taken; whatever goes wrong is one `DataError`."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from graphcert.core.memory import free_memory, memory_bytes
from graphcert.errors import DataError

MEMORY = "GRAPHCERT_MEMORY"
"""Environment variable: how much memory reading one file may take, such as 800M or 4G; by default half of what is free."""

_LEAST = 2**26
"""What is smaller than this is simply tried: running out of memory is a `DataError` as well."""
PER_CHARACTER = 32
"""Bytes that Python may take for a character of JSON: lists of small numbers take about 20."""


@contextmanager
def damage_refused(what: str, remedy: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into one `DataError`; only a missing file stays a `FileNotFoundError`.

    Parsers of damaged files stumble in every way: recursion, overflow, lack of memory, errors of compression libraries.
    `what` is the first half of the sentence, such as "votes.npz is not a complete file of votes".
    """
    try:
        yield
    except (DataError, FileNotFoundError):
        raise
    except Exception as error:
        raise DataError(f"{what} ({problem(error)}); {remedy}") from None


def problem(error: BaseException) -> str:
    """What went wrong, in at most one line."""
    words = str(getattr(error, "strerror", None) or error).partition("\n")[0][:200]
    return words or type(error).__name__


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading bytes; pipes, devices, sockets and folders, which may never end, are an `OSError` at once."""

    def opener(name: str, flags: int) -> int:
        if not stat.S_ISREG(os.stat(name).st_mode):  # opening a device may already act
            raise OSError(f"{name} is not a regular file")
        handle = os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(f"{name} is not a regular file")
        return handle

    return open(path, "rb", opener=opener)


def read_bytes(path: str | os.PathLike[str], copies: int = 1) -> bytes:
    """The content of a regular file, which will take `copies` times its size in memory."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        check_memory(copies * size, str(path))
        return file.read(size)


def read_json(path: Path, what: str, remedy: str) -> Any:
    """The JSON value in a file; `what` it should be, and the `remedy` if it is not, are words for the `DataError`."""
    with damage_refused(f"{path} is not {what}", remedy):
        return parse_json(read_bytes(path, PER_CHARACTER).decode())


def parse_json(text: str) -> Any:
    """The value of a JSON text; a name that occurs twice in an object is refused, for either value might be meant."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name occurs twice in one object")
        return found

    return json.loads(text, object_pairs_hook=unique)


def check_memory(needed: int, what: str) -> None:
    """Raise `DataError` if `what` needs more bytes of memory than reading one file may take (see `MEMORY`)."""
    if needed <= _LEAST and MEMORY not in os.environ:
        return
    limit = memory_limit()
    if needed > limit:
        raise DataError(
            f"{what} would take {needed / 2**30:,.1f} GiB of memory, but {limit / 2**30:,.1f} GiB are allowed; make it "
            f"smaller, or set {MEMORY} (such as 8G) if it is meant to be so large"
        )


def memory_limit() -> int:
    """How many bytes reading one file may take: what GRAPHCERT_MEMORY says, else half of the memory that is free."""
    given = os.environ.get(MEMORY)
    if given is None:
        return max(_LEAST, free_memory() // 2)
    return memory_bytes(MEMORY, given)
