"""Graphs in the Planetoid layout: six files `ind.NAME.*` for one data set (Yang et al. 2016), most of them pickles.

Every name in a pickle stands for an inert container that only keeps what it is told; numpy and scipy objects are rebuilt
afterwards from the kept, checked parts.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from graphcert.core.reading import damage_refused
from graphcert.data.pickle_machine import Inert, InertDict, read_pickle
from graphcert.data.raw import Csr, RawGraph, checked_csr, placed_features
from graphcert.errors import DataError


class _Array(Inert): ...


class _Dtype(Inert): ...


class _CsrMatrix(Inert): ...


_ADMITTED: dict[tuple[str, str], type[Inert] | type[InertDict]] = {
    ("numpy", "ndarray"): _Array, ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array, ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("scipy.sparse.csr", "csr_matrix"): _CsrMatrix, ("scipy.sparse._csr", "csr_matrix"): _CsrMatrix,
    ("collections", "defaultdict"): InertDict,
    # What a missing key of a defaultdict would be: named and never made.
    ("__builtin__", "list"): Inert, ("builtins", "list"): Inert,
}  # fmt: skip
_DTYPES = ("i4", "i8", "f4", "f8")


def _load(payload: bytes) -> Any:
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


Content = TypeVar("Content")

PARTS = ("allx", "ally", "tx", "ty", "graph", "test.index")
"""The files that carry the graph; `x` and `y` only repeat the first rows of `allx` and `ally`."""


def read_planetoid(payloads: Mapping[str, bytes]) -> RawGraph:
    """Assemble a graph from the bytes of its files, keyed by `PARTS`.

    Row i of `tx` and `ty` belongs to the node on line i of `test.index`. Nodes that stand in no file but `graph`
    (Citeseer has 15, each with a citation or two) get no features and the label −1, which puts them into no split.

    Raises:
        DataError: if a file holds anything but plain arrays and lists, or the files do not fit together.
    """
    known, held_out = (_part(payloads, part, unpickle_csr) for part in ("allx", "tx"))
    tables = [_part(payloads, part, unpickle_array) for part in ("ally", "ty")]
    neighbours = _part(payloads, "graph", unpickle_neighbours)
    nodes = len(neighbours)
    test_nodes = _part(payloads, "test.index", _line_numbers)
    _check_fit((known, held_out), tables, test_nodes)
    # The node of every row of `allx` followed by `tx`; all distinct.
    placed = np.concatenate([np.arange(known.shape[0]), test_nodes])
    if len(np.unique(placed)) < len(placed) or placed.min(initial=0) < 0 or placed.max(initial=-1) >= nodes:
        raise DataError("test.index repeats a node or names one outside the graph; use the published file")
    labels = np.full(nodes, -1, np.int64)
    labels[placed] = _one_hot_labels(np.concatenate(tables))
    rows = np.concatenate([known.rows, test_nodes[held_out.rows]])
    columns, values = (
        np.concatenate([getattr(part, name) for part in (known, held_out)]) for name in ("columns", "values")
    )
    features = placed_features((nodes, known.shape[1]), rows, columns, values)
    return RawGraph(features, _edges(neighbours), labels, classes=tables[0].shape[1])


_PUBLIC_VALIDATION = 500


def with_public_split(graph: RawGraph, payloads: Mapping[str, bytes]) -> RawGraph:
    """The graph with the split of Yang et al. 2016: the nodes of `y`, the 500 after them, and those of `test.index`."""
    test, train = _part(payloads, "test.index", _line_numbers), len(_part(payloads, "y", unpickle_array))
    if train + _PUBLIC_VALIDATION > graph.nodes:
        raise DataError(f"y names {train} training nodes, too many for this graph; use the published file")
    masks = np.zeros((3, graph.nodes), bool)
    masks[0, :train] = masks[1, train : train + _PUBLIC_VALIDATION] = masks[2, test] = True
    return replace(graph, masks=masks)


def _part(payloads: Mapping[str, bytes], part: str, read: Callable[[bytes], Content]) -> Content:
    try:
        return read(payloads[part])
    except DataError as error:
        raise DataError(f"{part}: {error}") from None


def _line_numbers(payload: bytes) -> NDArray[np.int64]:
    try:
        return np.array([int(line) for line in payload.split()], np.int64)
    except (ValueError, OverflowError):
        raise DataError("it must hold one node number per line; use the published file") from None


def _check_fit(attributes: tuple[Csr, Csr], tables: list[NDArray[Any]], test_nodes: NDArray[np.int64]) -> None:
    """Make sure that the files describe the same features, classes and numbers of nodes."""
    if any(table.ndim != 2 for table in tables) or tables[0].shape[1] != tables[1].shape[1]:
        raise DataError("ally and ty must be tables with one column per class; use the published files")
    if attributes[0].shape[1] != attributes[1].shape[1]:
        raise DataError("allx and tx differ in their number of features; use the published files")
    if [matrix.shape[0] for matrix in attributes] != [len(table) for table in tables]:
        raise DataError("features and labels differ in their number of nodes; use the published files")
    if len(test_nodes) != len(tables[1]):
        raise DataError("test.index and ty differ in their number of nodes; use the published files")


def _one_hot_labels(table: NDArray[Any]) -> NDArray[np.int64]:
    """Position of the single one in each row, −1 for a row of zeros."""
    ones = table.sum(axis=1)
    if not np.isin(table, (0, 1)).all() or ones.max(initial=0) > 1:
        raise DataError("a row of ally or ty names more than one class; use the published files")
    return np.where(ones == 1, table.argmax(axis=1), -1)


def _edges(neighbours: Mapping[int, list[int]]) -> NDArray[np.int64]:
    nodes = len(neighbours)
    if sorted(neighbours) != list(range(nodes)):
        raise DataError("graph does not number its nodes from 0 without gaps; use the published file")
    pairs = [(node, other) for node, others in neighbours.items() for other in others]
    if any(not 0 <= other < nodes for _, other in pairs):
        raise DataError("graph names a neighbour that it does not list as a node; use the published file")
    return np.array(pairs, np.int64).reshape(-1, 2).T
