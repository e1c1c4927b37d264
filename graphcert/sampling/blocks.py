"""Flips of a block of consecutive rows, in steps that become vector code: first all random words, then each step for all.

*Levels.* All noise levels come from one pass over the elements, and from the same uniform numbers: an element flips at
a level iff its number is below that level's rate, so the flips at a smaller rate are a subset of those at a larger one.
Elements are drawn once and sorted into *classes*: a survivor of class d survives the d-th smallest deletion rate and
all smaller ones; an addition of class a happens at the a-th smallest addition rate and all larger ones. The dependence
this makes between outputs is harmless (union bound); samples stay independent (theory, section 10). A class is a set of
lanes, bits of 64-bit masks.
"""

import numpy as np

from graphcert.core.compiled import kernel
from graphcert.sampling.flips import (
    BLOCKS_PER_WORD,
    DOUBTFUL,
    cell_of,
    draw_bits,
    draw_gaps,
    gap_in,
    refined,
    settled_gap,
)
from graphcert.sampling.philox import LEVEL, fill_blocks
from graphcert.sampling.simd.vectors import (
    DIGITS,
    GROUP,
    WORD,
    below,
    digits_to_numbers,
    equal,
    leap,
    lowest_one,
    places_below,
)


@kernel
def draw_kept(  # type: ignore[no-untyped-def]
    key, stream, sample, first, rows, indptr, high, low, places, units, digits, numbers, kept
):
    """Sort the ones of the rows `first` … `first + rows − 1` into classes of survivors; others are deleted always.

    `high`, `low` are the 128 digits of each deletion rate, ascending. Written are `places` (≥ rows,) int64 and `kept`
    (rates, U) uint64: the ones 64·w … of row `first` + k are the lanes of kept[:, places[k] + w]. Scratch: `units` (U, 2)
    int64, `digits` (U, 32) uint32, `numbers` (1, 64) uint16.
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
    return draw_bits(key, stream, sample, row, word, lanes, high, low, np.empty((1, 32), np.uint32))


_FEW_LEVELS = 8
"""Additions are compared with so many thresholds all at once; among more each is looked up."""


@kernel
def mark_levels(  # type: ignore[no-untyped-def]
    key, stream, sample, first, rows, high, low, begins, counts, words, added
):
    """Sort the additions of the rows `first` … `first + rows − 1` into classes.

    `high`, `low` are the 96-bit thresholds θ_a / θ_max of all addition rates but the largest, ascending; `begins`, `counts`
    (≥ rows,) where the additions of a row begin, a multiple of 64, and how many there are; `words` (≥ rows, W) uint32
    scratch, W a multiple of 64. Written is `added` (rates, …) uint64: addition number i is lane i mod 64 of
    added[:, i div 64].
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
                if high.size > _FEW_LEVELS:
                    tied = _sort_lanes(high, words, k, i, min(WORD, counts[k] - start - i), added, w)
                    left = added[high.size, w]
                for a in range(high.size if high.size <= _FEW_LEVELS else 0):
                    happen = below(words, k, i, high[a])
                    tied |= left & equal(words, k, i, high[a])
                    added[a, w] = left & happen
                    left &= ~happen
                added[high.size, w] = left
                if tied:
                    _settle_levels(key, stream, sample, first + k, start + i, tied, high, low, words, k, i, added, w)


@kernel
def _sort_lanes(high, words, k, i, lanes, added, w):  # type: ignore[no-untyped-def]
    """What `mark_levels` does to one word of lanes, lane by lane; returns those that have to be settled."""
    for a in range(high.size + 1):
        added[a, w] = 0
    tied = np.uint64(0)
    for lane in range(lanes):
        place = np.searchsorted(high, words[k, i + lane], side="right")
        bit = np.uint64(1) << np.uint64(lane)
        added[place, w] |= bit
        if place > 0 and high[place - 1] == words[k, i + lane]:
            tied |= bit
    return tied


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

    What finds no room in `out` is counted, not written. The clean ones of the row are `indices[begin:stop]`, and
    kept[:, kept_place] is their first word of lanes; `hits`, `start`, `count` are its additions (`draw_hits`), `bits`
    (N, ⌈D / 64⌉) all clean ones as bits.
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


