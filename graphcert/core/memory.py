"""Amounts of memory: how they are written, and how much there is."""

import math
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import SupportsIndex

from graphcert.errors import InputError

_AMOUNT = re.compile(r"\s*(\d+\.?\d*(?:e\d+)?|\.\d+)\s*(?:([kmgt])(i?b)?|b)?\s*", re.IGNORECASE)


def memory_bytes(name: str, value: str | SupportsIndex) -> int:
    """An amount of memory in bytes, from a number of bytes or a text such as 2GiB, 800M (of 2^20 bytes), 2GB or 1e9.

    `name` is what was given, for the `InputError` if it is no amount above 0.
    """
    if isinstance(value, int) and value >= sys.maxsize:  # its digits may be more than Python writes
        raise InputError(f"{name} must be an amount of memory such as 800M, 2GiB or 4G, got more than any machine has")
    found = _AMOUNT.fullmatch(str(value)) if isinstance(value, (str, SupportsIndex)) else None
    amount = math.nan
    if found:
        digits, unit, kind = found.groups()
        # GB are powers of 1000, as those who sell memory write; M and MiB are powers of 1024.
        base = 1000 if (kind or "").lower() == "b" else 1024
        amount = float(digits) * base ** ("kmgt".index(unit.lower()) + 1 if unit else 0)
    if not 1 <= amount < sys.maxsize:
        raise InputError(f"{name} must be an amount of memory such as 800M, 2GiB or 4G, got {value!r:.60}")
    return int(amount)


def written(amount: int) -> str:
    """Bytes in words: "1.5 GiB"."""
    for power, unit in ((30, "GiB"), (20, "MiB")):
        if amount >= 2**power / 10:
            return f"{amount / 2**power:,.1f} {unit}"
    return f"{amount:,} bytes"


def free_memory() -> int:
    """Bytes that are free by every limit that this system tells: of the machine, the container and the process."""
    return min(_limits())


def _limits() -> Iterator[int]:
    yield sys.maxsize
    try:
        yield 1024 * _numbers("/proc/meminfo")["MemAvailable:"]
    except (OSError, ValueError, KeyError):  # a system that tells only how much memory it has
        with suppress(OSError, ValueError, AttributeError):
            yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError, KeyError):  # of the container; what files occupy there is given back
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        yield max(0, limit - _numbers("/sys/fs/cgroup/memory.stat")["anon"])
    with suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        pages = [int(number) for number in Path("/proc/self/statm").read_text().split()]
        for kind, taken in ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5])):
            limit = resource.getrlimit(kind)[0]
            if limit != resource.RLIM_INFINITY:
                yield max(0, limit - taken * resource.getpagesize())


def _numbers(path: str) -> dict[str, int]:
    """Lines of a name and a number."""
    words = [line.split() for line in Path(path).read_text().splitlines()]
    return {name: int(number) for name, number, *_ in words}
