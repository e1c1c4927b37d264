"""Exact thresholds for flips: the numbers a sampler compares random bits with.

All thresholds come from integer arithmetic on the exact binary fraction that a float is, never from floating
logarithms, so that the law sampled is the law certified up to a total-variation error that is stated and subtracted.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

GAP_BITS = 96
"""Resolution of gap thresholds: 32 bits decide almost always, 64 more are drawn when they do not."""

LONGEST_TABLE = 65_535
CELL_BITS, SPLIT_BITS = 12, 15
OPEN = 2**SPLIT_BITS
"""Marks the cells of a gap table in which more than one gap ends."""

_WORKING_BITS = 256


@dataclass(frozen=True)
class GapTable:
    """Distribution function of the gap before the next flip: P[gap ≤ k] = 1 − (1−θ)^(k+1) for k < length.

    Drawing gaps visits only the flipped elements: the cost is θ times the number of elements. A gap of `length` or more
    means "no flip among the next `length` elements", after which the draw starts afresh (the law has no memory).

    Attributes:
        high: (length + 1,) the leading 32 bits of each threshold, then a sentinel that no number exceeds.
        low: (length,) the 64 bits behind them.
        cells: (2^12,) by the leading 12 bits of a number: in the upper half the first gap that is still possible, in the
            lower half the value of the next 15 bits at which the gap after it takes over, or `OPEN` if that is not all.
        total_variation: bound on the total-variation error of one gap.
    """

    high: NDArray[np.uint32]
    low: NDArray[np.uint64]
    cells: NDArray[np.uint32]
    total_variation: float


def gap_table(rate: float, elements: int) -> GapTable:
    """Thresholds for flips at `rate` over rows of up to `elements` elements; an empty table if nothing can flip."""
    # Beyond 16/θ a gap is too rare to be worth a line of the table; the draw starts afresh there. (16/θ may be infinite.)
    length = min(elements, math.ceil(min(16 / rate, LONGEST_TABLE))) if rate > 0 else 0
    survive = Fraction(1) - Fraction(rate)
    top = 2**GAP_BITS - 1
    none_yet, thresholds = 2**_WORKING_BITS, []
    for _ in range(length):
        none_yet = none_yet * survive.numerator // survive.denominator
        thresholds.append(min((2**_WORKING_BITS - none_yet) >> (_WORKING_BITS - GAP_BITS), top))
    high = np.array([t >> 64 for t in thresholds] + [2**32 - 1], np.uint32)
    low = np.array([t & (2**64 - 1) for t in thresholds], np.uint64)
    return GapTable(high, low, cells_of(high[:-1]), total_variation=(length + 1) * 2.0 ** (1 - GAP_BITS))


def cells_of(high: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """What 27 bits of a number say about its gap (see `GapTable`), from the leading bits of the thresholds."""
    borders = np.arange(2**CELL_BITS + 1, dtype=np.int64) << 32 - CELL_BITS
    gaps = np.searchsorted(high, borders, side="left")
    first, last = gaps[:-1], gaps[1:]
    takes_over = np.append(high, 0).astype(np.int64)[first]
    split = np.where(first == last, OPEN - 1, (takes_over - borders[:-1]) >> 32 - CELL_BITS - SPLIT_BITS)
    # A gap as long as the table is no flip, and needs a closer look as well.
    split[(last > first + 1) | (last == high.size)] = OPEN
    return (first << 16 | split).astype(np.uint32)


@dataclass(frozen=True)
class BitThreshold:
    """A probability as 128 binary digits, compared digit by digit with random bits, most significant first.

    Every float of at least 2^−75 is such a number exactly; 1 is taken as 1 − 2^−128.
    """

    high: np.uint64
    low: np.uint64
    total_variation: float


def bit_threshold(rate: float) -> BitThreshold:
    """The 128 digits of `rate`."""
    exact = Fraction(rate) * 2**128
    digits = min(int(exact), 2**128 - 1)
    error = 0.0 if exact == digits else 2.0**-128
    return BitThreshold(np.uint64(digits >> 64), np.uint64(digits & (2**64 - 1)), error)
