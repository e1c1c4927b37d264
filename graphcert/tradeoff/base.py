"""The one abstraction behind every certificate: the trade-off function of two laws (theory section 1).

Each law's trade-off is registered beside its proof, with `@trade_off_of_law.register(TheLaw)`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graphcert.core.arrays import Floats as Floats
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise.law import Interpreter, Law


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
            p: probabilities in [0, 1], any shape, taken as the exact numbers they are; anything else is an `InputError`.

        Returns:
            Values in [0, p] of the same shape, a float for a number; convex and non-decreasing in p.
        """

    def upper(self, p: ArrayLike) -> Floats:
        """Largest P'-probability of an event of P-probability at most p; in [p, 1], otherwise like `lower`."""
        complement = np.maximum(np.nextafter(1.0 - probabilities(p), -1.0), 0.0)
        bound: Floats = np.minimum(np.nextafter(1.0 - self.lower(complement), 2.0), 1.0)
        return bound

    @property
    def critical(self) -> float:
        """c = sup {p : lower(p) ≤ 1/2}, rounded up: a majority of p > c survives the perturbation.

        1.0 where no majority does. At least 1/2; one number serves all nodes (binary certificates only).
        """
        return rounded_up(*self.inverse(Fraction(1, 2)).as_integer_ratio())

    @property
    def uninformative(self) -> bool:
        """Whether both laws are the same: then lower(p) = upper(p) = p, exactly."""
        return False

    def inverse(self, level: Fraction) -> Fraction:
        """sup {p : lower(p) ≤ level}, rounded up; 1 where no p exceeds the level. `critical` is the one at 1/2.

        Found by bisection over the floats: since `lower` is never above the exact value, a p with lower(p) > level lies
        above the supremum.
        """

        def exceeds(p: float) -> bool:
            return Fraction(float(self.lower(p))) > level

        low, high = 0.0, 1.0
        if not exceeds(high):
            return Fraction(1)
        while low < (middle := (low + high) / 2) < high:
            low, high = (low, middle) if exceeds(middle) else (middle, high)
        return Fraction(high)

    def compose(self, other: "TradeOff") -> "TradeOff":
        """The trade-off of two independent parts together; `UnsupportedError` if the two kinds do not compose."""
        if self.uninformative or other.uninformative:
            return other if self.uninformative else self
        joint = self._joint(other) or other._joint(self)
        if joint is None:
            why = "noise of real features and discrete noise do not compose; give a budget of one of them, shift or counts"
            raise UnsupportedError(f"{self!r} and {other!r} are not certified together: {why}")
        return joint

    def _joint(self, other: "TradeOff") -> "TradeOff | None":
        """The product with an informative trade-off of a kind that this one knows, in either order; None for others."""
        return None

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


def lower_of_upper(pair: TradeOff, p: ArrayLike) -> Floats:
    """1 − upper(1 − p), rounded down: 1 − p is exact for p ≥ 1/2, and below the slope of `upper` is small."""
    bound: Floats = np.maximum(np.nextafter(1.0 - pair.upper(1.0 - probabilities(p)), -1.0), 0.0)
    return bound


def rounded_up(numerator: int, denominator: int) -> float:
    """The smallest float that is not below a quotient; infinite beyond floats."""
    try:
        nearest = numerator / denominator
    except OverflowError:
        return math.inf
    top, bottom = nearest.as_integer_ratio()
    return nearest if top * denominator >= numerator * bottom else math.nextafter(nearest, math.inf)


def norm_words(norm: float, digits: int = 4) -> str:
    """A norm with so many digits, rounded down: what is certified against it is certified against what is written."""
    return f"{Context(prec=digits, rounding=ROUND_FLOOR).create_decimal(Decimal(norm)).normalize():f}"


LawTradeOff = Callable[[Any, int, int, int | None, float | None], TradeOff]
"""What answers for one law: called with the law, add, delete, nodes and shift, as `trade_off` describes them."""

trade_off_of_law: Interpreter[LawTradeOff] = Interpreter("trade-off")


def trade_off(
    law: object, add: int = 0, delete: int = 0, nodes: int | None = None, shift: float | None = None
) -> TradeOff:
    """The exact trade-off of `law` for the given changes.

    For `BernoulliFlip(θ⁺, θ⁻)`: `add` zeros of the clean input become ones and `delete` ones become zeros, and the two
    laws are those of all bits after independent flips. For `Gaussian(σ)`: entries move by a vector of ℓ2 norm `shift`; for
    `Uniform(λ)`, by the worst vector of ℓ1 norm `shift`.
    For `Hierarchical(s, law)` the same changes happen in at most `nodes` rows, of which a row that is not selected shows
    itself (theory, section 6); under `Ablation` and `SubsetAblation` rows may change at will, and only their number matters.
    Channels and blocks with different laws compose with `*`.

    Args:
        law: the noise of one element, such as `BernoulliFlip(0.01, 0.6)`, or of a row, such as `Hierarchical(0.8, law)`.
        add: number of added elements, ≥ 0.
        delete: number of deleted elements, ≥ 0.
        nodes: the most rows that change; None for no other limit than the number of changed bits.
        shift: ℓ2 norm, under Gaussian noise; ℓ1 norm, under uniform noise.

    Raises:
        InputError: if a budget is not a whole number ≥ 0 or no measure of changes under this law, or the law is of a
            subclass of a known one.
        UnsupportedError: if no trade-off is known for the law, or the budget is too large for exact arithmetic.
    """
    return trade_off_of_law.of(law)(law, add, delete, nodes, shift)


def refuse_bits(law: Law, bits: int) -> None:
    """Raise `UnsupportedError` if bits are counted under noise of real features."""
    if bits:
        raise UnsupportedError(
            f"perturbations under {type(law).__name__} noise are measured by their {law.norm} norm; give shift, no bits"
        )


def checked_shift(shift: float | None) -> float:
    """Return the norm of a shift as a finite float ≥ 0, 0 for None; raises `InputError` for anything else."""
    try:
        value = 0.0 if shift is None else float(shift)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        norm = "a finite ℓ2 norm of at least 0 (ℓ1 norm under uniform noise)"
        raise InputError(f"the shift must be {norm}, got {shift!r}")
    return value
