"""Numbers that are proved: upward-rounded products of big integers, and enclosures of logarithms, exponentials and Φ."""

from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from graphcert.errors import UnsupportedError

_DIGITS = 60
_NEAREST, _DOWN, _UP = (
    Context(prec=_DIGITS, rounding=rounding, Emax=MAX_EMAX, Emin=MIN_EMIN)
    for rounding in (ROUND_HALF_EVEN, ROUND_FLOOR, ROUND_CEILING)
)
_BITS = 256
_FIXED = 160
_ROOT_TWO_PI = (
    Fraction("2.50662827463100050241576528481104525300698674060993"),
    Fraction("2.50662827463100050241576528481104525300698674060994"),
)
"""√(2π) lies between the two; a test squares them."""


class Scaled(NamedTuple):
    """A number mantissa · 2^exponent ≥ 0 that is an upper bound of what it stands for."""

    mantissa: int
    exponent: int

    @classmethod
    def of(cls, value: Fraction) -> "Scaled":
        """An upper bound of a fraction ≥ 0, above it by a relative 2⁻²⁵⁵ at most."""
        shift = _BITS + value.denominator.bit_length() - value.numerator.bit_length()
        top, bottom = (value.numerator << shift, value.denominator) if shift > 0 else (
            value.numerator, value.denominator << -shift,
        )  # fmt: skip
        return cls(-(-top // bottom), -shift)

    def times(self, other: "Scaled") -> "Scaled":
        """An upper bound of the product."""
        product, exponent = self.mantissa * other.mantissa, self.exponent + other.exponent
        excess = max(0, product.bit_length() - _BITS)
        return Scaled(-(-product >> excess), exponent + excess)

    def power(self, exponent: int) -> "Scaled":
        """An upper bound of a power with an exponent ≥ 0, by repeated squaring."""
        result, square = Scaled(1, 0), self
        while exponent:
            if exponent & 1:
                result = result.times(square)
            exponent >>= 1
            if exponent:
                square = square.times(square)
        return result

    def at_most(self, value: Fraction) -> bool:
        """Whether the number, and so what it stands for, is proved to be at most a fraction; exact."""
        left, right = self.mantissa * value.denominator, value.numerator
        return left << self.exponent <= right if self.exponent >= 0 else left <= right << -self.exponent


def power_down(base: Fraction, exponent: int) -> Fraction:
    """A power of a probability: exact up to 1,024 factors, and beyond at most 2⁻¹²⁸ below it."""
    if exponent <= 1024:
        return base**exponent
    unit = 1 << 192
    power, square = unit, base.numerator * unit // base.denominator
    while exponent:
        if exponent & 1:
            power = power * square // unit
        square = square * square // unit
        exponent >>= 1
    return Fraction(power, unit)


def down(value: Fraction) -> Decimal:
    """The largest number of 60 digits that is not above a fraction."""
    return _DOWN.divide(Decimal(value.numerator), Decimal(value.denominator))


def up(value: Fraction) -> Decimal:
    """The smallest number of 60 digits that is not below a fraction."""
    return _UP.divide(Decimal(value.numerator), Decimal(value.denominator))


def exp_bounds(value: Fraction) -> tuple[Fraction, Fraction]:
    """Two fractions with e^value between them, a relative 1e-57 apart for |value| ≤ 100; value may be 1,000 at most.

    `decimal` rounds exponentials and logarithms to the nearest number, so the next ones enclose them.
    """
    if value < -1000:  # nothing so small is needed, and fractions of it would be huge
        return Fraction(0), exp_bounds(Fraction(-1000))[1]
    if value > 1000:
        raise UnsupportedError(f"exponentials are enclosed up to e^1000, asked for was e^{float(value):g}")
    return (
        Fraction(_NEAREST.next_minus(_NEAREST.exp(down(value)))),
        Fraction(_NEAREST.next_plus(_NEAREST.exp(up(value)))),
    )


def log_bounds(value: Fraction) -> tuple[Fraction, Fraction]:
    """Two fractions with ln(value) between them, for value > 0."""
    below, above = _NEAREST.ln(down(value)), _NEAREST.ln(up(value))
    # Only ln(1) is 0, and that is exact.
    return (
        Fraction(_NEAREST.next_minus(below)) if below else Fraction(0),
        Fraction(_NEAREST.next_plus(above)) if above else Fraction(0),
    )


@lru_cache(maxsize=1 << 16)
def normal_bounds(value: Fraction) -> tuple[Fraction, Fraction]:
    """Two fractions with Φ(value) between them, less than 2⁻¹¹⁰ apart for |value| ≤ 13; 0 and 2⁻¹¹⁰ far below.

    Φ(z) = 1/2 + φ(z) Σ_n z^(2n+1)/(1·3·…·(2n+1)) for z ≥ 0, terms in fixed point: floors for the lower bound, and one unit
    more per term for the upper one. Once z² < (2n + 3)/2 the rest is at most the last term.
    """
    if value < 0:
        mirrored = normal_bounds(-value)
        return 1 - mirrored[1], 1 - mirrored[0]
    if value > 13:  # 1 − Φ(z) ≤ φ(z)/z < e^(−84)/30 < 2⁻¹²⁰
        return 1 - Fraction(1, 2**120), Fraction(1)
    unit = 1 << _FIXED
    z = (value.numerator << _FIXED) // value.denominator
    square_low, square_high = z * z >> _FIXED, ((z + 1) * (z + 1) >> _FIXED) + 1
    low, high, n = z, z + 1, 0
    sum_low, sum_high = low, high
    while high > 2 or square_high >= (2 * n + 3) << (_FIXED - 1):
        n += 1
        low = (low * square_low >> _FIXED) // (2 * n + 1)
        high = ((high * square_high >> _FIXED) + 1) // (2 * n + 1) + 1
        sum_low, sum_high = sum_low + low, sum_high + high
    below, above = exp_bounds(-value * value / 2)
    return (
        Fraction(1, 2) + Fraction(sum_low, unit) * below / _ROOT_TWO_PI[1],
        min(Fraction(1), Fraction(1, 2) + Fraction(sum_high + high, unit) * above / _ROOT_TWO_PI[0]),
    )
