"""The one loop over budgets of all collective certificates: naive bound, relaxation, branch and bound, attacks.

A family of certificates is a `CollectiveProblem`. It says which programs its budgets are and which changes are attacks. The
loop chooses the targets, goes through the budgets, turns what solvers say into proved bounds, lets budgets help each other,
and believes no bound below which an attack is known (theory, sections 8 and 11, trap 26).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from graphcert.collective.curve import REFUTED, CollectiveCurve
from graphcert.collective.solvers import Solver, check_solver, make_solver
from graphcert.collective.solvers.program import Amounts, BoolArray, FloatArray, IntArray, LinearProgram
from graphcert.collective.solvers.safe_bounds import (
    attacked_upper,
    branch_and_bound_slack,
    claimed_bound,
    weak_duality_bound,
)
from graphcert.errors import InputError

METHODS = ("naive", "lp", "milp")
"""The methods of certificates that are programs; each contains the ones before it."""


@dataclass(frozen=True)
class Bound:
    """One proved bound on the targets that fall: its value, its floor, what proves it, and the best attack (or nan).

    `weaker` is the next larger bound, which was proved in another way; it counts if an attack refutes this one.
    """

    value: float
    attacked: int
    method: str
    status: str
    attack: float
    weaker: "Bound | None" = None


NOTHING = Bound(math.inf, int(np.iinfo(np.int64).max), "naive", REFUTED, math.nan)
"""All targets may fall, however many there are."""


class Answer(NamedTuple):
    """What is known of one budget: a bound, and the changes of its best attack if the family tells them."""

    bound: Bound
    changes: IntArray | None = None


AnswerAt = Callable[[int, BoolArray, IntArray | None], Answer]
"""(index, standing, begin) → the answer at one budget: which of the sweep it is, (n,) the counted outputs that are not
proved robust on their own there, and the changes of the best attack within smaller budgets, if any are known."""


@dataclass(frozen=True)
class CollectiveProblem:
    """What a family of collective certificates supplies.

    Attributes:
        axes: names of the axes of budgets.
        outputs: number of outputs n.
        count: (counted, budgets) → the answers about the outputs `counted` (n,) at the budgets (B, A), with whatever budgets
            share, such as an encoding or a hot start.
    """

    axes: tuple[str, ...]
    outputs: int
    count: Callable[[BoolArray, Amounts], AnswerAt]


class Attack(NamedTuple):
    """Changes within a budget.

    Attributes:
        changes: what the family calls its changes.
        broken: how many outputs fall under them; this many certainly do, so a smaller bound is refuted.
        reached: the same, counting outputs that fall up to the rounding of sums.
    """

    changes: Any
    broken: float
    reached: float


class BudgetProgram(Protocol):
    """The standing outputs at one budget, as a program that breaks as many of them as it can.

    Attributes:
        always: how many outputs fall without any change.
        naive: how many do not survive the whole budget, each on its own; those that always fall are among them.
        constant: what the objective of the program leaves out, 0 or `always`.
        largest_sum: a bound on Σ x over all points x of the program.
    """

    always: int
    naive: int
    constant: int
    largest_sum: float

    def program(self) -> LinearProgram | None:
        """The program; None if no whole changes break any output but those that always fall."""

    def attacks(self, point: FloatArray | None) -> Attack:
        """The best attack near a point of the program, such as a solver's, or without one."""

    def point(self, attack: Attack) -> FloatArray:
        """The point x of the program for an attack."""

    def branching(self, relaxed: FloatArray | None, attack: Attack) -> "tuple[BudgetProgram, Attack]":
        """The same outputs in the program for branch and bound, and the attack where that begins."""


def program_method(method: str, name: str, time_limit: float | None) -> Callable[[BudgetProgram], Bound]:
    """How one of `METHODS` bounds the outputs at one budget.

    Args:
        method: "naive", "lp" or "milp".
        name: of the solver, which need not be installed for "naive".
        time_limit: seconds per solve, or None.

    Raises:
        InputError: for an unknown method, solver or limit, or a solver that is not installed.
    """
    check_method(method)
    check_solver(name, time_limit)
    solver = None if method == "naive" else make_solver(name, time_limit)
    return partial(program_bound, solver=solver, integer=method == "milp")


