"""Strict checks of any user's graph, before anything is sampled or certified on it, and its fingerprint."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from graphcert.core.arrays import EDGE_VALUES, graph_fingerprint
from graphcert.core.features import Features, are_bits, entries, plain_features
from graphcert.errors import DataError


def check_features(x: Any) -> None:
    """Raise `DataError` unless `x` is a float32 tensor (N, D) of finite numbers, dense or sparse (CSR or COO)."""
    if x is None:
        raise DataError(
            "data.x is missing; for a graph without features set data.x = torch.eye(data.num_nodes) and put the noise on "
            "the edges"
        )
    rows_of_rows = isinstance(x, torch.Tensor) and x.layout is torch.sparse_coo and x.sparse_dim() != 2
    if not isinstance(x, torch.Tensor) or x.layout not in _LAYOUTS or x.dim() != 2 or rows_of_rows:
        raise DataError(
            "data.x must be a dense or a sparse CSR tensor of shape (N, D); convert it with torch.as_tensor, .to_dense() or "
            ".to_sparse_csr()"
        )
    if x.dtype != torch.float32:
        raise DataError(f"data.x must be float32, found {x.dtype}; convert it with data.x.float()")
    if not np.isfinite(entries(plain_features(x))).all():
        raise DataError("data.x holds NaN or infinite values; replace them")


_LAYOUTS = (torch.strided, torch.sparse_csr, torch.sparse_coo)


def check_binary_features(x: Any) -> None:
    """Raise `DataError` unless `x` is a float32 tensor (N, D) of zeros and ones, as Bernoulli flips need."""
    check_features(x)
    given = plain_features(x)
    if are_bits(given):
        return
    node, feature, value = _first_other(given)
    raise DataError(
        f"Bernoulli noise needs binary features, but data.x[{node}, {feature}] is {value:.6g}; set "
        f"data.x = (data.x != 0).float(), and gc.Rownormalised(model) if the model was trained on normalised rows, or "
        f"take noise of real features, such as Gaussian"
    )


def _first_other(x: Features) -> tuple[int, int, float]:
    """Row, column and value of the first number that is neither 0 nor 1."""
    found = entries(x)
    place = int(np.flatnonzero((found != 0) & (found != 1))[0])
    if isinstance(x, np.ndarray):
        row, column = divmod(place, x.shape[1])
    else:
        row, column = int(np.searchsorted(x.indptr, place, side="right")) - 1, int(x.indices[place])
    return row, column, float(found.ravel()[place])


def check_edges(edge_index: Any, num_nodes: int) -> bool:
    """Return whether a simple graph is directed: whether some edge lacks its reverse.

    Raises:
        DataError: unless `edge_index` is int64 (2, E), lists each direction of an edge at most once, and joins no node to
            itself.
    """
    if not isinstance(edge_index, torch.Tensor) or edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise DataError("data.edge_index must be a tensor of shape (2, number of edges); list one column per direction")
    if edge_index.dtype != torch.int64:
        raise DataError(
            f"data.edge_index must be int64, found {edge_index.dtype}; convert it with data.edge_index.long()"
        )
    if edge_index.numel() == 0:
        return False
    least, most = int(edge_index.min()), int(edge_index.max())
    if least < 0 or most >= num_nodes:
        outside = least if least < 0 else most
        raise DataError(f"data.edge_index names node {outside}, but the nodes are 0 to {num_nodes - 1}; correct it")
    source, target = edge_index
    loops = source == target
    if loops.any():
        raise DataError(
            f"the graph has a self-loop at node {int(source[loops][0])}; remove loops, for example with "
            f"torch_geometric.utils.remove_self_loops"
        )
    forward = (source * num_nodes + target).sort().values
    repeated = forward[1:] == forward[:-1]
    if repeated.any():
        raise DataError(
            f"the edge {_pair(forward[1:][repeated][0], num_nodes)} is listed more than once; "
            f"use torch_geometric.utils.coalesce"
        )
    return not torch.equal(forward, (target * num_nodes + source).sort().values)


def check_undirected(edge_index: Any, num_nodes: int) -> None:
    """Raise `DataError` unless `edge_index` is as for `check_edges` and both directions of every edge are listed."""
    if not check_edges(edge_index, num_nodes):
        return
    forward, backward = edge_index[0] * num_nodes + edge_index[1], edge_index[1] * num_nodes + edge_index[0]
    alone = forward[~torch.isin(forward, backward, assume_unique=True)].min()
    raise DataError(
        f"the graph is directed: the edge {_pair(alone, num_nodes)} lacks its reverse; "
        f"use torch_geometric.utils.to_undirected"
    )


def check_edge_values(name: str, values: Any, edges: int) -> None:
    """Raise `DataError` unless `values`, weights (E,) or attributes (E,) or (E, F), are finite float32 numbers."""
    shapes = f"({edges},)" if name == "edge_weight" else f"({edges}, F)"
    if not isinstance(values, torch.Tensor) or values.layout is not torch.strided or values.dim() not in (1, 2):
        raise DataError(f"data.{name} must be a dense tensor of shape {shapes}, found {_kind(values)}")
    if values.shape[0] != edges or (name == "edge_weight" and values.dim() != 1):
        raise DataError(f"data.{name} must be of shape {shapes}, one entry per edge, found {tuple(values.shape)}")
    if values.dtype != torch.float32:
        raise DataError(f"data.{name} must be float32, found {values.dtype}; convert it with data.{name}.float()")
    if not torch.isfinite(values).all():
        raise DataError(f"data.{name} holds NaN or infinite values; replace them")


def _pair(key: torch.Tensor, num_nodes: int) -> str:
    return f"{int(key) // num_nodes} → {int(key) % num_nodes}"


def validate(data: Data, *, binary: bool = True, directed: bool = False) -> None:
    """Check that a graph is in the standard form of `load_dataset`: simple and, unless `directed`, undirected.

    Args:
        data: `x` (N, D) float32, dense or sparse, and `edge_index` (2, E) int64 are needed; `y` (N,) int64 with −1 for
            unlabelled, `edge_weight` (E,) and `edge_attr` (E, F) float32, the boolean masks (N,) and `classes` are checked
            where they are present.
        binary: whether features must be 0 or 1; all noise but flips of feature bits allows real ones.
        directed: whether edges may lack their reverse.

    Raises:
        DataError: one sentence about the first thing that is wrong.
    """
    (check_binary_features if binary else check_features)(data.x)
    nodes = data.x.shape[0]
    (check_edges if directed else check_undirected)(data.edge_index, nodes)
    for name in EDGE_VALUES:
        if data.get(name) is not None:
            check_edge_values(name, data[name], data.edge_index.shape[1])
    for name in ("train_mask", "val_mask", "test_mask"):
        mask = data.get(name)
        if isinstance(mask, torch.Tensor) and mask.dim() == 2:
            raise DataError(
                f"data.{name} holds {mask.shape[1]} splits; choose one, data.{name} = data.{name}[:, split]"
            )
        if mask is not None and not _is_vector(mask, torch.bool, nodes):
            raise DataError(f"data.{name} must be a boolean tensor of shape ({nodes},); found {_kind(mask)}")
    y, classes = data.y, data.get("classes")
    if y is None:
        return
    if not _is_vector(y, torch.int64, nodes):
        raise DataError(f"data.y must be an int64 tensor of shape ({nodes},); found {_kind(y)}")
    if nodes and int(y.min()) < -1:
        raise DataError("data.y must be 0 or more, or -1 for a node without a label; relabel the classes")
    if nodes and classes is not None and int(y.max()) >= classes:
        raise DataError(f"data.y names class {int(y.max())} but data.classes is {classes}; make them agree")


def _is_vector(value: Any, dtype: torch.dtype, length: int) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype == dtype and value.shape == (length,)


def _kind(value: Any) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__


def data_fingerprint(data: Data, ignore: Sequence[str] = ()) -> str:
    """64 hexadecimal digits that name the features, the edges and the labels of a graph.

    They do not depend on the order in which edges are listed, on masks, names or the machine's byte order. Binary
    features enter as bits, others as float32. Each of the three parts has digits of its own, see `graph_fingerprint`.
    Weights and attributes of edges belong to the edges, unless they are named in `ignore`.

    Raises:
        DataError: if the features or edges are none that can be voted on.
    """
    check_features(data.x)
    check_edges(data.edge_index, data.x.shape[0])
    labels = data.y.cpu().numpy() if isinstance(data.y, torch.Tensor) else None
    values = {}
    for name in EDGE_VALUES:
        found = None if name in ignore else getattr(data, name, None)
        if found is not None:
            check_edge_values(name, found, data.edge_index.shape[1])
            values[name] = found.detach().cpu().numpy()
    return graph_fingerprint(plain_features(data.x), data.edge_index.cpu().numpy(), labels, values)
