"""Ways to find clusters in a graph; each may leave clusters empty or find another number of them."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import networkx
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from graphcert.data.spectral import spectral

Indices = NDArray[np.int64]

_CUTS = 4  # METIS tries this many times and keeps the smallest cut

Clustering = Callable[["csr_array[Any]", int, int], Indices]
"""From a symmetric 0/1 matrix (N, N) with at least one edge, the wanted C ≤ N and a seed < 2³¹ to (N,) communities."""


def metis_is_installed() -> bool:
    """Whether pymetis can be imported."""
    try:
        import pymetis  # noqa: F401
    except ImportError:
        return False
    return True


def metis(adjacency: "csr_array[Any]", clusters: int, seed: int) -> Indices:
    """Balanced clusters with few edges between them (Karypis and Kumar 1998)."""
    import pymetis

    neighbours, ends = adjacency.indices.tolist(), adjacency.indptr.tolist()
    # Plain lists are the one form that all releases of pymetis take.
    listed = [neighbours[first:last] for first, last in pairwise(ends)]
    _, found = pymetis.part_graph(clusters, adjacency=listed, options=pymetis.Options(seed=seed, ncuts=_CUTS))
    return np.array(found, dtype=np.int64)


def louvain(adjacency: "csr_array[Any]", clusters: int, seed: int) -> Indices:
    """Communities of high modularity, as many as there are (Blondel et al. 2008)."""
    graph = networkx.from_scipy_sparse_array(adjacency)
    return _numbered(networkx.community.louvain_communities(graph, seed=seed), adjacency.shape[0])


def label_propagation(adjacency: "csr_array[Any]", clusters: int, seed: int) -> Indices:
    """Communities by asynchronous label propagation, as many as there are (Raghavan et al. 2007)."""
    graph = networkx.from_scipy_sparse_array(adjacency)
    return _numbered(networkx.community.asyn_lpa_communities(graph, seed=seed), adjacency.shape[0])


def _numbered(communities: Iterable[set[int]], nodes: int) -> Indices:
    labels = np.empty(nodes, dtype=np.int64)
    for number, members in enumerate(communities):
        labels[list(members)] = number
    return labels


CLUSTERINGS: dict[str, Clustering] = {
    "metis": metis,
    "spectral": spectral,
    "louvain": louvain,
    "label_propagation": label_propagation,
}
