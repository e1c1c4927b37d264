"""Kernels of localized smoothing: all noise levels of a sample from one pass over its elements.

All levels come from the same uniform numbers: an element flips at a level iff its number is below that level's rate, so the
flips at a smaller rate are a subset of those at a larger one. Elements are drawn once at the largest rate and sorted into
*classes*: an addition of class a happens at the a-th smallest addition rate and all larger ones; a survivor of class d
survives the d-th smallest deletion rate and all smaller ones. With running sums over classes, one pass yields X̃W at every
level. The dependence this makes between outputs is harmless (union bound); samples stay independent (theory, section 10).
"""

import numpy as np

from graphcert.kernel import kernel
from graphcert.sampling.edges import STRIP, is_edge
from graphcert.sampling.flips import draw_gaps, draw_lanes, lowest_one
from graphcert.sampling.gather import sum_rows
from graphcert.sampling.philox import LEVEL, REFINE, fill_blocks


@kernel
def classify_additions(key, stream, sample, row, high, low, words, count, classes):  # type: ignore[no-untyped-def]
    """Write the classes of the additions 0 … count − 1 of a row (or strip), in the order in which they were drawn.

    Args:
        stream: counter word of the additions; the level bits have an address of their own.
        high, low: 96-bit thresholds θ_a / θ_max of all addition rates but the largest, ascending.
        words: scratch, a multiple of four; classes: uint8, written.
    """
    for begin in range(0, count, words.size):
        fill_blocks(key, stream + LEVEL, sample, row, begin // 4, words.size // 4, words)
        size = min(words.size, count - begin)
        undecided = False
        for i in range(size):
            u = words[i]
            a = np.int64(0)
            for k in range(high.size):
                a += np.int64(high[k] < u)
                undecided |= high[k] == u
            classes[begin + i] = a
        if undecided:
            for i in range(size):
                _settle_class(key, stream, sample, row, begin + i, words[i], high, low, classes)


@kernel
def _settle_class(key, stream, sample, row, draw, u, high, low, classes):  # type: ignore[no-untyped-def]
    """Draw 64 more bits where the first 32 equal those of a threshold."""
    a = np.int64(classes[draw])
    if a < high.size and high[a] == u:
        extra = np.empty(4, np.uint32)
        fill_blocks(key, stream + LEVEL + REFINE, sample, row, draw, 1, extra)
        v = (np.uint64(extra[0]) << np.uint64(32)) | np.uint64(extra[1])
        while a < high.size and high[a] == u and low[a] <= v:
            a += 1
        classes[draw] = a


@kernel
def survivors(key, stream, sample, row, begin, stop, del_high, del_low, words, masks):  # type: ignore[no-untyped-def]
    """masks[w, d] = the lanes of the ones 64·w … of begin … stop − 1 whose class is d; other lanes are deleted always.

    The same random digits are compared with every rate, so the masks of deleted lanes are nested.
    """
    rates = del_high.size
    for start in range(begin, stop, 64):
        w = (start - begin) >> 6
        lanes = ~np.uint64(0) >> np.uint64(64 - min(64, stop - start))
        alive = lanes
        for d in range(rates):
            deleted = np.uint64(0)
            if del_high[d] | del_low[d]:
                deleted = draw_lanes(key, stream, sample, row, w, lanes, del_high[d], del_low[d], words)
            # Lanes alive at the previous rate and dead at this one have the previous class.
            if d > 0:
                masks[w, d - 1] = alive & deleted
            alive &= ~deleted
        masks[w, rates - 1] = alive


@kernel
def localized_row(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, row, elements, indptr, indices, bits, thresholds, scratch
):
    """Sort one row's possible ones by class: class k is columns[begins[k]] … columns[ends[k] − 1].

    The classes of survivors come first, then the classes of additions.

    Args:
        thresholds: (high, low, guide) of the gaps at the largest addition rate, (del_high, del_low) of the deletion rates,
            (level_high, level_low) of the addition rates.
        scratch: (words, columns, hits, classes, masks, begins, ends).
    """
    high, low, guide, del_high, del_low, level_high, level_low = thresholds
    words, columns, hits, classes, masks, begins, ends = scratch
    one = np.uint64(1)
    begin, stop = indptr[row], indptr[row + 1]
    survivors(key, delete_stream, sample, row, begin, stop, del_high, del_low, words, masks)
    deletions = del_high.size
    count = 0
    for d in range(deletions):
        begins[d] = count
        for start in range(begin, stop, 64):
            mask = masks[(start - begin) >> 6, d]
            while mask:
                columns[count] = indices[start + lowest_one(mask)]
                count += 1
                mask &= mask - one
        ends[d] = count
    drawn = draw_gaps(key, add_stream, sample, row, elements, high, low, guide, words, hits, 0)
    classify_additions(key, add_stream, sample, row, level_high, level_low, words, drawn, classes)
    # Every class of additions has a part of `columns` of its own, so that one pass sorts them.
    for a in range(level_high.size + 1):
        begins[deletions + a] = columns.size - (a + 1) * elements
        ends[deletions + a] = begins[deletions + a]
    for i in range(drawn):
        position = np.uint64(hits[i])
        k = deletions + np.int64(classes[i])
        columns[ends[k]] = hits[i]
        ends[k] += np.int64(one - ((bits[row, position >> np.uint64(6)] >> (position & np.uint64(63))) & one))


@kernel
def localized_first_layer(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, indptr, indices, bits, thresholds, ranks, block, view_law, weight, scratch,
    sums, out,
):  # fmt: skip
    """out[v] = X̃_v W for every view v of one sample.

    Args:
        ranks: (laws, 2) the deletion class and the addition class of every law.
        block: (N,) block of every row; view_law: (V, J) law that a view puts on a block.
        sums: (classes + 1, H) float32 scratch.
        out: (V, N, H) float32, overwritten.
    """
    _, columns, _, _, _, begins, ends = scratch
    deletions = thresholds[3].size
    total = deletions + thresholds[5].size + 1
    width = weight.shape[1]
    for row in range(indptr.size - 1):
        localized_row(
            key, add_stream, delete_stream, sample, row, weight.shape[0], indptr, indices, bits, thresholds, scratch
        )
        for k in range(total):
            sum_rows(weight, columns, begins[k], ends[k], np.int64(-1), np.float32(1), sums, np.int64(k))
        # Survivors of a class survive all smaller rates too; additions of a class happen at all larger rates too.
        for d in range(deletions - 2, -1, -1):
            for h in range(width):
                sums[d, h] += sums[d + 1, h]
        for a in range(deletions + 1, total):
            for h in range(width):
                sums[a, h] += sums[a - 1, h]
        for v in range(out.shape[0]):
            law = view_law[v, block[row]]
            kept, added = ranks[law, 0], deletions + ranks[law, 1]
            for h in range(width):
                out[v, row, h] = sums[kept, h] + sums[added, h]


@kernel
def localized_rows(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, elements, indptr, indices, bits, thresholds, ranks, block, laws, scratch,
    noisy_indptr, noisy_indices,
):  # fmt: skip
    """The ones that one view sees, in CSR form; returns how many, which may exceed the room of `noisy_indices`.

    Args:
        laws: (J,) the law that the view puts on every block.
    """
    _, columns, _, _, _, begins, ends = scratch
    deletions = thresholds[3].size
    total = 0
    noisy_indptr[0] = 0
    for row in range(indptr.size - 1):
        localized_row(key, add_stream, delete_stream, sample, row, elements, indptr, indices, bits, thresholds, scratch)
        law = laws[block[row]]
        for k in range(deletions + thresholds[5].size + 1):
            if k < ranks[law, 0] or k > deletions + ranks[law, 1]:
                continue
            for i in range(begins[k], ends[k]):
                if total < noisy_indices.size:
                    noisy_indices[total] = columns[i]
                total += 1
        noisy_indptr[row + 1] = total
    return total


@kernel
def localized_edges(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, indptr, indices, marks, thresholds, ranks, block, view_law, scratch, sources,
    targets, counts,
):  # fmt: skip
    """The undirected edges {sources[v, e], targets[v, e]} of every view v of one sample; counts (V,) says how many.

    Args:
        indptr, indices, marks: upper triangle of the clean adjacency, CSR, ascending in each row, and its `edge_marks`.
        view_law: (V, J, J) law that a view puts on the pairs of two blocks.

    Returns:
        0; or minus the room that the scratch for additions lacks. A count may exceed the room: enlarge and ask again.
    """
    high, low, guide, del_high, del_low, level_high, level_low = thresholds
    words, _, hits, classes, masks, _, _ = scratch
    nodes = indptr.size - 1
    counts[:] = 0
    for strip in range((nodes + STRIP - 1) // STRIP):
        first = strip * STRIP
        i = first
        begin, stop = indptr[first], indptr[min(nodes, first + STRIP)]
        survivors(key, delete_stream, sample, strip, begin, stop, del_high, del_low, words, masks)
        for at in range(begin, stop):
            while indptr[i + 1] <= at:
                i += 1
            kept = -1
            for d in range(del_high.size):
                if (masks[(at - begin) >> 6, d] >> np.uint64((at - begin) & 63)) & np.uint64(1):
                    kept = d
            if kept >= 0:
                _show(i, indices[at], kept, 0, ranks, block, view_law, sources, targets, counts)
        width = nodes - first - 1
        elements = min(STRIP, nodes - first) * width
        drawn = draw_gaps(key, add_stream, sample, strip, elements, high, low, guide, words, hits, 0)
        if drawn > hits.size:
            return -drawn
        classify_additions(key, add_stream, sample, strip, level_high, level_low, words, drawn, classes)
        i, row_start = first, 0
        for hit in range(drawn):
            while hits[hit] >= row_start + width:
                row_start += width
                i += 1
            j = first + 1 + hits[hit] - row_start
            if i < j and not is_edge(indptr, indices, marks, i, j):
                _show(i, j, classes[hit], 1, ranks, block, view_law, sources, targets, counts)
    return 0


@kernel
def _show(i, j, order, kind, ranks, block, view_law, sources, targets, counts):  # type: ignore[no-untyped-def]
    """Append an edge of class `order` (kind 0: survivor, 1: addition) to every view that has it."""
    for v in range(counts.size):
        rank = ranks[view_law[v, block[i], block[j]], kind]
        if (kind == 0 and rank <= order) or (kind == 1 and rank >= order):
            at = counts[v]
            if at < sources.shape[1]:
                sources[v, at] = i
                targets[v, at] = j
            counts[v] = at + 1
