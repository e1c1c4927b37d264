"""Grouped staircases against the plain program of the paper; what a solver fails to prove is not certified."""

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localized_oracle import budgets_of, masks, most_attacked, problems
from localized_reference import LocalizedReference
from seeds import fresh_rng

from graphcert.collective import LocalizedProblem, axis_weights, collective_localized
from graphcert.collective.solvers import SOLVERS
from graphcert.collective.solvers.program import Solution
from graphcert.errors import GraphcertError, InputError
from graphcert.noise import BernoulliFlip
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, order_eta


def realistic(outputs=150, clusters=4):
    """Orders of divergence on made-up majorities: additions and deletions over blocks, all directions nested in p."""
    rng = fresh_rng()
    laws = [BernoulliFlip(0.05 + 0.01 * k, 0.65 + 0.1 * k) for k in range(clusters)]
    rank = np.stack([np.roll(np.arange(clusters), i) for i in range(clusters)])
    p = 1 - 0.5 * rng.beta(0.4, 1.2, outputs).round(3)
    return LocalizedProblem(
        groups=rng.integers(0, clusters, outputs),
        eta=np.stack([order_eta(p, *order) for order in DEFAULT_ORDERS]),
        weights=axis_weights(laws, np.tile(rank, 2), np.repeat([False, True], clusters)),
        axis_class=np.repeat([0, 1], clusters),
        capacity=np.full(2 * clusters, 100),
        classes=("feature_add", "feature_delete"),
    )


@settings(max_examples=40)
@given(problems(nested=True, infinite=False), st.data())
def test_grouping_without_rounding_keeps_the_relaxation_of_the_staircase(problem, data) -> None:
    budget, targets = np.array(data.draw(budgets_of(problem))), data.draw(masks(problem))
    grouped = collective_localized(problem, [budget], targets=targets, bins=None)
    nested = LocalizedReference(problem, targets, budget, integer=False, nested=True).attacked(budget)
    plain = LocalizedReference(problem, targets, budget, integer=False).attacked(budget)
    assert grouped.bound[0] == pytest.approx(min(nested, grouped.bound[0]), abs=1e-5)
    assert grouped.method[0] == "naive" or grouped.bound[0] == pytest.approx(nested, abs=1e-5)
    assert grouped.bound[0] <= plain + 1e-5


@settings(max_examples=40)
@given(problems(), st.data())
def test_grouping_without_rounding_keeps_the_integer_optimum(problem, data) -> None:
    budget, targets = np.array(data.draw(budgets_of(problem))), data.draw(masks(problem))
    plain = LocalizedReference(problem, targets, budget, integer=True)
    grouped = collective_localized(problem, [budget], method="milp", targets=targets, bins=None)
    assert grouped.attacked_upper[0] == round(plain.attacked(budget))


def test_the_reference_is_built_once_and_answers_for_every_budget() -> None:
    problem = realistic(60, 3)
    every, most = np.ones(60, dtype=bool), np.array([3, 2])
    reference = LocalizedReference(problem, every, most, integer=False, nested=True)
    sweep = [(0, 0), (1, 0), (0, 2), (3, 2)]
    curve = collective_localized(problem, sweep, bins=None)
    values = [reference.attacked(np.array(budget)) for budget in sweep]
    assert curve.attacked_upper.tolist() == [int(np.floor(value + 1e-6)) for value in values]
    proved = np.arange(60) % 2 == 0
    masked = collective_localized(problem, [most], robust_per_node=proved, bins=None)
    assert masked.bound[0] == pytest.approx(reference.attacked(most, proved), abs=1e-5)


def test_the_reference_refuses_groups_that_are_not_nested_and_answers_that_are_no_optimum() -> None:
    crossing = LocalizedProblem(
        np.zeros(2, int),
        np.array([[1.0, 2.0], [2.0, 1.0]]),
        np.ones((2, 1, 1)),
        np.zeros(1, int),
        np.array([9]),
        ("x",),
    )
    every = np.ones(2, dtype=bool)
    with pytest.raises(InputError, match="alike"):
        LocalizedReference(crossing, every, np.array([3]), integer=False, nested=True)
    slow = realistic(400)
    reference = LocalizedReference(slow, np.ones(400, dtype=bool), np.array([6, 6]), integer=True)
    with pytest.raises(GraphcertError, match="not solved"):
        reference.attacked(np.array([6, 6]), time_limit=0.05)


def test_directions_in_one_order_make_one_chain_per_group_and_a_tight_relaxation() -> None:
    problem = realistic(600, 4)
    budget = np.array([3, 3])
    every = np.ones(600, dtype=bool)
    grouped = collective_localized(problem, [budget], bins=None)
    plain = LocalizedReference(problem, every, budget, integer=False).attacked(budget)
    assert grouped.bound[0] < plain - 10
    exact = collective_localized(problem, [budget], method="milp", bins=None)
    assert exact.status[0] == "optimal"
    assert exact.attacked_upper[0] <= grouped.attacked_upper[0]


