"""Partition the nodes of a graph into clusters and rank the clusters by nearness.

Near clusters share many edges, or a random walk with restart in one spends much time in the other.
"""

import math
import warnings
from typing import Any, Literal, SupportsFloat, SupportsIndex

import numpy as np
from scipy.sparse import csr_array, diags_array
from torch import Tensor

from graphcert.core.arguments import real, whole
from graphcert.data.clustering import CLUSTERINGS, Indices, Reals, exactly, metis_is_installed
from graphcert.data.validate import check_edges
from graphcert.errors import DataError, InputError
from graphcert.noise import Partition

Method = Literal["metis", "spectral", "louvain", "label_propagation", "consecutive"]
Affinity = Literal["edges", "pagerank"]

_STREAM = 3  # separates these random numbers from those of splits and generators with the same seed
_AFFINITIES = ("edges", "pagerank")


def partition_graph(
    data: Any, clusters: SupportsIndex, method: Method | str = "metis", seed: SupportsIndex = 0, *,
    affinity: Affinity | str = "edges", restart: SupportsFloat = 0.15,
) -> Partition:  # fmt: skip
    """Cluster the clean graph and rank, for every cluster, all clusters by nearness (theory, section 8).

    The partition is part of the smoothed classifier, like its noise: make it once, on the clean graph, and keep it. Never
    recompute it from a perturbed graph; that would be another classifier, about which the certificate says nothing
    (theory, section 0).

    Args:
        data: anything with `edge_index` (2, E) int64 of a simple graph and `num_nodes`. Directed edges count in both
            directions.
        clusters: C, 1 ≤ C ≤ N; every cluster gets at least one node.
        method: "metis" (balanced clusters, few edges between them), "spectral" (k-means on eigenvectors), "louvain" or
            "label_propagation" (communities, then merged or halved to C clusters), or "consecutive" (equal shares of the
            nodes in their order: near ones have near numbers in synthetic graphs with a geometry). If pymetis is not
            installed, "metis" falls back to "louvain", warns, and says so in `Partition.method`.
        seed: whole number ≥ 0; the same seed gives the same partition (with the same versions of the libraries).
        affinity: what makes cluster j near to i: "edges", the share of the edges leaving i that end in j; or "pagerank",
            the time that a random walk with restarts in i spends in j.
        restart: restart probability of that walk per step, in [0.001, 0.999]; smaller looks further.

    Returns:
        Labels (N,) and ranks (C, C). Clusters are numbered by their first node; of equally near clusters the one with the
        smaller number ranks first.

    Raises:
        InputError: if an argument is outside its domain, or there are more clusters than nodes.
        DataError: if the graph is not simple.

    Sources: Schuchardt et al. 2023, localized randomized smoothing; the clustering methods name theirs.
    """
    count = whole("clusters", clusters, at_least=1)
    _check_name("partition method", method, CLUSTERINGS)
    _check_name("cluster affinity", affinity, _AFFINITIES)
    # One number below 2³¹ is what METIS takes.
    number = int(np.random.default_rng([whole("seed", seed), _STREAM]).integers(2**31))
    probability = real("restart", restart, 0.001, 0.999)
    adjacency = _adjacency(data)
    if count > adjacency.shape[0]:
        raise InputError(f"{count} clusters are more than the {adjacency.shape[0]} nodes of the graph; ask for fewer")
    labels, found_by = _cluster(adjacency, count, str(method), number)
    edges = affinity == "edges"
    near = edge_share(adjacency, labels, count) if edges else pagerank_mass(adjacency, labels, count, probability)
    return Partition.of_affinity(labels, near, found_by)


def _cluster(adjacency: "csr_array[Any]", clusters: int, method: str, seed: int) -> tuple[Indices, str]:
    """Exactly `clusters` non-empty clusters (N,), and how they were found."""
    whole_graph = np.zeros(adjacency.shape[0], dtype=np.int64)
    if clusters == 1:
        return whole_graph, "one cluster"
    if adjacency.nnz == 0:
        return exactly(adjacency, whole_graph, clusters), "equal shares (the graph has no edges)"
    found_by = method
    if method == "metis" and not metis_is_installed():
        method, found_by = "louvain", "louvain (metis is not installed)"
        warnings.warn("metis is not installed, so louvain clusters the graph; pip install pymetis", stacklevel=3)
    return exactly(adjacency, CLUSTERINGS[method](adjacency, clusters, seed), clusters), found_by


