"""The clean graph that a collective certificate is given: checked, and compared with the one that was voted on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import FINGERPRINT, NO_EDGES, graph_fingerprint
from graphcert.errors import InputError
from graphcert.noise import Scheme


@dataclass(frozen=True, eq=False)
class CleanGraph:
    """Features and edges as arrays. Capacities and receptive fields are read from them (theory section 11, trap 25).

    Attributes:
        x: (N, D) finite numbers.
        edge_index: (2, 2E) integers, every undirected edge in both directions, without self-loops.
        num_nodes: N.
    """

    x: NDArray[Any]
    edge_index: NDArray[np.int64]
    num_nodes: int

    @classmethod
    def of(cls, data: Any, smoothing: Scheme, nodes: int, fingerprint: str | None) -> "CleanGraph":
        """Read a graph that claims about `nodes` nodes are to rest on.

        Args:
            data: anything with `x` and `edge_index`: arrays, or tensors on any device.
            smoothing: the scheme of the claims; where it flips features they must be 0 or 1.
            nodes: N.
            fingerprint: of the graph that was voted on, as in `Votes.manifest["data"]`; None if it is not known. Labels
                and masks are no part of the comparison.

        Raises:
            InputError: if it is no simple undirected graph on N nodes, its features are outside the domain of the noise,
                or it is another graph than the one that was voted on.
        """
        if getattr(data, "x", None) is None or getattr(data, "edge_index", None) is None:
            raise InputError("data takes the clean graph, with features x (N, D) and edge_index (2, 2E)")
        x, edges = _array("x", data.x), _array("edge_index", data.edge_index)
        _check_features(x, nodes, smoothing.flips_features)
        if edges.size == 0:
            edges = np.zeros((2, 0), np.int64)
        _check_edges(edges, nodes)
        graph = cls(x, edges.astype(np.int64), nodes)
        if fingerprint is not None:
            graph._refuse_unless_named(fingerprint)
        return graph

    def _refuse_unless_named(self, expected: str) -> None:
        found = graph_fingerprint(self.x, self.edge_index, None)
        parts = [
            part
            for part in ("features", "edges")
            if expected[FINGERPRINT[part]] not in (found[FINGERPRINT[part]], NO_EDGES)
        ]
        if parts:
            raise InputError(
                f"the {' and the '.join(parts)} of data are not those of the graph that was voted on; capacities and "
                f"receptive fields of another graph prove nothing, so give its own graph"
            )


def _array(name: str, values: Any) -> NDArray[Any]:
    """Arrays as they are, tensors from any device."""
    try:
        detached = values.detach().cpu() if hasattr(values, "detach") else values
        return np.asarray(detached)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"data.{name} must be a dense array or tensor of numbers: {error}") from None


def _check_features(x: NDArray[Any], nodes: int, binary: bool) -> None:
    if x.ndim != 2 or x.dtype.kind not in "biuf":
        raise InputError(f"data.x must hold numbers of shape (N, D), got {x.dtype} of shape {x.shape}")
    if x.shape[0] != nodes:
        raise InputError(f"the graph has {x.shape[0]} nodes but the certificate {nodes}; give its own graph")
    if not np.isfinite(x).all():
        raise InputError("data.x holds NaN or infinite values; give the graph that was voted on")
    if binary and not ((x == 0) | (x == 1)).all():
        raise InputError(
            "flips of features are about zeros and ones, but data.x holds other numbers; give binary features"
        )


def _check_edges(edges: NDArray[Any], nodes: int) -> None:
    """Both directions of every edge once, no self-loops: the graphs that can be voted on."""
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
    if not np.array_equal(forward, backward):
        raise InputError("data.edge_index is directed: list both directions of every edge")
