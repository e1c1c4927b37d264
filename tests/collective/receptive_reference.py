"""The program of outputs that perceive only part of the graph, as one would write it down: nothing grouped or sharpened.

Slow and readable; the tests hold the fast path against it. Its value is an objective, not a bound: certify with
`collective_receptive`.
"""

import importlib
from typing import Any

import numpy as np
from strictly_local_reference import limited_nodes

from graphcert.collective.half_spaces.receptive_problem import ReceptiveProblem
from graphcert.collective.solvers.program import BoolArray, IntArray


def receptive_reference(problem: ReceptiveProblem, targets: BoolArray, budget: IntArray, integer: bool) -> Any:
    """The `cvxpy.Problem` whose value is the number of targets attacked at `budget`, one number per class.

    maximise Σ_n t_n  s.t.  Σ_a w_{i(n),d,a} Σ_{m of a} P[n, m] b_m ≥ η_{n,d} t_n  for all outputs n, directions d

    Outputs that the whole budget alone cannot break have no t. Solve it with `solver=cvxpy.HIGHS`. (Theory, section 8.)
    """
    cvxpy: Any = importlib.import_module("cvxpy")
    localized, adversary = problem.localized, problem.adversary
    changes, rules = [], []
    for index, axes, capacity in zip(problem.class_of, problem.axis_of, adversary.capacity, strict=True):
        b = cvxpy.Variable(capacity.size, integer=integer)
        rules += [b >= 0, b <= np.minimum(capacity, budget[index]), cvxpy.sum(b) <= int(budget[index])]
        for axis in np.unique(axes).tolist():
            rules.append(cvxpy.sum(b[np.flatnonzero(axes == axis)]) <= int(localized.capacity[axis]))
        changes.append(b)
    rules += limited_nodes(cvxpy, problem.adversary, changes, budget[list(problem.class_of)], integer)

    broken = []
    for n in np.flatnonzero(targets & problem.breakable(budget)).tolist():
        t = cvxpy.Variable(integer=integer)
        rules += [t >= 0, t <= 1]
        for eta, weights in zip(localized.eta[:, n], localized.weights[:, localized.groups[n]], strict=True):
            # One change of infinite weight does what all others cannot: reach an η that is out of their reach.
            heaviest = np.where(np.isinf(weights), 0.0, weights).sum() * float(budget.sum())
            needed = max(float(eta), 0.0) if np.isfinite(eta) else heaviest + 1.0
            heavy = np.where(np.isinf(weights), max(needed, 1.0), weights)
            felt = [
                cvxpy.multiply(matrix[[n]].toarray()[0], heavy[axes]) @ b
                for matrix, axes, b in zip(adversary.perception, problem.axis_of, changes, strict=True)
            ]
            rules.append(sum(felt) >= needed * t)
        broken.append(t)
    return cvxpy.Problem(cvxpy.Maximize(sum(broken) if broken else cvxpy.Constant(0)), rules)
