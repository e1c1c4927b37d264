"""Ways to find clusters in a graph, and to turn any grouping of its nodes into exactly C non-empty clusters."""

import inspect
import warnings
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any

import networkx
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.sparse.linalg import LinearOperator, eigsh

Indices = NDArray[np.int64]
Reals = NDArray[np.float64]

_EVENNESS = 0.1  # in mean degrees: enough to ignore tiny components and pendant trees, too little to hide communities
_DIMENSIONS = 100  # more clusters than this are told apart by this many eigenvectors, to bound time and memory
_DENSE_NODES = 500  # up to here, all eigenvectors at once
_TOLERANCE = 1e-3


def spectral(adjacency: "csr_array[Any]", clusters: int, seed: int) -> Indices:
    """(N,) cluster of every node: k-means on the leading eigenvectors of the regularised normalised adjacency.

    Normalised cuts (Ng et al. 2001) with regularisation (Amini et al. 2013; Qin and Rohe 2013): every pair of nodes is
    joined with a tiny weight, so that the graph is connected and small components do not take the leading eigenvectors.
    Some clusters may be empty.
    """
    # Loaded late, since they are slow to load. Several threads would add in varying order, and the seed would not decide.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than clusters: some stay empty
        rows = _leading_eigenvectors(adjacency, min(clusters, _DIMENSIONS), seed)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
        found = KMeans(clusters, n_init=4, max_iter=100, random_state=seed).fit_predict(rows)
    return np.asarray(found, dtype=np.int64)


def _leading_eigenvectors(adjacency: "csr_array[Any]", count: int, seed: int) -> Reals:
    """(N, count) eigenvectors of D^(−1/2) (A + τ/N) D^(−1/2) for its largest eigenvalues, D its degrees."""
    nodes = adjacency.shape[0]
    degrees = np.diff(adjacency.indptr)
    evenness = _EVENNESS * degrees.mean()
    scale = 1.0 / np.sqrt(degrees + evenness)
    if nodes <= _DENSE_NODES:
        matrix = scale[:, None] * (adjacency.toarray() + evenness / nodes) * scale
        return np.linalg.eigh(matrix).eigenvectors[:, nodes - count :]

    def apply(vector: Reals) -> Reals:
        scaled = scale * vector.ravel()
        return np.asarray(scale * (adjacency @ scaled + evenness / nodes * scaled.sum()))

    generator = np.random.default_rng(seed)
    # From scipy 1.17 on, ARPACK takes its own random numbers (for graphs of few distinct eigenvalues) from `rng`.
    source: dict[str, Any] = {"rng": generator} if "rng" in inspect.signature(eigsh).parameters else {}
    operator = LinearOperator((nodes, nodes), matvec=apply, dtype=np.float64)
    start = generator.standard_normal(nodes)
    return np.asarray(eigsh(operator, count, which="LA", v0=start, tol=_TOLERANCE, **source)[1])


def exactly(adjacency: "csr_array[Any]", labels: Indices, clusters: int) -> Indices:
    """Turn communities (N,), any whole numbers, into exactly C = `clusters` ≤ N non-empty ones 0 … C − 1, without chance.

    While there are too many, the smallest joins the one it shares most edges with; while there are too few, the largest
    is halved. Empty communities vanish. The result is numbered by the first node of every cluster.
    """
    return _by_first_node(_split(adjacency, _merge(adjacency, _by_first_node(labels), clusters), clusters))


def _by_first_node(labels: Indices) -> Indices:
    _, first, compact = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[compact]


def _merge(adjacency: "csr_array[Any]", labels: Indices, clusters: int) -> Indices:
    """Merge until at most `clusters` are left; a community without outer edges joins the next smallest."""
    sizes = np.bincount(labels).tolist()
    shared = _shared_edges(adjacency, labels, len(sizes))
    joined = np.arange(len(sizes))
    smallest = [(size, label) for label, size in enumerate(sizes)]
    heapify(smallest)

    def pop() -> int:
        while True:  # a community that grew or vanished since it was pushed has another size by now
            size, label = heappop(smallest)
            if sizes[label] == size:
                return label

    for _ in range(len(sizes) - clusters):
        label = pop()
        edges = shared[label]
        target = min(edges, key=lambda other: (-edges[other], sizes[other], other)) if edges else pop()
        for other, count in edges.items():
            del shared[other][label]
            if other != target:
                shared[other][target] = shared[target][other] = shared[target].get(other, 0) + count
        joined[label] = target
        sizes[target], sizes[label] = sizes[target] + sizes[label], 0
        heappush(smallest, (sizes[target], target))
    while (joined[joined] != joined).any():
        joined = joined[joined]
    return joined[labels]


def _shared_edges(adjacency: "csr_array[Any]", labels: Indices, communities: int) -> list[dict[int, int]]:
    """For every community, the number of edges (counted the same way for all) to each other one that it touches."""
    edges = adjacency.tocoo()
    pairs, counts = np.unique(labels[edges.row] * communities + labels[edges.col], return_counts=True)
    shared: list[dict[int, int]] = [{} for _ in range(communities)]
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        one, other = divmod(pair, communities)
        if one != other:
            shared[one][other] = count
    return shared


def _split(adjacency: "csr_array[Any]", labels: Indices, clusters: int) -> Indices:
    """Halve the largest community until there are `clusters`, along its Cuthill–McKee order: neighbours stay together."""
    labels = _by_first_node(labels)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(labels))[:-1])
    largest = [(-group.size, label, group) for label, group in enumerate(groups)]
    heapify(largest)
    for label in range(len(groups), clusters):
        _, kept, group = heappop(largest)
        lined_up = group[reverse_cuthill_mckee(adjacency[group][:, group], symmetric_mode=True)]
        half = group.size // 2
        labels[lined_up[:half]] = label
        heappush(largest, (-half, label, np.sort(lined_up[:half])))
        heappush(largest, (half - group.size, kept, np.sort(lined_up[half:])))
    return labels


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


def consecutive(adjacency: "csr_array[Any]", clusters: int, seed: int) -> Indices:
    """Equal shares of consecutive nodes, for graphs whose nodes are numbered so that near ones have near numbers."""
    return np.arange(adjacency.shape[0]) * clusters // adjacency.shape[0]


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
    find.__name__: find for find in (metis, spectral, louvain, label_propagation, consecutive)
}
