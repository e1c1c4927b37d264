"""The adversary of the strictly local certificate: what may be changed, where, how often, and who perceives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphcert.collective.receptive_field import edge_incidence
from graphcert.collective.solvers.program import UNLIMITED, FloatArray, IntArray, Sparse
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES, Budget


@dataclass(frozen=True, eq=False)
class Adversary:
    """One adversary, checked (build it with `adversary`). M_a is the number of columns (nodes or edges) of axis a.

    Attributes:
        axes: names of the A axes.
        perception: per axis a CSR array (N, M_a) of ones: what node n perceives.
        capacity: per axis (M_a,) int, the most one node's row (feature axis) or one edge (1) can be changed.
        at_node: per axis None, or for edge axes (N,) int, the most changed edges at one node.
        incidence: per axis None, or for edge axes (N, M_a) CSR ones, which edges end at a node (None if not needed).
        attackers: the most nodes that may be touched, or None. A changed edge needs one of its two ends among them.
    """

    axes: tuple[str, ...]
    perception: tuple[Sparse, ...]
    capacity: tuple[IntArray, ...]
    at_node: tuple[IntArray | None, ...]
    incidence: tuple[Sparse | None, ...]
    attackers: int | None

    def reach(self, budget: IntArray) -> IntArray:
        """(N, A) the most each node can perceive on each axis, budget and local limits taken one axis at a time.

        Sound side: above. What a node's staircase does not contain up to here is robust on its own ("naive").
        """
        columns = []
        for axis, perceived in enumerate(self.perception):
            local = np.minimum(self.capacity[axis], budget[axis])
            if self.attackers is not None and self.incidence[axis] is None:
                perceived = largest(perceived, local, self.attackers)
            columns.append(np.minimum(perceived.astype(np.int64) @ local, budget[axis]))
        return np.stack(columns, axis=1)


def adversary(
    axes: Sequence[str],
    perception: Sequence[Sparse],
    nodes: int,
    local_budget: Any = None,
    attackers: int | None = None,
    endpoints: npt.ArrayLike | None = None,
    reach_is_masked: bool = False,
) -> Adversary:
    """Check every part of the adversary and bring it into the form of `Adversary`; arguments as in the public function."""
    names = _axes(axes, reach_is_masked)
    if sp.issparse(perception) or len(perception) != len(names):
        raise InputError(f"perception must be a sequence of one matrix per axis, {len(names)} in all")
    matrices = tuple(_perception(matrix, nodes, name) for matrix, name in zip(perception, names, strict=True))
    limits = _local_budgets(local_budget, names, nodes)
    needs_ends = attackers is not None or any(
        limit is not None and name.startswith("edge") for limit, name in zip(limits, names, strict=True)
    )
    capacity, at_node, incidence = [], [], []
    for name, matrix, limit in zip(names, matrices, limits, strict=True):
        edge_axis = name.startswith("edge")
        unlimited = np.full(matrix.shape[1], UNLIMITED, dtype=np.int64)
        capacity.append(np.ones_like(unlimited) if edge_axis else unlimited if limit is None else limit)
        at_node.append(limit if edge_axis else None)
        incidence.append(_incidence(endpoints, nodes, matrix.shape[1]) if edge_axis and needs_ends else None)
    touched = None if attackers is None else whole("attackers", attackers)
    if touched is not None and touched.ndim:
        raise InputError(f"attackers is one number, the most nodes that may be touched, got shape {touched.shape}")
    most = None if touched is None else int(touched)
    return Adversary(names, matrices, tuple(capacity), tuple(at_node), tuple(incidence), most)


def check_budgets(budgets: npt.ArrayLike, axes: int) -> IntArray:
    """The sweep as (B, A) whole numbers ≥ 0; a flat list is one budget per entry if there is a single axis."""
    return whole("budgets", _sweep(budgets, axes))


def check_amounts(budgets: npt.ArrayLike, axes: int) -> FloatArray:
    """The same for budgets that are measured: finite real numbers ≥ 0."""
    array = _sweep(budgets, axes)
    if array.dtype.kind not in "iuf" or not (np.isfinite(array) & (array >= 0)).all():
        shown = " ".join(np.array2string(array, threshold=6).split())
        raise InputError(f"budgets must be finite numbers of at least 0, got {shown}")
    return array.astype(np.float64)


def _sweep(budgets: npt.ArrayLike, axes: int) -> npt.NDArray[Any]:
    try:
        array = np.asarray(budgets)
    except ValueError:
        raise InputError(f"budgets must be tuples of equal length, one number per axis ({axes})") from None
    if array.ndim == 1 and axes == 1:
        array = array.reshape(-1, 1)
    shape = list(array.shape)
    if len(shape) != 2 or shape[0] == 0 or shape[1] != axes:
        raise InputError(
            f"budgets must be a non-empty sequence of tuples with one number per axis ({axes}), got {tuple(shape)}"
        )
    return array


def whole(name: str, values: npt.ArrayLike) -> IntArray:
    """`values` as integers from 0 to 2³¹, or one sentence naming the argument."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or (array.size and (array.min() < 0 or array.max() > UNLIMITED)):
        shown = " ".join(np.array2string(array, threshold=6).split())
        raise InputError(f"{name} must be whole numbers from 0 to 2^31, got {shown}")
    return array.astype(np.int64)


