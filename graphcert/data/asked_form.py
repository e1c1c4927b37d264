"""The form in which a graph was asked for: standard, or with the directions of its edges and what these carry."""

from typing import Any

import torch
from torch_geometric.data import Data

from graphcert.data.raw import RawGraph, standard_form
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
    features, edges, labels = (torch.from_numpy(array) for array in (graph.features, graph.edges, graph.labels))
    carried = {name: torch.from_numpy(array) for name, array in graph.values.items()}
    return Data(x=features, edge_index=edges, y=labels, **carried)
