"""The strictly local certificate as a linear program (Schuchardt et al. 2021; theory, section 8).

    maximise Σ_n Σ_v q_{n,v}                              q_{n,v} = 1: node n is broken through its minimal point v
    s.t.     Σ_v v_a q_{n,v} ≤ Σ_m P_a[n, m] b_{a,m}      for every node n and axis a
             Σ_v q_{n,v} ≤ 1,  Σ_m b_{a,m} ≤ budget_a,  0 ≤ b_{a,m} ≤ local budget,  q and b whole

plus, for at most R touched nodes, indicators s: b_{a,m} ≤ limit·s_m (features), b_e ≤ s_u + s_w (an edge between u and
w), Σ s ≤ R; and for local budgets on edges one row per node over its edges. Points that a node cannot reach alone (its
naive certificate at this budget) have q = 0 before anything is relaxed, so the relaxation is never below naive. For
fixed n the relaxed rows are the convex hull of the staircase {p : p ≥ v for some v}: no encoding with these variables
is tighter per node.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphcert.collective.adversary import Adversary
from graphcert.collective.solvers.column_reduction import reduce_columns
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray, LinearProgram, Sparse

_POINTS, _TOUCHED = -1, -2
"""Names of the column blocks that are no axis: the indicators q of points and s of touched nodes."""


@dataclass(frozen=True, eq=False)
class Groups:
    """G groups of nodes with equal perception on all axes and equal points.

    Attributes:
        nodes: (G,) one node of each group.
        weight: (G,) nodes per group.
        group: (V,) ascending, the group of each kept point.
        points: (V, A) the points of one node of each group.
    """

    nodes: IntArray
    weight: FloatArray
    group: IntArray
    points: IntArray


def group_nodes(perception: Sequence[Sparse], nodes: IntArray, points: IntArray) -> Groups:
    """Group the nodes that occur in `nodes` (V,), ascending, with their `points` (V, A).

    The matrices of `perception` are CSR with sorted indices, so that equal rows have equal bytes.
    """
    present, starts = np.unique(nodes, return_index=True)
    stops = np.append(starts[1:], len(nodes))
    first: dict[tuple[bytes, ...], int] = {}
    weight: list[int] = []
    chosen: list[int] = []
    for i, node in enumerate(present.tolist()):
        rows = [matrix.indices[matrix.indptr[node] : matrix.indptr[node + 1]].tobytes() for matrix in perception]
        key = (points[starts[i] : stops[i]].tobytes(), *rows)
        if key not in first:
            first[key] = len(chosen)
            chosen.append(i)
            weight.append(0)
        weight[first[key]] += 1
    spans = [np.arange(starts[i], stops[i]) for i in chosen]
    kept = np.concatenate(spans) if spans else np.zeros(0, dtype=np.int64)
    group = np.repeat(np.arange(len(chosen)), [len(span) for span in spans])
    return Groups(present[chosen], np.array(weight, dtype=np.float64), group, points[kept])


@dataclass(frozen=True, eq=False)
class GridEncoding:
    """The program of one sweep: G groups of equal nodes, V points, M_a columns of axis a.

    Attributes:
        adversary: the adversary, for reach and limits.
        groups: what can be broken, and how.
        always: number of targets that are not certified at budget 0.
        columns: per axis (M_a,) the columns of the perception matrix that are kept.
        perceived: per axis (G, M_a) CSR ones.
        capacity: per axis (M_a,) int.
    """

    adversary: Adversary
    groups: Groups
    always: int
    columns: tuple[IntArray, ...]
    perceived: tuple[Sparse, ...]
    capacity: tuple[IntArray, ...]

    def reachable(self, budget: IntArray) -> BoolArray:
        """(V,) whether a point lies within what its nodes can perceive when all of the budget is spent on them."""
        within: BoolArray = self.groups.points <= self.adversary.reach(budget)[self.groups.nodes][self.groups.group]
        return np.asarray(within.all(axis=1))

    def naive(self, budget: IntArray) -> int:
        """Targets that are not robust each on its own (a sound bound on what one perturbation breaks)."""
        hit = np.unique(self.groups.group[self.reachable(budget)])
        return self.always + int(self.groups.weight[hit].sum())


def encode(adversary: Adversary, nodes: IntArray, points: IntArray, targets: BoolArray, most: IntArray) -> GridEncoding:
    """Group what is equal and drop what no budget up to `most` (A,) can break.

    Args:
        adversary: the adversary.
        nodes: (V,) ascending, and
        points: (V, A), the minimal broken points of all nodes.
        targets: (N,) which nodes are counted.
        most: (A,) the largest budget of the sweep on each axis.
    """
    counted = targets[nodes]
    zero = (points == 0).all(axis=1)
    alive = counted & ~zero & (points <= adversary.reach(most)[nodes]).all(axis=1)
    groups = group_nodes(adversary.perception, nodes[alive], points[alive])
    free = adversary.attackers is None
    columns, perceived, capacity = [], [], []
    for axis, matrix in enumerate(adversary.perception):
        rows = sp.csc_array(matrix[groups.nodes])
        seen = np.flatnonzero(np.diff(rows.indptr))
        limits = adversary.capacity[axis][seen]
        if free and adversary.at_node[axis] is None:
            among, limits = reduce_columns(rows[:, seen], limits)
            seen = seen[among]
        columns.append(seen)
        perceived.append(sp.csr_array(rows[:, seen]))
        capacity.append(limits)
    always = int((counted & zero).sum())
    return GridEncoding(adversary, groups, always, tuple(columns), tuple(perceived), tuple(capacity))


@dataclass(eq=False)
class _Rows:
    """Rows under construction: blocks of a matrix, each row with its limit."""

    offsets: Mapping[int, int]
    height: int = 0
    blocks: list[tuple[Any, Any, Any]] = field(default_factory=list)
    limits: list[FloatArray] = field(default_factory=list)

    def add(self, parts: Mapping[int, Sparse], limit: FloatArray) -> slice:
        """Append len(limit) rows made of one matrix per named column block; returns where they are."""
        for block, matrix in parts.items():
            entries = sp.coo_array(matrix)
            row, column = entries.coords
            self.blocks.append((row + self.height, column + self.offsets[block], entries.data))
        self.limits.append(limit)
        self.height += len(limit)
        return slice(self.height - len(limit), self.height)


class GridPrograms:
    """The programs of one encoding over all budgets: one matrix, new limits.

    Only with attackers does the matrix depend on the budget (b ≤ min(local budget, budget)·s, the tightest such row).
    """

    def __init__(self, encoding: GridEncoding, most: IntArray) -> None:
        self.encoding = encoding
        touched = encoding.adversary.perception[0].shape[0] if encoding.adversary.attackers is not None else 0
        sizes = [len(encoding.groups.points), *(len(columns) for columns in encoding.columns), touched]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self._width = int(starts[-1])
        axes = range(len(encoding.columns))
        self._offsets = {_POINTS: 0, **{axis: int(starts[axis + 1]) for axis in axes}, _TOUCHED: int(starts[-2])}
        self._touched = touched
        self._budget_rows = slice(0)
        self._matrix, self._row_upper = self._assemble(most)

    def axis_columns(self, axis: int) -> slice:
        """Where the b of an axis lie in x."""
        return slice(self._offsets[axis], self._offsets[axis] + len(self.encoding.columns[axis]))

    def program(self, budget: IntArray) -> LinearProgram:
        """The program at `budget` (A,), at most the largest one of the sweep on each axis."""
        encoding = self.encoding
        if encoding.adversary.attackers is None:
            matrix, row_upper = self._matrix, self._row_upper.copy()
        else:
            matrix, row_upper = self._assemble(budget)
        row_upper[self._budget_rows] = budget
        capacities = [np.minimum(capacity, budget[axis]) for axis, capacity in enumerate(encoding.capacity)]
        column_upper = np.concatenate([encoding.reachable(budget), *capacities, np.ones(self._touched)])
        objective = np.zeros(self._width)
        objective[: len(encoding.groups.group)] = encoding.groups.weight[encoding.groups.group]
        whole = np.ones(self._width, dtype=np.bool_)
        return LinearProgram(objective, matrix, row_upper, column_upper.astype(np.float64), whole)

    def _assemble(self, budget: IntArray) -> tuple[Sparse, FloatArray]:
        rows = _Rows(self._offsets)
        self._perceived_rows(rows)
        axes = range(len(self.encoding.columns))
        spent = [rows.add({axis: np.ones((1, len(self.encoding.columns[axis])))}, np.zeros(1)) for axis in axes]
        self._budget_rows = slice(spent[0].start, spent[-1].stop)
        self._local_rows(rows)
        if self.encoding.adversary.attackers is not None:
            self._attacker_rows(rows, budget)
        row, column, value = (np.concatenate(parts) for parts in zip(*rows.blocks, strict=True))
        matrix = sp.csc_array((value.astype(np.float64), (row, column)), shape=(rows.height, self._width))
        matrix.eliminate_zeros()
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        return matrix, np.concatenate(rows.limits)

    def _perceived_rows(self, rows: _Rows) -> None:
        """Broken through v only if at least v is perceived; through one v only."""
        groups = self.encoding.groups
        indices = (groups.group, np.arange(len(groups.group)))
        shape = (len(groups.nodes), len(groups.group))
        for axis, perceived in enumerate(self.encoding.perceived):
            needs = sp.csr_array((groups.points[:, axis].astype(np.float64), indices), shape=shape)
            asks = np.flatnonzero(np.bincount(groups.group, groups.points[:, axis], minlength=shape[0]))
            rows.add({_POINTS: needs[asks], axis: -perceived[asks]}, np.zeros(len(asks)))
        choice = sp.csr_array((np.ones(shape[1]), indices), shape=shape)
        several = np.flatnonzero(np.bincount(groups.group, minlength=shape[0]) > 1)
        rows.add({_POINTS: choice[several]}, np.ones(len(several)))

    def _local_rows(self, rows: _Rows) -> None:
        """Local budgets of edge axes: a node's edges together."""
        adversary = self.encoding.adversary
        for axis, (limit, incidence) in enumerate(zip(adversary.at_node, adversary.incidence, strict=True)):
            if limit is not None and incidence is not None:
                rows.add({axis: incidence[:, self.encoding.columns[axis]]}, limit.astype(np.float64))

    def _attacker_rows(self, rows: _Rows, budget: IntArray) -> None:
        """Only touched nodes change, only changed edges with a touched end; at most R nodes are touched."""
        encoding = self.encoding
        for axis, columns in enumerate(encoding.columns):
            ends = encoding.adversary.incidence[axis]
            size = len(columns)
            if ends is None:
                limit = np.minimum(encoding.capacity[axis], budget[axis]).astype(np.float64)
                touched = sp.csr_array((limit, (np.arange(size), columns)), shape=(size, self._touched))
            else:
                touched = sp.csr_array(ends[:, columns].T)
            rows.add({axis: sp.eye_array(size), _TOUCHED: -touched}, np.zeros(size))
        most = np.array([float(encoding.adversary.attackers or 0)])
        rows.add({_TOUCHED: np.ones((1, self._touched))}, most)