def _axes(axes: Sequence[str], reach_is_masked: bool) -> tuple[str, ...]:
    names = (axes,) if isinstance(axes, str) else tuple(axes)
    unknown = [name for name in names if name not in AXES]
    if unknown or not names or len(set(names)) != len(names):
        raise InputError(f"axes must be different names out of {', '.join(AXES)}, got {list(names)}")
    if "edge_add" in names and not reach_is_masked:
        raise UnsupportedError(
            "added edges create new reach, which the strictly local certificate does not cover; use feature_add, "
            "feature_delete and edge_delete, or pass reach_is_masked=True for a model whose reach is fixed in advance"
        )
    return names


def _perception(matrix: Sparse, nodes: int, axis: str) -> Sparse:
    try:
        rows: Sparse = sp.csr_array(matrix, dtype=np.float64, copy=True)
    except (TypeError, ValueError):
        raise InputError(f"the perception of {axis} must be a sparse 0/1 matrix, got {type(matrix).__name__}") from None
    width = nodes if axis.startswith("feature") else "edges"
    if rows.ndim != 2 or rows.shape[0] != nodes or width not in ("edges", rows.shape[1]):
        raise InputError(f"the perception matrix of {axis} must have shape ({nodes}, {width}), got {rows.shape}")
    rows.sum_duplicates()
    rows.eliminate_zeros()
    if not (rows.data == 1).all():
        raise InputError(f"the perception matrix of {axis} must hold only 0 and 1")
    return rows


def _local_budgets(local_budget: Any, axes: tuple[str, ...], nodes: int) -> list[IntArray | None]:
    """Per axis None or (N,): one number for all, one entry per axis (tuple or list), or one number per node (array)."""
    if isinstance(local_budget, (tuple, list)):
        if len(local_budget) != len(axes):
            raise InputError(
                f"a tuple of local budgets needs one entry per axis ({len(axes)}), got {len(local_budget)}"
            )
        entries = list(local_budget)
    else:
        entries = [local_budget] * len(axes)
    limits: list[IntArray | None] = []
    for entry in entries:
        if entry is None:
            limits.append(None)
            continue
        limit = whole("local budgets", entry)
        if limit.shape not in ((), (nodes,)):
            raise InputError(f"a local budget per node must have shape ({nodes},), got {limit.shape}")
        limits.append(np.broadcast_to(limit, (nodes,)))
    return limits


def _incidence(endpoints: npt.ArrayLike | None, nodes: int, edges: int) -> Sparse:
    """(N, E) ones where an edge ends at a node."""
    if endpoints is None:
        raise InputError(
            "local budgets or attackers on an edge axis need the ends of its columns, endpoints=undirected_edges(…)"
        )
    ends = whole("endpoints", endpoints)
    if ends.shape != (2, edges) or (ends.size and ends.max() >= nodes):
        raise InputError(f"endpoints must have shape (2, {edges}) with nodes below {nodes}, got shape {ends.shape}")
    return edge_incidence(ends, nodes)


def largest(perceived: Sparse, local: IntArray, most: int) -> Sparse:
    """`perceived` with only the `most` entries of largest `local` kept in each row."""
    rows = np.repeat(np.arange(perceived.shape[0]), np.diff(perceived.indptr))
    order = np.lexsort((-local[perceived.indices], rows))
    rank = np.arange(rows.size) - perceived.indptr[:-1][rows]
    keep = order[rank < most]
    return sp.csr_array((np.ones(keep.size), (rows[keep], perceived.indices[keep])), shape=perceived.shape)


def budget_axes(budgets: Sequence[Budget]) -> tuple[tuple[str, ...], IntArray]:
    """Names of the axes and (B, A) numbers: those of `AXES`, and "nodes" as a fifth one if the nodes are limited.

    Raises:
        InputError: if some budgets limit the nodes and some do not.
    """
    limits = [budget.nodes for budget in budgets if budget.nodes is not None]
    if limits and len(limits) < len(budgets):
        raise InputError("either all budgets of a sweep limit the nodes or none; give nodes to all of them")
    rows = [(*budget.as_tuple(), *([budget.nodes] if limits else [])) for budget in budgets]
    return (*AXES, "nodes") if limits else AXES, np.array(rows, np.int64)
