"""What every check has in common: comparing what is stated with what is known, and answering damage with one sentence."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from graphcert.core.reading import problem
from graphcert.run.folder import MANIFEST
from graphcert.run.provenance import environment
from graphcert.verification import Finding

Found = Iterator[Finding]


def settled(where: str, check: Callable[[], Found]) -> Found:
    """What a check finds; whatever goes wrong in it is a contradiction, for then nothing is confirmed.

    Parsers and constructors stumble over hostile files in every way, so this takes every exception.
    """
    try:
        yield from check()
    except Exception as error:
        yield Finding("contradiction", where, f"this cannot be checked: {problem(error)}")


def compared(
    where: str,
    same: str,
    stated: Mapping[str, Any],
    known: Mapping[str, Any],
    *,
    whole: bool = False,
    rounded: float = 0.0,
) -> Found:
    """One contradiction per name whose stated value is not the known one; `same` is the sentence if there is none.

    Only if it is to be the same as a `whole`, other names that are stated are a contradiction too. Floats may lie apart by
    `rounded`, relative to their size above 1.
    """
    names = {**known, **stated} if whole else known
    differing = [name for name in names if not _alike(stated.get(name), known.get(name), rounded)]
    for name in differing:
        yield Finding(
            "contradiction",
            where,
            f"{name} is {_short(stated.get(name))} here, but {_short(known.get(name))} by the rest",
        )
    if not differing:
        yield Finding("recomputed", where, same)


def check_last_look(looks: Sequence[Mapping[str, Any]], look: Mapping[str, Any]) -> Found:
    """The last certificate that the manifest says was looked at is this one."""
    if not looks or looks[-1] != look:
        yield Finding("contradiction", MANIFEST, "the last look at the votes that it lists is not at this certificate")
    times = "once and not again" if len(looks) == 1 else f"{len(looks)} times and no more often"
    yield Finding("believed", MANIFEST, f"that somebody looked at certificates of these votes {times}")


def made_elsewhere(manifest: Mapping[str, Any]) -> bool:
    """Whether a run was made by other versions or on another kind of machine than this one."""
    return any(manifest.get(name) != value for name, value in environment().items())


def without_plots(page: str) -> str:
    """The words and numbers of a report."""
    return re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)


def _alike(one: Any, other: Any, rounded: float) -> bool:
    # True equals 1 in Python, and 1.0 equals 1; files that say one in place of the other were not written by a run.
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or math.isclose(one, other, rel_tol=rounded, abs_tol=rounded)
    if rounded and isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(value, other[name], rounded) for name, value in one.items())
    if rounded and isinstance(one, list):
        return len(one) == len(other) and all(_alike(a, b, rounded) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _short(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 70 else f"{words[:67]}…"


def same_text(where: str, same: str, found: str | None, expected: str | None) -> Found:
    """One contradiction unless a file is the text that is expected, None for no file; `same` is the sentence if it is."""
    if found is None or expected is None:
        if found != expected:
            yield Finding("contradiction", where, f"it is {'missing' if found is None else 'there without a reason'}")
    elif found == expected:
        yield Finding("recomputed", where, same)
    else:
        yield Finding("contradiction", where, _different_lines(found, expected))


def _different_lines(found: str, expected: str) -> str:
    """Where a text first differs from the one that is expected."""
    lines = zip_longest(found.splitlines(), expected.splitlines())
    number, one, other = next(((k, a, b) for k, (a, b) in enumerate(lines, 1) if a != b), (0, "", ""))
    at = next((k for k, (a, b) in enumerate(zip(one or "", other or "", strict=False)) if a != b), 0)
    shown = [repr((line or "")[max(0, at - 20) : at + 40]) for line in (one, other)]
    return f"line {number} says {shown[0]}, where the files of the run give {shown[1]}"
