"""The localized program as it is written in the paper: one variable and its rows per output, nothing grouped.

Slow and readable; the tests and the benchmark hold the fast path against it. Its value is an objective, not a bound:
certify with `collective_localized`.
"""

import importlib
import warnings
from typing import Any

import numpy as np

from graphcert.collective.half_spaces.localized_problem import LocalizedProblem
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.errors import GraphcertError, InputError


class LocalizedReference:
    """The plain program in cvxpy, parametrised by the budget (Schuchardt et al. 2023; theory, section 8).

    maximise Σ_n t_n  s.t.  w_{i(n),d} · b ≥ η_{n,d} t_n for all outputs n and directions d,  Σ_class b ≤ budget

    Args:
        problem: the arrays.
        targets: (n,) bool, the outputs that count.
        most: the largest budget that will be asked for, one number per class.
        integer: whole t and b, or their relaxation.
        nested: in place of one row per output and direction one per group and direction, w·b ≥ Σ_k (η_k − η_{k−1}) t_k
            over the sorted outputs of the group with t_{k+1} ≤ t_k (theory, section 9). The integer optimum is the same,
            the relaxation tighter. It needs groups whose directions all order their outputs alike.
    """

    def __init__(
        self, problem: LocalizedProblem, targets: BoolArray, most: IntArray, *, integer: bool, nested: bool = False
    ) -> None:
        self._cvxpy: Any = importlib.import_module("cvxpy")
        self._problem, self._targets = problem, targets
        self.budget = self._cvxpy.Parameter(len(problem.classes), nonneg=True)
        self.limit = self._cvxpy.Parameter(problem.capacity.size, nonneg=True)
        self.worth = self._cvxpy.Parameter(problem.outputs, nonneg=True)
        self.b = self._cvxpy.Variable(problem.capacity.size, integer=integer)
        self.t = self._cvxpy.Variable(problem.outputs, integer=integer)
        rules = [self.b >= 0, self.b <= self.limit, self.t >= 0, self.t <= 1]
        for index in range(len(problem.classes)):
            mine = np.flatnonzero(problem.axis_class == index)
            if mine.size:
                rules.append(self._cvxpy.sum(self.b[mine]) <= self.budget[index])
        rules += (self._nested_rows if nested else self._plain_rows)(most)
        self.program = self._cvxpy.Problem(self._cvxpy.Maximize(self.worth @ self.t), rules)

    def attacked(self, budget: IntArray, robust_per_node: BoolArray | None = None, **options: Any) -> float:
        """The program's value at `budget`; outputs that the whole budget alone cannot break are worth nothing.

        `options` go to HiGHS. Raises `GraphcertError` if it does not finish with an optimum.
        """
        problem = self._problem
        alone = (problem.eta > whole_budget(problem, budget)[:, problem.groups]).any(axis=0)
        if robust_per_node is not None:
            alone |= robust_per_node
        self.worth.value = (self._targets & ~alone).astype(np.float64)
        self.budget.value = np.asarray(budget, dtype=np.float64)
        self.limit.value = np.minimum(problem.capacity, np.asarray(budget)[problem.axis_class]).astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "solution may be inaccurate": the status is looked at instead
            self.program.solve(solver=self._cvxpy.HIGHS, **options)
        if self.program.status != "optimal":
            raise GraphcertError(f"the reference program was not solved to its optimum: {self.program.status}")
        return float(self.program.value)

    def _plain_rows(self, most: IntArray) -> list[Any]:
        """One row per output and direction."""
        groups = self._problem.groups
        eta, weights = _finite(self._problem, whole_budget(self._problem, most, finite=True))
        return [w[groups] @ self.b >= self._cvxpy.multiply(e, self.t) for w, e in zip(weights, eta, strict=True)]

    def _nested_rows(self, most: IntArray) -> list[Any]:
        """One row per group and direction over its nested outputs, as far as `most` reaches."""
        problem = self._problem
        eta, weights = _finite(problem, whole_budget(problem, most, finite=True))
        within = self._targets & (problem.eta <= whole_budget(problem, most)[:, problem.groups]).all(axis=0)
        rules: list[Any] = [self.t[np.flatnonzero(~within)] == 0]
        for group in range(weights.shape[1]):
            members = np.flatnonzero(within & (problem.groups == group))
            if not members.size:
                continue
            members = members[np.lexsort(eta[:, members])]
            steps = np.diff(eta[:, members], axis=1, prepend=0.0)
            if (steps < 0).any():
                raise InputError(f"the directions of group {group} do not order its outputs alike; use nested=False")
            t = self.t[members]
            rules.append(t[1:] <= t[:-1])
            for step, e, w in zip(steps, eta, weights, strict=True):
                # A single change can do no more than break the strongest output.
                rules.append(np.minimum(w[group], e[members[-1]]) @ self.b >= step @ t)
        return rules


def whole_budget(problem: LocalizedProblem, budget: IntArray, finite: bool = False) -> FloatArray:
    """(D, C) the largest w·b that each group and direction alone can be made to see (of finite weights, if asked)."""
    weights = np.where(np.isinf(problem.weights), 0.0, problem.weights) if finite else problem.weights
    reach = np.zeros(weights.shape[:2])
    for d, group in np.ndindex(reach.shape):
        left = [int(amount) for amount in budget]
        for axis in np.argsort(-weights[d, group]).tolist():
            index = int(problem.axis_class[axis])
            taken = min(left[index], int(problem.capacity[axis]))
            left[index] -= taken
            reach[d, group] += weights[d, group, axis] * taken if taken else 0.0
    return reach


def _finite(problem: LocalizedProblem, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
    """η and weights without infinities: a little beyond what all finite weights together reach within the budget."""
    eta = np.maximum(problem.eta, 0.0)
    beyond = 1.001 * reach + 0.001
    for group in range(beyond.shape[1]):
        mine = np.where(np.isfinite(eta) & (problem.groups == group), eta, 0.0)
        beyond[:, group] = np.maximum(beyond[:, group], mine.max(axis=1, initial=0.0))
    return np.minimum(eta, beyond[:, problem.groups]), np.where(
        np.isinf(problem.weights), beyond[:, :, None], problem.weights
    )
