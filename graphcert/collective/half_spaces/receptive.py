"""The collective certificate that is strictly local and localized at once, from arrays (theory, sections 8 and 9).

Every output sees the changes of a block under its own noise, and of a block only what lies in its receptive field.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import check_budgets
from graphcert.collective.bound_loop import Answer, Attack, CollectiveProblem, bound_loop, program_method, whole_point
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.half_spaces.localized_problem import LocalizedProblem
from graphcert.collective.half_spaces.receptive_encoding import ReceptiveEncoding, encode_receptive
from graphcert.collective.half_spaces.receptive_problem import ReceptiveProblem, receptive_problem
from graphcert.collective.half_spaces.receptive_program import ReceptiveProgram
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray, LinearProgram, Sparse


def collective_receptive(
    problem: LocalizedProblem,
    perception: Mapping[str, Sparse],
    axis_of: Mapping[str, npt.ArrayLike],
    budgets: npt.ArrayLike,
    *,
    method: str = "lp",
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_per_node: npt.ArrayLike | None = None,
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
        robust_per_node: (B, N) bool, outputs that a certificate of their own, from the same simultaneous bounds, proves
            robust against every use of the whole budget. (N,) for one budget.
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
        As `collective_localized`.

    Raises:
        InputError: for a class that is spent on but has no matrix, columns on axes of another class, budgets that are not
            whole numbers ≥ 0, masks or matrices of the wrong shape, no targets, an unknown method or solver, or a solver
            that is not installed.
        UnsupportedError: for "edge_add" without `reach_is_masked`.
    """
    bound = program_method(method, solver, time_limit)
    sweep = check_budgets(budgets, len(problem.classes))
    checked = receptive_problem(
        problem, perception, axis_of, sweep, local_budget, attackers, endpoints, reach_is_masked, room or {}
    )

    def answer(index: int, standing: BoolArray, begin: IntArray | None) -> Answer:
        """Every budget has an encoding of its own: the η that whole changes must reach is worth more than a hot start."""
        return Answer(bound(_AtBudget(checked, standing, sweep[index])))

    family = CollectiveProblem(problem.classes, problem.outputs, lambda counted, budgets: answer)
    return bound_loop(family, sweep, targets=targets, correct=correct, robust_per_node=robust_per_node)


def robust_in_receptive_fields(
    problem: LocalizedProblem,
    budgets: IntArray,
    perception: Mapping[str, Sparse],
    axis_of: Mapping[str, npt.ArrayLike],
    **limits: Any,
) -> BoolArray:
    """(B, n) the outputs that survive all of each budget on their own; arguments as in `collective_receptive`."""
    checked = receptive_problem(problem, perception, axis_of, budgets, **limits)
    return np.array([~checked.breakable(budget) for budget in budgets])


class _AtBudget:
    """The standing outputs (n,) at one budget."""

    def __init__(self, problem: ReceptiveProblem, standing: BoolArray, budget: IntArray) -> None:
        self._problem, self._standing, self._budget = problem, standing, budget
        self._started: IntArray | None = None
        self.naive = int((standing & problem.breakable(budget)).sum())
        self.always = self.constant = int((standing & (problem.localized.eta <= 0).all(axis=0)).sum())
        self.largest_sum = float(self.naive + budget.sum() + (problem.adversary.attackers or 0))

    @cached_property
    def _encoding(self) -> ReceptiveEncoding:
        return encode_receptive(self._problem, self._standing, self._budget)

    @cached_property
    def _program(self) -> ReceptiveProgram:
        return ReceptiveProgram(self._encoding)

    def program(self) -> LinearProgram | None:
        """The program of the standing outputs."""
        return None if self._encoding.size == self.always else self._program.linear

    def attacks(self, point: FloatArray | None) -> Attack:
        """The better of greedy changes from nothing and a whole point itself, or greedy changes near a point that is not."""
        encoding, program = self._encoding, self._program
        if self._started is None:
            self._started = greedy_changes(encoding, np.zeros(encoding.places.room.size))
        tried = [self._started]
        if point is not None and whole_point(point) and program.allowed(np.rint(point)):
            tried.append(program.changes(np.rint(point)).astype(np.int64))
        elif point is not None:
            tried.append(greedy_changes(encoding, program.changes(point)))
        broken = [float(encoding.broken(changes.astype(np.float64))) for changes in tried]
        best = int(np.argmax(broken))
        return Attack(tried[best], broken[best], broken[best])

    def point(self, attack: Attack) -> FloatArray:
        """Every chain broken as far as the changes go."""
        return self._program.point(attack.changes)

    def branching(self, relaxed: FloatArray | None, attack: Attack) -> "tuple[_AtBudget, Attack]":
        """This program."""
        return self, attack


_WORK = 2e9
"""Additions that a greedy attack may take (seconds); beyond it only what a solver finds counts."""


def greedy_changes(encoding: ReceptiveEncoding, near: FloatArray) -> IntArray:
    """Whole b (M,): `near` rounded down, then unit by unit where most outputs come closest to falling.

    Only where nothing but budgets and capacities ties places together; otherwise nothing is changed.
    """
    places, budget = encoding.places, encoding.budget
    b = np.zeros(places.room.size, dtype=np.int64)
    if not encoding.free or float(budget.sum()) * encoding.perceived.nnz * places.axes.size > _WORK:
        return b
    place_class = np.array(encoding.problem.class_of, dtype=np.int64)[places.place_class]
    room = np.minimum(places.room, budget[place_class])
    b = np.clip(np.floor(near + 1e-6), 0, room).astype(np.int64)
    left = budget - np.bincount(place_class, b, minlength=budget.size).astype(np.int64)
    capacity = encoding.problem.localized.capacity[places.axes]
    axis_left = capacity - np.bincount(places.axis, b, minlength=places.axes.size).astype(np.int64)
    if (left < 0).any() or (axis_left < 0).any():  # no point of the program
        return np.zeros_like(b)
    while True:
        open_places = (b < room) & (left[place_class] > 0) & (axis_left[places.axis] > 0)
        gain = np.where(open_places, _gains(encoding, b, int(left.sum())), 0.0)
        place = int(gain.argmax()) if gain.size else 0
        if not gain.size or gain[place] <= 0:
            return b
        b[place] += 1
        left[place_class[place]] -= 1
        axis_left[places.axis[place]] -= 1


def _gains(encoding: ReceptiveEncoding, b: IntArray, left: int) -> FloatArray:
    """(M,) the worth of one more unit: an output that needs d more of its heaviest changes counts 1/d²."""
    pattern, weights = encoding.pattern, encoding.weights
    spent = np.einsum("dua,ua->du", weights, encoding.seen(b.astype(np.float64)))
    heaviest = np.maximum(weights.max(axis=2, initial=0.0), np.finfo(np.float64).tiny)
    distance = (encoding.eta - spent[:, pattern]) / heaviest[:, pattern]
    farthest = distance.argmax(axis=0)
    missing = distance[farthest, np.arange(pattern.size)]
    hopeful = (missing > 0) & (missing <= left)
    worth = np.where(hopeful, 1.0 / np.maximum(missing, 1.0) ** 2, 0.0)
    pull = np.zeros(weights.shape[1:])
    np.add.at(pull, pattern, (worth / heaviest[farthest, pattern])[:, None] * weights[farthest, pattern])
    at_axes = encoding.perceived.T @ pull
    gains: FloatArray = at_axes[np.arange(b.size), encoding.places.axis]
    return gains
