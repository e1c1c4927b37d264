"""Flips of a block of consecutive rows, in steps that become vector code.

All random words of a block are drawn first, then all that follows from them, step by step: in turns, the steps would push
each other's tables out of the first-level cache, and calls cost reference counts, which are dear at the scale of a row.
"""

import numpy as np

from graphcert.core.compiled import kernel
from graphcert.sampling.flips import DOUBTFUL, cell_of, draw_gaps, gap_in, settled_gap
from graphcert.sampling.lanes import GROUP, WORD, leap, places_below
from graphcert.sampling.localized import draw_kept, mark_levels
from graphcert.sampling.philox import fill_blocks


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
    """Draw the flips of the wanted row `first` and of the wanted rows that follow without a gap, as many as find room.

    Args:
        key, sample: the address of the sample; add_stream, delete_stream: the two counter words.
        wanted: (N,) bool, the rows that are drawn at all; it changes the speed, never what is drawn for them.
        elements: length of a row; indptr: its clean ones in CSR form.
        thresholds: see `Channel.thresholds`.
        scratch: see `RowScratch.arrays`; the results are begins, counts, hits (see `draw_hits`), added (see `mark_levels`),
            places and kept (see `draw_kept`).

    Returns:
        How many rows, at least one.
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

    Row `first` + k flips at the positions hits[begins[k]] … hits[begins[k] + counts[k] − 1], ascending.

    Args:
        words, steps: (≥ rows, W) and (≥ rows, ≤ W) uint32 scratch of whole groups of 16; widths change the speed, never the
            result.
        begins, counts: (≥ rows,) int64, written; begins are multiples of 64.
        hits: int32, written; it has room for max(elements, W) + 16 at least.
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
