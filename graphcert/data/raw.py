"""A graph as it was read or generated, sparse rows from outside, of which every part is checked, and the standard form.

The standard form of the literature is undirected, without loops, with binary features and often the largest component
alone (Shchur et al. 2018; Bojchevski et al. 2020). Every step towards it is idempotent and keeps the order of the nodes.
Directions of edges, and what edges carry, are kept where that is asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from graphcert.core.features import Features, bits_of, canonical, entries
from graphcert.core.reading import check_memory
from graphcert.errors import DataError

MAX_DENSE_BYTES = 8 * 2**30
"""A file that asks for dense float32 features of more than this is refused instead of exhausting memory."""

SPARSE_ABOVE = 2**28
"""Features of which a dense float32 matrix would take more bytes are kept as sparse rows …"""
SPARSE_SHARE = 1 / 8
"""… if no more of their numbers than this share are not zero: then the rows take less memory, and products are faster."""

_COPIES = 3
"""Features are held, brought into standard form and handed on as a tensor."""
_PER_ENTRY = 12
"""Bytes of an entry of sparse rows while they are made: its column and its number, and its row."""
_SMALL = 2**26
_NUMBERS_AT_ONCE = 2**20
_SPREAD = 2**16
"""A matrix of more than `_SMALL` numbers has a one among so many; identity features have one in N."""


def check_dense_size(rows: int, columns: int, entries: int | None = None) -> None:
    """Raise `DataError` if a dense float32 matrix would not fit, or would be as good as empty.

    `entries` of its numbers are not zero, if that is known: a few bytes may name a column of any number.
    """
    if 4 * rows * columns > MAX_DENSE_BYTES:
        raise DataError(
            f"{rows:,} nodes with {columns:,} features each do not fit into the {MAX_DENSE_BYTES // 2**30} GiB allowed "
            f"for dense features; use fewer features, or keep sparse ones sparse"
        )
    if entries is not None:
        _refuse_nearly_empty(rows, columns, entries)
    check_memory(4 * _COPIES * rows * columns, f"the features of {rows:,} nodes, {columns:,} each,")


def _refuse_nearly_empty(rows: int, columns: int, entries: int) -> None:
    if rows * columns > max(_SMALL, _SPREAD * entries):
        raise DataError(
            f"{rows:,} nodes with {columns:,} features each have only {entries:,} that are not zero; drop the features "
            f"that no node has and use fewer features"
        )


def stays_sparse(rows: int, columns: int, entries: int) -> bool:
    """Whether features with so many numbers that are not zero are kept as sparse rows."""
    return 4 * rows * columns > SPARSE_ABOVE and entries <= SPARSE_SHARE * rows * columns


def placed_features(
    shape: tuple[int, int], rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float32]
) -> Features:
    """Features (N, D) from their numbers and where these stand, each place once: dense, or sparse if they `stays_sparse`.

    Raises:
        DataError: if there is no memory for them, or they would be as good as empty.
    """
    if not stays_sparse(*shape, len(values)):
        check_dense_size(*shape, len(values))
        dense = np.zeros(shape, np.float32)
        dense[rows, columns] = values
        return dense
    _refuse_nearly_empty(*shape, len(values))
    # Whoever draws noise around binary features holds one bit for each of them.
    needed = _COPIES * _PER_ENTRY * len(values) + shape[0] * shape[1] // 8
    check_memory(needed, f"the features of {shape[0]:,} nodes, {shape[1]:,} each,")
    return canonical(csr_array(coo_array((values, (rows, columns)), shape=shape)))


def as_float32(name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """`values` rounded to float32, themselves if they are; `DataError` if one is not finite, or would become zero: its edge
    would vanish."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = values.astype(np.float32, copy=False)
    for found, given in zip(_row_blocks(rounded), _row_blocks(values), strict=True):
        if not np.isfinite(found).all():
            raise DataError(f"{name} holds NaN or infinite values, or ones too large for float32; replace them")
        if ((np.abs(found) < np.finfo(np.float32).tiny) & (given != 0)).any():
            raise DataError(
                f"{name} holds values below 1.2e-38, which float32 hardly tells from zero; set them to zero"
            )
    return rounded


