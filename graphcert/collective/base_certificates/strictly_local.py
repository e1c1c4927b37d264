"""The strictly local collective certificate: one perturbation, seen only by those whose receptive field it touches."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import adversary, check_budgets
from graphcert.collective.base_certificates.grid_program import GridPrograms, encode, greedy, verified
from graphcert.collective.bound_loop import (
    Answer,
    AnswerAt,
    Attack,
    Bound,
    BudgetProgram,
    CollectiveProblem,
    bound_loop,
    program_method,
    whole_point,
)  # fmt: skip
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.solvers.program import Amounts, BoolArray, FloatArray, IntArray, LinearProgram, Sparse
from graphcert.errors import InputError


def collective_strictly_local(
    grid: npt.ArrayLike,
    axes: Sequence[str],
    perception: Sequence[Sparse],
    budgets: npt.ArrayLike,
    local_budget: Any = None,
    attackers: SupportsIndex | None = None,
    integer: bool = False,
    *,
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    endpoints: npt.ArrayLike | None = None,
    time_limit: float | None = None,
    reach_is_masked: bool = False,
    solver: str = "highs",
) -> CollectiveCurve:
    """How many targets no single perturbation within the budget can change (Schuchardt et al. 2021; theory, section 8).

    Valid only where nothing creates new reach: for changed features and deleted edges, under noise that adds no edges
    (θ⁺ of edges = 0), or for a model whose reach is masked independently of the noise.

    Args:
        grid: (N, S_1, …, S_A) bool, grid[n, i, j] True = node n is certified on its own at i changes on the first axis
            and j on the second. Outside the grid nothing is certified. A node with grid[n, 0, …, 0] False (abstained)
            counts as attacked at every budget.
        axes: a name per trailing dimension: "feature_add", "feature_delete", "edge_delete", "edge_add" (see
            `reach_is_masked`).
        perception: per axis a 0/1 matrix, what each node perceives (`receptive_field`): (N, N) on feature axes, whose
            column m stands for changes in the row of node m; (N, E) on edge axes, one column per edge.
        budgets: (B, A) whole numbers, the global budget per axis; a flat list if there is one axis.
        local_budget: the most changes at one node per axis: a number for all axes, a tuple with a number, array (N,) or
            None per axis, or one array (N,). On an edge axis it limits the changed edges at each of their ends.
        attackers: the most nodes that may be touched; a changed edge needs one of its ends among them.
        integer: False for the linear relaxation, True for branch and bound (never worse).
        targets: (N,) bool, the nodes that count; all by default.
        correct: (N,) bool, correctly labelled nodes: adds the certified accuracy, from a solve of its own.
        endpoints: (2, E) ends of the columns of an edge axis (`undirected_edges`), for local budgets and attackers.
        time_limit: seconds per solve; when it ends, what has been proved so far is reported.
        reach_is_masked: allow "edge_add", because the model's reach does not depend on the edges that are added.
        solver: "highs" (directly, hot start) or "cvxpy" (the same program through cvxpy, slower).

    Returns:
        A `CollectiveCurve`. Sound side: `certified` is never too large. The bound of the relaxation is recomputed from
        the duals in outward rounding (slack 0); that of branch and bound is the solver's proved best bound plus the
        slack of `safe_bounds.branch_and_bound_slack`; no other status certifies anything beyond the relaxation.

    Raises:
        InputError: for a grid that is not boolean or not monotone, budgets that are not whole numbers ≥ 0, masks or
            matrices of the wrong shape, no targets, an unknown solver or one that is not installed.
        UnsupportedError: for "edge_add" without `reach_is_masked`.
    """
    bound = program_method("milp" if integer else "lp", solver, time_limit)
    problem, sweep = _problem(
        grid, axes, perception, budgets, local_budget, attackers, endpoints, reach_is_masked, bound, integer
    )
    return bound_loop(problem, sweep, targets=targets, correct=correct)


def naive_bound(
    grid: npt.ArrayLike,
    axes: Sequence[str],
    perception: Sequence[Sparse],
    budgets: npt.ArrayLike,
    local_budget: Any = None,
    attackers: SupportsIndex | None = None,
    *,
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    endpoints: npt.ArrayLike | None = None,
    reach_is_masked: bool = False,
) -> CollectiveCurve:
    """The certificate without a solver: each node alone against all of the budget that its receptive field lets in.

    Node n is robust iff no minimal broken point v has v_axis ≤ min(budget, what the local budgets allow within its
    receptive field) on all axes. Arguments, errors and sound side as in `collective_strictly_local`, which never
    certifies less.
    """
    bound = program_method("naive", "highs", None)
    problem, sweep = _problem(
        grid, axes, perception, budgets, local_budget, attackers, endpoints, reach_is_masked, bound, integer=False
    )
    return bound_loop(problem, sweep, targets=targets, correct=correct)


def _problem(
    grid: npt.ArrayLike,
    axes: Sequence[str],
    perception: Sequence[Sparse],
    budgets: npt.ArrayLike,
    local_budget: Any,
    attackers: Any,
    endpoints: npt.ArrayLike | None,
    reach_is_masked: bool,
    bound: Callable[[BudgetProgram], Bound],
    integer: bool,
) -> tuple[CollectiveProblem, IntArray]:
    """The checked problem and the sweep."""
    names = (axes,) if isinstance(axes, str) else tuple(axes)
    base = check_grid(grid, len(names))
    checked = adversary(names, perception, len(base), local_budget, attackers, endpoints, reach_is_masked)
    nodes, points = minimal_broken_points(base)
    sweep = check_budgets(budgets, len(names))

    def count(counted: BoolArray, budgets: Amounts) -> AnswerAt:
        """Linear programs share one encoding, up to the largest budget, and start hot.

        Branch and bound takes far longer than an encoding, so each integer program gets its own, with only what its budget
        can break.
        """

        def programs(most: IntArray) -> GridPrograms:
            return GridPrograms(encode(checked, nodes, points, counted, most), most)

        shared = None if integer else programs(sweep.max(axis=0))

        def answer(index: int, standing: BoolArray, begin: IntArray | None) -> Answer:
            budget = sweep[index]
            return Answer(bound(_AtBudget(programs(budget) if shared is None else shared, budget)))

        return answer

    return CollectiveProblem(names, len(base), count), sweep


class _AtBudget:
    """The counted nodes at one budget."""

    def __init__(self, programs: GridPrograms, budget: IntArray) -> None:
        encoding = programs.encoding
        self._programs, self._budget = programs, budget
        self.always = self.constant = encoding.always
        self.naive = encoding.naive(budget)
        self.largest_sum = float(encoding.groups.weight.sum() + budget.sum())

    def program(self) -> LinearProgram:
        """The program of Schuchardt et al. (2021)."""
        return self._program

    @cached_property
    def _program(self) -> LinearProgram:
        return self._programs.program(self._budget)

    def attacks(self, point: FloatArray | None) -> Attack:
        """A whole point itself, or a greedy attack near a point that is not."""
        program = self.program()
        if point is not None and whole_point(point) and (broken := verified(program, point)) is not None:
            x = np.rint(point)
        else:
            x = greedy(self._programs, program, self._budget, point)
            broken = verified(program, x) or 0
        return Attack(x, float(self.always + broken), float(self.always + broken))

    def point(self, attack: Attack) -> FloatArray:
        """The changes of an attack are its point."""
        return np.asarray(attack.changes)

    def branching(self, relaxed: FloatArray | None, attack: Attack) -> "tuple[_AtBudget, Attack]":
        """This program: it has only what its budget can break."""
        return self, attack


def check_grid(grid: object, axes: int) -> BoolArray:
    """The base certificates as a boolean array (N, S_1, …, S_A), or one sentence on what is wrong with them."""
    array = np.asarray(grid)
    if array.dtype != np.bool_:
        raise InputError(f"the base grid must be boolean (True = certified), got {array.dtype}")
    if array.ndim != axes + 1 or 0 in array.shape:
        raise InputError(
            f"the base grid must have one dimension of nodes and one per axis ({axes} named), got shape {array.shape}"
        )
    for axis in range(1, axes + 1):
        smaller, larger = _shifted(array, axis)
        wrong = larger & ~smaller
        if wrong.any():
            raise InputError(
                f"the base grid is not monotone: node {int(np.argwhere(wrong)[0, 0])} is certified at a larger budget "
                f"but not at a smaller one along axis {axis - 1}"
            )
    return array


def minimal_broken_points(grid: BoolArray) -> tuple[IntArray, IntArray]:
    """The minimal budgets at which each node is not certified (Schuchardt et al. 2021; theory, section 8).

    What lies outside the computed grid is not certified, so the first point beyond it on every axis is broken. Node n
    can be attacked by a perturbation b only if b ≥ v on all axes for one of its points v.

    Args:
        grid: (N, S_1, …, S_A) monotone base certificates, True = certified.

    Returns:
        nodes (V,), ascending, and points (V, A). A node that is not certified at 0 has the one point 0.
    """
    beyond = [(0, 0)] + [(0, 1)] * (grid.ndim - 1)
    certified = np.pad(grid, beyond, constant_values=False)
    minimal = ~certified
    for axis in range(1, grid.ndim):
        smaller, _ = _shifted(certified, axis)
        later = (slice(None),) * axis + (slice(1, None),)
        minimal[later] &= smaller
    found = np.argwhere(minimal)
    return found[:, 0], found[:, 1:]


def _shifted(array: BoolArray, axis: int) -> tuple[BoolArray, BoolArray]:
    """Views of all cells but the last and all cells but the first along `axis`: a cell and its successor."""
    before = (slice(None),) * axis
    return array[(*before, slice(None, -1))], array[(*before, slice(1, None))]
