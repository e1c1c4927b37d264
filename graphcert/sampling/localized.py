"""All noise levels of a sample from one pass over its elements.

All levels come from the same uniform numbers: an element flips at a level iff its number is below that level's rate, so the
flips at a smaller rate are a subset of those at a larger one. Elements are drawn once and sorted into *classes*: a survivor
of class d survives the d-th smallest deletion rate and all smaller ones; an addition of class a happens at the a-th smallest
addition rate and all larger ones. Isotropic noise has one class of each. The dependence this makes between outputs is
harmless (union bound); samples stay independent (theory, section 10).

A class is a set of lanes, bits of 64-bit masks, so that comparing 64 numbers with a rate is a matter of a few instructions.
"""

import numpy as np

from graphcert.core.compiled import kernel
from graphcert.sampling.flips import BLOCKS_PER_WORD, draw_lanes, refined
from graphcert.sampling.lanes import DIGITS, WORD, below, digits_to_numbers, equal, lowest_one
from graphcert.sampling.philox import LEVEL, fill_blocks


@kernel
def draw_kept(  # type: ignore[no-untyped-def]
    key, stream, sample, first, rows, indptr, high, low, places, units, digits, numbers, kept
):
    """Sort the ones of the rows `first` … `first + rows − 1` into classes of survivors; others are deleted always.

    Args:
        indptr: where the ones of a row begin and end.
        high, low: (rates,) 128 digits of each deletion rate, ascending.
        places: (≥ rows,) int64, written: the ones 64·w … of row `first` + k are the lanes of kept[:, places[k] + w].
        kept: (rates, U) uint64, written; U words of lanes suffice for any block of rows.
        units, digits, numbers: (U, 2) int64, (U, 32) uint32 and (1, 64) uint16 scratch.
    """
    count = 0
    for k in range(rows):
        places[k] = count
        for start in range(0, indptr[first + k + 1] - indptr[first + k], WORD):
            units[count, 0], units[count, 1] = first + k, start // WORD * BLOCKS_PER_WORD
            count += 1
    fill_blocks(key, stream, sample, 0, count, 0, digits, units)
    for k in range(rows):
        ones = indptr[first + k + 1] - indptr[first + k]
        for start in range(0, ones, WORD):
            w = places[k] + start // WORD
            digits_to_numbers(digits, w, numbers)
            alive = ~np.uint64(0) >> np.uint64(WORD - min(WORD, ones - start))
            for d in range(high.size):
                leading = np.uint16(high[d] >> np.uint64(64 - DIGITS))
                dead = below(numbers, 0, 0, leading)
                tied = alive & equal(numbers, 0, 0, leading)
                if tied:
                    dead |= _exact_lanes(key, stream, sample, first + k, start // WORD, tied, high[d], low[d])
                # Lanes alive at the previous rate and dead at this one.
                if d > 0:
                    kept[d - 1, w] = alive & dead
                alive &= ~dead
            kept[high.size - 1, w] = alive


@kernel
def _exact_lanes(key, stream, sample, row, word, lanes, high, low):  # type: ignore[no-untyped-def]
    """The flips among lanes that 16 digits do not decide."""
    return draw_lanes(key, stream, sample, row, word, lanes, high, low, np.empty((1, 32), np.uint32))


@kernel
def mark_levels(  # type: ignore[no-untyped-def]
    key, stream, sample, first, rows, high, low, begins, counts, words, added
):
    """Sort the additions of the rows `first` … `first + rows − 1` into classes.

    Args:
        stream: counter word of the additions; the bits that decide here have an address of their own.
        high, low: 96-bit thresholds θ_a / θ_max of all addition rates but the largest, ascending.
        begins, counts: (≥ rows,) where the additions of a row begin, a multiple of 64, and how many there are.
        words: (≥ rows, W) uint32 scratch, W a multiple of 64.
        added: (rates, …) uint64, written: addition number i is lane i mod 64 of added[:, i div 64].
    """
    width = words.shape[1]
    if high.size > 0:
        fill_blocks(key, stream + LEVEL, sample, first, rows, 0, words)
    for k in range(rows):
        for start in range(0, counts[k], width):
            if start > 0 and high.size > 0:
                fill_blocks(key, stream + LEVEL, sample, first + k, 1, start // 4, words[k : k + 1])
            for i in range(0, min(width, counts[k] - start), WORD):
                w = (begins[k] + start + i) // WORD
                left = ~np.uint64(0) >> np.uint64(WORD - min(WORD, counts[k] - start - i))
                tied = np.uint64(0)
                for a in range(high.size):
                    happen = below(words, k, i, high[a])
                    tied |= left & equal(words, k, i, high[a])
                    added[a, w] = left & happen
                    left &= ~happen
                added[high.size, w] = left
                if tied:
                    _settle_levels(key, stream, sample, first + k, start + i, tied, high, low, words, k, i, added, w)


@kernel
def _settle_levels(  # type: ignore[no-untyped-def]
    key, stream, sample, row, draw, tied, high, low, words, k, i, added, w
):
    """Sort again the lanes whose leading 32 bits equal those of a threshold, with 64 bits more."""
    while tied:
        lane = lowest_one(tied)
        bit = np.uint64(1) << np.uint64(lane)
        tied &= ~bit
        u, v = words[k, i + lane], refined(key, stream + LEVEL, sample, row, draw + lane)
        place = 0
        while place < high.size and (high[place] < u or (high[place] == u and low[place] <= v)):
            place += 1
        for a in range(high.size + 1):
            added[a, w] = added[a, w] | bit if a == place else added[a, w] & ~bit


@kernel
def class_of(masks, lane):  # type: ignore[no-untyped-def]
    """The class of one lane of masks (classes, words), −1 if it is in none."""
    for rank in range(masks.shape[0]):
        if (masks[rank, lane // WORD] >> np.uint64(lane % WORD)) & np.uint64(1):
            return rank
    return -1


@kernel
def localized_row(  # type: ignore[no-untyped-def]
    begin, stop, indices, kept_rank, kept, kept_place, hits, start, count, added_rank, added, bits, row, out, at
):
    """Write the columns of the ones that a row has at a law, survivors first; return where they end.

    What finds no room in `out` is counted, not written.

    Args:
        begin, stop: where the clean ones of the row are in `indices`; kept[:, kept_place] is their first word of lanes.
        hits, start, count: its additions, see `draw_hits`.
        kept_rank, added_rank: the ranks of the law's deletion rate and addition rate.
        bits: (N, ⌈D / 64⌉) the clean ones as bits; row: which row it is.
    """
    one = np.uint64(1)
    for first in range(begin, stop, WORD):
        left = np.uint64(0)
        for d in range(kept_rank, kept.shape[0]):
            left |= kept[d, kept_place + (first - begin) // WORD]
        while left:
            if at < out.size:
                out[at] = indices[first + lowest_one(left)]
            at += 1
            left &= left - one
    for first in range(start, start + count, WORD):
        left = np.uint64(0)
        for a in range(added_rank + 1):
            left |= added[a, first // WORD]
        while left:
            column = hits[first + lowest_one(left)]
            # The bit of a clean one was drawn above; an addition there is void.
            if (bits[row, column // WORD] >> np.uint64(column % WORD)) & one == np.uint64(0):
                if at < out.size:
                    out[at] = column
                at += 1
            left &= left - one
    return at