def program_bound(outputs: BudgetProgram, solver: Solver | None, integer: bool) -> Bound:
    """The smallest bound of naive, linear and (if asked for) integer program at one budget; without a solver naive."""
    always, naive = outputs.always, outputs.naive
    best = Bound(float(naive), naive, "naive", "not solved", float(always))
    if solver is None or always == naive:
        return _without_empty_attack(best)
    program = outputs.program()
    if program is None:
        return Bound(float(always), always, "lp", "not needed", float(always))
    relaxed = solver.solve_linear(program)
    proved = outputs.constant + weak_duality_bound(program, relaxed.duals)
    attack = outputs.attacks(relaxed.point)
    best = _attacked(better(best, proved, naive, "lp", relaxed.status), attack)
    if integer and best.attack < best.attacked:
        outputs, attack = outputs.branching(relaxed.point, attack)
        program = outputs.program()
        assert program is not None  # the attack and the bound differ, so something breaks some output
        found = solver.solve_integer(program, outputs.point(attack))
        proved = outputs.constant + claimed_bound(found, branch_and_bound_slack(outputs.largest_sum))
        best = _attacked(better(best, proved, best.attacked, "milp", found.status), attack)
        if found.point is not None:
            best = _attacked(best, outputs.attacks(found.point))
    return _without_empty_attack(best)


def bound_loop(
    problem: CollectiveProblem,
    budgets: Amounts,
    *,
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_per_node: npt.ArrayLike | None = None,
) -> CollectiveCurve:
    """The curve of a problem over budgets (B, A), for the targets and, in a pass of its own, the correct ones among them.

    Args:
        problem: the family's problem.
        budgets: (B, A) checked numbers; of two budgets the one that is larger on all axes allows more.
        targets: (n,) bool, the outputs that count; all by default.
        correct: (n,) bool, correctly labelled outputs, for the certified accuracy.
        robust_per_node: (B, n) bool, outputs that another certificate, from the same simultaneous bounds, proves robust
            against every use of the whole budget; they are not counted at it. (n,) for one budget.

    Raises:
        InputError: for masks of the wrong shape, and if there are no targets.
    """
    shape = (problem.outputs,)
    counted = np.ones(shape, np.bool_) if targets is None else mask_of("targets", targets, shape)
    if not counted.any():
        raise InputError("there are no targets; mark at least one output in the boolean mask targets")
    right = None if correct is None else counted & mask_of("correct", correct, shape)
    proved = _proved(robust_per_node, budgets, problem.outputs)
    answers = _answers(problem, budgets, counted, proved)
    bounds = [answer.bound for answer in answers]
    changes = [answer.changes for answer in answers if answer.changes is not None]
    attacked = _counts(bounds, counted)
    right_bounds = [] if right is None else [answer.bound for answer in _answers(problem, budgets, right, proved)]
    return CollectiveCurve(
        axes=problem.axes,
        budgets=budgets,
        targets=int(counted.sum()),
        bound=np.array([counted.sum() if math.isinf(bound.value) else bound.value for bound in bounds], np.float64),
        attacked_upper=attacked,
        method=np.array([bound.method for bound in bounds]),
        status=np.array([bound.status for bound in bounds]),
        gap=attacked - np.array([bound.attack for bound in bounds]),
        correct_upper=None if right is None else _counts(right_bounds, right),
        correct_targets=None if right is None else int(right.sum()),
        attacks=np.array(changes, np.int64) if len(changes) == len(budgets) else None,
    )


def _answers(
    problem: CollectiveProblem, budgets: Amounts, counted: BoolArray, proved: BoolArray | None
) -> list[Answer]:
    """One answer per budget. Small budgets come first: neighbours have neighbouring bases, and attacks to begin with."""
    answer = problem.count(counted, budgets)
    order = np.lexsort((*budgets.T, budgets.sum(axis=1)))
    same = np.unique(budgets, axis=0, return_inverse=True)[1].ravel()
    found: dict[int, Answer] = {}
    solved: dict[int, int] = {}
    values = np.zeros(len(budgets))
    for place, index in enumerate(order.tolist()):
        twin = solved.get(same[index])
        if twin is not None and (proved is None or np.array_equal(proved[twin], proved[index])):
            found[index] = found[twin]
        else:
            below = (budgets[order[:place]] <= budgets[index]).all(axis=1)
            best = int(order[np.where(below, values[:place], -2.0).argmax()]) if below.any() else None
            standing = counted if proved is None else counted & ~proved[index]
            found[index] = answer(index, standing, None if best is None else found[best].changes)
            solved[same[index]] = index
        values[place] = _attack_value(found[index])
    return carried([found[index] for index in range(len(budgets))], budgets)


