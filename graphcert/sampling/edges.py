"""Kernels over the undirected edges of a sample.

The pairs i < j are drawn once each, in strips of `STRIP` consecutive rows i: sparse graphs have few flips in a row, and
a strip shares the start-up of a random stream between them. The strip, not the row, is the address of the random bits.
"""

import numpy as np

from graphcert.kernel import kernel
from graphcert.sampling.flips import draw_gaps, draw_lanes

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
def _surviving_edges(  # type: ignore[no-untyped-def]
    key, stream, sample, strip, indptr, indices, del_high, del_low, words, sources, targets, count
):
    """Append the clean edges of one strip that are not deleted; return the new count."""
    nodes = indptr.size - 1
    i = strip * STRIP
    begin, stop = indptr[i], indptr[min(nodes, i + STRIP)]
    for start in range(begin, stop, 64):
        size = min(64, stop - start)
        lanes = ~np.uint64(0) >> np.uint64(64 - size)
        deleted = np.uint64(0)
        if del_high | del_low:
            deleted = draw_lanes(key, stream, sample, strip, (start - begin) >> 6, lanes, del_high, del_low, words)
        for lane in range(size):
            while indptr[i + 1] <= start + lane:
                i += 1
            if count < sources.size:
                sources[count] = i
                targets[count] = indices[start + lane]
            count += 1 - np.int64((deleted >> np.uint64(lane)) & np.uint64(1))
    return count


@kernel
def noisy_edges(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, indptr, indices, marks, high, low, guide, del_high, del_low, words, hits,
    sources, targets,
):  # fmt: skip
    """The noisy undirected edges {sources[e], targets[e]} of one sample, in an order that the address alone fixes.

    Args:
        indptr, indices: upper triangle of the clean adjacency, CSR, ascending in each row.
        marks: (N,) see `edge_marks`.
        words, hits: scratch for random words and for the additions of one strip.
        sources, targets: written; i < j for every pair.

    Returns:
        The number of edges, which may exceed the room: then enlarge `sources` and `targets` and ask again. Or minus the
        room that `hits` lacks.
    """
    nodes = indptr.size - 1
    count = 0
    for strip in range((nodes + STRIP - 1) // STRIP):
        count = _surviving_edges(
            key, delete_stream, sample, strip, indptr, indices, del_high, del_low, words, sources, targets, count
        )
        # The strip's pairs lie in a rectangle: rows first … and columns first + 1 …; its few pairs j ≤ i are void.
        first = strip * STRIP
        width = nodes - first - 1
        elements = min(STRIP, nodes - first) * width
        drawn = draw_gaps(key, add_stream, sample, strip, elements, high, low, guide, words, hits, 0)
        if drawn > hits.size:
            return -drawn
        i, row_start = first, 0
        for hit in range(drawn):
            while hits[hit] >= row_start + width:
                row_start += width
                i += 1
            j = first + 1 + hits[hit] - row_start
            if i < j and not is_edge(indptr, indices, marks, i, j):
                if count < sources.size:
                    sources[count] = i
                    targets[count] = j
                count += 1
    return count


@kernel
def adjacency(sources, targets, nodes):  # type: ignore[no-untyped-def]
    """The symmetric adjacency (indptr, indices) of the undirected edges {sources[e], targets[e]}, in CSR form."""
    indptr = np.zeros(nodes + 1, np.int32)
    for e in range(sources.size):
        indptr[sources[e] + 1] += 1
        indptr[targets[e] + 1] += 1
    for i in range(nodes):
        indptr[i + 1] += indptr[i]
    cursor = indptr[:-1].copy()
    indices = np.empty(2 * sources.size, np.int32)
    for e in range(sources.size):
        i, j = sources[e], targets[e]
        indices[cursor[i]] = j
        cursor[i] += 1
        indices[cursor[j]] = i
        cursor[j] += 1
    return indptr, indices


@kernel
def edge_marks(indptr, indices):  # type: ignore[no-untyped-def]
    """(N,) one word per row: bit j mod 64 is set for every j of the row."""
    marks = np.zeros(indptr.size - 1, np.uint64)
    for i in range(indptr.size - 1):
        for at in range(indptr[i], indptr[i + 1]):
            marks[i] |= np.uint64(1) << np.uint64(indices[at] & 63)
    return marks
