"""Lists of small graphs with one label each, in folders of text files as the TU collection has them (Morris et al. 2020)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphcert.core.reading import check_memory, damage_refused, read_bytes
from graphcert.data.raw import as_float32, check_dense_size, undirected
from graphcert.errors import DataError

_PER_BYTE = 40
"""Bytes of memory that a byte of text may take while it is parsed."""
_MOST_LABELS = 10_000


class LabelledGraphs(NamedTuple):
    """G graphs, their classes (G,) from 0 on, and what the files call these classes."""

    graphs: list[Data]
    labels: NDArray[np.int64]
    names: tuple[str, ...]


def read_tu_folder(folder: Path) -> LabelledGraphs:
    """Read NAME_A.txt, NAME_graph_indicator.txt, NAME_graph_labels.txt, and what there is of nodes.

    Edges are taken as undirected, without loops. Features are the attributes in NAME_node_attributes.txt, then one column
    per label in NAME_node_labels.txt; without both every node has the single feature 1. Labels and attributes of edges are
    not read.

    Raises:
        DataError: if a file is missing, damaged or too large, or the files do not fit together.
    """
    found = sorted(folder.glob("*_graph_indicator.txt"))
    if len(found) != 1:
        raise DataError(
            f"{folder} holds {len(found)} files NAME_graph_indicator.txt; name a folder with the files of one set"
        )
    name = found[0].name.removesuffix("_graph_indicator.txt")

    def path(part: str) -> Path:
        return folder / f"{name}_{part}.txt"

    indicator, labels = (_column(path(part)) for part in ("graph_indicator", "graph_labels"))
    if (np.diff(indicator) < 0).any() or not np.array_equal(np.unique(indicator), np.arange(1, len(labels) + 1)):
        raise DataError(
            f"{path('graph_indicator')} must name the graphs 1 to {len(labels):,} in their order, each at least once"
        )
    nodes = len(indicator)
    edges = _table(path("A"), int, 2).T - 1
    if edges.size and not 0 <= edges.min() <= edges.max() < nodes:
        raise DataError(f"{path('A')} names a node outside 1 to {nodes:,}; correct the list of edges")
    if (indicator[edges[0]] != indicator[edges[1]]).any():
        raise DataError(f"{path('A')} joins nodes of different graphs; correct the list of edges")
    edges = undirected(edges, nodes)
    names, classes = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise DataError(f"{path('graph_labels')} names one class only; a classifier needs two")
    features = _features(path("node_attributes"), path("node_labels"), nodes)
    ends = np.searchsorted(indicator, np.arange(1, len(labels) + 2))
    cuts = np.searchsorted(edges[0], ends)
    graphs = [
        Data(
            x=torch.from_numpy(features[ends[k] : ends[k + 1]].copy()),
            edge_index=torch.from_numpy(edges[:, cuts[k] : cuts[k + 1]] - ends[k]),
        )
        for k in range(len(labels))
    ]
    return LabelledGraphs(graphs, classes.astype(np.int64), tuple(map(str, names.tolist())))


def _features(attributes: Path, labels: Path, nodes: int) -> NDArray[np.float32]:
    """(N, D) what the files say of nodes."""
    parts = []
    if attributes.is_file():
        parts.append(as_float32(str(attributes), _rows(attributes, _table(attributes, float), nodes)))
    if labels.is_file():
        found, place = np.unique(_rows(labels, _table(labels, int), nodes)[:, 0], return_inverse=True)
        if len(found) > _MOST_LABELS:
            raise DataError(f"{labels} has {len(found):,} different labels, which are no classes of nodes; remove it")
        check_dense_size(nodes, len(found))
        ones = np.zeros((nodes, len(found)), np.float32)
        ones[np.arange(nodes), place.ravel()] = 1
        parts.append(ones)
    return np.concatenate(parts, axis=1) if parts else np.ones((nodes, 1), np.float32)


def _rows(path: Path, table: NDArray[Any], nodes: int) -> NDArray[Any]:
    if len(table) != nodes:
        raise DataError(f"{path} has {len(table):,} lines for {nodes:,} nodes; write one line per node")
    return table


def _column(path: Path) -> NDArray[np.int64]:
    """(n,) the whole numbers of a file with one per line."""
    return _table(path, int, 1)[:, 0]


def _table(path: Path, read: Callable[[str], int | float], columns: int | None = None) -> NDArray[Any]:
    """(n, columns) the numbers of a file, separated by commas; as many columns as its first line has by default."""
    remedy = "write one line of numbers per entry, separated by commas"
    with damage_refused(f"{path} is not a table of numbers", remedy):
        try:
            content = read_bytes(path)
        except FileNotFoundError:
            raise DataError(f"there is no file {path}; name a folder with all files of a set") from None
        check_memory(_PER_BYTE * len(content), str(path))
        lines = [line.split(",") for line in content.decode("ascii").split("\n") if line.strip()]
        width = columns or (len(lines[0]) if lines else 1)
        if any(len(line) != width for line in lines):
            raise ValueError(f"a line has not {width} numbers")
        kind = np.int64 if read is int else np.float64
        return np.array([[read(word) for word in line] for line in lines], kind).reshape(-1, width)
