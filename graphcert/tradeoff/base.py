"""The one abstraction behind every certificate: the trade-off function of two laws (theory section 1)."""

import math
from abc import ABC, abstractmethod
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError, UnsupportedError

Floats = NDArray[np.float64]


class TradeOff(ABC):
    """How much a perturbation can change the probability of an event, whatever the event.

    P is the noise law around the clean input and P' the one around a perturbed input. An event of probability p under
    P has, under P', a probability between `lower(p)` and `upper(p)` = 1 − lower(1 − p) (Neyman & Pearson 1933: the
    worst event takes the outcomes in the order of their likelihood ratio). Independent parts compose: `a * b`.

    Sound side: `lower` is never above the exact value, `upper` and `critical` are never below theirs.
    """

    @abstractmethod
    def lower(self, p: ArrayLike) -> Floats:
        """Smallest P'-probability of an event of P-probability at least p.

        Args:
            p: probabilities in [0, 1], any shape, taken as the exact numbers they are.

        Returns:
            Values in [0, p] of the same shape, a float for a number; convex and non-decreasing in p.

        Raises:
            InputError: if a value of p is NaN or outside [0, 1].
        """

    @abstractmethod
    def upper(self, p: ArrayLike) -> Floats:
        """Largest P'-probability of an event of P-probability at most p; in [p, 1], otherwise like `lower`."""

    @property
    @abstractmethod
    def critical(self) -> float:
        """c = sup {p : lower(p) ≤ 1/2}, rounded up: a majority of p > c survives the perturbation.

        1.0 where no majority does. At least 1/2; one number serves all nodes (binary certificates only).
        """

    def inverse(self, level: Fraction) -> Fraction:
        """sup {p : lower(p) ≤ level}, rounded up; `critical` is the one at 1/2.

        Found by bisection over the floats: since `lower` is never above the exact value, a p with lower(p) > level lies
        above the supremum. Sound side: never below the exact value; 1 where no p exceeds the level.

        Args:
            level: in [0, 1].
        """

        def exceeds(p: float) -> bool:
            return Fraction(float(self.lower(p))) > level

        low, high = 0.0, 1.0
        if not exceeds(high):
            return Fraction(1)
        while low < (middle := (low + high) / 2) < high:
            low, high = (low, middle) if exceeds(middle) else (middle, high)
        return Fraction(high)

    @abstractmethod
    def compose(self, other: "TradeOff") -> "TradeOff":
        """The trade-off of two independent parts together.

        Raises:
            UnsupportedError: if the two kinds of trade-off do not compose.
        """

    def _compose_discrete(self, discrete: "TradeOff") -> "TradeOff":
        """The product with a discrete trade-off, which knows only its own kind; the default is to refuse."""
        raise UnsupportedError(f"a discrete trade-off composes with discrete ones only, not with {self!r}")

    def __mul__(self, other: "TradeOff") -> "TradeOff":
        if not isinstance(other, TradeOff):
            return NotImplemented
        return self.compose(other)


def probabilities(p: ArrayLike) -> Floats:
    """Return `p` as an array of floats in [0, 1]; raises `InputError` for anything else, NaN included."""
    array = np.asarray(p, dtype=np.float64)
    if not np.all((array >= 0) & (array <= 1)):
        raise InputError("a trade-off is evaluated at probabilities between 0 and 1, and NaN is not one")
    return array


def rounded_up(numerator: int, denominator: int) -> float:
    """The smallest float that is not below a quotient; infinite beyond floats."""
    try:
        nearest = numerator / denominator
    except OverflowError:
        return math.inf
    top, bottom = nearest.as_integer_ratio()
    return nearest if top * denominator >= numerator * bottom else math.nextafter(nearest, math.inf)
