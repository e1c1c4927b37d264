"""Spectral clustering that also works on disconnected and on large sparse graphs."""

import inspect
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
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

    Args:
        adjacency: symmetric 0/1 matrix (N, N) with at least one edge.
        clusters: C, 1 ≤ C ≤ N.
        seed: 0 … 2³² − 1.
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