def carried(answers: list[Answer], budgets: Amounts) -> list[Answer]:
    """What budgets say of each other: a larger one's bound holds at a smaller one, a smaller one's attack at a larger one.

    Every bound is compared with the best attack within its budget before it is handed on. Of equals one's own counts.
    """
    values = np.array([_attack_value(answer) for answer in answers])
    best = [_first(np.where((budgets <= budget).all(axis=1), -values, 2.0), i) for i, budget in enumerate(budgets)]
    checked = [unrefuted(own.bound, answers[i].bound.attack) for own, i in zip(answers, best, strict=True)]
    attacked = np.array([bound.attacked for bound in checked], dtype=np.float64)
    least = [_first(np.where((budgets >= budget).all(axis=1), attacked, np.inf), i) for i, budget in enumerate(budgets)]
    return [
        Answer(replace(checked[smallest], attack=own.attack), answers[attack].changes)
        for own, smallest, attack in zip(checked, least, best, strict=True)
    ]


def _first(values: FloatArray, own: int) -> int:
    """The place of the smallest value: `own` if it is one, else the first."""
    least = int(values.argmin())
    return own if values[own] == values[least] else least


def better(best: Bound, value: float, most: int, method: str, status: str) -> Bound:
    """The new bound if its count, at most `most`, is smaller, else the old one with the newer status."""
    attacked = attacked_upper(value, most)
    if attacked < best.attacked:
        return Bound(value, attacked, method, status, best.attack, best)
    return replace(best, status=status)


def unrefuted(bound: Bound, attack: float) -> Bound:
    """`bound`, or the largest of those below which no attack is known, with the best `attack` (or nan).

    Who claims less than what a verified attack breaks has proved nothing, be it a solver's branch and bound or ours. Here
    all families of collective certificates check their bounds.
    """
    found, status = bound, bound.status
    while found.attacked < attack:
        status = REFUTED
        # Without any other bound all targets may fall: an attack is no proof that no larger one exists.
        found = found.weaker or replace(NOTHING, attack=attack)
    return replace(found, status=status, attack=attack)


def whole_point(point: FloatArray) -> bool:
    """Whether a solver's point is whole up to its tolerances."""
    return bool((np.abs(point - np.rint(point)) <= 1e-6).all())


def mask_of(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> BoolArray:
    """`values` as a boolean array of this shape, or one sentence naming the argument."""
    mask = np.asarray(values)
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise InputError(f"{name} must be a boolean mask of shape {shape}, got {mask.dtype} of shape {mask.shape}")
    return mask


def check_method(method: str, methods: tuple[str, ...] = METHODS) -> None:
    """Raise `InputError` unless the method is one of `methods`."""
    if method not in methods:
        raise InputError(f"method must be one of {', '.join(methods)}, got {method!r}")


def _attacked(best: Bound, attack: Attack) -> Bound:
    """`best` beside an attack that may be better than the known one, unless it refutes the bound."""
    best = unrefuted(best, max(best.attack, attack.broken))
    # Real shares that reach a step up to rounding count as an attack, but they refute nobody.
    return replace(best, attack=min(max(best.attack, attack.reached), float(best.attacked)))


def _without_empty_attack(best: Bound) -> Bound:
    """`best`, whose attack says nothing if it breaks nothing."""
    return best if best.attack > 0 or best.attack == best.attacked else replace(best, attack=math.nan)


def _attack_value(answer: Answer) -> float:
    """How many outputs the best attack breaks; -1 if none is known."""
    return -1.0 if math.isnan(answer.bound.attack) else answer.bound.attack


def _counts(bounds: list[Bound], counted: BoolArray) -> IntArray:
    """(B,) how many of the counted outputs may fall."""
    return np.array([min(bound.attacked, int(counted.sum())) for bound in bounds], dtype=np.int64)


def _proved(robust_per_node: npt.ArrayLike | None, budgets: Amounts, outputs: int) -> BoolArray | None:
    """(B, n) what is proved robust on its own at each of the budgets (B, A), or at a larger one; (n,) will do for one."""
    if robust_per_node is None:
        return None
    mask = np.asarray(robust_per_node)
    if len(budgets) == 1 and mask.ndim == 1:
        mask = mask[None, :]
    mask = mask_of("robust_per_node", mask, (len(budgets), outputs))
    return np.array([mask[(budgets >= budget).all(axis=1)].any(axis=0) for budget in budgets])
