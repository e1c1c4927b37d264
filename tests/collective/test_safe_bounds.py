"""Bounds hold whatever the solver says: garbage duals, overflow, wrong statuses, limits."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from graphcert.collective.bound_loop import Attack, program_bound
from graphcert.collective.solvers.highs_solver import HighsSolver
from graphcert.collective.solvers.program import LinearProgram, Solution
from graphcert.collective.solvers.safe_bounds import (
    attacked_upper,
    branch_and_bound_slack,
    claimed_bound,
    weak_duality_bound,
)


def program(rows, columns, matrix, row_upper, column_upper, objective):
    whole = np.ones(columns, dtype=bool)
    return LinearProgram(objective, sp.csc_array(matrix.reshape(rows, columns)), row_upper, column_upper, whole)


@st.composite
def programs(draw, numbers, size=4):
    rows, columns = draw(st.integers(1, size)), draw(st.integers(1, size))
    array = lambda length, kind: draw(hnp.arrays(np.float64, length, elements=kind))  # noqa: E731
    positive = numbers.map(abs)
    return program(
        rows, columns, array(rows * columns, numbers), array(rows, positive), array(columns, positive),
        array(columns, numbers),
    )  # fmt: skip


def exact_bound(problem, duals):
    """Σ b·y + Σ u·max(0, c − Aᵀy) in rational arithmetic."""
    y = [max(Fraction(value), Fraction(0)) for value in duals.tolist()]
    matrix = problem.matrix.toarray().tolist()
    total = sum((Fraction(b) * value for b, value in zip(problem.row_upper.tolist(), y, strict=True)), Fraction(0))
    for j, (cost, upper) in enumerate(zip(problem.objective.tolist(), problem.column_upper.tolist(), strict=True)):
        reduced = Fraction(cost) - sum(
            (Fraction(row[j]) * value for row, value in zip(matrix, y, strict=True)), Fraction(0)
        )
        total += Fraction(upper) * max(Fraction(0), reduced)
    return total


wild = st.floats(-1e3, 1e3) | st.floats(-1e-6, 1e-6) | st.integers(-3, 3).map(float)


@settings(max_examples=300)
@given(programs(wild), st.data())
def test_the_bound_is_rounded_outward_for_any_duals(problem, data):
    duals = data.draw(hnp.arrays(np.float64, len(problem.row_upper), elements=wild))
    bound, exact = weak_duality_bound(problem, duals), exact_bound(problem, duals)
    assert Fraction(bound) >= exact
    scale = 1 + np.abs(duals).max() * (np.abs(problem.row_upper).sum() + 1e3 * problem.column_upper.sum() * len(duals))
    assert bound <= float(exact) + 1e-12 * (scale + 1e3 * problem.column_upper.sum())


def test_rounding_is_really_outward():
    # In floats .1 + .2 covers the cost completely; in truth 2.8e-17 per unit of the column is left.
    cost = np.array([0.1 + 0.2])
    problem = program(2, 1, np.array([[0.1], [0.2]]), np.zeros(2), np.array([1e16]), cost)
    exact = exact_bound(problem, np.ones(2))
    assert (cost - problem.matrix.T @ np.ones(2)).tolist() == [0.0]
    assert Fraction(weak_duality_bound(problem, np.ones(2))) >= exact > Fraction(1, 4)


@pytest.mark.parametrize("duals", [None, np.array([np.nan]), np.array([np.inf]), np.array([-np.inf]), np.zeros(2)])
def test_unusable_duals_prove_nothing(duals):
    problem = program(1, 1, np.ones((1, 1)), np.ones(1), np.ones(1), np.ones(1))
    assert weak_duality_bound(problem, duals) == math.inf
    assert attacked_upper(math.inf, 7) == 7


@pytest.mark.parametrize("huge", [1e308, 1.7e308])
def test_overflow_proves_nothing_instead_of_everything(huge):
    cancelling = program(2, 1, np.array([[4.0], [-4.0]]), np.zeros(2), np.ones(1), np.ones(1))
    assert weak_duality_bound(cancelling, np.full(2, huge)) == math.inf
    wide = program(1, 3, np.zeros((1, 3)), np.ones(1), np.full(3, huge), np.ones(3))
    assert weak_duality_bound(wide, np.zeros(1)) == math.inf


@settings(max_examples=150)
@given(programs(st.integers(-3, 3).map(float), size=3))
def test_solver_duals_give_the_optimum_and_the_integer_bound_covers_every_point(problem):
    solver = HighsSolver()
    linear = solver.solve_linear(problem)
    bound = weak_duality_bound(problem, linear.duals)
    exact = solver.solve_integer(problem)
    assert linear.status == exact.status == "optimal"
    assert bound == pytest.approx(float(problem.objective @ linear.point), abs=1e-6)
    best = max(
        float(problem.objective @ np.array(x))
        for x in np.ndindex(*(problem.column_upper.astype(int) + 1))
        if (problem.matrix @ np.array(x, dtype=float) <= problem.row_upper).all()
    )
    assert best <= claimed_bound(exact, branch_and_bound_slack(1.0)) <= best + 1e-6
    assert best <= bound


@pytest.mark.parametrize(
    "solution",
    [
        Solution("unknown", best_bound=3.0),
        Solution("infeasible", best_bound=0.0),
        Solution("optimal", best_bound=math.nan, trusted=True),
        Solution("optimal", best_bound=-math.inf, trusted=True),
        Solution("optimal", best_bound=-1.0, trusted=True),
        Solution("time limit reached", best_bound=math.inf, trusted=True),
    ],
)
def test_what_is_no_proof_certifies_nothing(solution):
    assert claimed_bound(solution, 0.0) == math.inf


class Outputs:
    """Five outputs of which one after the other can be broken, at a budget of which nobody knows an attack."""

    always, naive, constant, largest_sum = 0, 5, 0, 5.0

    def program(self):
        return program(1, 5, np.zeros(5), np.ones(1), np.ones(5), np.ones(5))

    def attacks(self, point):
        return Attack(None, 0.0, 0.0)


class Stopped:
    """A solver that was interrupted: it has a point, worth nothing, and no duals."""

    def solve_linear(self, given):
        return Solution("time limit reached", point=np.zeros(given.objective.size))


def test_what_a_solver_has_reached_is_no_bound():
    """Trap 6: the objective of its point is 0, which would read as "nothing is attacked"."""
    assert program_bound(Outputs(), Stopped(), integer=False).attacked == 5


def test_the_slack_grows_with_the_problem_and_stays_below_one_count():
    assert 0 < branch_and_bound_slack(1.0) < branch_and_bound_slack(1e6) < 0.01
    assert attacked_upper(3.0 - 1e-9 + branch_and_bound_slack(1e3), 9) == 3
    assert attacked_upper(3.999, 3) == 3
    assert attacked_upper(2.5, 9) == 2
    assert attacked_upper(math.nan, 9) == 9


def test_a_time_limit_is_for_one_solve_not_for_the_sweep():
    problem = program(2, 2, np.ones((2, 2)), np.ones(2), np.ones(2), np.ones(2))
    solver = HighsSolver(time_limit=5.0)
    solver.solve_linear(problem)
    used = solver._linear.getRunTime()
    solver.solve_linear(replace(problem, row_upper=np.full(2, 0.5)))
    assert solver._linear.getOptionValue("time_limit")[1] == used + 5.0 > 5.0


@settings(max_examples=40)
@given(programs(st.integers(-3, 3).map(float)), st.data())
def test_a_hot_start_changes_nothing_but_the_limits(base, data):
    limits = st.integers(0, 5).map(float)
    hot = HighsSolver()
    for _ in range(4):
        rows = data.draw(hnp.arrays(np.float64, base.row_upper.shape, elements=limits))
        columns = data.draw(hnp.arrays(np.float64, base.column_upper.shape, elements=limits))
        step = replace(base, row_upper=rows, column_upper=columns)
        cold = weak_duality_bound(step, HighsSolver().solve_linear(step).duals)
        assert weak_duality_bound(step, hot.solve_linear(step).duals) == pytest.approx(cold, abs=1e-6)
