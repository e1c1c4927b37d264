"""Exact independent flips of one row, in time proportional to what changes.

Two ways to draw the same law. Rare flips among many zeros jump from flip to flip (`draw_gaps`). Flips of the few ones are
drawn 64 at a time, one random word per binary digit of the rate, until every lane has been decided (`draw_lanes`); that
takes about eight words for 64 elements whatever the rate.
"""

import numpy as np

from graphcert.kernel import kernel
from graphcert.sampling.philox import REFINE, fill_blocks

BLOCKS_PER_WORD = 64  # 128 binary digits, two 64-bit words a Philox block


@kernel
def draw_gaps(key, stream, sample, row, elements, high, low, guide, words, out, at):  # type: ignore[no-untyped-def]
    """Write the flipped positions among 0 … elements − 1 to out[at], out[at + 1], …, ascending; return where they end.

    An end beyond out.size means that the room did not suffice: what lies beyond was counted, not written.

    `words` is scratch for random words (a multiple of four); its size changes the speed, never the result.
    """
    limit = high.size
    if limit == 0:
        return at
    position = 0
    used = words.size
    drawn = 0
    while position < elements:
        if used == words.size:
            fill_blocks(key, stream, sample, row, drawn // 4, words.size // 4, words)
            used = 0
        u = words[used]
        gap = guide[u >> np.uint32(20)]
        while gap < limit and high[gap] < u:
            gap += 1
        if gap < limit and high[gap] == u:
            extra = np.empty(4, np.uint32)
            fill_blocks(key, stream + REFINE, sample, row, drawn, 1, extra)
            v = (np.uint64(extra[0]) << np.uint64(32)) | np.uint64(extra[1])
            while gap < limit and high[gap] == u and low[gap] <= v:
                gap += 1
        used += 1
        drawn += 1
        position += gap
        if gap < limit:
            if position < elements:
                if at < out.size:
                    out[at] = position
                at += 1
            position += 1
    return at


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


@kernel
def noisy_row(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, row, elements, indptr, indices, high, low, guide, del_high, del_low,
    words, mark, out,
):  # fmt: skip
    """Write the positions of one noisy row's ones to `out` (survivors, then additions); return how many there are.

    Arrays are passed whole with offsets, never as slices: a slice costs a reference count, which is dear at this scale.

    Args:
        key, sample: the address of the sample; add_stream, delete_stream: the two counter words.
        row: the row's number, part of the address.
        elements: length of the row.
        indptr, indices: the clean ones in CSR form, ascending in each row.
        high, low, guide: gap table of the addition rate θ⁺.
        del_high, del_low: 128 digits of the deletion rate θ⁻.
        words: scratch of at least 16 words.
        mark: scratch of `elements` integers, zeroed before the first row of a sample.
        out: room for all clean ones and all additions.
    """
    count = 0
    stamp = row + 1
    begin, stop = indptr[row], indptr[row + 1]
    for start in range(begin, stop, 64):
        size = min(64, stop - start)
        deleted = np.uint64(0)
        if del_high | del_low:
            lanes = ~np.uint64(0) >> np.uint64(64 - size)
            deleted = draw_lanes(
                key, delete_stream, sample, row, (start - begin) >> 6, lanes, del_high, del_low, words
            )
        kept = ~deleted
        for lane in range(size):
            position = indices[start + lane]
            mark[position] = stamp
            out[count] = position
            count += np.int64((kept >> np.uint64(lane)) & np.uint64(1))
    # Positions of clean ones are not zeros: a drawn addition there is void (their own bit was drawn above).
    drawn = draw_gaps(key, add_stream, sample, row, elements, high, low, guide, words, out, count)
    for i in range(count, drawn):
        position = out[i]
        out[count] = position
        count += np.int64(mark[position] != stamp)
    return count
