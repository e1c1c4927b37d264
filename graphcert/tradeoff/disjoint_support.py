"""Two laws with partly disjoint supports: the trade-offs of selected and of hidden rows (theory, section 6).

Scholten et al. 2022 and 2023; Levine & Feizi 2020.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Ablation, Hierarchical, Selected, SubsetAblation
from graphcert.noise.budget import count
from graphcert.noise.law import Law, measured_laws
from graphcert.tradeoff.base import Floats, TradeOff, probabilities, refuse_bits, trade_off, trade_off_of_law
from graphcert.tradeoff.discrete import IDENTITY

_GUARD = 2.0**-48
"""Allowance for rounding in `DisjointSupport`, twice the bound derived there."""

_TINY = 2.0**-1000

_EXACT_ROWS = 1024
"""Up to so many rows s^r is an exact fraction; beyond, 60 digits of it, rounded down."""


@dataclass(frozen=True)
class DisjointSupport(TradeOff):
    """With probability δ the two laws show outcomes that the other one never shows; otherwise they are the lower pair.

    Under hierarchical smoothing δ is the probability that some perturbed row is not selected (Scholten et al. 2023):
    then its clean or its perturbed content is seen, and the classifier, which sees the selection too, may answer as the
    adversary likes. The worst event wins all of the δ under P and nothing of it under P', so

        upper(q) = δ + (1 − δ) · upper_low(min(1, q/(1 − δ)))        lower(p) = 1 − upper(1 − p)
        c = δ + (1 − δ) · sup {q : lower_low(q) ≤ 1/(2(1 − δ))}       and c = 1 for δ ≥ 1/2.

    A larger δ is never better: outcomes that one law alone shows can be replaced by draws from the lower law whose they are.

    *Products.* An outcome that one law never shows stays so whatever independent part is seen beside it, hence
    D(T₁, δ) · T₂ = D(T₁ · T₂, δ), and D(T₁, δ₁) · D(T₂, δ₂) = D(T₁ · T₂, 1 − (1 − δ₁)(1 − δ₂)), where D is this class.

    *Rounding.* Let u = 2⁻⁵³. The quotient q/(1 − δ) has two roundings, a relative error of 2u (near the smallest float it
    is rounded up instead); `upper_low` is concave and not negative, so this costs at most 2u of its value. Product, sum,
    and the floats of 1 − δ and δ add less than 4u: in all below 2⁻⁵⁰. In `lower`, 1 − p is exact for p ≥ 1/2, and below it
    the slope of `upper` is at most 2: 2u more with the last difference. Where 1 − δ is tinier than 2⁻¹⁰⁰⁰, so is everything
    but δ. `_GUARD` is more than all of it.

    Attributes:
        low: the trade-off given that both laws show the outcome.
        delta: δ, an exact fraction in [0, 1].
    """

    low: TradeOff
    delta: Fraction

    def __post_init__(self) -> None:
        delta = Fraction(self.delta)
        if not 0 <= delta <= 1:
            raise InputError(f"the disjoint-support mass must lie between 0 and 1, got {self.delta}")
        object.__setattr__(self, "delta", delta)

    def lower(self, p: ArrayLike) -> Floats:
        """See `TradeOff.lower`; within 2⁻⁴⁷ of the exact value for the given lower pair."""
        bound: Floats = np.maximum(1.0 - self.upper(1.0 - probabilities(p)), 0.0)
        return bound

    def upper(self, p: ArrayLike) -> Floats:
        """See `TradeOff.upper`; within 2⁻⁴⁷ of the exact value for the given lower pair."""
        share = float(1 - self.delta)
        quotient = probabilities(p) / max(share, _TINY)
        quotient = np.where((quotient > 0) & (quotient < _TINY), np.nextafter(quotient, 1.0), quotient)[()]
        inside = self.low.upper(np.minimum(quotient, 1.0))
        bound: Floats = np.minimum(share * inside + float(self.delta) + _GUARD, 1.0)
        return bound

    def inverse(self, level: Fraction) -> Fraction:
        """See `TradeOff.inverse`; exact if the lower pair's is."""
        share = 1 - self.delta
        return self.delta + share * self.low.inverse(level / share) if level < share else Fraction(1)

    def _joint(self, other: TradeOff) -> TradeOff | None:
        if isinstance(other, DisjointSupport):
            return DisjointSupport(self.low * other.low, 1 - (1 - self.delta) * (1 - other.delta))
        return DisjointSupport(self.low * other, self.delta)


def with_disjoint_support(low: TradeOff, delta: Fraction) -> TradeOff:
    """`DisjointSupport(low, delta)`; `low` itself, number for number, if δ = 0; two disjoint-support masses become one."""
    if not delta:
        return low
    # Outcomes that only one law of the lower pair shows are told apart as well: one of the two happens, or neither.
    return (
        DisjointSupport(low.low, 1 - (1 - low.delta) * (1 - delta))
        if isinstance(low, DisjointSupport)
        else DisjointSupport(low, delta)
    )


