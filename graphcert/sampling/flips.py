"""Exact independent flips of one row, in time proportional to what changes.

Two ways to draw the same law. Rare flips among many zeros jump from flip to flip (`draw_gaps`). Flips of the few ones
are drawn 64 at a time, one random word per binary digit of the rate, until every lane has been decided (`draw_lanes`);
that takes about eight words for 64 elements whatever the rate.
"""

import numpy as np

from graphcert.core.compiled import kernel
from graphcert.sampling.lanes import DIGITS
from graphcert.sampling.philox import REFINE, fill_blocks
from graphcert.sampling.tables import CELL_BITS, OPEN, SPLIT_BITS

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
    """The gap of a random number that begins with the 32 bits `u` and falls into this cell; made for vector code.

    Where 27 bits do not decide: a gap that is not too large, plus `DOUBTFUL`.
    """
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

    An end beyond out.size means that the room did not suffice: what lies beyond was counted, not written.

    Args:
        words: (≥ 1, a multiple of four) uint32, scratch; its size changes the speed, never the result.
        drawn: number of draws of the row before `position`, a multiple of four; a row begins with no draws at position 0.
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
def draw_lanes(key, stream, sample, row, word, lanes, high, low, words):  # type: ignore[no-untyped-def]
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
