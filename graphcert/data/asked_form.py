"""The form in which a graph was asked for: standard, or with the directions of its edges and what these carry."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch_geometric.data import Data

from graphcert.core.features import dense_features, entries
from graphcert.data.feature_tensors import feature_tensor_of
from graphcert.data.raw import RawGraph, check_dense_size, standard_form, stays_sparse
from graphcert.data.validate import check_edges, validate
from graphcert.errors import DataError, InputError


def check_switches(**switches: Any) -> None:
    """Raise `InputError` for an option that is neither true nor false."""
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise InputError(f"the option {name} is true or false, got {value!r:.60}")


def in_form(graph: RawGraph, directed: bool, weights: bool, *, exact: bool, binary: bool, remedy: str = "") -> RawGraph:
    """The graph in standard form but for the directions and the weights that are to be kept.

    Raises:
        InputError: if there are none to be kept.
        DataError: if more than the order of its edges would change, and it is to be `exact` or weights to be kept; `remedy`
            is a way out of that.
    """
    if weights and not graph.values:
        raise InputError("its edges carry neither weights nor attributes; leave weights out")
    if exact or weights:
        _refuse_unless_in_form(graph, directed, weights, remedy)
    graph = standard_form(graph, binary=binary, directed=directed, weights=weights)
    if directed and not check_edges(torch.from_numpy(graph.edges), graph.nodes):
        raise InputError("every edge has its reverse, so there are no directions to keep; leave directed out")
    return graph


def _refuse_unless_in_form(graph: RawGraph, directed: bool, weights: bool, remedy: str) -> None:
    """Raise `DataError` if bringing the graph into the form asked for would change more than the order of its edges."""
    ways = [remedy] if remedy else []
    try:
        if graph.values and not weights:
            ways = [_WAY.format("weights", "it"), *ways]
            raise DataError(f"the edges have {' and '.join(graph.values)}; take that out")
        data = tensors(graph)
        if not directed and check_edges(data.edge_index, graph.nodes):
            ways = [_WAY.format("directed", "directions"), *ways]
        validate(data, binary=False, directed=directed)
    except DataError as error:
        others = "".join(f", {way}" for way in ways[:-1])
        raise DataError(f"{error}{others}{f', or {ways[-1]}' if ways else ''}") from None


_WAY = "keep {1} with {0}=True (--dataset-option {0}=true)"


def tensors(graph: RawGraph) -> Data:
    """The graph without its masks, as torch_geometric has it."""
    edges, labels = torch.from_numpy(graph.edges), torch.from_numpy(graph.labels)
    carried = {name: torch.from_numpy(array) for name, array in graph.values.items()}
    return Data(x=feature_tensor_of(graph.features), edge_index=edges, y=labels, **carried)


def in_layout(graph: RawGraph, sparse: bool | None) -> RawGraph:
    """The graph with dense features or with sparse rows; with None those that `stays_sparse` chooses.

    Raises:
        InputError: if `sparse` is neither true, false nor None.
        DataError: if there is no memory for dense features.
    """
    if sparse is not None and not isinstance(sparse, bool):
        raise InputError(f"the option sparse is true, false or left out, got {sparse!r:.60}")
    x = graph.features
    if sparse is None:
        nodes, columns = x.shape
        sparse = stays_sparse(nodes, columns, int(np.count_nonzero(entries(x))))
    if sparse is isinstance(x, csr_array):
        return graph
    if sparse:
        return replace(graph, features=csr_array(x))
    check_dense_size(*x.shape)
    return replace(graph, features=dense_features(x, "the dense features"))
