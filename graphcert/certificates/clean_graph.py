"""The clean graph that a collective certificate is given: checked, and compared with the one that was voted on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import EDGE_VALUES, FINGERPRINT, NO_EDGES, graph_fingerprint
from graphcert.core.features import Features, are_bits, bits_of_normalised, entries, plain_features
from graphcert.core.reading import problem
from graphcert.errors import DataError, InputError
from graphcert.noise import Scheme


@dataclass(frozen=True, eq=False)
class CleanGraph:
    """Features (N, D) and edges (2, E), from which capacities and receptive fields are read (theory section 11, trap 25).

    Features are dense or sparse, as they were given. Every undirected edge is there in both directions, without self-loops.
    Weights and attributes change neither.
    """

    x: Features
    edge_index: NDArray[np.int64]
    num_nodes: int

    @classmethod
    def of(cls, data: Any, smoothing: Scheme, nodes: int, fingerprint: str | None) -> "CleanGraph":
        """Read a graph on so many nodes that claims are to rest on, from arrays or tensors on any device.

        `fingerprint` is that of the graph that was voted on, as in `Votes.manifest["data"]`; None if it is not known. Labels
        and masks are no part of the comparison.

        Raises:
            InputError: if it is no simple graph on N nodes, is directed though the scheme is not, its features are outside
                the domain of the noise, or it is another graph than the one that was voted on.
        """
        if getattr(data, "x", None) is None or getattr(data, "edge_index", None) is None:
            raise InputError("data takes the clean graph, with features x (N, D) and edge_index (2, 2E)")
        x, edges = _features(data.x), _array("edge_index", data.edge_index)
        if smoothing.flips_features and x.ndim == 2 and x.dtype.kind == "f":
            # What was voted on are the bits; the model normalised their rows.
            bits = bits_of_normalised(x)
            x = x if bits is None else bits
        _check_features(x, nodes, smoothing.flips_features)
        if edges.size == 0:
            edges = np.zeros((2, 0), np.int64)
        _check_edges(edges, nodes, smoothing.directed)
        graph = cls(x, edges.astype(np.int64), nodes)
        if fingerprint is None:
            return graph
        # What edges carry may have been left out of what was voted on.
        carried = [{}, *_edge_values(data, edges.shape[1])]
        found = [graph_fingerprint(x, graph.edge_index, None, values) for values in carried]
        digits = {part: FINGERPRINT[part] for part in ("features", "edges")}
        other = [
            part
            for part, place in digits.items()
            if fingerprint[place] not in (NO_EDGES, *(name[place] for name in found))
        ]
        if other:
            raise InputError(
                f"the {' and the '.join(other)} of data are not those of the graph that was voted on; capacities and "
                f"receptive fields of another graph prove nothing, so give its own graph"
            )
        return graph


def _edge_values(data: Any, edges: int) -> list[dict[str, NDArray[Any]]]:
    """The weights and attributes of a graph, in all non-empty selections."""
    given = {name: getattr(data, name, None) for name in EDGE_VALUES}
    arrays = {name: _array(name, values) for name, values in given.items() if values is not None}
    if any(values.ndim == 0 or len(values) != edges or values.dtype.kind not in "iuf" for values in arrays.values()):
        raise InputError("weights and attributes in data must be numbers, one entry per edge; give the graph voted on")
    both = [arrays] if len(arrays) == 2 else []
    return [*({name: values} for name, values in arrays.items()), *both]


def _features(x: Any) -> Features:
    try:
        return plain_features(x)
    except (TypeError, ValueError, RuntimeError, DataError) as error:
        raise InputError(f"data.x must be an array, a tensor or sparse rows of numbers: {problem(error)}") from None


def _array(name: str, values: Any) -> NDArray[Any]:
    """Arrays as they are, tensors from any device."""
    try:
        return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"data.{name} must be a dense array or tensor of numbers: {error}") from None


def _check_features(x: Features, nodes: int, binary: bool) -> None:
    if x.ndim != 2 or x.dtype.kind not in "biuf":
        raise InputError(f"data.x must hold numbers of shape (N, D), got {x.dtype} of shape {x.shape}")
    if x.shape[0] != nodes:
        raise InputError(f"the graph has {x.shape[0]} nodes but the certificate {nodes}; give its own graph")
    if not np.isfinite(entries(x)).all():
        raise InputError("data.x holds NaN or infinite values; give the graph that was voted on")
    if binary and not are_bits(x):
        words = "flips of features are about zeros and ones, but data.x holds other numbers; give binary features"
        raise InputError(words)


def _check_edges(edges: NDArray[Any], nodes: int, directed: bool) -> None:
    """Every edge once per direction, no self-loops: the graphs that can be voted on."""
    if edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype.kind not in "iu":
        raise InputError(f"data.edge_index must be integers of shape (2, 2E), got {edges.dtype} of shape {edges.shape}")
    if edges.size and (edges.min() < 0 or edges.max() >= nodes):
        raise InputError(f"data.edge_index must name nodes from 0 to {nodes - 1}, got {edges.min()} to {edges.max()}")
    source, target = edges.astype(np.int64)
    if (source == target).any():
        raise InputError(f"data.edge_index has a self-loop at node {source[source == target][0]}; remove loops")
    forward, backward = np.sort(source * nodes + target), np.sort(target * nodes + source)
    if (np.diff(forward) == 0).any():
        raise InputError("data.edge_index lists an edge more than once; coalesce it")
    if not directed and not np.array_equal(forward, backward):
        raise InputError("data.edge_index is directed: list both directions of every edge")
