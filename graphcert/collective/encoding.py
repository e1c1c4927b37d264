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

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphcert.collective.columns import reduce_columns
from graphcert.collective.grouping import Groups, group_nodes
from graphcert.collective.linear import BoolArray, IntArray, Sparse
from graphcert.collective.threat import Threat


@dataclass(frozen=True, eq=False)
class Encoding:
    """The program of one sweep: G groups of equal nodes, V points, M_a columns of axis a.

    Attributes:
        threat: the adversary, for reach and limits.
        groups: what can be broken, and how.
        always: number of targets that are not certified at budget 0.
        columns: per axis (M_a,) the columns of the perception matrix that are kept.
        perceived: per axis (G, M_a) CSR ones.
        capacity: per axis (M_a,) int.
    """

    threat: Threat
    groups: Groups
    always: int
    columns: tuple[IntArray, ...]
    perceived: tuple[Sparse, ...]
    capacity: tuple[IntArray, ...]

    def reachable(self, budget: IntArray) -> BoolArray:
        """(V,) whether a point lies within what its nodes can perceive when all of the budget is spent on them."""
        within: BoolArray = self.groups.points <= self.threat.reach(budget)[self.groups.nodes][self.groups.group]
        return np.asarray(within.all(axis=1))

    def naive(self, budget: IntArray) -> int:
        """Targets that are not robust each on its own (a sound bound on what one perturbation breaks)."""
        hit = np.unique(self.groups.group[self.reachable(budget)])
        return self.always + int(self.groups.weight[hit].sum())


def encode(threat: Threat, nodes: IntArray, points: IntArray, targets: BoolArray, most: IntArray) -> Encoding:
    """Group what is equal and drop what no budget up to `most` (A,) can break.

    Args:
        threat: the adversary.
        nodes: (V,) ascending, and
        points: (V, A), the minimal broken points of all nodes.
        targets: (N,) which nodes are counted.
        most: (A,) the largest budget of the sweep on each axis.
    """
    counted = targets[nodes]
    zero = (points == 0).all(axis=1)
    alive = counted & ~zero & (points <= threat.reach(most)[nodes]).all(axis=1)
    groups = group_nodes(threat.perception, nodes[alive], points[alive])
    free = threat.attackers is None
    columns, perceived, capacity = [], [], []
    for axis, matrix in enumerate(threat.perception):
        rows = sp.csc_array(matrix[groups.nodes])
        seen = np.flatnonzero(np.diff(rows.indptr))
        limits = threat.capacity[axis][seen]
        if free and threat.at_node[axis] is None:
            among, limits = reduce_columns(rows[:, seen], limits)
            seen = seen[among]
        columns.append(seen)
        perceived.append(sp.csr_array(rows[:, seen]))
        capacity.append(limits)
    always = int((counted & zero).sum())
    return Encoding(threat, groups, always, tuple(columns), tuple(perceived), tuple(capacity))
