"""The collective certificate that is strictly local and localized at once, from arrays (theory, sections 8 and 9).

Every output sees the changes of a block under its own noise, and of a block only what lies in its receptive field.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from graphcert.collective.bounds import branch_and_bound_slack, claimed_bound, weak_duality_bound
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.cvxpy_solver import CvxpySolver
from graphcert.collective.highs import HighsSolver
from graphcert.collective.linear import BoolArray, IntArray, Sparse
from graphcert.collective.localized import check_options
from graphcert.collective.localized_problem import LocalizedProblem
from graphcert.collective.masks import mask_of, proved_alone
from graphcert.collective.perceived_attack import greedy_changes
from graphcert.collective.perceived_problem import PerceivedProblem, perceived_problem
from graphcert.collective.perceived_program import PerceivedEncoding, encode_perceived
from graphcert.collective.sweep import Bound, Solver, better, curve_of, monotone, unrefuted
from graphcert.collective.threat import check_budgets
from graphcert.errors import InputError

_SOLVERS: dict[str, Callable[[float | None], Solver]] = {"highs": HighsSolver, "cvxpy": CvxpySolver}


def collective_perceived(
    problem: LocalizedProblem,
    perception: Mapping[str, Sparse],
    axis_of: Mapping[str, npt.ArrayLike],
    budgets: npt.ArrayLike,
    *,
    method: str = "lp",
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_alone: npt.ArrayLike | None = None,
    local_budget: Any = None,
    attackers: int | None = None,
    endpoints: npt.ArrayLike | None = None,
    time_limit: float | None = None,
    reach_is_masked: bool = False,
    solver: str = "highs",
    room: Mapping[str, npt.ArrayLike] | None = None,
) -> CollectiveCurve:
    """How many targets no single perturbation can change, when each perceives only its receptive field.

    Valid only where nothing creates new reach: for changed features and deleted edges, under noise that adds no edges
    (θ⁺ of edges = 0, see `check_reach`), or for a model whose reach is masked independently of the noise. Then the noise,
    clean or perturbed, only removes edges of the clean graph, so an output is a function of the noisy bits inside its
    receptive field, and by data processing only the changes of those bits count:

        broken only if in every direction d   Σ_axes a weights[d, i, a] · Σ_{columns m of a, P[n, m] = 1} b_m ≥ eta[d, n].

    Args:
        problem: N outputs, one per node, in groups; their half-spaces; the axes of change (blocks, or pairs of blocks).
        perception: per class of `problem.classes` a 0/1 matrix of what each output perceives (`receptive_field`): (N, N)
            for features, whose column m stands for changes in the row of node m; (N, E) for edges, one column per edge.
            A class without a matrix must have budget 0 throughout.
        axis_of: per class of `perception` (columns,) int, the axis of `problem` to which each column belongs: the block of
            the node, the pair of blocks of the edge.
        budgets: (B, classes) whole numbers, the global budget per class of `problem.classes`; a flat list if there is one.
        method: "naive" (each output alone against all of the budget that its receptive field lets in), "lp" or "milp";
            each reports the best of itself and the ones before it.
        targets: (N,) bool, the outputs that count; all by default.
        correct: (N,) bool, correctly labelled outputs: adds the certified accuracy, from a solve of its own.
        robust_alone: (B, N) bool, outputs that a certificate of their own, from the same simultaneous bounds, proves robust
            against every use of the whole budget. (N,) for one budget.
        local_budget: the most changes at one node: a number for all classes, a mapping from class names (or a tuple in
            their order) to a number, an array (N,) or None, or one array (N,). On edges it limits the changed edges at
            each of their ends.
        attackers: the most nodes that may be touched; a changed edge needs one of its ends among them.
        endpoints: (2, E) ends of the columns of edges (`undirected_edges`), for local budgets and attackers.
        time_limit: seconds per solve; when it ends, what has been proved so far is reported.
        reach_is_masked: allow "edge_add", because the model's reach does not depend on the edges that are added.
        solver: "highs" (directly) or "cvxpy" (the same program through cvxpy, slower).
        room: per class of features (N,) whole numbers, how often every row can be changed that way: its zeros, its ones.
            Without it a row takes any number of changes.

    Returns:
        A `CollectiveCurve`. Sound side: `certified` is never too large. The bound of the relaxation is recomputed from
        the duals in outward rounding (slack 0); that of branch and bound is the solver's proved best bound plus the
        slack of `bounds.branch_and_bound_slack`; no other status certifies anything beyond the relaxation. `gap` counts
        up to the best attack found, within the half-spaces and up to the rounding of sums.

    Raises:
        InputError: for a class that is spent on but has no matrix, columns on axes of another class, budgets that are not
            whole numbers ≥ 0, masks or matrices of the wrong shape, no targets, an unknown method or solver, or a solver
            that is not installed.
        UnsupportedError: for "edge_add" without `reach_is_masked`.
    """
    check_options(method, solver, None, time_limit)
    sweep = check_budgets(budgets, len(problem.classes))
    checked = perceived_problem(
        problem, perception, axis_of, sweep, local_budget, attackers, endpoints, reach_is_masked, room or {}
    )
    counted = np.ones(problem.outputs, dtype=np.bool_)
    if targets is not None:
        counted = mask_of("targets", targets, counted.shape)
    if not counted.any():
        raise InputError("there are no targets; mark at least one output in the boolean mask targets")
    right = None if correct is None else counted & mask_of("correct", correct, counted.shape)
    proved = proved_alone(robust_alone, sweep, problem.outputs)
    backend = None if method == "naive" else _SOLVERS[solver](time_limit)

    def bounds(mask: BoolArray) -> list[Bound]:
        found = []
        for index, budget in enumerate(sweep):
            standing = mask if proved is None else mask & ~proved[index]
            found.append(_bound(checked, standing, budget, backend, method == "milp"))
        return monotone(found, sweep)

    return curve_of(problem.classes, sweep, counted, right, bounds)


def perceived_robust(
    problem: LocalizedProblem,
    budgets: IntArray,
    perception: Mapping[str, Sparse],
    axis_of: Mapping[str, npt.ArrayLike],
    **limits: Any,
) -> BoolArray:
    """(B, n) the outputs that survive all of each budget on their own; arguments as in `collective_perceived`."""
    checked = perceived_problem(problem, perception, axis_of, budgets, **limits)
    return np.array([~checked.breakable(budget) for budget in budgets])


def _bound(
    problem: PerceivedProblem, standing: BoolArray, budget: IntArray, solver: Solver | None, integer: bool
) -> Bound:
    """The smallest bound of naive, linear and (if asked for) integer program at one budget.

    Every budget has its own encoding: what it can break, and the η that whole changes within it must reach, are worth
    more than a hot start.
    """
    naive = int((standing & problem.breakable(budget)).sum())
    always = int((standing & (problem.localized.eta <= 0).all(axis=0)).sum())
    best = Bound(float(naive), naive, "naive", "not solved", float(always))
    if solver is None or always == naive:
        return _known(best, always)
    encoding = encode_perceived(problem, standing, budget)
    if encoding.size == always:  # no whole changes cross all directions of anyone
        return Bound(float(always), always, "lp", "not needed", float(always))
    program = encoding.program()
    solution = solver.solve_linear(program)
    relaxed = np.zeros(encoding.places.room.size) if solution.point is None else encoding.changes(solution.point)
    starts = [greedy_changes(encoding, near) for near in (relaxed, np.zeros_like(relaxed))]
    start = max(starts, key=lambda b: encoding.broken(b.astype(np.float64)))
    best = better(best, always + weak_duality_bound(program, solution.duals), naive, "lp", solution.status)
    best = unrefuted(best, float(encoding.broken(start.astype(np.float64))))
    if integer and best.attack < best.attacked:
        best = _integer(encoding, start, solver, best)
    return _known(best, always)


def _integer(encoding: PerceivedEncoding, start: IntArray, solver: Solver, best: Bound) -> Bound:
    """`best` or the bound of branch and bound, whichever is smaller, with the better attack."""
    program = encoding.program()
    solution = solver.solve_integer(program, encoding.point(start))
    attack = best.attack
    if solution.point is not None:
        whole = np.rint(solution.point)
        if encoding.allowed(whole):
            attack = max(attack, float(encoding.broken(encoding.changes(whole))))
    touched = encoding.problem.threat.attackers or 0
    slack = branch_and_bound_slack(float(encoding.size + encoding.budget.sum() + touched))
    claim = encoding.always + claimed_bound(solution, slack)
    return unrefuted(better(best, claim, best.attacked, "milp", solution.status), attack)


def _known(best: Bound, always: int) -> Bound:
    """`best`, whose attack says nothing if it is nothing."""
    return best if best.attack > always or best.attack == best.attacked else replace(best, attack=math.nan)
