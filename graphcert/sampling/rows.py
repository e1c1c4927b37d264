"""Kernels over all feature rows of a sample: the sparse first layer and the noisy rows themselves.

Each kernel does one sample and allocates nothing that grows with the number of samples.
"""

import numpy as np

from graphcert.core.compiled import kernel
from graphcert.sampling.blocks import draw_block, localized_row, next_wanted
from graphcert.sampling.csr import Floats
from graphcert.sampling.simd.row_sums import rectified_products, sum_selected_rows
from graphcert.sampling.simd.vectors import WORD, lowest_one

RowLayer = tuple[Floats, Floats]
"""A bias (H,) and a weight (K, H), H a multiple of the vector width: every row x becomes weight · max(x + bias, 0)."""


@kernel
def first_layer(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, wanted, indptr, indices, bits, thresholds, block, seen, needed, begin_of,
    step, weight, scratch, sums, bias, products, slots, out,
):  # fmt: skip
    """Wanted rows of X̃ W in every version that is needed, straight from the positions of the ones; X̃ never exists.

    Survivors of a class survive all smaller rates too, additions of a class happen at all larger rates too: running sums
    over classes yield every rate, and a version adds one sum of survivors and one of additions. A sample in which a class
    is empty has fewer versions of a row than there are levels: with `slots` each is written once.

    Args:
        wanted: (N,) bool, the rows that are drawn at all; the others are left as they are.
        indptr, indices, bits: the clean ones in CSR form, ascending in each row, and as packed bits.
        thresholds, scratch: see `Channel.thresholds` and `RowScratch.arrays`.
        seen: (J, P, 2) the two rows of `sums` that make up a version of the rows of a block; block: (N,).
        needed, begin_of, step: see `Layout`.
        slots: (places,) int32, written: the row of `out` of every place of the layout; if it is empty, places are rows.
        weight: (D, H) float32, H a multiple of the vector width.
        sums: (deletion rates + addition rates + 1, H) float32 scratch; the first row is zero.
        bias, products: (H,) and (K, H) float32, the layer ReLU(· + bias) @ products.T that follows; K may be 0.
        out: (R, ≥ K) float32, the results of that layer; if K = 0, (R, H), the products themselves.

    Returns:
        How many rows of `out` the slots take, maybe more than it has: then enlarge it and ask again.
    """
    _, _, begins, counts, hits, added, places, _, _, _, kept = scratch
    same, used = np.zeros(sums.shape[0], np.int64), np.int64(0)
    first = next_wanted(wanted, 0)
    while first < wanted.size:
        rows = draw_block(
            key, add_stream, delete_stream, sample, first, wanted, weight.shape[0], indptr, thresholds, scratch
        )
        for k in range(rows):
            row = first + k
            begin, words = np.int64(indptr[row]), _words(np.int64(indptr[row + 1] - indptr[row]))
            for turn in range(kept.shape[0]):
                # Survivors of the largest rate first.
                rank = kept.shape[0] - 1 - turn
                same[turn + 1] = same[turn]
                if _some(kept, rank, places[k], words):
                    place = np.int64(rank * kept.shape[1] + places[k])
                    sum_selected_rows(
                        weight,
                        indices,
                        begin,
                        kept,
                        place,
                        words,
                        None,
                        np.int64(0),
                        sums,
                        same[turn],
                        np.int64(turn + 1),
                    )
                    same[turn + 1] = turn + 1
            # The bit of a clean one was drawn above; an addition there is void.
            origin, words = np.int64(0), _words(counts[k])
            for rank in range(added.shape[0]):
                target = np.int64(kept.shape[0] + 1 + rank)
                if _some(added, rank, begins[k] // WORD, words):
                    place = np.int64(rank * added.shape[1] + begins[k] // WORD)
                    sum_selected_rows(
                        weight, hits, begins[k], added, place, words, bits, np.int64(row), sums, origin, target
                    )
                    origin = target
                same[target] = origin
            used = _write_versions(
                needed[row], seen[block[row]], same, sums, bias, products, begin_of[row], step, slots, used, out
            )
        first = next_wanted(wanted, first + rows)
    return used


@kernel
def _write_versions(  # type: ignore[no-untyped-def]
    needed, seen, same, sums, bias, products, place, step, slots, used, out
):
    """Write the versions of a row, see `first_layer`; same[r] is the first row of `sums` that equals row r."""
    last_one, last_two, target = np.int64(-1), np.int64(-1), np.int64(place)
    for word in range(needed.size):
        left = needed[word]
        while left:
            version = word * WORD + lowest_one(left)
            left &= left - np.uint64(1)
            one, two = same[seen[version, 0]], same[seen[version, 1]]
            fresh = slots.size == 0 or one != last_one or two != last_two
            if slots.size > 0:
                used += fresh
                target = used - 1
                slots[place] = target
            last_one, last_two = one, two
            if fresh and target < out.shape[0]:
                if products.shape[0] > 0:
                    rectified_products(sums, one, two, bias, products, out, target, np.int64(0))
                else:
                    for h in range(sums.shape[1]):
                        out[target, h] = sums[one, h] + sums[two, h]
            place += step
            target += step
    return used


@kernel
def _some(masks, rank, place, words):  # type: ignore[no-untyped-def]
    """Whether so many masks of a class from `place` on have a one."""
    found = np.uint64(0)
    for w in range(place, place + words):
        found |= masks[rank, w]
    return found != np.uint64(0)


@kernel
def _words(lanes):  # type: ignore[no-untyped-def]
    """Masks that so many lanes need."""
    return (lanes + WORD - 1) // WORD


@kernel
def rectified_rows(hidden, bias, products, out):  # type: ignore[no-untyped-def]
    """The layer that `first_layer` can go on with, from first products `hidden` (R, H); `out` is (≥ R, ≥ K)."""
    for i in range(hidden.shape[0]):
        rectified_products(hidden, np.int64(i), None, bias, products, out, np.int64(i), np.int64(0))


@kernel
def noisy_rows(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, wanted, elements, indptr, indices, bits, thresholds, block, ranks, scratch,
    noisy_indptr, noisy_indices,
):  # fmt: skip
    """The ones of one view of one sample in CSR form: in each wanted row survivors, then additions, both ascending.

    `ranks` (J, 2) are those of the deletion rate and of the addition rate that the view puts on the rows of a block. Returns
    how many ones there are, maybe more than `noisy_indices` has room for: then enlarge it and ask again.
    """
    _, _, begins, counts, hits, added, places, _, _, _, kept = scratch
    nodes = indptr.size - 1
    first, total = next_wanted(wanted, 0), 0
    noisy_indptr[: first + 1] = 0
    while first < nodes:
        rows = draw_block(key, add_stream, delete_stream, sample, first, wanted, elements, indptr, thresholds, scratch)
        for k in range(rows):
            row = first + k
            kept_rank, added_rank = ranks[block[row], 0], ranks[block[row], 1]
            total = localized_row(
                indptr[row], indptr[row + 1], indices, kept_rank, kept, places[k], hits, begins[k], counts[k], added_rank,
                added, bits, row, noisy_indices, total,
            )  # fmt: skip
            noisy_indptr[row + 1] = total
        stop = next_wanted(wanted, first + rows)
        noisy_indptr[first + rows + 1 : stop + 1] = total
        first = stop
    return total