@kernel
def next_wanted(wanted, row):  # type: ignore[no-untyped-def]
    """The first row from `row` on that is wanted, or the number of rows."""
    while row < wanted.size and not wanted[row]:
        row += 1
    return row


@kernel
def draw_block(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, first, wanted, elements, indptr, thresholds, scratch
):
    """Draw the flips of the wanted row `first` and of the wanted rows that follow without a gap; return how many, ≥ 1.

    `wanted` (N,) changes the speed, never what is drawn for a row of `elements` elements. Of `scratch`
    (`RowScratch.arrays`) the results are begins, counts, hits (see `draw_hits`), added (see `mark_levels`), places and kept
    (see `draw_kept`); `thresholds` are those of `Channel`.
    """
    high, low, cells, del_high, del_low, level_high, level_low = thresholds
    words, steps, begins, counts, hits, added, places, units, digits, numbers, kept = scratch
    rows = 1
    while rows < begins.size and first + rows < wanted.size and wanted[first + rows]:
        rows += 1
    rows = draw_hits(
        key, add_stream, sample, first, rows, elements, high, low, cells, words, steps, begins, counts, hits
    )
    mark_levels(key, add_stream, sample, first, rows, level_high, level_low, begins, counts, words, added)
    draw_kept(key, delete_stream, sample, first, rows, indptr, del_high, del_low, places, units, digits, numbers, kept)
    return rows


@kernel
def draw_hits(  # type: ignore[no-untyped-def]
    key, stream, sample, first, rows, elements, high, low, cells, words, steps, begins, counts, hits
):
    """Row by row what `draw_gaps` does, for up to `rows` rows; return for how many there was room.

    Row `first` + k flips at the positions hits[begins[k]] … hits[begins[k] + counts[k] − 1], ascending; begins are
    multiples of 64, and `hits` has room for max(elements, W) + 16 at least. `words` (≥ rows, W) and `steps` (≥ rows, ≤ W)
    are uint32 scratch of whole groups of 16; widths change the speed, never the result.
    """
    begins[:rows], counts[:rows] = 0, 0
    if low.size == 0:
        return rows
    width = steps.shape[1]
    fill_blocks(key, stream, sample, first, rows, 0, words)
    for k in range(rows):
        for i in range(width):
            steps[k, i] = cells[cell_of(words[k, i])]
    for k in range(rows):
        for i in range(width):
            steps[k, i] = gap_in(steps[k, i], words[k, i]) + np.uint32(1)
    at = np.int64(0)
    for k in range(rows):
        begin = (at + WORD - 1) // WORD * WORD
        if k > 0 and begin + max(elements, width) + GROUP > hits.size:
            return k
        at, last = begin, np.int64(-1)
        for group in range(0, width, GROUP):
            behind = leap(steps, k, group, last, hits, at)
            if behind >= 0:
                last = behind
                if last >= elements:
                    at += places_below(hits, at, elements)
                    break
                at += GROUP
            else:
                for i in range(group, group + GROUP):
                    gap = np.int64(steps[k, i]) - 1
                    if gap >= DOUBTFUL:
                        gap = settled_gap(key, stream, sample, first + k, i, words[k, i], gap - DOUBTFUL, high, low)
                    hit = np.int64(gap < low.size)
                    last += gap + hit
                    if last >= elements:
                        break
                    hits[at] = last
                    at += hit
                if last >= elements:
                    break
        if last < elements:
            # Few rows need more random words than the others.
            at = _rest_of_row(key, stream, sample, first + k, elements, high, low, cells, width, last + 1, hits, at)
        begins[k], counts[k] = begin, at - begin
    return rows


@kernel
def _rest_of_row(  # type: ignore[no-untyped-def]
    key, stream, sample, row, elements, high, low, cells, drawn, position, hits, at
):
    """The flips of a row from `position` on, after so many draws; return where they end."""
    words = np.empty((1, WORD), np.uint32)
    return draw_gaps(key, stream, sample, row, elements, high, low, cells, words, drawn, position, hits, at)
