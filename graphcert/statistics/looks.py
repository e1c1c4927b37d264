"""Looks at growing numbers of samples, at any of which a claim may stop: one error rate, divided beforehand.

A target is looked at after n_1 < … < n_L samples. Numbers and weights w_l > 0 with Σ w_l ≤ 1 are fixed before the first of
these samples. At look l every bound that otherwise has the level a has the level a·w_l, from the first n_l samples.

Proof that the bounds of the look where a target stopped hold with probability ≥ 1 − a, whatever made it stop. For a fixed l
the first n_l samples are independent and identically distributed, so the bound of look l fails with probability ≤ a·w_l. Let
F_l be that event, and T the look at which the target stops: any function of all samples. The bounds that are used fail in
the event F_T, which lies within F_1 ∪ … ∪ F_L, of probability ≤ Σ a·w_l ≤ a. Nothing is assumed about T, so a target may
stop because its claim is proved, because it never will be, because of other targets, or because somebody pressed a key; and
nothing about how the targets depend on each other, so several of them add up their levels as without looks. ∎

The same holds of several bounds of one target, each with a level of its own, such as those of the label and of its rivals.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from graphcert.core.arguments import positive, whole
from graphcert.core.arrays import Integers
from graphcert.errors import InputError

LAST_WEIGHT = 0.7
"""What the last look has of the level, so that targets that need all samples lose next to nothing."""

_STEP = 2.0**0.5
_FIRST = 50
_GRAIN = 2**50


@dataclass(frozen=True)
class Looks:
    """When targets are looked at, and what each look may spend.

    Attributes:
        ends: the number of samples at every look, ascending, each ≥ 1.
        weights: the share of every look in the level, each > 0, in exact arithmetic at most 1 together.

    Raises:
        InputError: if the numbers are anything else.
    """

    ends: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not all(isinstance(given, Iterable) for given in (self.ends, self.weights)):
            given = f"{self.ends!r:.60} and {self.weights!r:.60}"
            raise InputError(f"looks need several numbers of samples, and a weight for each, got {given}")
        ends = tuple(whole("the number of samples at a look", end, 1) for end in self.ends)
        weights = tuple(positive("the weight of a look", weight) for weight in self.weights)
        if not ends or len(ends) != len(weights) or any(after <= before for before, after in pairwise(ends)):
            raise InputError(
                f"looks need ascending numbers of samples, and a weight for each, got {ends} and {weights}"
            )
        if (total := sum(map(Fraction, weights))) > 1:
            raise InputError(
                f"the weights of looks must not sum to more than 1, these sum to 1 + {float(total - 1):.3g}"
            )
        object.__setattr__(self, "ends", ends)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def planned(cls, samples: int) -> "Looks":
        """The looks of a run of at most so many samples: each √2 times as many as before.

        The last look has most of the level, the others share the rest evenly; a single look has all of it.
        """
        count = 1
        while whole("the number of samples", samples, 1) / _STEP**count >= _FIRST:
            count += 1
        ends = tuple(dict.fromkeys(round(samples / _STEP**k) for k in range(count - 1, -1, -1)))
        if len(ends) == 1:
            return cls(ends, (1.0,))
        # Whole grains, rounded down: their exact sum never exceeds what they share.
        share = int((1 - LAST_WEIGHT) * _GRAIN) // (len(ends) - 1) / _GRAIN
        return cls(ends, (*[share] * (len(ends) - 1), LAST_WEIGHT))

    def level(self, level: float, look: int) -> float:
        """What a bound at a `level` may spend at one look, rounded down: over all looks never more than the level."""
        weight = self.weights[look]
        part = level * weight
        return float(np.nextafter(part, 0.0)) if Fraction(part) > Fraction(level) * Fraction(weight) else part

    def of(self, samples: Integers) -> Integers:
        """The look at which each of some numbers of samples was reached; raises `InputError` for numbers that are none."""
        found = np.searchsorted(self.ends, samples)
        if not np.array_equal(np.array((*self.ends, -1))[found], samples):
            raise InputError(f"every node must have the samples of a look, one of {', '.join(map(str, self.ends))}")
        return np.asarray(found)

    def to_dict(self) -> dict[str, Any]:
        """Numbers and weights as JSON values; `Looks(**these)` inverts it."""
        return {"ends": list(self.ends), "weights": list(self.weights)}
