"""A sweep over budgets: solve, turn every answer into a proved bound, and let the budgets help each other."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from graphcert.collective.assemble import ProgramSweep
from graphcert.collective.attack import greedy, verified
from graphcert.collective.bounds import attacked_upper, branch_and_bound_slack, claimed_bound, weak_duality_bound
from graphcert.collective.curve import REFUTED, CollectiveCurve
from graphcert.collective.encoding import Encoding
from graphcert.collective.linear import Amounts, BoolArray, FloatArray, IntArray, LinearProgram, Solution


class Solver(Protocol):
    """What a sweep asks of a solver; nothing it says is believed without `bounds`."""

    def solve_linear(self, program: LinearProgram) -> Solution:
        """Solve the relaxation and return row multipliers."""

    def solve_integer(self, program: LinearProgram, start: FloatArray | None = None) -> Solution:
        """Solve by branch and bound and return the best bound."""


@dataclass(frozen=True)
class Bound:
    """One proved bound on the attacked targets: its value, its floor, what proves it, and the best attack (or nan).

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


def run_sweep(
    encode_up_to: Callable[[IntArray], Encoding], budgets: IntArray, solver: Solver | None, integer: bool
) -> list[Bound]:
    """A bound per budget (B, A); without a solver the naive one.

    Linear programs share one encoding, up to the largest budget, and start hot. Branch and bound takes far longer than
    an encoding, so each integer program gets its own, with only what its budget can break.
    """
    most = budgets.max(axis=0)
    shared = encode_up_to(most)
    if solver is None:
        return [_naive(shared, budget) for budget in budgets]
    programs = ProgramSweep(shared, most)
    # Neighbouring budgets have neighbouring bases: solve in order of size, answer in the order asked.
    order = np.lexsort((*budgets.T, budgets.sum(axis=1)))
    found: dict[int, Bound] = {}
    for index in order.tolist():
        budget = budgets[index]
        if integer:
            encoding = encode_up_to(budget)
            found[index] = _solve(encoding, ProgramSweep(encoding, budget), budget, solver, integer)
        else:
            found[index] = _solve(shared, programs, budget, solver, integer)
    return monotone([found[index] for index in range(len(budgets))], budgets)


def _naive(encoding: Encoding, budget: IntArray) -> Bound:
    attacked = encoding.naive(budget)
    attack = float(encoding.always) if attacked == encoding.always else math.nan
    return Bound(float(attacked), attacked, "naive", "not solved", attack)


def _solve(encoding: Encoding, programs: ProgramSweep, budget: IntArray, solver: Solver, integer: bool) -> Bound:
    """The smallest bound of naive, linear and (if asked for) integer program at one budget."""
    best = _naive(encoding, budget)
    if best.attacked == encoding.always:
        return best
    program = programs.program(budget)
    relaxed = solver.solve_linear(program)
    most = encoding.always + int(encoding.groups.weight.sum())
    best = better(best, encoding.always + weak_duality_bound(program, relaxed.duals), most, "lp", relaxed.status)
    start = greedy(encoding, programs, program, budget, relaxed.point)
    attack = encoding.always + (verified(program, start) or 0)
    if integer and attack < best.attacked:
        exact = solver.solve_integer(program, start)
        attack = max(attack, encoding.always + (verified(program, exact.point) or 0))
        slack = branch_and_bound_slack(float(encoding.groups.weight.sum() + budget.sum()))
        claim = claimed_bound(exact, slack)
        best = better(best, encoding.always + claim, most, "milp", exact.status)
    best = unrefuted(best, float(attack))
    known = attack > encoding.always or attack == best.attacked
    return best if known else replace(best, attack=math.nan)


def monotone(bounds: list[Bound], budgets: Amounts) -> list[Bound]:
    """A larger budget's bound holds at a smaller one, and a smaller budget's attack is an attack at a larger one."""
    attacks = np.array([bound.attack for bound in bounds])
    known = [np.fmax.reduce(attacks[(budgets <= budget).all(axis=1)]) for budget in budgets]
    checked = [unrefuted(bound, float(attack)) for bound, attack in zip(bounds, known, strict=True)]
    result = []
    for own, budget in zip(checked, budgets, strict=True):
        larger = [checked[i] for i in np.flatnonzero((budgets >= budget).all(axis=1))]
        best = min(larger, key=lambda other: (other.attacked, other is not own))
        result.append(replace(best, attack=own.attack))
    return result


def _counts(bounds: list[Bound], targets: BoolArray) -> IntArray:
    """(B,) how many of the targets may fall."""
    return np.array([min(bound.attacked, int(targets.sum())) for bound in bounds], dtype=np.int64)


def curve_of(
    axes: tuple[str, ...],
    budgets: Amounts,
    counted: BoolArray,
    right: BoolArray | None,
    bounds: Callable[[BoolArray], list[Bound]],
) -> CollectiveCurve:
    """Bound the targets (the mask `counted`), then the correct ones among them (`right`), in a solve of their own."""
    found = bounds(counted)
    attacked = _counts(found, counted)
    return CollectiveCurve(
        axes=axes,
        budgets=budgets,
        targets=int(counted.sum()),
        bound=np.array([counted.sum() if math.isinf(bound.value) else bound.value for bound in found], np.float64),
        attacked_upper=attacked,
        method=np.array([bound.method for bound in found]),
        status=np.array([bound.status for bound in found]),
        gap=attacked - np.array([bound.attack for bound in found]),
        correct_upper=None if right is None else _counts(bounds(right), right),
        correct_targets=None if right is None else int(right.sum()),
    )
