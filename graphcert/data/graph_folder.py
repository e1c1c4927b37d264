"""Graphs as folders of plain arrays; large arrays are mapped: pages are read when they are needed, and given back."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch_geometric.data import Data

from graphcert.core.archives import mapped_npy, read_npy
from graphcert.core.arrays import EDGE_VALUES, to_json
from graphcert.core.features import Features, are_bits, entries, plain_features
from graphcert.core.files import atomic_write
from graphcert.core.reading import damage_refused, open_regular, read_json
from graphcert.data.raw import RawGraph, as_float32, check_dense_size, integers
from graphcert.data.splits import MASKS, with_masks
from graphcert.data.validate import validate
from graphcert.errors import DataError

META = "meta.json"
_MAPPED = 2**26
"""Arrays of more bytes than this are mapped; smaller ones are read at once."""
_SPARSE = ("x_indptr", "x_indices", "x_values")
_KNOWN = (*_SPARSE, "x", "edge_index", "y", *EDGE_VALUES, *MASKS)
_CHUNK = 2**20


def save_graph(data: Data, folder: str | os.PathLike[str]) -> None:
    """Write a graph as a folder of plain .npy arrays, which `load_dataset` reads, and maps where they are large.

    Sparse features become x_indptr, x_indices and, unless they are bits, x_values; dense ones become x. Beside them are
    edge_index, y, and weights, attributes and masks where they are there; meta.json holds the sha256 of every file. Equal
    tensors give equal bytes.

    Args:
        data: a graph as `load_dataset` returns it, or with real features, directions and what edges carry; with labels `y`.
        folder: a new or empty folder.

    Raises:
        DataError: if the graph cannot be voted on or has no labels, or the folder is not empty or cannot be written.
    """
    validate(data, binary=False, directed=True)
    if data.y is None:
        raise DataError("the graph has no y; give every node its class, or -1 where it is unknown")
    place = Path(folder).expanduser()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise DataError(f"{place} is there already; choose a new folder")
    y, digests = data.y.cpu().numpy(), dict[str, str]()
    for name, array in _arrays(data):
        with atomic_write(place / f"{name}.npy") as stream:
            np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
        digests[name] = _digest(place / f"{name}.npy")
    classes = data.get("classes")
    meta = {
        "kind": "graph", "version": 1, "features": int(data.x.shape[1]), "featureless": bool(data.get("featureless")),
        "classes": int(y.max(initial=-1)) + 1 if classes is None else int(classes), "sha256": digests,
    }  # fmt: skip
    with atomic_write(place / META) as stream:
        stream.write(to_json(meta).encode())


def _arrays(data: Data) -> Iterator[tuple[str, NDArray[Any]]]:
    x = plain_features(data.x)
    if isinstance(x, np.ndarray):
        yield "x", x
    else:
        yield from zip(_SPARSE[:2], (x.indptr, x.indices), strict=True)
        if not are_bits(x):
            yield "x_values", x.data
    for name in ("edge_index", "y", *EDGE_VALUES, *MASKS):
        if data.get(name) is not None:
            yield name, data[name].detach().cpu().numpy()


def is_graph_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder that says that it holds a graph."""
    return (Path(path).expanduser() / META).is_file()


def read_graph_folder(folder: Path) -> RawGraph:
    """The graph in a folder that `save_graph` wrote; large arrays are mapped, and nothing is unpickled.

    Raises:
        DataError: if a file is missing, altered or damaged, or the arrays do not fit together.
    """
    meta = read_json(folder / META, "the description of a graph", "write the folder again with save_graph")
    with damage_refused(f"{folder / META} does not describe a graph", "write the folder again with save_graph"):
        digests, width, classes = meta["sha256"], meta["features"], meta["classes"]
        counts = type(width) is int and type(classes) is int and 0 <= width < 2**31 and 0 <= classes < 2**31
        if meta["kind"] != "graph" or meta["version"] != 1 or not counts or type(meta["featureless"]) is not bool:
            raise ValueError("a number or a name in it is not what it should be")
        if not set(digests) <= set(_KNOWN) or not {"edge_index", "y"} <= set(digests):
            raise ValueError("it names other arrays than those of a graph")
    arrays = {name: _array(folder / f"{name}.npy", digest, name in MASKS) for name, digest in digests.items()}
    try:
        labels, edges = integers("y", arrays["y"]), integers("edge_index", arrays["edge_index"])
        if labels.ndim != 1 or edges.ndim != 2 or len(edges) != 2:
            raise DataError(f"y must have the shape (N,) and edge_index (2, E), found {labels.shape} and {edges.shape}")
        values = {name: as_float32(name, arrays[name]) for name in EDGE_VALUES if name in arrays}
        graph = RawGraph(_features(arrays, len(labels), width), edges, labels, classes, values, meta["featureless"])
        return with_masks(graph, arrays.__getitem__, set(arrays))
    except DataError as error:
        raise DataError(f"{folder}: {error}") from None


def _features(arrays: dict[str, NDArray[Any]], nodes: int, width: int) -> Features:
    if "x" in arrays:
        if arrays["x"].ndim != 2:
            raise DataError(f"x must have the shape (N, D), found {arrays['x'].shape}")
        check_dense_size(*arrays["x"].shape)
        return as_float32("x", arrays["x"])
    if not {"x_indptr", "x_indices"} <= set(arrays):
        raise DataError("it lacks x, or x_indptr and x_indices; write it again with save_graph")
    ends, columns = arrays["x_indptr"], arrays["x_indices"]
    ones = np.ones(columns.size, np.float32)
    numbers = as_float32("x_values", arrays["x_values"]) if "x_values" in arrays else ones
    if any(part.dtype not in (np.int32, np.int64) or part.ndim != 1 for part in (ends, columns)):
        raise DataError(
            "x_indptr and x_indices must be int32 or int64 arrays of one axis; write it again with save_graph"
        )
    if ends.shape != (nodes + 1,) or numbers.shape != columns.shape or ends[0] != 0 or ends[-1] != columns.size:
        raise DataError(f"its sparse features do not fit {nodes:,} nodes; write it again with save_graph")
    with damage_refused("its sparse features are damaged", "write it again with save_graph"):
        matrix = csr_array((numbers, columns, ends), shape=(nodes, width))
        matrix.check_format(full_check=True)
    if not matrix.has_canonical_format or not entries(matrix).all():
        raise DataError("its sparse features list zeros, or columns that do not ascend; write it again with save_graph")
    return matrix


def _array(path: Path, digest: object, booleans: bool = False) -> NDArray[Any]:
    """One array; booleans, a byte per node, are read, so that each of them is checked."""
    try:
        array = (mapped_npy if path.stat().st_size > _MAPPED and not booleans else read_npy)(path)
        found = _digest(path)
    except FileNotFoundError:
        raise DataError(f"there is no {path}; write the folder again with save_graph") from None
    if found != digest:
        raise DataError(f"{path} was altered: expected sha256 {digest!s:.64}, found {found}")
    return array


def _digest(path: Path) -> str:
    """sha256 of a file, read piece by piece."""
    digest = sha256()
    with open_regular(path) as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
