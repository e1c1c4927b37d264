"""Exact independent flips of one row, in time proportional to what changes.

Two ways to draw the same law. Rare flips among many zeros jump from flip to flip (`draw_gaps`). Flips of the few ones
are drawn 64 at a time, one random word per binary digit of the rate, until every lane has been decided (`draw_lanes`);
that takes about eight words for 64 elements whatever the rate.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from graphcert.kernel import intrinsic, kernel
from graphcert.sampling.philox import REFINE, fill_blocks
from graphcert.sampling.tables import GUIDE_BITS

BLOCKS_PER_WORD = 64  # 128 binary digits, two 64-bit words a Philox block


@kernel
def draw_gaps(key, stream, sample, row, elements, high, low, guide, words, out, at):  # type: ignore[no-untyped-def]
    """Write the flipped positions among 0 … elements − 1 to out[at], out[at + 1], …, ascending; return where they end.

    An end beyond out.size means that the room did not suffice: what lies beyond was counted, not written.

    `words` is scratch for random words (a multiple of four); its size changes the speed, never the result.
    """
    limit = low.size
    if limit == 0:
        return at
    position = np.int64(0)
    drawn = 0
    while position < elements:
        fill_blocks(key, stream, sample, row, drawn // 4, words.size // 4, words)
        for i in range(words.size):
            # One step without a branch settles almost every draw: the guide leaves few gaps to choose from.
            u = words[i]
            nearly = np.uint32(guide[u >> np.uint32(32 - GUIDE_BITS)])
            gap = np.int64(nearly + np.uint32(high[nearly] < u))
            if high[gap] <= u:
                gap = _settle_gap(key, stream, sample, row, drawn + i, u, gap, high, low)
            position += gap
            if position >= elements:
                break
            if at < out.size:
                out[at] = position
            hit = np.int64(gap < limit)
            at += hit
            position += hit
        drawn += words.size
    return at


@kernel
def _settle_gap(key, stream, sample, row, draw, u, gap, high, low):  # type: ignore[no-untyped-def]
    """The first gap whose 96-bit threshold exceeds the random number that begins with the 32 bits `u`.

    Starts at a `gap` that is not too large. Where 32 bits do not decide, 64 more are drawn at the draw's own address.
    """
    while gap < low.size and high[gap] < u:
        gap += 1
    if gap < low.size and high[gap] == u:
        extra = np.empty(4, np.uint32)
        fill_blocks(key, stream + REFINE, sample, row, draw, 1, extra)
        v = (np.uint64(extra[0]) << np.uint64(32)) | np.uint64(extra[1])
        while gap < low.size and high[gap] == u and low[gap] <= v:
            gap += 1
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
def draw_rows(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, first, elements, indptr, indices, bits, high, low, guide, del_high, del_low,
    words, columns, ends,
):  # fmt: skip
    """Draw the ones of a block of rows; return how many rows.

    Row `first` + k has the columns columns[ends[k − 1]] … columns[ends[k] − 1], survivors first, then additions. The block
    ends with the rows, when `ends` is full, or when half of `columns` is. Everything about a row is in this one loop,
    with whole arrays and offsets: calls and slices cost reference counts, which are dear at this scale.

    Args:
        key, sample: the address of the sample; add_stream, delete_stream: the two counter words.
        elements: length of a row.
        indptr, indices: the clean ones in CSR form, ascending in each row.
        bits: (N, ⌈elements / 64⌉) the clean rows as bits.
        high, low, guide: gap table of the addition rate θ⁺.
        del_high, del_low: 128 digits of the deletion rate θ⁻.
        words: scratch of at least 16 words, a multiple of four.
        columns: written; half of it has room for any row.
        ends: written.
    """
    one = np.uint64(1)
    at = np.int64(0)
    count = min(ends.size, indptr.size - 1 - first)
    for k in range(count):
        row = first + k
        begin, stop = indptr[row], indptr[row + 1]
        for start in range(begin, stop, 64):
            lanes = ~np.uint64(0) >> np.uint64(64 - min(64, stop - start))
            kept = lanes
            if del_high | del_low:
                word = (start - begin) >> 6
                kept &= ~draw_lanes(key, delete_stream, sample, row, word, lanes, del_high, del_low, words)
            while kept:
                columns[at] = indices[start + lowest_one(kept)]
                at += 1
                kept &= kept - one
        # Additions as in `draw_gaps`, in the same loop with the test that they hit a zero: the bit of a clean one was drawn
        # above, an addition there is void.
        position = np.int64(0)
        drawn = 0
        while position < elements and low.size > 0:
            fill_blocks(key, add_stream, sample, row, drawn // 4, words.size // 4, words)
            for i in range(words.size):
                u = words[i]
                nearly = np.uint32(guide[u >> np.uint32(32 - GUIDE_BITS)])
                gap = np.int64(nearly + np.uint32(high[nearly] < u))
                if high[gap] <= u:
                    gap = _settle_gap(key, add_stream, sample, row, drawn + i, u, gap, high, low)
                position += gap
                if position >= elements:
                    break
                columns[at] = position
                hit = np.int64(gap < low.size)
                element = np.uint64(position)
                at += hit & np.int64(~(bits[row, element >> np.uint64(6)] >> (element & np.uint64(63))) & one)
                position += hit
            drawn += words.size
        ends[k] = at
        if at > columns.size // 2:
            return k + 1
    return count
