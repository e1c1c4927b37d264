"""Tails of binomials and Clopper–Pearson bounds that are proved in big integers (theory, section 10).

The library's quantiles are guesses only: a bound counts once an upper bound of its tail, a sum of terms each rounded up to
256 bits and of a geometric series behind them, is at most the level.
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from graphcert.errors import UnsupportedError
from graphcert.verification.enclosures import Scaled

MOST_TRIALS = 2**24
"""Of more samples tails are not proved: it would take minutes."""

_TERM_BITS = 160
_ULP = 2.0**-52
_TRIES = 40
_STEPS = (1, 0, *(-(2**doubling) for doubling in range(_TRIES - 2)))
"""How many roundings from a guess a bound is tried, inward first."""


class Tails:
    """The upper tails P[Bin(n, p) ≥ k] of so many trials n, for some counts k.

    Args:
        trials: n ≥ 1.
        counts: the k, from 0 to n, that will be asked about.

    Raises:
        UnsupportedError: beyond `MOST_TRIALS`.
    """

    def __init__(self, trials: int, counts: Iterable[int]) -> None:
        if trials > MOST_TRIALS:
            raise UnsupportedError(f"tails of {trials:,} samples are not proved, only those of up to {MOST_TRIALS:,}")
        self.trials = trials
        self._coefficient = _coefficients(trials, {min(k, trials - k) for k in counts})

    def at_most(self, count: int, p: Fraction, level: Fraction) -> bool:
        """Whether P[Bin(n, p) ≥ k] ≤ level is proved; p must be a binary fraction in [0, 1], as floats are."""
        n, k = self.trials, count
        if k == 0 or p == 1:
            return level >= 1
        if p == 0:
            return True
        one = p.denominator
        hit, miss = p.numerator, one - p.numerator
        first = Scaled.of(p).power(k).times(Scaled.of(1 - p).power(n - k)).times(self._coefficient[min(k, n - k)])
        # The terms behind the first one in units of it; their ratios fall, so the rest is below a geometric series.
        unit = 1 << _TERM_BITS
        term, total, j = unit, unit, k
        while j < n:
            top, bottom = (n - j) * hit, (j + 1) * miss
            term = term * top // bottom + 1
            total, j = total + term, j + 1
            if term < 1 << 60 and top < bottom:
                total += term * top // (bottom - top) + 1
                break
        return first.times(Scaled(total, -_TERM_BITS)).at_most(level)


def _coefficients(trials: int, counts: set[int]) -> dict[int, Scaled]:
    """Upper bounds of C(n, k) for some k ≤ n/2, each step C(n, k + 1) = C(n, k)(n − k)/(k + 1) rounded up."""
    found, mantissa, exponent = {}, 1 << 256, -256
    for k in range(max(counts, default=0) + 1):
        if k in counts:
            found[k] = Scaled(mantissa, exponent)
        mantissa = -(-mantissa * (trials - k) // (k + 1))
        excess = mantissa.bit_length() - 320
        if excess > 0:
            mantissa, exponent = -(-mantissa >> excess), exponent + excess
    return found


def lower_bounds(counts: NDArray[np.int64], trials: int, level: Fraction) -> NDArray[np.float64]:
    """Lower confidence bounds of probabilities: floats p with P[Bin(n, p) ≥ k] ≤ level, proved one by one.

    Args:
        counts: (N,) successes k out of `trials` n.
        level: the error rate of one bound, below 1/2.

    Returns:
        (N,) bounds, a few roundings below the exact Clopper–Pearson bound; 0 where none of `_TRIES` tries was proved.
    """
    distinct, place = np.unique(counts, return_inverse=True)
    return np.array(_lower(tuple(distinct.tolist()), trials, level))[place]


def upper_bounds(counts: NDArray[np.int64], trials: int, level: Fraction) -> NDArray[np.float64]:
    """Upper confidence bounds: floats p with P[Bin(n, p) ≤ k] ≤ level, the tail of n − k failures; otherwise as above.

    Returns:
        (N,) bounds, a few roundings above the exact Clopper–Pearson bound; 1 where none of `_TRIES` tries was proved.
    """
    distinct, place = np.unique(counts, return_inverse=True)
    return np.array(_upper(tuple(distinct.tolist()), trials, level))[place]


@lru_cache(maxsize=16)  # a collective certificate rests on the same bounds
def _lower(counts: tuple[int, ...], trials: int, level: Fraction) -> list[float]:
    tails, bounds, rate = Tails(trials, counts), [], float(level)
    for k in counts:
        guess = (
            rate ** (1 / trials) if k == trials else float(special.betaincinv(k, trials - k + 1, rate)) if k else 0.0
        )
        tries = (guess * (1 + step * _ULP) for step in _STEPS)
        bounds.append(next((p for p in tries if 0 < p < 1 and tails.at_most(k, Fraction(p), level)), 0.0))
    return bounds


@lru_cache(maxsize=16)
def _upper(counts: tuple[int, ...], trials: int, level: Fraction) -> list[float]:
    tails, bounds, rate = Tails(trials, (trials - k for k in counts)), [], float(level)
    for k in counts:
        if k == trials:
            bounds.append(1.0)
            continue
        guess = float(special.betainccinv(k + 1, trials - k, rate)) if k else -math.expm1(math.log(rate) / trials)
        tries = (guess * (1 - step * _ULP) for step in _STEPS)
        bounds.append(next((p for p in tries if 0 < p < 1 and tails.at_most(trials - k, 1 - Fraction(p), level)), 1.0))
    return bounds
