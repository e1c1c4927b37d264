"""Flip laws as rows of numbers for compiled code: masses and log-ratios of one changed element, rounded to nearest."""

from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction

import numpy as np

from graphcert.collective.linear import FloatArray
from graphcert.noise import BernoulliFlip

ADD_RATE, DELETE_RATE, STEP, PER_ADD, PER_DELETE, SILENCED = range(6)
"""Columns of the table. The log-ratio ln(P'/P) of m deviations among r additions and q deletions is
m·STEP + r·PER_ADD + q·PER_DELETE wherever both laws have mass (theory, section 9)."""

_DECIMAL = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def law_table(laws: Sequence[BernoulliFlip]) -> FloatArray:
    """(L, 6) one row per law; SILENCED is 1 where the law hides every change (θ⁺ + θ⁻ = 1, decided exactly).

    A law with a rate of 0 or 1 leaves one number of deviations that both laws can produce, so its STEP is 0 and the two
    other columns give that one ratio: both laws have then lost the same kind of factor, as often as they had changes.
    """
    return np.array([_row(law) for law in laws], dtype=np.float64).reshape(len(laws), 6)


def _row(law: BernoulliFlip) -> tuple[float, ...]:
    add, delete = law.add, law.delete
    if Fraction(add) + Fraction(delete) == 1:
        return (add, delete, 0.0, 0.0, 0.0, 1.0)
    with localcontext(_DECIMAL):
        plus, minus = Decimal(add), Decimal(delete)
        rates = (plus, 1 - plus, minus, 1 - minus)
        if all(rates):
            ln_plus, ln_kept_zero, ln_minus, ln_kept_one = (rate.ln() for rate in rates)
            step = ln_kept_one + ln_kept_zero - ln_plus - ln_minus
            return (add, delete, float(step), float(ln_minus - ln_kept_zero), float(ln_plus - ln_kept_one), 0.0)
        # One shared outcome. With θ⁺ = 0 it is "all additions hidden, all deletions shown": θ⁻^r against θ⁻^q.
        shared = {0: minus, 1: 1 - minus} if plus in (0, 1) else {0: plus, 1: 1 - plus}
        rate = shared[int(plus if plus in (0, 1) else minus)]
        sign = 1 if plus in (0, 1) else -1
        per_add = float(sign * rate.ln()) if rate else 0.0
        return (add, delete, 0.0, per_add, -per_add, 0.0)