@settings(max_examples=25)
@given(problems(), st.data())
def test_cvxpy_and_highs_agree(problem, data) -> None:
    sweep = [data.draw(budgets_of(problem)), data.draw(budgets_of(problem))]
    for method in ("lp", "milp"):
        direct = collective_localized(problem, sweep, method=method)
        through = collective_localized(problem, sweep, method=method, solver="cvxpy")
        assert direct.attacked_upper.tolist() == through.attacked_upper.tolist()
        assert direct.bound == pytest.approx(through.bound, abs=1e-5)


def test_a_sweep_in_one_go_is_the_sweep_in_any_order() -> None:
    """Hot starts with new limits and new counts change nothing."""
    problem = realistic(200)
    sweep = [(a, d) for a in range(5) for d in (0, 1, 3)]
    whole = collective_localized(problem, sweep, bins=None)
    turned = collective_localized(problem, sweep[::-1], bins=None)
    assert turned.attacked_upper.tolist() == whole.attacked_upper[::-1].tolist()
    # Alone, a budget's program also lowers the weights to what that budget can break.
    singly = [collective_localized(problem, [budget], bins=None).attacked_upper[0] for budget in sweep]
    assert (whole.attacked_upper >= singly).all()
    assert whole.attacked_upper[-1] == singly[-1]


@pytest.mark.parametrize("solver", ["highs", "cvxpy"])
@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_a_time_limit_leaves_a_proved_bound_and_says_so(solver, seconds) -> None:
    problem = realistic(1500)
    budget = [(5, 5)]
    limited = collective_localized(problem, budget, method="milp", time_limit=seconds, solver=solver)
    linear, naive = (collective_localized(problem, budget, method=method) for method in ("lp", "naive"))
    attack = linear.attacked_upper[0] - linear.gap[0]
    assert attack <= limited.attacked_upper[0] <= naive.attacked_upper[0]
    if seconds == 0:
        assert limited.status[0] != "optimal"
        assert limited.certified[0] <= linear.certified[0]


class Liar:
    """A solver that says the same thing about everything."""

    def __init__(self, solution):
        self.solution = solution

    def solve_linear(self, program):
        return self.solution(program)

    def solve_integer(self, program, start=None):
        return self.solution(program)


@settings(max_examples=60)
@given(
    problems(), st.data(), st.sampled_from(["zeros", "nan", "negative", "huge", "none", "attacks nothing", "failure"])
)
def test_a_lying_solver_cannot_win_more_than_the_truth(problem, data, lie) -> None:
    """Trap 6: a failure is never stored as a number, an objective never taken for a bound."""

    def solution(program):
        size = program.row_upper.shape
        duals = {"zeros": np.zeros(size), "nan": np.full(size, np.nan), "negative": np.full(size, -1.0)}
        duals["huge"] = np.full(size, 1e300)
        claim = {"attacks nothing": -1.0, "failure": 0.0}.get(lie, np.nan)
        point = np.zeros(program.objective.shape)
        return Solution(
            "optimal" if lie != "failure" else "error",
            duals=duals.get(lie), best_bound=claim, point=point, trusted=lie != "failure",
        )  # fmt: skip

    budget = data.draw(budgets_of(problem))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOLVERS, "highs", lambda time_limit: Liar(solution))
        lied = collective_localized(problem, [budget], method="milp", bins=None)
    assert lied.attacked_upper[0] >= most_attacked(problem, budget)


@settings(max_examples=60)
@given(problems(), st.data())
def test_an_objective_a_little_below_a_whole_number_is_not_floored_to_the_one_below(problem, data) -> None:
    """Trap 6: branch and bound says 2.9999999997 for 3; certified is |T| − 3, not |T| − 2."""
    budget = data.draw(budgets_of(problem))
    truth = most_attacked(problem, budget)

    def solution(program):
        return Solution("optimal", best_bound=truth - 3e-10, trusted=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOLVERS, "highs", lambda time_limit: Liar(solution))
        found = collective_localized(problem, [budget], method="milp", bins=None)
    assert found.attacked_upper[0] >= truth


def test_a_claim_below_an_attack_is_refuted() -> None:
    problem = realistic(200)
    honest = collective_localized(problem, [(3, 3)], method="milp", bins=None)
    assert honest.gap[0] == 0

    def solution(program):
        return Solution("optimal", best_bound=1.0, trusted=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOLVERS, "highs", lambda time_limit: Liar(solution))
        lied = collective_localized(problem, [(3, 3)], method="milp", bins=None)
    assert lied.method[0] == "naive"
    assert lied.attacked_upper[0] >= honest.attacked_upper[0]


def test_cvxpy_has_highs() -> None:
    assert "HIGHS" in cvxpy.installed_solvers()
