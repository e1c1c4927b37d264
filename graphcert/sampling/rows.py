"""Kernels over all feature rows of a sample: the sparse first layer and the noisy rows themselves.

Each kernel does one sample and allocates nothing that grows with the number of samples.
"""

import numpy as np

from graphcert.kernel import kernel
from graphcert.sampling.flips import draw_rows
from graphcert.sampling.gather import sum_rows


@kernel
def first_layer(  # type: ignore[no-untyped-def]
    key,
    add_stream,
    delete_stream,
    sample,
    indptr,
    indices,
    bits,
    high,
    low,
    guide,
    del_high,
    del_low,
    weight,
    scratch,
    out,
):
    """out = X̃ W for one sample, straight from the positions of the noisy ones; X̃ itself never exists.

    Args:
        indptr, indices, bits: the clean ones in CSR form, ascending in each row, and as packed bits.
        weight: (D, H) float32, H a multiple of the vector width.
        scratch: (words, columns, ends) of one thread; half of `columns` holds any row.
        out: (N, H) float32, overwritten.
    """
    words, columns, ends = scratch
    elements = weight.shape[0]
    rows = indptr.size - 1
    first = 0
    # The columns of a block of rows are drawn first and their rows of the weight added up afterwards: in turns, the two
    # would push each other's tables out of the first-level cache.
    while first < rows:
        drawn = draw_rows(
            key, add_stream, delete_stream, sample, first, elements, indptr, indices, bits, high, low, guide, del_high,
            del_low, words, columns, ends,
        )  # fmt: skip
        begin = np.int64(0)
        for k in range(drawn):
            end = np.int64(ends[k])
            sum_rows(weight, columns, begin, end, np.int64(-1), np.float32(1), out, np.int64(first + k))
            begin = end
        first += drawn


@kernel
def noisy_rows(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, elements, indptr, indices, bits, high, low, guide, del_high, del_low,
    scratch, noisy_indptr, noisy_indices,
):  # fmt: skip
    """The ones of one sample in CSR form; returns how many there are, maybe more than `noisy_indices` has room for.

    If the room does not suffice, the caller enlarges it and asks again: the same address gives the same sample.
    """
    words, columns, ends = scratch
    rows = indptr.size - 1
    first, total = 0, 0
    noisy_indptr[0] = 0
    while first < rows:
        drawn = draw_rows(
            key, add_stream, delete_stream, sample, first, elements, indptr, indices, bits, high, low, guide, del_high,
            del_low, words, columns, ends,
        )  # fmt: skip
        count = ends[drawn - 1]
        if total + count <= noisy_indices.size:
            for i in range(count):
                noisy_indices[total + i] = columns[i]
        for k in range(drawn):
            noisy_indptr[first + k + 1] = total + ends[k]
        first += drawn
        total += count
    return total
