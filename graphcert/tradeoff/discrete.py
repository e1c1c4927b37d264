"""Trade-off of two discrete laws, from their exact atoms (theory sections 1 to 3).

An atom is a pair (c, d) of integers: the outcomes of one likelihood ratio have mass c·2^−bits under the clean law P
and d·2^−bits under the perturbed law P'. Floats are binary fractions, so no atom is ever rounded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, cmp_to_key
from itertools import groupby
from math import ldexp

import numpy as np
from numpy.typing import ArrayLike

from graphcert.errors import UnsupportedError
from graphcert.tradeoff.base import Floats, TradeOff, probabilities, rounded_up

Atom = tuple[int, int]

MAX_ATOMS = 200_000
MAX_BITS = 2**30
"""Bounds on the number of atoms and on their total size, about a second of work and a quarter of a gigabyte."""


def refuse_beyond_exact(atoms: int, bits: int) -> None:
    """Raise `UnsupportedError` where exact arithmetic on `atoms` atoms of `bits` bits would take too long."""
    if atoms > MAX_ATOMS or atoms * bits > MAX_BITS:
        raise UnsupportedError(
            f"this budget needs {atoms:,} atoms of {bits:,} bits, and exact trade-offs are offered up to "
            f"{MAX_ATOMS:,} atoms and {MAX_BITS:,} bits in all; lower the budget"
        )


def product(left: Sequence[Atom], right: Sequence[Atom]) -> list[Atom]:
    """The atoms of two independent parts together, in no particular order: their ratios must be sorted again."""
    return [(c * c2, d * d2) for c, d in left for c2, d2 in right]


def merge(atoms: Iterable[Atom]) -> list[Atom]:
    """Sort by decreasing ratio d/c (atoms without clean mass first), join equal ratios, drop null atoms. Exact."""
    merged: list[Atom] = []
    present = [atom for atom in atoms if atom != (0, 0)]
    for _, group in groupby(sorted(present, key=_coarse_ratio, reverse=True), key=_coarse_ratio):
        last = len(merged)
        for c, d in sorted(group, key=cmp_to_key(_compare_ratios), reverse=True):
            if len(merged) > last and _compare_ratios(merged[-1], (c, d)) == 0:
                merged[-1] = (merged[-1][0] + c, merged[-1][1] + d)
            else:
                merged.append((c, d))
    return merged


def _compare_ratios(left: Atom, right: Atom) -> int:
    """Negative, zero or positive as the ratio d/c of `left` is below, equal to or above that of `right`."""
    return left[1] * right[0] - right[1] * left[0]


def _coarse_ratio(atom: Atom) -> tuple[float, int]:
    """A fast sort key that never contradicts the exact order: exponent and leading 64 bits of the ratio d/c."""
    c, d = atom
    if c == 0:
        return (float("inf"), 0)
    if d == 0:
        return (float("-inf"), 0)
    exponent = d.bit_length() - c.bit_length()
    shift = 64 - exponent
    leading = (d << shift) // c if shift >= 0 else d // (c << -shift)
    # The quotient has 64 or 65 bits; a floor keeps the order, and 64 bits of either make the keys comparable.
    return (exponent, leading >> 1) if leading >> 64 else (exponent - 1, leading)


_LIFT = 900
"""Clean masses are held times 2^900, so that tails far below the smallest float keep their relative accuracy."""

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Reach:
    """The largest P'-mass of an event of P-mass q, for many q at once; the error is below 2^−49.

    An event fills the atoms by decreasing ratio. Vertex k is reached when the first k atoms are full; from there the
    function rises by `gain[k]` over a step of `width[k]` in q. Steep slopes do no harm in this order: no later slope
    exceeds the quotient of the coordinates of a vertex, so that a relative error u = 2^−53 of an abscissa costs at most
    u of the ordinate. That holds for `start` and for a rounded q alike. The difference from the vertex, its quotient by
    `width` (itself rounded), the product with `gain` (rounded) and the sum with `base` (rounded) add at most 7u.

    Vertices are (start, base); `width` and `gain` are the clean and the perturbed masses of the atoms. Clean masses are
    lifted by 2^900.
    """

    start: Floats
    width: Floats
    base: Floats
    gain: Floats

    @classmethod
    def from_atoms(cls, atoms: Sequence[Atom], bits: int) -> "Reach":
        """Round the exact vertices of atoms sorted by decreasing ratio (masses times 2^−bits)."""
        singular = [d for c, d in atoms if c == 0]
        clean, perturbed = 0, sum(singular)
        start, width, base, gain = [], [], [], []
        for c, d in atoms[len(singular) :]:
            start.append(_nearest(clean, _LIFT - bits))
            width.append(max(_nearest(c, _LIFT - bits), _TINY))
            base.append(_nearest(perturbed, -bits))
            gain.append(_nearest(d, -bits))
            clean, perturbed = clean + c, perturbed + d
        return cls(np.array(start), np.array(width), np.array(base), np.array(gain))

    def __call__(self, q: Floats) -> Floats:
        """Evaluate at probabilities q of any shape; values in [0, 1]."""
        lifted = np.ldexp(q, _LIFT)
        # The last segment that starts strictly before q: a vertex ends the segment before it, and 0 starts the first.
        k = np.maximum(np.searchsorted(self.start, lifted, side="left") - 1, 0)
        share = np.clip((lifted - self.start[k]) / self.width[k], 0.0, 1.0)
        reached: Floats = np.minimum(self.base[k] + self.gain[k] * share, 1.0)
        return reached


def _nearest(integer: int, exponent: int) -> float:
    """integer·2^exponent as a float, for integers of any length."""
    spare = max(integer.bit_length() - 128, 0)
    return ldexp(float(integer >> spare), exponent + spare)


_GUARD = 2.0**-43
"""Allowance for rounding. The evaluation itself errs by less than 2^−49 (see `Reach`); the rest, still below 1.2e-13,
covers the reader who means 1/100 where the law holds the float 0.01, as long as p is not extreme."""


@dataclass(frozen=True)
class DiscreteTradeOff(TradeOff):
    """A trade-off whose atoms are known exactly; equal atoms mean equal trade-offs.

    `atoms` are (clean, perturbed) masses times 2^bits, sorted by decreasing ratio and merged; build with `from_atoms`.
    """

    atoms: tuple[Atom, ...]
    bits: int

    @classmethod
    def from_atoms(cls, atoms: Iterable[Atom], bits: int) -> "DiscreteTradeOff":
        """Sort, merge and reduce atoms that come in any order; both masses sum to 2^bits."""
        merged = merge(atoms)
        common = 0
        for c, d in merged:
            common |= c | d
        spare = (common & -common).bit_length() - 1
        return cls(tuple((c >> spare, d >> spare) for c, d in merged), bits - spare)

    @property
    def uninformative(self) -> bool:
        """See `TradeOff.uninformative`."""
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

    def _joint(self, other: TradeOff) -> TradeOff | None:
        """All products of atoms, sorted again, exactly; raises `UnsupportedError` if they are too many."""
        if not isinstance(other, DiscreteTradeOff):
            return None
        bits = self.bits + other.bits
        refuse_beyond_exact(len(self.atoms) * len(other.atoms), bits)
        return self.from_atoms(product(self.atoms, other.atoms), bits)

    @cached_property
    def _reach(self) -> Reach:
        return Reach.from_atoms(self.atoms, self.bits)

    def __repr__(self) -> str:
        return f"DiscreteTradeOff({len(self.atoms)} atoms of {self.bits} bits)"


IDENTITY = DiscreteTradeOff(((1, 1),), 0)
"""Nothing is seen of the perturbation: both laws are the same."""
