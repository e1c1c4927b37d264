"""The old pickles of Planetoid: every name in them stands for an inert container that only keeps what it is told.

numpy and scipy objects are rebuilt afterwards from the kept, checked parts.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.reading import damage_refused
from graphcert.data.csr import Csr, checked_csr
from graphcert.data.pickle_machine import Inert, InertDict, read_pickle
from graphcert.errors import DataError


class _Array(Inert):
    pass


class _Dtype(Inert):
    pass


class _CsrMatrix(Inert):
    pass


_ADMITTED: dict[tuple[str, str], type[Inert] | type[InertDict]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("scipy.sparse.csr", "csr_matrix"): _CsrMatrix,
    ("scipy.sparse._csr", "csr_matrix"): _CsrMatrix,
    ("collections", "defaultdict"): InertDict,
    # What a missing key of a defaultdict would be: named and never made.
    ("__builtin__", "list"): Inert,
    ("builtins", "list"): Inert,
}
_DTYPES = ("i4", "i8", "f4", "f8")


def _load(payload: bytes) -> Any:
    """Run the pickle over inert containers."""
    with damage_refused("it is damaged or not what it should be", "use the published file"):
        return read_pickle(payload, _ADMITTED)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _plain_array(kept: Any) -> NDArray[Any]:
    """Rebuild an array of numbers from the state (version, shape, dtype, Fortran order, bytes)."""
    try:
        if not isinstance(kept, _Array):
            raise TypeError
        _, shape, dtype, fortran, raw = kept.state
        kind, order = _text(dtype.arguments[0]), _text(dtype.state[1])
        if kind not in _DTYPES or order not in "<>":
            raise TypeError
        flat = np.frombuffer(raw, np.dtype(order + kind))
        return flat.reshape(shape, order="F" if fortran else "C").astype(kind)
    except Exception:  # whatever parts of other kinds make numpy stumble over
        raise DataError("it does not hold a plain array of numbers; use the published file") from None


def unpickle_array(payload: bytes) -> NDArray[Any]:
    """The one array of numbers in a pickle; raises `DataError` if there is anything else in it."""
    return _plain_array(_load(payload))


def unpickle_csr(payload: bytes) -> Csr:
    """The one sparse matrix in a pickle, checked; raises `DataError` if there is anything else in it."""
    kept = _load(payload)
    if not isinstance(kept, _CsrMatrix) or not isinstance(kept.state, dict):
        raise DataError("it does not hold a sparse matrix; use the published file")
    parts = {_text(key): value for key, value in kept.state.items()}
    try:
        data, indices, indptr = (_plain_array(parts[part]) for part in ("data", "indices", "indptr"))
        shape = np.array([int(count) for count in parts["_shape"]], np.int64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DataError("its sparse matrix lacks a part; use the published file") from None
    return checked_csr("the sparse matrix", data, indices, indptr, shape)


def unpickle_neighbours(payload: bytes) -> dict[int, list[int]]:
    """The neighbour lists in a pickle; raises `DataError` unless it is one dictionary of lists of whole numbers."""
    kept = _load(payload)
    if not isinstance(kept, dict) or not all(
        type(node) is int and isinstance(neighbours, list) and all(type(other) is int for other in neighbours)
        for node, neighbours in kept.items()
    ):
        raise DataError("it does not hold lists of neighbours; use the published file")
    return dict(kept)
