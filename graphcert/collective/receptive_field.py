"""Receptive fields: which changes of the graph a node's prediction can perceive at all."""

import operator
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphcert.collective.solvers.program import IntArray, Sparse
from graphcert.errors import InputError
from graphcert.noise import AXES

NORMALISATIONS = ("symmetric", "receiver")


def edge_columns(edges: npt.ArrayLike, num_nodes: int | None = None, directed: bool = False) -> IntArray:
    """(2, E) the edges of the columns of edge axes: `undirected_edges`, or all directed ones (source, target), sorted."""
    if not directed:
        return undirected_edges(edges, num_nodes)
    nodes, (source, target) = _edge_index(edges, num_nodes)
    keys = np.unique((source * nodes + target)[source != target])
    return np.stack([keys // nodes, keys % nodes])


def undirected_edges(edges: npt.ArrayLike, num_nodes: int | None = None) -> IntArray:
    """The undirected edges of a graph in the order that every edge axis uses: (2, E), u < v, sorted by u, then v.

    Self-loops are dropped, and the two directions or several copies of an edge become one. Accepts what
    `receptive_field` accepts.
    """
    nodes, pairs = _edge_index(edges, num_nodes)
    low, high = pairs.min(axis=0), pairs.max(axis=0)
    keep = low < high
    keys = np.unique(low[keep] * nodes + high[keep])
    return np.stack([keys // nodes, keys % nodes])


def receptive_field(
    edges: npt.ArrayLike,
    layers: SupportsIndex,
    axis: str,
    *,
    num_nodes: int | None = None,
    normalisation: str = "symmetric",
    directed: bool = False,
) -> Sparse:
    """The 0/1 matrix of what each node perceives through `layers` rounds of message passing (theory, section 8).

    Valid on the clean graph only while a perturbation creates no new reach: for changes of features and deletions of
    edges, and for noise that adds no edges or a model whose reach is masked independently of the noise.

    Args:
        edges: (2, E) integer array of edges, or an object with `edge_index` and `num_nodes` (a PyG `Data`). Edges are
            undirected: either direction, or both, may be given; self-loops are ignored.
        layers: k ≥ 0, hops of one forward pass (layers of a GCN, power iterations of APPNP).
        axis: "feature_add" or "feature_delete": (N, N), node n perceives the row of m iff m lies within k hops.
            "edge_delete" (or "edge_add" under a masked reach, for edges that are given in `edges`): (N, E), columns in
            the order of `undirected_edges`.
        num_nodes: N, if `edges` is an array; the largest index + 1 by default (isolated nodes at the end then count
            as absent, so give it).
        normalisation: an edge is perceived if its nearer endpoint lies within k hops under "symmetric" degree
            normalisation (GCN, APPNP: the change of its endpoints' degrees reaches their other neighbours one
            layer early), within k − 1 hops for sum, mean or attention "receiver" aggregation. Ignored for features.
        directed: the edges are (source, target), and messages go from source to target only: hops are counted along the
            directions, the receiver is the target, and the columns of edge axes are all directed edges, sorted by source,
            then target.

    Returns:
        scipy CSR array of float64 ones.

    Raises:
        InputError: for an unknown axis or normalisation, a negative or fractional k, or edges that are no edges.
    """
    hops = _hops(layers)
    if axis not in AXES:
        raise InputError(f"axis must be one of {', '.join(AXES)}, got {axis!r}")
    if normalisation not in NORMALISATIONS:
        raise InputError(f"normalisation must be one of {', '.join(NORMALISATIONS)}, got {normalisation!r}")
    nodes, _ = _edge_index(edges, num_nodes)
    ends = edge_columns(edges, num_nodes, directed)
    if axis.startswith("feature"):
        return _within(ends, nodes, hops, directed)
    # Only the target of a directed edge receives; a degree may be counted at either end.
    incidence = edge_incidence(ends[1:] if directed and normalisation == "receiver" else ends, nodes)
    edge_hops = hops if normalisation == "symmetric" else hops - 1
    if hops == 0 or edge_hops < 0:  # without message passing no edge is ever looked at
        return sp.csr_array(incidence.shape, dtype=np.float64)
    return _ones(_within(ends, nodes, edge_hops, directed) @ incidence)


def edge_incidence(ends: IntArray, nodes: int) -> Sparse:
    """(N, E) CSR ones where an edge, a column of `ends` (1 or 2, E), ends at a node."""
    each, edges = ends.shape
    return sp.csr_array((np.ones(ends.size), (ends.ravel(), np.tile(np.arange(edges), each))), shape=(nodes, edges))


def _within(ends: IntArray, nodes: int, hops: int, directed: bool) -> Sparse:
    """(N, N) ones where node m is at most `hops` edges before node n: boolean powers of A + I, one sparse factor per hop."""
    both = ends[::-1] if directed else np.concatenate([ends, ends[::-1]], axis=1)
    step = _ones(sp.csr_array((np.ones(both.shape[1]), tuple(both)), shape=(nodes, nodes)) + sp.eye_array(nodes))
    reached = sp.csr_array(sp.eye_array(nodes))
    for _ in range(hops):
        further = _ones(reached @ step)
        if further.nnz == reached.nnz:
            break
        reached = further
    return reached


def _ones(matrix: Sparse) -> Sparse:
    """The same pattern with every entry 1 (products of non-negative matrices have no cancellations)."""
    pattern = sp.csr_array(matrix)
    pattern.sort_indices()
    pattern.data = np.ones_like(pattern.data, dtype=np.float64)
    return pattern


def _hops(layers: SupportsIndex) -> int:
    try:
        hops = operator.index(layers)
    except TypeError:
        hops = -1
    if hops < 0 or isinstance(layers, bool):
        raise InputError(f"layers must be a whole number of at least 0, got {layers!r}")
    return hops


def _edge_index(edges: Any, num_nodes: int | None) -> tuple[int, IntArray]:
    """N and the (2, E) integer array behind `edges`."""
    if hasattr(edges, "edge_index"):
        num_nodes = edges.num_nodes if num_nodes is None else num_nodes
        edges = edges.edge_index
    pairs = np.asarray(edges)
    if pairs.size == 0:
        pairs = np.zeros((2, 0), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[0] != 2 or not np.issubdtype(pairs.dtype, np.integer):
        raise InputError(f"edges must be an integer array of shape (2, E), got {pairs.dtype} of shape {pairs.shape}")
    most = int(pairs.max(initial=-1)) + 1
    nodes = most if num_nodes is None else int(num_nodes)
    if pairs.min(initial=0) < 0 or most > nodes:
        raise InputError(f"edges must name nodes from 0 to num_nodes - 1 = {nodes - 1}, got an index outside")
    return nodes, pairs.astype(np.int64)