def _row_blocks(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """All rows in order, so many at a time that what is computed from them stays small."""
    rows = max(1, _NUMBERS_AT_ONCE // max(1, values[:1].size)) if values.ndim else 1
    listed = np.atleast_1d(values)
    return (listed[start : start + rows] for start in range(0, len(listed), rows))


@dataclass(frozen=True, eq=False)
class RawGraph:
    """Features (N, D) finite float32, dense or sparse, edges (2, E) int64, labels (N,) int64 in 0..K−1 or −1 for none.

    Edges may still be directed, repeated or loops; features may still be real. `values` are what edges carry in the source,
    float32 by the names of `EDGE_VALUES`. `featureless` says that the source has no features, not even a table without
    columns: then `features` is (N, 0) until `with_identity` fills it. `masks` are the training, validation and test nodes
    that the source names: (3, N), or (3, N, S) for S splits. Errors do not name the file; readers add that.
    """

    features: Features
    edges: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: int
    values: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    featureless: bool = False
    masks: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        nodes, rows = len(self.labels), self.features.shape[0]
        if nodes == 0:
            raise DataError("the graph has no nodes; give it at least one")
        if self.features.ndim != 2 or rows != nodes:
            raise DataError(f"there are {rows} feature rows for {nodes} labels; give every node one of each")
        if not np.isfinite(entries(self.features)).all():
            raise DataError("the features hold NaN or infinite values; replace them")
        if self.edges.size and not 0 <= self.edges.min() <= self.edges.max() < nodes:
            outside = self.edges.min() if self.edges.min() < 0 else self.edges.max()
            raise DataError(f"an edge names node {outside}, but the nodes are 0 to {nodes - 1}; correct the edge list")
        if self.labels.min() < -1 or self.labels.max() >= self.classes:
            raise DataError(f"labels must lie in 0 to {self.classes - 1} (or be -1 for none); relabel the classes")

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return len(self.labels)


def integers(name: str, values: NDArray[Any]) -> NDArray[np.int64]:
    """`values` as int64, or `DataError` if they are not whole numbers by type, or of a type that goes beyond int64."""
    if values.dtype.kind not in "iu" or values.dtype == np.uint64:
        raise DataError(f"{name} must hold whole numbers, found {values.dtype}; write it with the type int64")
    return values.astype(np.int64, copy=False)


@dataclass(frozen=True, eq=False)
class Csr:
    """A checked sparse matrix: entry t stands at (`rows[t]`, `columns[t]`) and has the value `values[t]` (float32)."""

    shape: tuple[int, int]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]

    def features(self) -> Features:
        """The matrix as features, see `placed_features`."""
        return placed_features(self.shape, self.rows, self.columns, self.values)


def checked_csr(name: str, data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], shape: NDArray[Any]) -> Csr:
    """Build a `Csr` from its four arrays, which may come from a damaged or hostile file.

    Raises `DataError` unless shape is two counts, indptr rises from 0 to the number of entries, indices lie in the
    matrix, no entry is stored twice and every value is a finite number that float32 can tell from zero.
    """
    if data.dtype.kind not in "fiub":
        raise DataError(f"the values of {name} must be numbers, found {data.dtype}; store them as floats or integers")
    named = (("indices", indices), ("indptr", indptr), ("shape", shape))
    indices, indptr, shape = (integers(f"{name} {part}", array) for part, array in named)
    if shape.shape != (2,) or shape.min() < 0 or shape.max() >= 2**31:
        raise DataError(
            f"the shape of {name} must be two counts below 2^31, found {str(shape.tolist())[:60]}; the file is damaged"
        )
    if data.ndim != 1 or indices.shape != data.shape:
        raise DataError(f"{name} has {data.size} values for {indices.size} indices; the file is damaged")
    if indptr.shape != (shape[0] + 1,) or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
        raise DataError(
            f"the row pointers of {name} do not rise from 0 to {len(indices)} over its rows; the file is damaged"
        )
    if len(indices) and not 0 <= indices.min() <= indices.max() < shape[1]:
        raise DataError(f"{name} has a column index outside 0 to {shape[1] - 1}; the file is damaged")
    rows = np.repeat(np.arange(shape[0]), np.diff(indptr))
    if (np.diff(np.sort(rows * shape[1] + indices)) == 0).any():
        raise DataError(f"{name} stores the same entry twice; sum or drop the duplicates")
    return Csr((int(shape[0]), int(shape[1])), rows, indices, as_float32(name, data))


