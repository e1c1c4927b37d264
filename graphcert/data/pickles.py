"""The old pickles of Planetoid, read without ever giving them anything that could act.

A pickle is a program that calls what it names. Here every name it may use stands for an inert container that only keeps
what it is told; any other name is refused. numpy and scipy objects are rebuilt afterwards from the kept, checked parts.
"""

import io
import pickle
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.data.csr import Csr, checked_csr
from graphcert.errors import DataError


class _Inert:
    """Keeps the arguments and the state that a pickle gives it, and does nothing with them."""

    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Array(_Inert):
    pass


class _Dtype(_Inert):
    pass


class _CsrMatrix(_Inert):
    pass


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("scipy.sparse.csr", "csr_matrix"): _CsrMatrix,
    ("scipy.sparse._csr", "csr_matrix"): _CsrMatrix,
    ("collections", "defaultdict"): defaultdict,
    ("__builtin__", "list"): list,
    ("builtins", "list"): list,
}
_DTYPES = ("i4", "i8", "f4", "f8")


class _Unpickler(pickle.Unpickler):
    """Admits the names in `_ADMITTED` and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise DataError(f"it asks for {module}.{name}, which is never unpickled; use the published file") from None


def _load(payload: bytes) -> Any:
    """Run the pickle over inert containers; byte strings of Python 2 stay bytes."""
    try:
        return _Unpickler(io.BytesIO(payload), fix_imports=False, encoding="bytes").load()
    except DataError:
        raise
    except Exception as error:  # whatever a damaged pickle makes the machine stumble over
        raise DataError(f"it is a damaged pickle ({type(error).__name__}); use the published file") from None


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
    except (TypeError, ValueError, IndexError, AttributeError):
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
