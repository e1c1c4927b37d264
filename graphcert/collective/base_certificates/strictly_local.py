"""The strictly local collective certificate: one perturbation, seen only by those whose receptive field it touches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import Adversary, adversary, check_budgets
from graphcert.collective.base_certificates.grid_attack import greedy, verified
from graphcert.collective.base_certificates.grid_program import GridPrograms, encode
from graphcert.collective.base_certificates.minimal_points import check_grid, minimal_broken_points
from graphcert.collective.bound_loop import Answer, Attack, bound_loop, program_bound, whole_point
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.solvers import Solver, make_solver
from graphcert.collective.solvers.program import Amounts, BoolArray, FloatArray, IntArray, LinearProgram, Sparse


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
        slack of `bounds.branch_and_bound_slack`; no other status certifies anything beyond the relaxation.

    Raises:
        InputError: for a grid that is not boolean or not monotone, budgets that are not whole numbers ≥ 0, masks or
            matrices of the wrong shape, no targets, an unknown solver or one that is not installed.
        UnsupportedError: for "edge_add" without `reach_is_masked`.
    """
    backend = make_solver(solver, time_limit)
    problem, sweep = _problem(grid, axes, perception, budgets, local_budget, attackers, endpoints, reach_is_masked)
    return bound_loop(replace(problem, solver=backend, integer=integer), sweep, targets=targets, correct=correct)


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
    problem, sweep = _problem(grid, axes, perception, budgets, local_budget, attackers, endpoints, reach_is_masked)
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
) -> "tuple[GridProblem, IntArray]":
    """The checked problem and the sweep."""
    names = (axes,) if isinstance(axes, str) else tuple(axes)
    base = check_grid(grid, len(names))
    checked = adversary(names, perception, len(base), local_budget, attackers, endpoints, reach_is_masked)
    return GridProblem(checked, *minimal_broken_points(base)), check_budgets(budgets, len(names))


@dataclass(frozen=True, eq=False)
class GridProblem:
    """Minimal broken points and who perceives what, as a `CollectiveProblem`.

    Attributes:
        adversary: what may be changed, where, how often, and who perceives it.
        nodes, points: (V,) and (V, A), all minimal broken points.
        solver: None for the naive bound.
        integer: whether branch and bound follows the relaxation.
    """

    adversary: Adversary
    nodes: IntArray
    points: IntArray
    solver: Solver | None = None
    integer: bool = False

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes."""
        return self.adversary.axes

    @property
    def outputs(self) -> int:
        """Number of nodes."""
        return int(self.adversary.perception[0].shape[0])

    def count(self, counted: BoolArray, budgets: Amounts) -> "_Counted":
        """The problem about some nodes."""
        return _Counted(self, counted, budgets.astype(np.int64))


class _Counted:
    """All budgets for one set of counted nodes.

    Linear programs share one encoding, up to the largest budget, and start hot. Branch and bound takes far longer than
    an encoding, so each integer program gets its own, with only what its budget can break.
    """

    def __init__(self, problem: GridProblem, counted: BoolArray, budgets: IntArray) -> None:
        self._problem, self._counted, self._budgets = problem, counted, budgets
        self._shared = None if problem.integer else self._programs(budgets.max(axis=0))

    def _programs(self, most: IntArray) -> GridPrograms:
        problem = self._problem
        return GridPrograms(encode(problem.adversary, problem.nodes, problem.points, self._counted, most), most)

    def answer(self, index: int, standing: BoolArray, begin: IntArray | None) -> Answer:
        """The bound at one budget."""
        budget = self._budgets[index]
        programs = self._programs(budget) if self._shared is None else self._shared
        return Answer(program_bound(_AtBudget(programs, budget), self._problem.solver, self._problem.integer))


class _AtBudget:
    """The counted nodes at one budget."""

    def __init__(self, programs: GridPrograms, budget: IntArray) -> None:
        encoding = programs.encoding
        self._programs, self._budget = programs, budget
        self._program: LinearProgram | None = None
        self.always = self.constant = encoding.always
        self.naive = encoding.naive(budget)
        self.largest_sum = float(encoding.groups.weight.sum() + budget.sum())

    def program(self) -> LinearProgram:
        """The program of Schuchardt et al. (2021)."""
        if self._program is None:
            self._program = self._programs.program(self._budget)
        return self._program

    def attacks(self, point: FloatArray | None) -> Attack:
        """A whole point itself, or a greedy attack near a point that is not."""
        program = self.program()
        if point is not None and whole_point(point) and (broken := verified(program, point)) is not None:
            x = np.rint(point)
        else:
            x = greedy(self._programs, program, self._budget, point)
            broken = verified(program, x) or 0
        return Attack(x, float(self.always + broken), float(self.always + broken))

    def branching(self, relaxed: FloatArray | None, attack: Attack) -> "tuple[_AtBudget, Attack]":
        """This program: it has only what its budget can break."""
        return self, attack
