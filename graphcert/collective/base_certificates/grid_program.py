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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphcert.collective.adversary import Adversary
from graphcert.collective.solvers.program import (
    BoolArray,
    FloatArray,
    IntArray,
    LinearProgram,
    Rows,
    Sparse,
    reduce_columns,
)

_POINTS, _TOUCHED = -1, -2
"""Names of the blocks of columns that are no axis: the indicators q of points and s of touched nodes."""


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


class GridPrograms:
    """The programs of one encoding over all budgets: one matrix, new limits.

    Only with attackers does the matrix depend on the budget (b ≤ min(local budget, budget)·s, the tightest such row).
    """

    def __init__(self, encoding: GridEncoding, most: IntArray) -> None:
        self.encoding = encoding
        self._touched = encoding.adversary.perception[0].shape[0] if encoding.adversary.attackers is not None else 0
        self._matrix, self._row_upper = self._assemble(most)

    def axis_columns(self, axis: int) -> slice:
        """Where the b of an axis lie in x."""
        return self._columns[axis]

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
        objective = np.zeros(column_upper.size)
        objective[: len(encoding.groups.group)] = encoding.groups.weight[encoding.groups.group]
        whole = np.ones(column_upper.size, dtype=np.bool_)
        return LinearProgram(objective, matrix, row_upper, column_upper.astype(np.float64), whole)

    def _assemble(self, budget: IntArray) -> tuple[Sparse, FloatArray]:
        widths = {axis: len(columns) for axis, columns in enumerate(self.encoding.columns)}
        rows = Rows({_POINTS: len(self.encoding.groups.points), **widths, _TOUCHED: self._touched})
        self._columns = rows.columns
        self._perceived_rows(rows)
        spent = [rows.add([0.0], {axis: np.ones((1, width))}) for axis, width in widths.items()]
        self._budget_rows = slice(spent[0].start, spent[-1].stop)
        self._local_rows(rows)
        if self.encoding.adversary.attackers is not None:
            self._attacker_rows(rows, budget)
        return rows.matrix(), rows.limits()

    def _perceived_rows(self, rows: Rows) -> None:
        """Broken through v only if at least v is perceived; through one v only."""
        groups = self.encoding.groups
        indices = (groups.group, np.arange(len(groups.group)))
        shape = (len(groups.nodes), len(groups.group))
        for axis, perceived in enumerate(self.encoding.perceived):
            needs = sp.csr_array((groups.points[:, axis].astype(np.float64), indices), shape=shape)
            asks = np.flatnonzero(np.bincount(groups.group, groups.points[:, axis], minlength=shape[0]))
            rows.add(np.zeros(len(asks)), {_POINTS: needs[asks], axis: -perceived[asks]})
        choice = sp.csr_array((np.ones(shape[1]), indices), shape=shape)
        several = np.flatnonzero(np.bincount(groups.group, minlength=shape[0]) > 1)
        rows.add(np.ones(len(several)), {_POINTS: choice[several]})

    def _local_rows(self, rows: Rows) -> None:
        """Local budgets of edge axes: a node's edges together."""
        adversary = self.encoding.adversary
        for axis, (limit, incidence) in enumerate(zip(adversary.at_node, adversary.incidence, strict=True)):
            if limit is not None and incidence is not None:
                rows.add(limit, {axis: incidence[:, self.encoding.columns[axis]]})

    def _attacker_rows(self, rows: Rows, budget: IntArray) -> None:
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
            rows.add(np.zeros(size), {axis: sp.eye_array(size), _TOUCHED: -touched})
        rows.add([encoding.adversary.attackers or 0], {_TOUCHED: np.ones((1, self._touched))})


_WORK = 5e8
"""Additions that a greedy attack may take (about a second); beyond it only what a solver finds counts."""


def verified(program: LinearProgram, point: FloatArray | None) -> int | None:
    """What a whole-number point near `point` breaks, if it keeps every row exactly; None if it is no attack.

    All numbers are small integers, so this arithmetic has no rounding: an attack is a fact, whoever found it.
    """
    if point is None:
        return None
    x = np.rint(point)
    inside = (x >= 0).all() and (x <= program.column_upper).all() and (program.matrix @ x <= program.row_upper).all()
    return int(program.objective @ x) if inside else None


def greedy(programs: GridPrograms, program: LinearProgram, budget: IntArray, near: FloatArray | None) -> FloatArray:
    """An attack x: the whole part of the relaxed one `near`, completed unit by unit where most nodes come closest.

    Without attackers and local budgets on edges only (rows that tie columns together are not looked at); otherwise
    nothing is spent.
    """
    encoding = programs.encoding
    x = np.zeros(len(program.objective))
    tied = encoding.adversary.attackers is not None or any(limit is not None for limit in encoding.adversary.at_node)
    if tied or float(budget.sum()) * program.matrix.nnz > _WORK:
        return x
    places = [programs.axis_columns(axis) for axis in range(len(budget))]
    if near is not None:
        for place in places:
            x[place] = np.floor(near[place] + 1e-6)
    left = np.array([limit - x[place].sum() for limit, place in zip(budget, places, strict=True)])
    reachable = program.column_upper[: len(encoding.groups.group)] > 0
    while left.max(initial=0) > 0:
        gains = _gains(encoding, _missing(encoding, x, places), reachable, left)
        for gain, place in zip(gains, places, strict=True):
            gain[x[place] >= program.column_upper[place]] = -1.0
        axis = max(range(len(gains)), key=lambda a: gains[a].max(initial=-1.0))
        if gains[axis].max(initial=0.0) <= 0:
            break
        x[places[axis].start + int(gains[axis].argmax())] += 1
        left[axis] -= 1
    x[: len(encoding.groups.group)] = _broken(encoding, _missing(encoding, x, places), reachable)
    return x


def _missing(encoding: GridEncoding, x: FloatArray, places: list[slice]) -> FloatArray:
    """(V, A) how many units each point still lacks."""
    perceived = np.stack([matrix @ x[place] for matrix, place in zip(encoding.perceived, places, strict=True)], axis=1)
    short: FloatArray = np.maximum(encoding.groups.points - perceived[encoding.groups.group], 0.0)
    return short


def _gains(encoding: GridEncoding, missing: FloatArray, reachable: BoolArray, left: FloatArray) -> list[FloatArray]:
    """Per axis and column the worth of one more unit: a node at distance d counts 1/d², the last step most."""
    groups = encoding.groups
    distance = missing.sum(axis=1)
    hopeful = reachable & (distance > 0) & (missing <= left).all(axis=1)
    done = np.zeros(len(groups.nodes), dtype=np.bool_)
    done[groups.group[distance == 0]] = True
    worth = np.where(hopeful & ~done[groups.group], 1.0 / np.maximum(distance, 1.0) ** 2, 0.0)
    gains = []
    for axis, matrix in enumerate(encoding.perceived):
        pull = np.zeros(len(groups.nodes))
        np.maximum.at(pull, groups.group, np.where(missing[:, axis] > 0, worth, 0.0))
        gain = matrix.T @ (pull * groups.weight)
        gains.append(gain if left[axis] > 0 else np.full(gain.shape, -1.0))
    return gains


def _broken(encoding: GridEncoding, missing: FloatArray, reachable: BoolArray) -> FloatArray:
    """(V,) one indicator for each group that has a point with nothing missing."""
    hit = np.flatnonzero(reachable & (missing.sum(axis=1) == 0))
    _, first = np.unique(encoding.groups.group[hit], return_index=True)
    q = np.zeros(len(missing))
    q[hit[first]] = 1.0
    return q
