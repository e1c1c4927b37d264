"""Compressed sparse rows from outside: every part is checked before it is believed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.data.raw import as_float32, check_dense_size
from graphcert.errors import DataError


def integers(name: str, values: NDArray[Any]) -> NDArray[np.int64]:
    """`values` as int64, or `DataError` if they are not whole numbers by type, or of a type that goes beyond int64."""
    if values.dtype.kind not in "iu" or values.dtype == np.uint64:
        raise DataError(f"{name} must hold whole numbers, found {values.dtype}; write it with the type int64")
    return values.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Csr:
    """A checked sparse matrix: entry t stands at (`rows[t]`, `columns[t]`) and has the value `values[t]` (float32)."""

    shape: tuple[int, int]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]

    def dense(self) -> NDArray[np.float32]:
        """The matrix as a dense array; raises `DataError` if it would not fit."""
        check_dense_size(*self.shape, len(self.values))
        matrix = np.zeros(self.shape, np.float32)
        matrix[self.rows, self.columns] = self.values
        return matrix


def checked_csr(name: str, data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], shape: NDArray[Any]) -> Csr:
    """Build a `Csr` from its four arrays, which may come from a damaged or hostile file.

    Raises:
        DataError: unless shape is two counts, indptr rises from 0 to the number of entries, indices lie in the
            matrix, no entry is stored twice and every value is a finite number that float32 can tell from zero.
    """
    if data.dtype.kind not in "fiub":
        raise DataError(f"the values of {name} must be numbers, found {data.dtype}; store them as floats or integers")
    indices, indptr, shape = (integers(f"{name} {part}", array) for part, array in _named(indices, indptr, shape))
    if shape.shape != (2,) or shape.min() < 0 or shape.max() >= 2**31:
        raise DataError(
            f"the shape of {name} must be two counts below 2^31, found {str(shape.tolist())[:60]}; the file is damaged"
        )
    if data.ndim != 1 or indices.shape != data.shape:
        raise DataError(f"{name} has {data.size} values for {indices.size} indices; the file is damaged")
    if indptr.shape != (shape[0] + 1,) or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
        raise DataError(
            f"the row pointers of {name} do not rise from 0 to {len(indices)} over its rows; the file is damaged"
        )
    if len(indices) and not 0 <= indices.min() <= indices.max() < shape[1]:
        raise DataError(f"{name} has a column index outside 0 to {shape[1] - 1}; the file is damaged")
    rows = np.repeat(np.arange(shape[0]), np.diff(indptr))
    if (np.diff(np.sort(rows * shape[1] + indices)) == 0).any():
        raise DataError(f"{name} stores the same entry twice; sum or drop the duplicates")
    return Csr((int(shape[0]), int(shape[1])), rows, indices, as_float32(name, data))


def _named(indices: NDArray[Any], indptr: NDArray[Any], shape: NDArray[Any]) -> list[tuple[str, NDArray[Any]]]:
    return [("indices", indices), ("indptr", indptr), ("shape", shape)]
