"""Exact independent flips of one row, in time proportional to what changes.

Two ways to draw the same law. Rare flips among many zeros jump from flip to flip (`draw_gaps`). Flips of the few ones
are drawn 64 at a time, one random word per binary digit of the rate, until every lane has been decided (`draw_lanes`);
that takes about eight words for 64 elements whatever the rate.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from graphcert.kernel import kernel
from graphcert.sampling.philox import REFINE, fill_blocks

BLOCKS_PER_WORD = 64  # 128 binary digits, two 64-bit words a Philox block


@kernel
def draw_gaps(key, stream, sample, row, elements, high, low, guide, words, out, at):  # type: ignore[no-untyped-def]
    """Write the flipped positions among 0 … elements − 1 to out[at], out[at + 1], …, ascending; return where they end.

    An end beyond out.size means that the room did not suffice: what lies beyond was counted, not written.

    `words` is scratch, half for random words and half for gaps (a multiple of eight); its size changes the speed, never
    the result.
    """
    limit = low.size
    if limit == 0:
        return at
    size = words.size // 2
    position = np.int64(0)
    drawn = 0
    while position < elements:
        fill_blocks(key, stream, sample, row, drawn // 4, size // 4, words)
        # Two steps without a branch find almost every gap: the guide leaves few to choose from.
        for i in range(size):
            gap = np.uint32(guide[words[i] >> np.uint32(20)])
            gap += np.uint32(high[gap] < words[i])
            gap += np.uint32(high[gap] < words[i])
            words[size + i] = gap
        for i in range(size):
            gap = words[size + i]
            if high[gap] <= words[i]:
                gap = _settle_gap(key, stream, sample, row, drawn + i, words[i], gap, high, low)
            position += gap
            if position >= elements:
                break
            hit = np.int64(gap < limit)
            if at < out.size:
                out[at] = position
            at += hit
            position += hit
        drawn += size
    return at


@kernel
def _settle_gap(key, stream, sample, row, draw, u, gap, high, low):  # type: ignore[no-untyped-def]
    """The first gap whose 96-bit threshold exceeds the random number that begins with the 32 bits `u`.

    Starts at a `gap` that is not too large. Where 32 bits do not decide, 64 more are drawn at the draw's own address.
    """
    limit = np.uint32(low.size)
    while gap < limit and high[gap] < u:
        gap += np.uint32(1)
    if gap < limit and high[gap] == u:
        extra = np.empty(4, np.uint32)
        fill_blocks(key, stream + REFINE, sample, row, draw, 1, extra)
        v = (np.uint64(extra[0]) << np.uint64(32)) | np.uint64(extra[1])
        while gap < limit and high[gap] == u and low[gap] <= v:
            gap += np.uint32(1)
    return gap


@kernel
def draw_lanes(key, stream, sample, row, word, lanes, high, low, words):  # type: ignore[no-untyped-def]
    """Return the 64-bit mask of flipped elements among the elements 64·word … 64·word + 63 that `lanes` marks.

    Lane by lane this compares a uniform number with the rate, most significant digit first; all lanes stop as soon as
    each has met a digit that differs. `words` is scratch of 16 random words.
    """
    flipped = np.uint64(0)
    undecided = lanes
    half = np.uint64(32)
    one = np.uint64(1)
    digits = high
    for turn in range(16):
        fill_blocks(key, stream, sample, row, word * BLOCKS_PER_WORD + 4 * turn, 4, words)
        for i in range(8):
            random = (np.uint64(words[2 * i]) << half) | np.uint64(words[2 * i + 1])
            digit = np.uint64(0) - ((digits >> np.uint64(63)) & one)
            digits = digits << one
            flipped |= undecided & digit & ~random
            undecided &= ~(digit ^ random)
        if undecided == np.uint64(0):
            return flipped
        if turn == 7:
            digits = low
    return flipped


@intrinsic
def lowest_one(typing_context, word):  # type: ignore[no-untyped-def]
    """Position of the lowest one of a 64-bit word (one machine instruction)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@kernel
def noisy_row(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, row, elements, indptr, indices, bits, high, low, guide, del_high, del_low,
    words, out,
):  # fmt: skip
    """Write the positions of one noisy row's ones to `out` (survivors, then additions); return how many there are.

    Arrays are passed whole with offsets, never as slices: a slice costs a reference count, which is dear at this scale.

    Args:
        key, sample: the address of the sample; add_stream, delete_stream: the two counter words.
        row: the row's number, part of the address.
        elements: length of the row.
        indptr, indices: the clean ones in CSR form, ascending in each row.
        bits: (N, ⌈elements / 64⌉) the clean rows as bits.
        high, low, guide: gap table of the addition rate θ⁺.
        del_high, del_low: 128 digits of the deletion rate θ⁻.
        words: scratch of at least 16 words, a multiple of eight.
        out: room for all clean ones and all additions.
    """
    count = 0
    one = np.uint64(1)
    begin, stop = indptr[row], indptr[row + 1]
    for start in range(begin, stop, 64):
        lanes = ~np.uint64(0) >> np.uint64(64 - min(64, stop - start))
        kept = lanes
        if del_high | del_low:
            deleted = draw_lanes(key, delete_stream, sample, row, (start - begin) >> 6, lanes, del_high, del_low, words)
            kept &= ~deleted
        while kept:
            out[count] = indices[start + lowest_one(kept)]
            count += 1
            kept &= kept - one
    # Positions of clean ones are not zeros: a drawn addition there is void (their own bit was drawn above).
    drawn = draw_gaps(key, add_stream, sample, row, elements, high, low, guide, words, out, count)
    for i in range(count, drawn):
        position = np.uint64(out[i])
        out[count] = position
        count += 1 - np.int64((bits[row, position >> np.uint64(6)] >> (position & np.uint64(63))) & one)
    return count
