"""The standard form of a graph in the literature: undirected, no loops, binary features, largest component on request.

A user's own features may be real; then they are kept.

(Shchur et al. 2018; Bojchevski et al. 2020.) Every step is idempotent and keeps the order of the nodes.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from graphcert.data.raw import RawGraph, check_dense_size


def undirected(edges: NDArray[np.int64], nodes: int) -> NDArray[np.int64]:
    """Both directions of every edge {u, v}, u ≠ v, once and in lexicographic order: (2, E) to (2, 2E')."""
    source, target = edges[:, edges[0] != edges[1]]
    keys = np.sort(np.concatenate([source * nodes + target, target * nodes + source]))
    first = np.diff(keys, prepend=-1) > 0
    return np.stack(np.divmod(keys[first], nodes))


def binarised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 where a feature is present (not 0), else 0."""
    return np.not_equal(features, 0).astype(np.float32)


def keep_largest_component(graph: RawGraph) -> RawGraph:
    """The subgraph on the largest connected component, nodes in their old order; of equal ones the earliest."""
    ones = np.ones(graph.edges.shape[1], np.int8)
    links = coo_array((ones, (graph.edges[0], graph.edges[1])), shape=(graph.nodes, graph.nodes))
    component = connected_components(links, directed=False)[1]
    size_here = np.bincount(component)[component]
    keep = component == component[np.argmax(size_here)]
    renumbered = np.cumsum(keep) - 1
    return replace(
        graph,
        features=graph.features[keep],
        edges=renumbered[graph.edges[:, keep[graph.edges[0]]]],
        labels=graph.labels[keep],
        masks=None if graph.masks is None else graph.masks[:, keep],
    )


def with_identity(graph: RawGraph) -> RawGraph:
    """The graph itself, or, if it has no features, with one feature for every node, which this node alone has."""
    if not graph.featureless:
        return graph
    check_dense_size(graph.nodes, graph.nodes)
    return replace(graph, features=np.eye(graph.nodes, dtype=np.float32))


def standard_form(graph: RawGraph, *, binary: bool = True) -> RawGraph:
    """Undirected, without loops, repeated edges and edge weights; with binary features, or with those that there are."""
    features = binarised(graph.features) if binary else graph.features
    return replace(graph, features=features, edges=undirected(graph.edges, graph.nodes), weighted=False)
