"""Kernels over the edges of a sample.

The pairs i < j of an undirected graph, or the ordered pairs i ≠ j of a directed one, are drawn once each, in strips of
`STRIP` consecutive rows i: sparse graphs have few flips in a row, and a strip shares the start-up of a random stream between
them. The strip, not the row, is the address of the random bits. The row of a directed edge is its target.
"""

import numpy as np

from graphcert.core.compiled import kernel
from graphcert.sampling.blocks import class_of, draw_kept, mark_levels
from graphcert.sampling.flips import draw_gaps
from graphcert.sampling.simd.vectors import WORD, lowest_one

STRIP = 32


@kernel
def is_edge(indptr, indices, marks, i, j):  # type: ignore[no-untyped-def]
    """Whether row i holds j (rows are ascending). `marks` says no at once for almost all pairs of a sparse graph."""
    if (marks[i] >> np.uint64(j & 63)) & np.uint64(1) == np.uint64(0):
        return False
    low, high = indptr[i], indptr[i + 1]
    while low < high:
        middle = (low + high) >> 1
        if indices[middle] < j:
            low = middle + 1
        else:
            high = middle
    return low < indptr[i + 1] and indices[low] == j


@kernel
def noisy_edges(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, directed, indptr, indices, rows, strips, marks, thresholds, scratch, firsts,
    seconds, classes,
):  # fmt: skip
    """The edges (firsts[e], seconds[e]) of a sample at any level, in an order that the address alone fixes.

    `indptr`, `indices` are the clean adjacency (CSR, ascending in each row), its upper triangle unless the graph is
    `directed`, `rows` the row of each index, and `strips` says where strips of indices begin and end; see `edge_marks`,
    `Channel.thresholds` and `StripScratch.arrays`. Written are firsts < seconds, or target and source of directed edges, and
    as `classes` that of a survivor, or the number of deletion rates plus that of an addition.

    Returns:
        The number of edges, which may exceed the room: then enlarge the three arrays and ask again. Or minus the room that
        the scratch for additions lacks.
    """
    high, low, cells, del_high, del_low, level_high, level_low = thresholds
    words, begins, counts, hits, added, places, units, digits, numbers, kept = scratch
    nodes = indptr.size - 1
    count = 0
    for strip in range(strips.size - 1):
        if strip % places.size == 0:
            some = min(places.size, strips.size - 1 - strip)
            draw_kept(
                key, delete_stream, sample, strip, some, strips, del_high, del_low, places, units, digits, numbers, kept
            )
        for start in range(strips[strip], strips[strip + 1], WORD):
            for rank in range(del_high.size):
                left = kept[rank, places[strip % places.size] + (start - strips[strip]) // WORD]
                while left:
                    at = start + lowest_one(left)
                    left &= left - np.uint64(1)
                    if count < firsts.size:
                        firsts[count] = rows[at]
                        seconds[count] = indices[at]
                        classes[count] = rank
                    count += 1
        # The strip's pairs lie in a rectangle: rows first … and columns left_column …; few of its pairs are void.
        first = strip * STRIP
        left_column = 0 if directed else first + 1
        width = nodes - left_column
        elements = min(STRIP, nodes - first) * width
        drawn = draw_gaps(key, add_stream, sample, strip, elements, high, low, cells, words, 0, 0, hits, 0)
        if drawn > hits.size:
            return -drawn
        if level_high.size > 0:
            begins[0], counts[0] = 0, drawn
            mark_levels(key, add_stream, sample, strip, 1, level_high, level_low, begins, counts, words, added)
        i, row_start = first, 0
        for hit in range(drawn):
            while hits[hit] >= row_start + width:
                row_start += width
                i += 1
            j = left_column + hits[hit] - row_start
            if (i < j or (directed and i != j)) and not is_edge(indptr, indices, marks, i, j):
                if count < firsts.size:
                    firsts[count] = i
                    seconds[count] = j
                    classes[count] = del_high.size + (class_of(added, hit) if level_high.size > 0 else 0)
                count += 1
    return count


@kernel
def seen_edges(  # type: ignore[no-untyped-def]
    firsts, seconds, classes, ranks, deletions, block, laws, seen_firsts, seen_seconds
):
    """Those edges of `noisy_edges` that one view sees, in the same order; `laws` (J, J) are those of pairs of blocks.

    Written to `seen_firsts`, `seen_seconds`, which have room for all edges; returns how many.
    """
    count = 0
    for e in range(firsts.size):
        law = laws[block[firsts[e]], block[seconds[e]]]
        rank = classes[e] - deletions
        seen_firsts[count] = firsts[e]
        seen_seconds[count] = seconds[e]
        count += ranks[law, 1] >= rank if rank >= 0 else ranks[law, 0] <= classes[e]
    return count


@kernel
def adjacency(firsts, seconds, nodes, directed, classes=None):  # type: ignore[no-untyped-def]
    """The adjacency of edges in CSR form: row firsts[e] has seconds[e], and without directions as well the other way round.

    Returns indptr, indices, and the class of every entry, none where `classes` (E,) is None.
    """
    indptr = np.zeros(nodes + 1, np.int32)
    for e in range(firsts.size):
        indptr[firsts[e] + 1] += 1
        if not directed:
            indptr[seconds[e] + 1] += 1
    for i in range(nodes):
        indptr[i + 1] += indptr[i]
    cursor = indptr[:-1].copy()
    indices = np.empty(indptr[nodes], np.int32)
    of_entry = np.empty(0 if classes is None else indices.size, np.int32)
    for e in range(firsts.size):
        i, j = firsts[e], seconds[e]
        indices[cursor[i]] = j
        if classes is not None:
            of_entry[cursor[i]] = classes[e]
        cursor[i] += 1
        if not directed:
            indices[cursor[j]] = i
            if classes is not None:
                of_entry[cursor[j]] = classes[e]
            cursor[j] += 1
    return indptr, indices, of_entry


@kernel
def clean_places(indptr, indices, clean_indptr, clean_indices):  # type: ignore[no-untyped-def]
    """(nnz,) the place of every entry of a noisy adjacency in the clean one (ascending in each row), −1 for an addition."""
    places = np.empty(indices.size, np.int32)
    for i in range(indptr.size - 1):
        begin, end = clean_indptr[i], clean_indptr[i + 1]
        for at in range(indptr[i], indptr[i + 1]):
            place = begin + np.searchsorted(clean_indices[begin:end], indices[at])
            places[at] = place if place < end and clean_indices[place] == indices[at] else -1
    return places


@kernel
def edge_marks(indptr, indices):  # type: ignore[no-untyped-def]
    """(N,) one word per row: bit j mod 64 is set for every j of the row."""
    marks = np.zeros(indptr.size - 1, np.uint64)
    for i in range(indptr.size - 1):
        for at in range(indptr[i], indptr[i + 1]):
            marks[i] |= np.uint64(1) << np.uint64(indices[at] & 63)
    return marks
