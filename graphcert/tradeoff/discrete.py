"""Trade-off of two discrete laws, from their exact atoms (theory sections 1 to 3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from graphcert.tradeoff import atoms as exact
from graphcert.tradeoff.base import Floats, TradeOff, probabilities, rounded_up
from graphcert.tradeoff.reach import Reach

_GUARD = 2.0**-43
"""Allowance for rounding. The evaluation itself errs by less than 2^−49 (see `Reach`); the rest, still below 1.2e-13,
covers the reader who means 1/100 where the law holds the float 0.01, as long as p is not extreme."""


@dataclass(frozen=True)
class DiscreteTradeOff(TradeOff):
    """A trade-off whose atoms are known exactly; equal atoms mean equal trade-offs.

    Attributes:
        atoms: (clean, perturbed) masses times 2^bits, sorted by decreasing ratio and merged; build with `from_atoms`.
        bits: the power of two by which all masses are divided.
    """

    atoms: tuple[exact.Atom, ...]
    bits: int

    @classmethod
    def from_atoms(cls, atoms: Iterable[exact.Atom], bits: int) -> "DiscreteTradeOff":
        """Sort, merge and reduce atoms that come in any order; both masses sum to 2^bits."""
        merged = exact.merge(atoms)
        common = 0
        for c, d in merged:
            common |= c | d
        spare = (common & -common).bit_length() - 1
        return cls(tuple((c >> spare, d >> spare) for c, d in merged), bits - spare)

    @property
    def uninformative(self) -> bool:
        """Whether both laws are the same: then lower(p) = upper(p) = p, exactly."""
        return len(self.atoms) == 1

    def lower(self, p: ArrayLike) -> Floats:
        """See `TradeOff.lower`; within 1.2e-13 of exact rational arithmetic, equal to p if nothing is perturbed."""
        p = probabilities(p)
        if self.uninformative:
            return p + 0.0
        # 1 − p is exact for p ≥ 1/2; below, the complement's slope is at most 2 and a rounding does no harm.
        bound: Floats = np.maximum(1.0 - self._reach(1.0 - p) - _GUARD, 0.0)
        return bound

    def upper(self, p: ArrayLike) -> Floats:
        """See `TradeOff.upper`; within 1.2e-13 of exact rational arithmetic, equal to p if nothing is perturbed."""
        p = probabilities(p)
        if self.uninformative:
            return p + 0.0
        bound: Floats = np.minimum(self._reach(p) + _GUARD, 1.0)
        return bound

    @cached_property
    def critical(self) -> float:
        """See `TradeOff.critical`; the exact rational number, rounded up to a float."""
        return rounded_up(*self._inverse(1, 2))

    def inverse(self, level: Fraction) -> Fraction:
        """See `TradeOff.inverse`; the exact rational number."""
        return Fraction(*self._inverse(*Fraction(level).as_integer_ratio()))

    def _inverse(self, part: int, whole: int) -> tuple[int, int]:
        """sup {p : lower(p) ≤ part/whole} as a quotient of two integers."""
        # lower(p) ≤ level iff the complement can reach 1 − level: fill it by decreasing ratio up to that P'-mass.
        needed = (whole - part) << self.bits
        clean = perturbed = 0
        for c, d in self.atoms:
            if whole * (perturbed + d) >= needed:
                break
            clean, perturbed = clean + c, perturbed + d
        # clean + c·((1 − level) − perturbed)/d, over the denominator whole·d·2^bits
        filled = whole * d * clean + c * max(needed - whole * perturbed, 0)
        everything = whole * d << self.bits
        return everything - filled, everything

    def lower_exact(self, p: Fraction | float) -> Fraction:
        """`lower` in rational arithmetic: slow, exact, for reference."""
        return 1 - self.upper_exact(1 - Fraction(p))

    def upper_exact(self, p: Fraction | float) -> Fraction:
        """`upper` in rational arithmetic: slow, exact, for reference."""
        unit = 1 << self.bits
        room, reached = Fraction(p) * unit, Fraction(0)
        for c, d in self.atoms:
            if c >= room and c > 0:
                reached += d * room / c
                break
            room, reached = room - c, reached + d
        return reached / unit

    def compose(self, other: TradeOff) -> TradeOff:
        """The two parts together, exactly: all products of atoms, sorted again; an `Escape` stays one.

        Raises:
            UnsupportedError: if `other` is of a kind that composes with nothing, or the product has too many atoms.
        """
        if not isinstance(other, DiscreteTradeOff):
            return other if self.uninformative else other._compose_discrete(self)
        if self.uninformative or other.uninformative:
            return other if self.uninformative else self
        bits = self.bits + other.bits
        exact.refuse_beyond_exact(len(self.atoms) * len(other.atoms), bits)
        return self.from_atoms(exact.product(self.atoms, other.atoms), bits)

    @cached_property
    def _reach(self) -> Reach:
        return Reach.from_atoms(self.atoms, self.bits)

    def __repr__(self) -> str:
        return f"DiscreteTradeOff({len(self.atoms)} atoms of {self.bits} bits)"


IDENTITY = DiscreteTradeOff(((1, 1),), 0)
"""Nothing is seen of the perturbation: both laws are the same."""
