"""Features of nodes (N, D), dense or as sparse rows: what is asked of either, without a dense copy of sparse ones."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from graphcert.core.reading import check_memory
from graphcert.errors import DataError

Features: TypeAlias = NDArray[Any] | csr_array
"""Numbers (N, D). Sparse rows list every entry once, columns ascending, and no zeros."""

_NUMBERS_AT_ONCE = 1 << 24


def plain_features(x: Any) -> Features:
    """Features as an array or as sparse rows, from arrays, matrices of scipy and tensors of any layout on any device.

    Entries that a sparse matrix lists more than once are added up.
    """
    if hasattr(x, "detach"):  # a tensor: torch itself is not needed here
        x = x.detach().cpu()
        if str(x.layout) == "torch.strided":
            return np.asarray(x)
        x = x.coalesce().to_sparse_csr() if str(x.layout) == "torch.sparse_coo" else x.to_sparse_csr()
        parts = (x.values().numpy(), x.col_indices().numpy(), x.crow_indices().numpy())
        return canonical(csr_array(parts, shape=tuple(x.shape)))
    if issparse(x):
        matrix: Any = x
        return canonical(csr_array(matrix))
    return np.asarray(x)


def canonical(matrix: "csr_array[Any]") -> "csr_array[Any]":
    """The same matrix in the form of `Features`; the given one is not changed. `DataError` if its parts do not fit."""
    try:
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise DataError(f"the sparse features are damaged ({error}); make them again from their entries") from None
    if matrix.has_canonical_format and (matrix.data != 0).all():
        return matrix
    matrix = matrix.copy()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def entries(x: Features) -> NDArray[Any]:
    """All numbers that may differ from zero, in one array."""
    return x if isinstance(x, np.ndarray) else x.data


def are_bits(x: Features) -> bool:
    """Whether all numbers are 0 or 1."""
    found = entries(x)
    return bool(((found == 0) | (found == 1)).all())


def ones_per_row(x: Features) -> NDArray[np.int64]:
    """(N,) how many numbers of every row are not zero."""
    if isinstance(x, np.ndarray):
        return np.asarray(np.count_nonzero(x, axis=1), np.int64)
    return np.diff(x.indptr).astype(np.int64)


def bits_of(x: Features) -> Features:
    """A one, float32, for every number that is not zero."""
    if isinstance(x, np.ndarray):
        return np.not_equal(x, 0).astype(np.float32)
    return csr_array((np.ones(x.nnz, np.float32), x.indices, x.indptr), shape=x.shape)


def bits_of_normalised(x: Features) -> Features | None:
    """The bits (N, D) whose rows were divided by their sums to give x, up to rounding; None for bits and anything else."""
    if isinstance(x, np.ndarray):
        bits: NDArray[np.float32] = (x != 0).astype(np.float32)
        if np.array_equal(x, bits):
            return None
        divided = bits / np.maximum(bits.sum(axis=1, keepdims=True), 1)
        return bits if np.allclose(x, divided, rtol=1e-5, atol=0) else None
    if (x.data == 1).all():
        return None
    ones = np.diff(x.indptr)
    share = np.repeat(np.float32(1) / np.maximum(ones, 1).astype(np.float32), ones)
    return bits_of(x) if np.allclose(x.data, share, rtol=1e-5, atol=0) else None


def row_blocks(x: Features) -> Iterator[NDArray[Any]]:
    """All rows in order, dense, a multiple of eight at a time; so many that a block stays small beside the features."""
    rows = max(8, _NUMBERS_AT_ONCE // max(1, x.shape[1]) // 8 * 8)
    for start in range(0, x.shape[0], rows):
        block = x[start : start + rows]
        yield block if isinstance(block, np.ndarray) else block.toarray()


def exact_product(x: Features, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """x · weight (N, H), added up in float64, so that neither threads nor the layout of x decide how it is rounded.

    Sums of binary features are exact in float64 unless weights differ by a factor of 2²⁰ or more; then, and for real
    features, the two layouts may in rare cases round to neighbouring numbers.
    """
    exact = weight.astype(np.float64)
    if isinstance(x, np.ndarray):
        return (x.astype(np.float64) @ exact).astype(np.float32)
    found = np.empty((x.shape[0], weight.shape[1]), np.float32)
    rows = max(1, _NUMBERS_AT_ONCE // max(1, weight.shape[1]))
    for start in range(0, x.shape[0], rows):
        found[start : start + rows] = x[start : start + rows].astype(np.float64) @ exact
    return found


def dense_features(x: Features, what: str) -> NDArray[Any]:
    """The dense matrix; `what` needs it is said if there is no memory for it, with `DataError`."""
    if isinstance(x, np.ndarray):
        return x
    check_memory(x.dtype.itemsize * x.shape[0] * x.shape[1], f"{what} of {x.shape[0]:,} nodes, {x.shape[1]:,} each,")
    return x.toarray()


def packed(x: "csr_array[Any]") -> NDArray[np.int32]:
    """Sparse float32 rows in one array: N, D, the ends of the rows, the columns and the bits of the numbers."""
    parts = (np.array(x.shape), x.indptr, x.indices, x.data.astype(np.float32).view(np.int32))
    return np.concatenate([part.astype(np.int32, copy=False) for part in parts])


def unpacked(array: NDArray[np.int32]) -> "csr_array[Any]":
    """The sparse rows in such an array, in its memory."""
    rows, width = map(int, array[:2])
    indptr, rest = array[2 : rows + 3], array[rows + 3 :]
    return csr_array((rest[rest.size // 2 :].view(np.float32), rest[: rest.size // 2], indptr), shape=(rows, width))