def selection_mass(select: float | Fraction, rows: int) -> Fraction:
    """δ = 1 − s^r: some of r perturbed rows is not selected, each selected on its own with probability s (theory section 6).

    s is taken as the exact fraction it is. The exact fraction up to 1,024 rows; beyond, rounded up.
    """
    s, r = Fraction(select), count("nodes", rows)
    return 1 - (s**r if r <= _EXACT_ROWS else _power_down(s, r))


def subset_mass(elements: int, kept: int, changed: int) -> Fraction:
    """δ = 1 − C(d − r, k)/C(d, k): some of r changed elements is among the k of d that are kept (Levine & Feizi 2020).

    All subsets of k elements are equally likely; the others are replaced by a token. An exact fraction; refused unless k and
    r are whole numbers from 0 to d.
    """
    d, k, r = count("elements", elements), count("kept", kept), count("changed", changed)
    if k > d or r > d:
        raise InputError(f"of {d} elements at most {d} can be kept and changed, got {k} kept and {r} changed")
    return 1 - Fraction(comb(d - r, k), comb(d, k))


def _power_down(base: Fraction, exponent: int) -> Fraction:
    """base^exponent for a base in [0, 1], rounded down to 60 digits by repeated squaring."""
    context = Context(prec=60, rounding=ROUND_FLOOR)
    times: Callable[[Decimal, Decimal], Decimal] = context.multiply
    power, square = Decimal(1), context.divide(Decimal(base.numerator), Decimal(base.denominator))
    while exponent:
        if exponent & 1:
            power = times(power, square)
        square = times(square, square)
        exponent >>= 1
    return Fraction(power)


@trade_off_of_law.register(Ablation)
def ablation_trade_off(law: Ablation, add: int, delete: int, nodes: int | None, shift: float | None) -> TradeOff:
    """A token shows nothing of the row that it replaces, whatever changes."""
    _touched(law, add, delete, nodes, shift)
    return IDENTITY


@trade_off_of_law.register(SubsetAblation)
def subset_ablation_trade_off(
    law: SubsetAblation, add: int, delete: int, nodes: int | None, shift: float | None
) -> TradeOff:
    """With r changed rows, some are kept with the probability of `subset_mass`; else nothing is seen of them."""
    rows = _touched(law, add, delete, nodes, shift)
    if law.elements is None:
        raise InputError("ablation keeps k of d rows; say of how many, SubsetAblation(kept=…, elements=…)")
    return with_disjoint_support(IDENTITY, subset_mass(law.elements, law.kept, min(rows, law.elements)))


@trade_off_of_law.register(Selected)
def selected_trade_off(law: Selected, add: int, delete: int, nodes: int | None, shift: float | None) -> TradeOff:
    """With r changed rows, δ = 1 − s^r is of disjoint support, and the rest is the lower law's, for all changes at once.

    r is as large as the budget lets it be: more rows never hurt the adversary, and every changed row takes a bit.
    """
    if law.select == 1:
        return trade_off(law.law, add, delete, nodes, shift)
    rows = _touched(law.law, add, delete, nodes, shift)
    if rows == 0:
        return IDENTITY
    return with_disjoint_support(trade_off(law.law, add, delete, nodes, shift), selection_mass(law.select, rows))


@trade_off_of_law.register(Hierarchical)
def hierarchical_trade_off(
    law: Hierarchical, add: int, delete: int, nodes: int | None, shift: float | None
) -> TradeOff:
    """The trade-off of changed features under an isotropic scheme without edge noise."""
    if law.localized or law.perturbs("edges"):
        raise UnsupportedError(
            "a trade-off is one of a law, such as Hierarchical(0.8, BernoulliFlip(0.01, 0.6)); a scheme with levels or "
            "edge noise has several: certify its votes, or multiply those of its laws"
        )
    return trade_off(law.levels("features")[0], add, delete, nodes, shift)


def _touched(law: Law, add: int, delete: int, nodes: int | None, shift: float | None) -> int:
    """r, the most rows that a budget of features can change."""
    bits = count("add", add) + count("delete", delete)
    limit = None if nodes is None else count("nodes", nodes)
    if law.norm:
        refuse_bits(law, bits)
        if shift and limit is None:
            raise InputError("a shift can spread over any number of rows; say over how many with nodes")
        return limit if shift and limit is not None else 0
    if shift:
        raise InputError(f"only {measured_laws()} noise have a measure for a shift; give add, delete or nodes")
    if limit is None:
        return bits
    # Ablation withstands any change of a row, so a number of rows is a budget of its own.
    return limit if law.element == "rows" and bits == 0 else min(limit, bits)
