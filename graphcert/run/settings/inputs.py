"""What settings of runs over inputs of their own, such as images or clouds of points, have in common."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from graphcert.core.arguments import half_open
from graphcert.errors import InputError
from graphcert.run.settings.stages import MOST_SAMPLES, norm_values
from graphcert.statistics import check_errors, check_level, check_sample_size
from graphcert.statistics.multiple import SegCertifySettings

_NAMES = ("holm", "bonferroni")


class TestSettings(SegCertifySettings, Protocol):
    """The part of the settings that decides what SegCertify tests, from how many samples."""

    @property
    def samples(self) -> int:
        """Noisy inputs that bound probabilities."""


Kind = TypeVar("Kind")


def check_claims(settings: TestSettings, counts: Collection[str]) -> None:
    """Raise `InputError` for claims out of their domain; `counts` names fields that are None or numbers of things."""
    check_level(settings.alpha)
    check_errors(settings.errors)
    half_open("tau", settings.tau, 0.5, 1)
    for name in counts:
        value = getattr(settings, name)
        if value is not None and not 1 <= value <= MOST_SAMPLES:
            raise InputError(f"{name} must be a whole number from 1 to {MOST_SAMPLES:,}, got {value!r}")
    if settings.method not in _NAMES:
        raise InputError(f"the method of SegCertify is one of {', '.join(_NAMES)}, got {settings.method!r}")


def check_ascending(budgets: Sequence[float], what: str) -> None:
    """Raise `InputError` unless budgets ascend from 0 or more; `what` they are."""
    if any(a >= b for a, b in pairwise((-math.ulp(0), *budgets))):
        raise InputError(f"the budgets must be ascending {what} of at least 0, got {budgets!r}")


def check_deviations(sigma: Sequence[float], cells: object, form: str) -> None:
    """Raise `InputError` unless there is one deviation, or near ≤ far with cells, which `form` says how to give."""
    if len(sigma) != (1 if cells is None else 2):
        raise InputError(
            f"isotropic noise has one sigma, localized noise has near:far and --cells {form}; got "
            f"sigma {':'.join(f'{deviation:g}' for deviation in sigma)} and cells {cells}"
        )
    near, far = sigma[0], sigma[-1]
    if near > far:
        raise InputError(f"localized noise rises with the distance: near ≤ far, got {near:g}:{far:g}")


def check_enough(settings: TestSettings, elements: int, what: str) -> None:
    """Refuse so few samples that nothing could be claimed about inputs of so many elements, called `what`."""
    check_sample_size(settings.samples, settings.alpha, elements)
    share = (settings.errors + 1) / elements
    needed = math.ceil(math.log(settings.alpha * share) / math.log(settings.tau)) if settings.tau < 1 else 0
    if settings.samples < needed:
        raise InputError(
            f"{settings.samples} samples cannot show that a class has a probability above tau = {settings.tau:g} at "
            f"{elements:,} {what} together; take at least {needed}"
        )


def from_plain(kind: type[Kind], values: Mapping[str, Any], needed: Collection[str]) -> Kind:
    """Settings of a kind from plain values: lists stand for tuples, and budgets may be a text such as "0:1:0.1".

    Raises:
        InputError: for unknown settings, or if one that is `needed` is missing.
    """
    known = {setting.name for setting in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise InputError(f"unknown settings: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    for name in needed:
        if name not in values:
            raise InputError(f"the setting {name} is missing; give it in the file or as --{name}")
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    if isinstance(plain.get("budgets"), str):
        plain["budgets"] = norm_values("budgets", plain["budgets"])
    return kind(**plain)
