"""Graphs in npz files, in the three layouts in circulation; object members are never read, nothing is unpickled."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphcert.core.archives import Archive
from graphcert.core.reading import damage_refused, open_regular
from graphcert.data.raw import (
    Csr,
    RawGraph,
    as_float32,
    check_dense_size,
    checked_csr,
    integers,
    placed_features,
    weights_of,
)
from graphcert.data.splits import with_masks
from graphcert.errors import DataError

Read = Callable[[str], NDArray[Any]]

_PARTS = ("data", "indices", "indptr", "shape")
_CSR_PREFIXES = (("adj_matrix.", "attr_matrix."), ("adj_", "attr_"))


def read_npz(source: Path | BinaryIO, name: str) -> RawGraph:
    """Read one graph; which layout it has is told by its members.

    - `adj_matrix.*`, `attr_matrix.*`, `labels` or `adj_*`, `attr_*`, `labels`: sparse rows, each as data, indices,
      indptr and shape;
    - `A` (2, E), `X`, `y` (N,): edges, features, labels. An `X` of floats (N, D) is the features themselves; one of whole
      numbers (2, number of ones) holds the positions (node, feature) of ones, and the last feature that some node has is the
      last one.

    Without any of the members `attr_*`, or without `X`, the graph has no features. The members `train_mask`, `val_mask`
    and `test_mask` are read where they are present. `name` is what errors call the file.

    Raises:
        DataError: if the file is damaged, has another layout, or its parts do not fit together.
    """
    with ExitStack() as stack, damage_refused(f"{name} is not a readable npz file", "replace it with a whole copy"):
        stream = stack.enter_context(open_regular(source)) if isinstance(source, Path) else source
        try:
            return _read_layout(Archive(stream))
        except DataError as error:
            raise DataError(f"{name}: {error}") from None


def _read_layout(archive: Archive) -> RawGraph:
    """Find the layout, make sure that all its members are there, and read only those."""
    present = {entry.removesuffix(".npy") for entry in archive.names if entry.endswith(".npy")}
    read = archive.array
    for prefixes in _CSR_PREFIXES:
        if f"{prefixes[0]}data" in present:
            attributes = {prefixes[1] + part for part in _PARTS} & present
            given = prefixes if attributes else prefixes[:1]
            _require({prefix + part for prefix in given for part in _PARTS} | {"labels"}, present)
            return with_masks(_from_rows(read, *given), read, present)
    if "A" in present:
        _require({"A", "y"}, present)
        return with_masks(_from_positions(read, "X" in present), read, present)
    raise DataError("the file has none of the layouts adj_matrix.*/attr_matrix.*/labels, adj_*/attr_*/labels or A/X/y")


def _require(members: set[str], present: set[str]) -> None:
    missing = sorted(members - present)
    if missing:
        raise DataError(f"the file lacks {', '.join(missing)}; write all of {', '.join(sorted(members))}")


def _from_rows(read: Read, adjacency_prefix: str, attribute_prefix: str | None = None) -> RawGraph:
    def matrix(prefix: str) -> Csr:
        data, indices, indptr, shape = (read(prefix + part) for part in _PARTS)
        return checked_csr(prefix.rstrip("._"), data, indices, indptr, shape)

    adjacency = matrix(adjacency_prefix)
    attributes = None if attribute_prefix is None else matrix(attribute_prefix)
    nodes = adjacency.shape[0]
    if nodes != adjacency.shape[1]:
        raise DataError(f"the adjacency matrix has the shape {adjacency.shape}; make it square")
    if attributes is not None and nodes != attributes.shape[0]:
        raise DataError(f"{nodes} nodes have edges but {attributes.shape[0]} have features; make them agree")
    present = adjacency.values != 0  # a stored zero is no edge
    labels = _labels("labels", read("labels"), nodes)
    classes, values = int(labels.max(initial=-1)) + 1, weights_of(adjacency.values[present])
    features = np.zeros((len(labels), 0), np.float32) if attributes is None else attributes.features()
    edges = np.stack([adjacency.rows, adjacency.columns])[:, present]
    return RawGraph(features, edges, labels, classes, values, featureless=attributes is None)


def _from_positions(read: Read, featured: bool) -> RawGraph:
    edges, labels = _pairs("A", read("A")), _labels("y", read("y"))
    classes = int(labels.max(initial=-1)) + 1
    if not featured:
        return RawGraph(np.zeros((len(labels), 0), np.float32), edges, labels, classes, featureless=True)
    given = read("X")
    if given.dtype.kind == "f":
        if given.ndim != 2:
            raise DataError(f"features X must have the shape (N, D), found {given.shape}; write one row per node")
        check_dense_size(*given.shape)
        return RawGraph(as_float32("X", given), edges, labels, classes)
    ones = _pairs("X", given)
    width = int(ones[1].max(initial=-1)) + 1
    if ones.size and (ones.min() < 0 or ones[0].max() >= len(labels)):
        raise DataError(f"X names a position outside the features of nodes 0 to {len(labels) - 1}; correct X")
    keys = np.unique(ones[0] * max(1, width) + ones[1])  # a position may be repeated
    places = np.divmod(keys, max(1, width))
    features = placed_features((len(labels), width), *places, np.ones(keys.size, np.float32))
    return RawGraph(features, edges, labels, classes)


def _pairs(member: str, values: NDArray[Any]) -> NDArray[np.int64]:
    if values.ndim != 2 or len(values) != 2:
        raise DataError(f"{member} must have the shape (2, n), found {values.shape}; write one column per pair")
    return integers(member, values)


def _labels(member: str, values: NDArray[Any], nodes: int | None = None) -> NDArray[np.int64]:
    if values.ndim != 1 or (nodes is not None and len(values) != nodes):
        wanted = "(N,)" if nodes is None else f"({nodes},)"
        raise DataError(f"{member} must have the shape {wanted}, found {values.shape}; write one label per node")
    return integers(member, values)