def weights_of(entries: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """What the edges carry whose entries in an adjacency matrix these are: nothing if all are 1."""
    return {"edge_weight": entries} if (entries != 1).any() else {}


def undirected(edges: NDArray[np.int64], nodes: int) -> NDArray[np.int64]:
    """Both directions of every edge {u, v}, u ≠ v, once and in lexicographic order: (2, E) to (2, 2E')."""
    source, target = edges[:, edges[0] != edges[1]]
    keys = np.sort(np.concatenate([source * nodes + target, target * nodes + source]))
    first = np.diff(keys, prepend=-1) > 0
    return np.stack(np.divmod(keys[first], nodes))


def listed_once(edges: NDArray[np.int64], nodes: int) -> NDArray[np.int64]:
    """Where every directed edge u → v, u ≠ v, is listed first, in lexicographic order."""
    keys, first = np.unique(edges[0] * nodes + edges[1], return_index=True)
    return np.asarray(first[keys // nodes != keys % nodes])


def keep_largest_component(graph: RawGraph) -> RawGraph:
    """The subgraph on the largest (weakly) connected component, nodes in their old order; of equal ones the earliest."""
    ones = np.ones(graph.edges.shape[1], np.int8)
    links = coo_array((ones, (graph.edges[0], graph.edges[1])), shape=(graph.nodes, graph.nodes))
    component = connected_components(links, directed=False)[1]
    size_here = np.bincount(component)[component]
    keep = component == component[np.argmax(size_here)]
    renumbered = np.cumsum(keep) - 1
    kept = keep[graph.edges[0]]
    edges, values = renumbered[graph.edges[:, kept]], {name: array[kept] for name, array in graph.values.items()}
    masks = None if graph.masks is None else graph.masks[:, keep]
    nodes = {"features": graph.features[keep], "labels": graph.labels[keep], "masks": masks}
    return replace(graph, edges=edges, values=values, **nodes)


def with_identity(graph: RawGraph) -> RawGraph:
    """The graph itself, or, if it has no features, with one feature for every node, which this node alone has."""
    if not graph.featureless:
        return graph
    nodes = np.arange(graph.nodes)
    ones = np.ones(graph.nodes, np.float32)
    return replace(graph, features=placed_features((graph.nodes, graph.nodes), nodes, nodes, ones))


def standard_form(graph: RawGraph, *, binary: bool = True, directed: bool = False, weights: bool = False) -> RawGraph:
    """Undirected, without loops, repeated edges and what edges carry; with binary features, or with those that there are.

    `directed` keeps the directions, and `weights` what the edges of a simple graph carry.
    """
    graph = binary_features(graph) if binary else graph
    if not directed and not weights:
        return replace(graph, edges=undirected(graph.edges, graph.nodes), values={})
    kept = listed_once(graph.edges, graph.nodes)
    values = {name: array[kept] for name, array in graph.values.items()} if weights else {}
    return replace(graph, edges=graph.edges[:, kept], values=values)


def binary_features(graph: RawGraph) -> RawGraph:
    """The graph with a one for every feature that is not zero."""
    return replace(graph, features=bits_of(graph.features))
