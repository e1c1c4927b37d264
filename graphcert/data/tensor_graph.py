"""Graphs in files of tensors, `torch.save(data.to_dict(), "graph.pt")`, read without unpickling."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcert.core.arrays import EDGE_VALUES
from graphcert.core.reading import problem
from graphcert.data.raw import RawGraph, as_float32, check_dense_size, integers
from graphcert.data.splits import with_masks
from graphcert.data.tensor_file import read_tensor_file
from graphcert.errors import DataError

_WRITE = 'torch.save({k: v.clone() for k, v in data.to_dict().items() if torch.is_tensor(v)}, "graph.pt")'
_NOT_KEPT = ("edge_type", "adj_t")


def read_tensor_graph(path: Path) -> RawGraph:
    """The graph in a dictionary of tensors: `edge_index` (2, E), `y` (N,), and `x` (N, D) unless it has no features.

    `train_mask`, `val_mask` and `test_mask`, (N,) or (N, S), are read where they are present, and `edge_weight` (E,) and
    `edge_attr` (E, F); other members are no part of the graph.

    Raises:
        DataError: if the file is damaged, holds anything but tensors and plain containers, or its parts do not fit together.
    """
    try:
        content = read_tensor_file(path)
    except Exception as error:  # whatever a damaged file makes the readers stumble over
        raise DataError(
            f"{path} is no file of plain tensors ({problem(error)}), and nothing is unpickled; write one with {_WRITE}"
        ) from None
    try:
        return _graph(content)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _graph(content: Any) -> RawGraph:
    if not isinstance(content, dict) or not {"edge_index", "y"} <= set(content):
        raise DataError(f"it does not hold edge_index and y by name; write it with {_WRITE}")
    for name in _NOT_KEPT:
        if content.get(name) is not None:
            raise DataError(f"its graph has {name}, which the classifier would be shown nothing of; take it out")
    read = {name: _array(name, value) for name, value in content.items() if isinstance(value, Tensor)}
    needed = ["edge_index", "y", *(name for name in EDGE_VALUES if content.get(name) is not None)]
    missing = [name for name in needed if name not in read]
    if missing:
        raise DataError(f"its {missing[0]} is no tensor; write it with {_WRITE}")
    labels, edges = integers("y", read["y"]), integers("edge_index", read["edge_index"])
    if labels.ndim != 1 or edges.ndim != 2 or len(edges) != 2:
        raise DataError(f"y must have the shape (N,) and edge_index (2, E), found {labels.shape} and {edges.shape}")
    x, featureless = read.get("x"), content.get("x") is None
    if featureless:
        x = np.zeros((len(labels), 0), np.float32)
    elif x is None or x.ndim != 2:
        raise DataError("x must be a dense tensor of the shape (N, D); write x.to_dense()")
    check_dense_size(*x.shape)
    values = {name: as_float32(name, read[name]) for name in EDGE_VALUES if name in read}
    graph = RawGraph(
        as_float32("x", x), edges, labels, int(labels.max(initial=-1)) + 1, values, featureless=featureless
    )
    return with_masks(graph, read.__getitem__, set(read))


def _array(name: str, tensor: Tensor) -> NDArray[Any]:
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    return tensor.numpy()
