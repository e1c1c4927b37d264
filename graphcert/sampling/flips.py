"""Exact independent flips of one row, in time proportional to what changes.

Rare flips among many zeros jump from flip to flip (`draw_gaps`). Flips of the few ones are drawn 64 at a time, one random
word per binary digit of the rate, until every lane has been decided (`draw_bits`): about eight words whatever the rate.

The thresholds that random bits are compared with come from integer arithmetic on the exact binary fraction that a float
is, never from floating logarithms, so that the law sampled is the law certified up to a total-variation error that is
stated and subtracted.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from graphcert.core.compiled import kernel
from graphcert.sampling.philox import REFINE, fill_blocks
from graphcert.sampling.simd.vectors import DIGITS

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
    """A probability as 128 binary digits: every float of at least 2^−75 is one exactly; 1 is taken as 1 − 2^−128."""

    high: np.uint64
    low: np.uint64
    total_variation: float


def bit_threshold(rate: float) -> BitThreshold:
    """The 128 digits of `rate`."""
    exact = Fraction(rate) * 2**128
    digits = min(int(exact), 2**128 - 1)
    error = 0.0 if exact == digits else 2.0**-128
    return BitThreshold(np.uint64(digits >> 64), np.uint64(digits & (2**64 - 1)), error)


BLOCKS_PER_WORD = 64  # 128 binary digits, two 64-bit words a Philox block
_BLOCKS = DIGITS // 2  # Philox blocks of so many digits
DOUBTFUL = 2**31
_CELL_SHIFT, _SPLIT_SHIFT = 32 - CELL_BITS, 32 - CELL_BITS - SPLIT_BITS


@kernel
def cell_of(u):  # type: ignore[no-untyped-def]
    """The place in `GapTable.cells` of a random number that begins with the 32 bits `u`."""
    return u >> np.uint32(_CELL_SHIFT)


@kernel
def gap_in(cell, u):  # type: ignore[no-untyped-def]
    """The gap of a number that begins with the 32 bits `u`; plus `DOUBTFUL`, and not too large, if 27 bits do not decide."""
    rest = (u >> np.uint32(_SPLIT_SHIFT)) & np.uint32(OPEN - 1)
    split = cell & np.uint32(0xFFFF)
    gap = np.uint32((cell >> np.uint32(16)) + np.uint32(rest > split))
    return np.uint32(gap | np.uint32((rest == split) | (split == np.uint32(OPEN))) << np.uint32(31))


@kernel
def settled_gap(key, stream, sample, row, draw, u, gap, high, low):  # type: ignore[no-untyped-def]
    """The first gap whose 96-bit threshold exceeds the random number that begins with the 32 bits `u`.

    Starts at a `gap` that is not too large. Where 32 bits do not decide, 64 more are drawn at the draw's own address.
    """
    while gap < low.size and high[gap] < u:
        gap += 1
    if gap < low.size and high[gap] == u:
        v = refined(key, stream, sample, row, draw)
        while gap < low.size and high[gap] == u and low[gap] <= v:
            gap += 1
    return gap


@kernel
def refined(key, stream, sample, row, draw):  # type: ignore[no-untyped-def]
    """64 more bits of one draw of a stream."""
    extra = np.empty((1, 4), np.uint32)
    fill_blocks(key, stream + REFINE, sample, row, 1, draw, extra)
    return (np.uint64(extra[0, 0]) << np.uint64(32)) | np.uint64(extra[0, 1])


@kernel
def draw_gaps(  # type: ignore[no-untyped-def]
    key, stream, sample, row, elements, high, low, cells, words, drawn, position, out, at
):
    """Write the flipped positions among `position` … elements − 1 to out[at], out[at + 1], …, ascending; return their end.

    An end beyond out.size means that the room did not suffice: what lies beyond was counted, not written. `words` (≥ 1, a
    multiple of four) is scratch, whose size changes the speed, never the result; `drawn`, a multiple of four, is the number
    of draws of the row before `position`.
    """
    limit = low.size
    if limit == 0:
        return at
    while position < elements:
        fill_blocks(key, stream, sample, row, 1, drawn // 4, words)
        for i in range(words.shape[1]):
            u = words[0, i]
            gap = np.int64(gap_in(cells[cell_of(u)], u))
            if gap >= DOUBTFUL:
                gap = settled_gap(key, stream, sample, row, drawn + i, u, gap - DOUBTFUL, high, low)
            position += gap
            if position >= elements:
                break
            if at < out.size:
                out[at] = position
            hit = np.int64(gap < limit)
            at += hit
            position += hit
        drawn += words.shape[1]
    return at


@kernel
def draw_bits(key, stream, sample, row, word, lanes, high, low, words):  # type: ignore[no-untyped-def]
    """Return the 64-bit mask of flipped elements among the elements 64·word … 64·word + 63 that `lanes` marks.

    Lane by lane this compares a uniform number with the rate, most significant digit first; all lanes stop as soon as
    each has met a digit that differs. `words` (≥ 1, 32) is scratch for random words.
    """
    flipped, undecided = np.uint64(0), lanes
    for turn in range(128 // DIGITS):
        fill_blocks(key, stream, sample, row, 1, word * BLOCKS_PER_WORD + _BLOCKS * turn, words)
        for i in range(DIGITS):
            random = (np.uint64(words[0, 2 * i]) << np.uint64(32)) | np.uint64(words[0, 2 * i + 1])
            place = DIGITS * turn + i
            digits = high if place < 64 else low
            digit = np.uint64(0) - ((digits >> np.uint64(63 - place % 64)) & np.uint64(1))
            flipped |= undecided & digit & ~random
            undecided &= ~(digit ^ random)
        if undecided == np.uint64(0):
            break
    return flipped
