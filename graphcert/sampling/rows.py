"""Kernels over all feature rows of a sample: the sparse first layer and the noisy rows themselves.

Each kernel does one sample and allocates nothing that grows with the number of samples.
"""

from graphcert.kernel import kernel
from graphcert.sampling.flips import noisy_row
from graphcert.sampling.gather import sum_rows


@kernel
def first_layer(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, indptr, indices, high, low, guide, del_high, del_low, weight, scratch, out
):
    """out = X̃ W for one sample, straight from the positions of the noisy ones; X̃ itself never exists.

    Args:
        indptr, indices: the clean ones in CSR form, ascending in each row.
        weight: (D, H) float32.
        scratch: (words uint32, mark uint8 (D,), columns int32) of one thread.
        out: (N, H) float32, overwritten.
    """
    words, mark, columns = scratch
    mark[:] = 0
    elements = weight.shape[0]
    for row in range(indptr.size - 1):
        count = noisy_row(
            key, add_stream, delete_stream, sample, row, elements, indptr, indices, high, low, guide, del_high, del_low,
            words, mark, columns,
        )  # fmt: skip
        sum_rows(weight, columns, 0, count, out[row])


@kernel
def noisy_rows(  # type: ignore[no-untyped-def]
    key, add_stream, delete_stream, sample, elements, indptr, indices, high, low, guide, del_high, del_low,
    scratch, noisy_indptr, noisy_indices,
):  # fmt: skip
    """The ones of one sample in CSR form; returns how many there are, which may be more than `noisy_indices` has room for.

    If the room does not suffice, the caller enlarges it and asks again: the same address gives the same sample.
    """
    words, mark, columns = scratch
    mark[:] = 0
    total = 0
    noisy_indptr[0] = 0
    for row in range(indptr.size - 1):
        count = noisy_row(
            key, add_stream, delete_stream, sample, row, elements, indptr, indices, high, low, guide, del_high, del_low,
            words, mark, columns,
        )  # fmt: skip
        if total + count <= noisy_indices.size:
            for i in range(count):
                noisy_indices[total + i] = columns[i]
        total += count
        noisy_indptr[row + 1] = total
    return total
