"""How near clusters are to each other: the share of their edges, or where a random walk with restart spends its time."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

Indices = NDArray[np.int64]
Reals = NDArray[np.float64]

_ERROR = 1e-11  # of the computed PageRank masses
_DECIMALS = 10  # to which they are rounded, so that equal masses stay equal and the order of clusters is stable
_CELLS_AT_ONCE = 1 << 24  # bounds the memory of the walks: three arrays of this many numbers


def edge_share(adjacency: "csr_array[Any]", labels: Indices, clusters: int) -> Reals:
    """(C, C): of the undirected edges that leave cluster i, the share that ends in j; 0 on the diagonal.

    A row is 0 where no edge leaves, and sums to 1 elsewhere.

    Args:
        adjacency: symmetric 0/1 matrix (N, N) without loops.
        labels: (N,) cluster of every node, 0 … C − 1.
        clusters: C.
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
    neighbours keeps the walk until it restarts.

    Args:
        adjacency: symmetric 0/1 matrix (N, N) without loops.
        labels: (N,) cluster of every node, 0 … C − 1, none of them empty.
        clusters: C.
        restart: probability in (0, 1); smaller looks further.
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
