"""Kernels over all feature rows of a sample: the sparse first layer and the noisy rows themselves.

Each kernel does one sample and allocates nothing that grows with the number of samples.
"""

import numpy as np

from graphcert.kernel import kernel
from graphcert.sampling.flips import noisy_row
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
        scratch: (words uint32, columns int32) of one thread.
        out: (N, H) float32, overwritten.
    """
    words, columns = scratch
    elements = weight.shape[0]
    for row in range(indptr.size - 1):
        count = noisy_row(
            key, add_stream, delete_stream, sample, row, elements, indptr, indices, bits, high, low, guide, del_high,
            del_low, words, columns,
        )  # fmt: skip
        sum_rows(weight, columns, np.int64(0), np.int64(count), np.int64(-1), np.float32(1), out, np.int64(row))


@kernel
def noisy_rows(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, elements, indptr, indices, bits, high, low, guide, del_high, del_low,
    scratch, noisy_indptr, noisy_indices,
):  # fmt: skip
    """The ones of one sample in CSR form; returns how many there are, maybe more than `noisy_indices` has room for.

    If the room does not suffice, the caller enlarges it and asks again: the same address gives the same sample.
    """
    words, columns = scratch
    total = 0
    noisy_indptr[0] = 0
    for row in range(indptr.size - 1):
        count = noisy_row(
            key, add_stream, delete_stream, sample, row, elements, indptr, indices, bits, high, low, guide, del_high,
            del_low, words, columns,
        )  # fmt: skip
        if total + count <= noisy_indices.size:
            for i in range(count):
                noisy_indices[total + i] = columns[i]
        total += count
        noisy_indptr[row + 1] = total
    return total
