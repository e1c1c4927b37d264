"""The fast path against the plain program, both solvers, and solvers that lie, fail or run out of time."""

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceived_oracle import cases, masks, most_attacked, ring
from receptive_reference import receptive_reference

from graphcert.collective import collective_receptive
from graphcert.collective.half_spaces.receptive_problem import receptive_problem
from graphcert.collective.solvers import SOLVERS
from graphcert.collective.solvers.program import Solution


def reference(case, budget, targets, integer):
    given_limits = {key: case.get(key) for key in ("local_budget", "attackers", "endpoints")}
    problem = receptive_problem(
        case["problem"], case["perception"], case["axis_of"], np.array([budget]), **given_limits
    )
    program = receptive_reference(problem, targets, np.array(budget), integer)
    program.solve(solver=cvxpy.HIGHS)
    assert program.status == "optimal"
    return program.value


@settings(max_examples=60)
@given(cases(), st.data())
def test_the_plain_program_has_the_same_integer_optimum_and_no_tighter_relaxation(drawn, data) -> None:
    case, budget = drawn
    targets = data.draw(masks(case))
    exact = collective_receptive(**case, budgets=[budget], method="milp", targets=targets)
    assert exact.attacked_upper[0] == round(reference(case, budget, targets, integer=True))
    if np.isinf(case["problem"].weights).any() or np.isinf(case["problem"].eta).any():
        return  # each puts finite numbers of its own for infinite ones, which changes relaxations
    relaxed = collective_receptive(**case, budgets=[budget], targets=targets)
    assert relaxed.bound[0] <= reference(case, budget, targets, integer=False) + 1e-5


@settings(max_examples=30)
@given(cases(), st.data())
def test_cvxpy_and_highs_agree(drawn, data) -> None:
    case, budget = drawn
    sweep = [budget, tuple(amount + 1 for amount in budget)]
    for method in ("lp", "milp"):
        direct = collective_receptive(**case, budgets=sweep, method=method)
        through = collective_receptive(**case, budgets=sweep, method=method, solver="cvxpy")
        assert direct.attacked_upper.tolist() == through.attacked_upper.tolist()
        assert direct.bound == pytest.approx(through.bound, abs=1e-5)


class Liar:
    """A solver that says the same thing about everything."""

    def __init__(self, solution):
        self.solution = solution

    def solve_linear(self, program):
        return self.solution(program)

    def solve_integer(self, program, start=None):
        return self.solution(program)


LIES = ["zeros", "nan", "negative", "huge", "none", "attacks nothing", "failure", "everything at once"]


@settings(max_examples=80)
@given(cases(), st.sampled_from(LIES))
def test_a_lying_solver_cannot_win_more_than_the_truth(drawn, lie) -> None:
    """Trap 6: a failure is never stored as a number, an objective never taken for a bound, a point never for an attack."""

    def solution(program):
        size = program.row_upper.shape
        duals = {"zeros": np.zeros(size), "nan": np.full(size, np.nan), "negative": np.full(size, -1.0)}
        duals["huge"] = np.full(size, 1e300)
        claim = {"attacks nothing": -1.0, "failure": 0.0}.get(lie, np.nan)
        point = program.column_upper if lie == "everything at once" else np.zeros(program.objective.shape)
        return Solution(
            "optimal" if lie != "failure" else "error",
            duals=duals.get(lie), best_bound=claim, point=point, trusted=lie != "failure",
        )  # fmt: skip

    case, budget = drawn
    truth = most_attacked(case, budget)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOLVERS, "highs", lambda time_limit: Liar(solution))
        lied = collective_receptive(**case, budgets=[budget], method="milp")
    assert lied.attacked_upper[0] >= truth
    assert not lied.attacked_upper[0] - lied.gap[0] > truth


@settings(max_examples=60)
@given(cases())
def test_an_objective_a_little_below_a_whole_number_is_not_floored_to_the_one_below(drawn) -> None:
    """Trap 6: branch and bound says 2.9999999997 for 3; certified is |T| − 3, not |T| − 2."""
    case, budget = drawn
    always = int((case["problem"].eta <= 0).all(axis=0).sum())
    truth = most_attacked(case, budget)

    def solution(program):
        return Solution("optimal", best_bound=truth - always - 3e-10, trusted=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOLVERS, "highs", lambda time_limit: Liar(solution))
        found = collective_receptive(**case, budgets=[budget], method="milp")
    assert found.attacked_upper[0] >= truth


@pytest.mark.parametrize("solver", ["highs", "cvxpy"])
def test_a_time_limit_leaves_a_proved_bound_and_says_so(solver) -> None:
    case = ring(400)
    budget = [(6, 6)]
    limited = collective_receptive(**case, budgets=budget, method="milp", time_limit=0.0, solver=solver)
    linear, naive = (collective_receptive(**case, budgets=budget, method=method) for method in ("lp", "naive"))
    attack = linear.attacked_upper[0] - linear.gap[0]
    assert attack <= limited.attacked_upper[0] <= naive.attacked_upper[0]
    assert limited.certified[0] <= linear.certified[0]
    assert limited.status[0] != "optimal"
    assert linear.certified[0] > naive.certified[0]
