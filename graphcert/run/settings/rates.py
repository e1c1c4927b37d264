"""Numbers of noise as settings: one, or two for the first and the last level of a localized scheme."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip
from graphcert.run.settings.typed import check_types

Rate = float | tuple[float, ...]


def near_far(what: str, value: Any) -> Rate:
    """One number, or (level 0, last level) of a localized scheme."""
    rates = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if len(rates) not in (1, 2):
        raise InputError(f"{what} is one number or the two numbers first:last, got {value!r}")
    return rates[0] if len(rates) == 1 else rates


def per_level(rate: Rate, levels: int) -> list[float]:
    """So many numbers, rising linearly from the first to the last."""
    near, far = rate if isinstance(rate, tuple) else (rate, rate)
    return [float(number) for number in np.linspace(near, far, levels)]


def ends(rate: Rate) -> tuple[float, ...]:
    """The numbers as they were given, one or two."""
    return rate if isinstance(rate, tuple) else (rate,)


@dataclass(frozen=True)
class RatesConfig:
    """Flip rates of one channel: a number each, or (level 0, last level) of a localized scheme."""

    add: Rate = 0.0
    delete: Rate = 0.0

    def __post_init__(self) -> None:
        check_types(self, "smoothing rate")
        for name in ("add", "delete"):
            value = near_far("a flip rate", getattr(self, name))
            for rate in ends(value):
                BernoulliFlip(rate, 0.0)
            object.__setattr__(self, name, value)

    @property
    def silent(self) -> bool:
        """Whether nothing is ever flipped."""
        return all(not np.any(rate) for rate in (self.add, self.delete))

    def laws(self, levels: int) -> tuple[BernoulliFlip, ...]:
        """The laws of so many levels, rates rising linearly from the first to the last."""
        adds, deletes = (per_level(rate, levels) for rate in (self.add, self.delete))
        return tuple(BernoulliFlip(a, d) for a, d in zip(adds, deletes, strict=True))
