"""Partition the nodes of a graph into clusters and rank the clusters by nearness."""

import warnings
from typing import Any, Literal, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from graphcert.core.arguments import real, whole
from graphcert.data.affinity import edge_share, pagerank_mass
from graphcert.data.clustering import CLUSTERINGS, metis_is_installed
from graphcert.data.communities import exactly
from graphcert.data.validate import check_undirected
from graphcert.errors import DataError, InputError
from graphcert.noise import Partition

Method = Literal["metis", "spectral", "louvain", "label_propagation"]
Affinity = Literal["edges", "pagerank"]

_STREAM = 3  # separates these random numbers from those of splits and generators with the same seed
_AFFINITIES = ("edges", "pagerank")


def partition_graph(
    data: Any,
    clusters: SupportsIndex,
    method: Method | str = "metis",
    seed: SupportsIndex = 0,
    *,
    affinity: Affinity | str = "edges",
    restart: SupportsFloat = 0.15,
) -> Partition:
    """Cluster the clean graph and rank, for every cluster, all clusters by nearness (theory, section 8).

    The partition is part of the smoothed classifier, like its noise: make it once, on the clean graph, and keep it. Never
    recompute it from a perturbed graph; that would be another classifier, about which the certificate says nothing
    (theory, section 0).

    Args:
        data: anything with `edge_index` (2, 2E) int64 of a simple undirected graph and `num_nodes`.
        clusters: C, 1 ≤ C ≤ N; every cluster gets at least one node.
        method: "metis" (balanced clusters, few edges between them), "spectral" (k-means on eigenvectors), "louvain" or
            "label_propagation" (communities, then merged or halved to C clusters). If pymetis is not installed, "metis"
            falls back to "louvain", warns, and says so in `Partition.method`.
        seed: whole number ≥ 0; the same seed gives the same partition (with the same versions of the libraries).
        affinity: what makes cluster j near to i: "edges", the share of the edges leaving i that end in j; or "pagerank",
            the time that a random walk with restarts in i spends in j.
        restart: restart probability of that walk per step, in [0.001, 0.999]; smaller looks further.

    Returns:
        Labels (N,) and ranks (C, C). Clusters are numbered by their first node; of equally near clusters the one with the
        smaller number ranks first.

    Raises:
        InputError: if an argument is outside its domain, or there are more clusters than nodes.
        DataError: if the graph is not simple and undirected.

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
    if affinity == "edges":
        return Partition.of_affinity(labels, edge_share(adjacency, labels, count), found_by)
    return Partition.of_affinity(labels, pagerank_mass(adjacency, labels, count, probability), found_by)


def _cluster(adjacency: "csr_array[Any]", clusters: int, method: str, seed: int) -> tuple[NDArray[np.int64], str]:
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
    check_undirected(edge_index, nodes)
    source, target = edge_index.cpu().numpy()
    # Built from coordinates, the matrix is sorted: the order in which edges are listed does not decide anything.
    return csr_array((np.ones(source.size), (source, target)), shape=(nodes, nodes))


def _check_name(what: str, name: object, known: Any) -> None:
    if not isinstance(name, str) or name not in known:
        raise InputError(f"the {what} must be one of {', '.join(known)}, got {name!r}")