def _adjacency(data: Any) -> "csr_array[Any]":
    """The checked symmetric 0/1 matrix (N, N) of a graph."""
    edge_index, nodes = getattr(data, "edge_index", None), getattr(data, "num_nodes", None)
    if not isinstance(edge_index, Tensor) or not isinstance(nodes, int):
        raise DataError(
            "the data need a tensor edge_index (2, 2E) and num_nodes, as torch_geometric.data.Data has them"
        )
    if nodes == 0:
        raise DataError("the graph has no nodes; give one that has some")
    directed = check_edges(edge_index, nodes)
    source, target = edge_index.cpu().numpy()
    # Built from coordinates, the matrix is sorted: the order in which edges are listed does not decide anything.
    found = csr_array((np.ones(source.size), (source, target)), shape=(nodes, nodes))
    return csr_array(((found + found.T) > 0).astype(np.float64)) if directed else found


def _check_name(what: str, name: object, known: Any) -> None:
    if not isinstance(name, str) or name not in known:
        raise InputError(f"the {what} must be one of {', '.join(known)}, got {name!r}")


_ERROR = 1e-11  # of the computed PageRank masses
_DECIMALS = 10  # to which they are rounded, so that equal masses stay equal and the order of clusters is stable
_CELLS_AT_ONCE = 1 << 24  # bounds the memory of the walks: three arrays of this many numbers


def edge_share(adjacency: "csr_array[Any]", labels: Indices, clusters: int) -> Reals:
    """(C, C): of the undirected edges that leave cluster i, the share that ends in j; 0 on the diagonal.

    A row is 0 where no edge leaves, and sums to 1 elsewhere. Labels (N,) are clusters 0 … C − 1.
    """
    edges = adjacency.tocoo()
    pairs = labels[edges.row] * clusters + labels[edges.col]
    between = np.bincount(pairs, minlength=clusters**2).reshape(clusters, clusters).astype(np.float64)
    np.fill_diagonal(between, 0.0)
    leaving = between.sum(axis=1, keepdims=True)
    return np.asarray(between / np.maximum(leaving, 1.0))


def pagerank_mass(adjacency: "csr_array[Any]", labels: Indices, clusters: int, restart: float) -> Reals:
    """(C, C): the share of its time that a walk which restarts in cluster i spends in cluster j; every row sums to 1.

    Personalised PageRank (Page et al. 1999): the walk starts at a random node of i; before each step it returns to a
    fresh random node of i with probability `restart`, otherwise it moves to a random neighbour. A node without
    neighbours keeps the walk until it restarts. Labels (N,) are clusters 0 … C − 1, none of them empty.
    """
    degrees = np.diff(adjacency.indptr)
    walk = diags_array(1.0 / np.maximum(degrees, 1)) @ adjacency + diags_array((degrees == 0).astype(np.float64))
    mass = np.empty((clusters, clusters))
    width = max(1, _CELLS_AT_ONCE // labels.size)
    member = csr_array((np.ones(labels.size), (labels, np.arange(labels.size))), shape=(clusters, labels.size))
    for first in range(0, clusters, width):
        blocks = np.arange(first, min(first + width, clusters))
        inside = (labels[:, None] == blocks).astype(np.float64)
        mass[:, blocks] = np.asarray(member @ _time_inside(walk.tocsr(), inside, restart))
    return np.round(mass / np.bincount(labels, minlength=clusters)[:, None], _DECIMALS)


def _time_inside(walk: "csr_array[Any]", inside: Reals, restart: float) -> Reals:
    """Solve y = restart · inside + (1 − restart) · walk · y: from every node, the share of time in every block.

    Power iteration with Chebyshev acceleration (Golub and Varga 1961), for which the walk's eigenvalues must be real:
    they are, since the graph is undirected. It needs about √restart times as many steps as the plain iteration.
    """
    radius, weight = 1.0 - restart, 2.0
    before, now = np.zeros_like(inside), restart * inside
    for _ in range(_steps(radius, walk.nnz)):
        weight = 1.0 / (1.0 - radius**2 * weight / 4.0)
        before, now = now, before + weight * (radius * (walk @ now) + restart * inside - before)
    return now


def _steps(radius: float, entries: int) -> int:
    """Steps after which no entry is wrong by more than `_ERROR`, rounding aside.

    In the norm that weighs nodes by their degrees, k steps leave at most 2 rᵏ of the error at the start. There every
    entry was wrong by at most 1, so the norm was at most the root of the degrees' sum; and no degree is below 1.
    """
    rate = radius / (1.0 + math.sqrt(1.0 - radius**2))
    return math.ceil(math.log(2.0 * math.sqrt(entries) / _ERROR) / -math.log(rate))
