"""Kernels over all feature rows of a sample: the sparse first layer and the noisy rows themselves.

Each kernel does one sample and allocates nothing that grows with the number of samples.
"""

import numpy as np

from graphcert.core.compiled import kernel
from graphcert.sampling.blocks import draw_block, localized_row, next_wanted
from graphcert.sampling.csr import Floats
from graphcert.sampling.simd.row_sums import rectified_products, sum_selected_rows
from graphcert.sampling.simd.vectors import WORD

RowLayer = tuple[Floats, Floats]
"""A bias (H,) and a weight (K, H), H a multiple of the vector width: every row x becomes weight · max(x + bias, 0)."""


@kernel
def first_layer(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, wanted, indptr, indices, bits, thresholds, block, seen, weight, scratch, sums,
    bias, products, out,
):  # fmt: skip
    """Wanted rows of X̃_v W for every view v of one sample, straight from the positions of the ones; X̃_v never exists.

    Survivors of a class survive all smaller rates too, additions of a class happen at all larger rates too: running sums
    over classes yield every rate, and a view adds one sum of survivors and one of additions.

    Args:
        wanted: (N,) bool, the rows that are noised in some view; the others are left as they are.
        indptr, indices, bits: the clean ones in CSR form, ascending in each row, and as packed bits.
        thresholds, scratch: see `Channel.thresholds` and `RowScratch.arrays`.
        seen: (V, J, 2) the two rows of `sums` that a view adds up for the rows of a block; block: (N,).
        weight: (D, H) float32, H a multiple of the vector width.
        sums: (deletion rates + addition rates + 1, H) float32 scratch; the first row is zero.
        bias, products: (H,) and (K, H) float32, the layer ReLU(· + bias) @ products.T that follows; K may be 0.
        out: (N, ≥ V · K) float32, the results of that layer side by side; if K = 0, (V · N, H), the X̃_v W one below another.
    """
    _, _, begins, counts, hits, added, places, _, _, _, kept = scratch
    nodes = indptr.size - 1
    first = next_wanted(wanted, 0)
    while first < nodes:
        rows = draw_block(
            key, add_stream, delete_stream, sample, first, wanted, weight.shape[0], indptr, thresholds, scratch
        )
        for k in range(rows):
            row = first + k
            begin, words = np.int64(indptr[row]), _words(np.int64(indptr[row + 1] - indptr[row]))
            for turn in range(kept.shape[0]):
                # Survivors of the largest rate first.
                place = (kept.shape[0] - 1 - turn) * kept.shape[1] + places[k]
                sum_selected_rows(
                    weight, indices, begin, kept, np.int64(place), words, None, np.int64(0), sums, np.int64(turn),
                    np.int64(turn + 1),
                )  # fmt: skip
            # The bit of a clean one was drawn above; an addition there is void.
            origin, words = 0, _words(counts[k])
            for rank in range(added.shape[0]):
                place, target = rank * added.shape[1] + begins[k] // WORD, kept.shape[0] + 1 + rank
                sum_selected_rows(
                    weight, hits, begins[k], added, np.int64(place), words, bits, np.int64(row), sums, np.int64(origin),
                    np.int64(target),
                )  # fmt: skip
                origin = target
            for v in range(seen.shape[0]):
                one, two = seen[v, block[row], 0], seen[v, block[row], 1]
                if products.shape[0] > 0:
                    column = np.int64(v * products.shape[0])
                    rectified_products(sums, one, two, bias, products, out, np.int64(row), column)
                else:
                    for h in range(sums.shape[1]):
                        out[v * nodes + row, h] = sums[one, h] + sums[two, h]
        first = next_wanted(wanted, first + rows)


@kernel
def _words(lanes):  # type: ignore[no-untyped-def]
    """Masks that so many lanes need."""
    return (lanes + WORD - 1) // WORD


@kernel
def rectified_rows(hidden, bias, products, out):  # type: ignore[no-untyped-def]
    """The layer that `first_layer` can go on with, from first layers `hidden` (V · N, H), views one below another."""
    nodes = out.shape[0]
    for v in range(hidden.shape[0] // nodes):
        for i in range(nodes):
            one, column = np.int64(v * nodes + i), np.int64(v * products.shape[0])
            rectified_products(hidden, one, None, bias, products, out, np.int64(i), column)


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
