"""The strictly local program as it is written in the paper: one variable per node and point, nothing grouped.

Slow and readable; the tests hold the fast path against it. Its value is an objective, not a bound: certify with
`collective_strictly_local`.
"""

import importlib
from typing import Any

import numpy as np

from graphcert.collective.adversary import Adversary
from graphcert.collective.base_certificates.strictly_local import minimal_broken_points
from graphcert.collective.solvers.program import BoolArray, IntArray


def reference_program(
    adversary: Adversary, grid: BoolArray, targets: BoolArray, budget: IntArray, integer: bool
) -> Any:
    """The `cvxpy.Problem` whose value is the number of targets attacked at `budget` (A,); arguments as in `encode`.

    Solve it with `solver=cvxpy.HIGHS`. (Schuchardt et al. 2021; theory, section 8.)
    """
    cvxpy: Any = importlib.import_module("cvxpy")
    nodes, points = minimal_broken_points(grid)
    reach = adversary.reach(budget)
    changes = [cvxpy.Variable(len(capacity), integer=integer) for capacity in adversary.capacity]
    rules = []
    for b, capacity, total in zip(changes, adversary.capacity, budget, strict=True):
        rules += [b >= 0, b <= np.minimum(capacity, total), cvxpy.sum(b) <= total]

    broken = []
    for node in np.flatnonzero(targets):
        within = (nodes == node) & (points <= reach[node]).all(axis=1)  # the others it cannot reach even alone
        if not within.any():
            continue
        q = cvxpy.Variable(int(within.sum()), integer=integer)
        rules += [q >= 0, cvxpy.sum(q) <= 1]
        for axis, b in enumerate(changes):
            rules.append(points[within, axis] @ q <= adversary.perception[axis][[node]] @ b)
        broken.append(cvxpy.sum(q))

    rules += limited_nodes(cvxpy, adversary, changes, budget, integer)
    return cvxpy.Problem(cvxpy.Maximize(cvxpy.sum(broken) if broken else cvxpy.Constant(0)), rules)


def limited_nodes(cvxpy: Any, adversary: Adversary, changes: list[Any], budget: IntArray, integer: bool) -> list[Any]:
    """Local budgets over the edges of a node, and at most R touched nodes."""
    rules = []
    for b, limit, ends in zip(changes, adversary.at_node, adversary.incidence, strict=True):
        if limit is not None and ends is not None:
            rules.append(ends @ b <= limit)
    if adversary.attackers is not None:
        touched = cvxpy.Variable(adversary.perception[0].shape[0], integer=integer)
        rules += [touched >= 0, touched <= 1, cvxpy.sum(touched) <= adversary.attackers]
        for axis, (b, ends) in enumerate(zip(changes, adversary.incidence, strict=True)):
            if ends is None:
                rules.append(b <= cvxpy.multiply(np.minimum(adversary.capacity[axis], budget[axis]), touched))
            else:
                rules.append(b <= ends.T @ touched)
    return rules
