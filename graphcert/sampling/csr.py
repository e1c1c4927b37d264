"""Sparse matrices as the kernels read them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Integers = NDArray[np.int32]
Floats = NDArray[np.float32]

EVERY_ROW: Integers = np.empty(0, np.int32)
"""Stands for all rows in their order where numbers of rows are asked for."""


@dataclass(frozen=True)
class CSR:
    """A sparse matrix: row i has its non-zeros in the columns indices[indptr[i] : indptr[i + 1]].

    `values` is None for binary matrices, whose non-zeros are ones.
    """

    indptr: Integers
    indices: Integers
    values: Floats | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.indptr.size - 1

    @classmethod
    def of(cls, matrix: "sparse.coo_array[Any] | sparse.csr_array[Any]") -> "CSR":
        """The non-zeros of a SciPy matrix, ascending in each row."""
        compressed = sparse.csr_array(matrix)
        compressed.eliminate_zeros()
        compressed.sort_indices()
        values = None if bool((compressed.data == 1).all()) else compressed.data.astype(np.float32)
        return cls(compressed.indptr.astype(np.int32), compressed.indices.astype(np.int32), values)

    def write(self, out: Floats) -> None:
        """Write the non-zeros over an array of zeros."""
        rows = np.repeat(np.arange(self.rows), np.diff(self.indptr))
        out[rows, self.indices] = 1 if self.values is None else self.values
