"""Graphs as scientists keep them: an adjacency matrix by `scipy.sparse.save_npz`, features and labels in files beside it."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.archives import Archive, read_npy
from graphcert.core.features import Features
from graphcert.core.reading import damage_refused, open_regular
from graphcert.data.raw import Csr, RawGraph, as_float32, check_dense_size, checked_csr, integers, weights_of
from graphcert.errors import DataError, InputError


def is_sparse_npz(path: Path) -> bool:
    """Whether a file is an archive as `scipy.sparse.save_npz` writes them; False for what cannot be read."""
    try:
        with open_regular(path) as file:
            return {"format.npy", "data.npy", "shape.npy"} <= set(Archive(file).names)
    except Exception:  # the reader of graphs says what is wrong
        return False


def read_sparse_graph(path: Path, features: str | None, labels: str | None) -> RawGraph:
    """The graph of an adjacency matrix (N, N), with features (N, D) and labels (N,) from other files.

    Args:
        path: of the adjacency matrix; edge i → j in row i, column j, of the weight that is
            stored there. A stored zero is no edge.
        features: file of features: sparse as the adjacency matrix, or .npy. Without it the graph has none.
        labels: file of the class of every node, from 0, or -1 where there is none: .npy, whole numbers.

    Raises:
        InputError: if the labels are not given.
        DataError: if a file is missing, damaged or of another kind, or the files do not fit together.
    """
    if labels is None:
        raise InputError(
            f"{path} holds an adjacency matrix only; name its labels with labels=, and its features with features= "
            f"(--dataset-option labels=labels.npy --dataset-option features=features.npz)"
        )
    adjacency, classes = _sparse(path), integers("labels", _plain(Path(labels), "labels"))
    if adjacency.shape[0] != adjacency.shape[1] or classes.shape != adjacency.shape[:1]:
        raise DataError(
            f"the adjacency matrix has the shape {adjacency.shape} and the labels {classes.shape}; give one row, one column "
            f"and one label per node"
        )
    present = adjacency.values != 0
    edges = np.stack([adjacency.rows, adjacency.columns])[:, present]
    x: Features = np.zeros((len(classes), 0), np.float32) if features is None else _features(Path(features))
    return RawGraph(
        x,
        edges,
        classes,
        int(classes.max(initial=-1)) + 1,
        weights_of(adjacency.values[present]),
        featureless=features is None,
    )


def _features(path: Path) -> Features:
    if path.suffix == ".npz":
        return _sparse(path).features()
    values = _plain(path, "features")
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise DataError(f"{path} must hold numbers (N, D), found {values.dtype} {values.shape}; write one row per node")
    check_dense_size(*values.shape)
    return as_float32(str(path), values)


def _plain(path: Path, what: str) -> NDArray[Any]:
    try:
        return read_npy(path)
    except FileNotFoundError:
        raise DataError(f"there is no file {path} of {what}; check the path") from None


def _sparse(path: Path) -> Csr:
    """A sparse matrix in one of the formats csr, csc and coo."""
    remedy = "write it with scipy.sparse.save_npz"
    try:
        with ExitStack() as stack, damage_refused(f"{path} is not a readable sparse matrix", remedy):
            return _matrix(Archive(stack.enter_context(open_regular(path))), path)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; check the path") from None


def _matrix(archive: Archive, path: Path) -> Csr:
    if "format.npy" not in archive.names:
        raise DataError(f"{path} is no sparse matrix; write it with scipy.sparse.save_npz")
    kind = archive.array("format").tobytes().decode("ascii", "replace").replace("\0", "")
    data, shape = archive.array("data"), archive.array("shape")
    if kind == "coo":
        rows, columns = (integers(f"{path} {part}", archive.array(part)) for part in ("row", "col"))
        if rows.ndim != 1 or rows.shape != columns.shape or rows.shape != data.shape or shape.shape != (2,):
            raise DataError(f"{path} has rows, columns and values of different numbers; it is damaged")
        if rows.size and not 0 <= rows.min() <= rows.max() < shape[0]:
            raise DataError(f"{path} has a row outside of its shape; it is damaged")
        order = np.lexsort((columns, rows))
        pointers = np.searchsorted(rows[order], np.arange(int(shape[0]) + 1)).astype(np.int64)
        return checked_csr(str(path), data[order], columns[order], pointers, shape)
    if kind not in ("csr", "csc"):
        raise DataError(f"{path} has the sparse format {kind[:20]}; save it as csr, matrix.tocsr()")
    indices, pointers = archive.array("indices"), archive.array("indptr")
    if kind == "csr":
        return checked_csr(str(path), data, indices, pointers, shape)
    turned = checked_csr(str(path), data, indices, pointers, shape[::-1])
    return Csr(turned.shape[::-1], turned.columns, turned.rows, turned.values)
