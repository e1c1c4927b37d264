"""The localized collective certificate against every allocation: never above the truth, exactly the truth as MILP."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localized_oracle import alone, budgets_of, masks, most_attacked, problems

from graphcert.collective import LocalizedProblem, collective_localized

METHODS = ("naive", "lp", "milp")


@settings(max_examples=250)
@given(problems(), st.data())
def test_naive_lp_milp_truth_in_this_order_and_milp_is_the_truth(problem, data) -> None:
    budgets = [data.draw(budgets_of(problem)), data.draw(budgets_of(problem))]
    targets = data.draw(masks(problem))
    truth = [most_attacked(problem, budget, targets) for budget in budgets]
    naive, lp, milp = (
        collective_localized(problem, budgets, method=method, targets=targets, bins=None) for method in METHODS
    )
    assert (naive.certified <= lp.certified).all()
    assert (lp.certified <= milp.certified).all()
    assert milp.attacked_upper.tolist() == truth
    assert (milp.gap == 0).all()
    for curve in (naive, lp):
        attack = curve.attacked_upper - curve.gap
        assert (np.isnan(attack) | (attack <= truth)).all()
    assert naive.attacked_upper.tolist() == _monotone([alone(problem, b, targets) for b in budgets], budgets)


def _monotone(attacked, budgets):
    """A bound at a budget also holds at smaller ones."""
    return [
        min(
            a
            for a, larger in zip(attacked, budgets, strict=True)
            if all(x >= y for x, y in zip(larger, b, strict=True))
        )
        for b in budgets
    ]


@settings(max_examples=120)
@given(problems(), st.integers(1, 4), st.data())
def test_rounding_eta_to_few_steps_stays_below_the_truth(problem, bins, data) -> None:
    budget = data.draw(budgets_of(problem))
    truth = most_attacked(problem, budget)
    exact = collective_localized(problem, [budget], method="naive", bins=None).attacked_upper[0]
    for method in METHODS:
        assert truth <= collective_localized(problem, [budget], method=method, bins=bins).attacked_upper[0] <= exact


@settings(max_examples=80)
@given(problems(), st.data())
def test_real_numbers_too(problem, data) -> None:
    """Weights and η that are no whole numbers: rounding in the solver may cost an output, never win one."""
    noise = st.floats(0.5, 1.5)
    scale = data.draw(st.lists(noise, min_size=problem.weights.size, max_size=problem.weights.size))
    lift = data.draw(st.lists(noise, min_size=problem.eta.size, max_size=problem.eta.size))
    real = replace(
        problem,
        weights=problem.weights * np.reshape(scale, problem.weights.shape),
        eta=problem.eta * np.reshape(lift, problem.eta.shape),
    )
    budget = data.draw(budgets_of(problem))
    attacked = [collective_localized(real, [budget], method=m, bins=None).attacked_upper[0] for m in METHODS]
    assert attacked[0] >= attacked[1] >= attacked[2] >= most_attacked(real, budget)
    shaken = replace(real, eta=real.eta * (1 - 1e-5) - 1e-5)
    assert attacked[2] <= most_attacked(shaken, budget)


@settings(max_examples=80)
@given(problems(), st.data())
def test_more_budget_and_more_capacity_never_certify_more(problem, data) -> None:
    budget = np.array(data.draw(budgets_of(problem, 3)))
    more = budget + np.array(data.draw(budgets_of(problem, 2)))
    roomier = replace(problem, capacity=problem.capacity + 1)
    for method in METHODS:
        one = collective_localized(problem, [budget], method=method).certified[0]
        assert collective_localized(problem, [more], method=method).certified[0] <= one
        assert collective_localized(roomier, [budget], method=method).certified[0] <= one
        together = collective_localized(problem, [more, budget], method=method).certified
        assert together[0] <= together[1]


@settings(max_examples=100)
@given(problems(), st.data())
def test_outputs_proved_robust_on_their_own_are_not_attacked(problem, data) -> None:
    budget = data.draw(budgets_of(problem))
    targets = data.draw(masks(problem))
    proved = np.array(data.draw(st.lists(st.booleans(), min_size=problem.outputs, max_size=problem.outputs)))
    truth = most_attacked(problem, budget, targets, proved)
    naive, lp, milp = (
        collective_localized(problem, [budget], method=m, targets=targets, robust_per_node=proved, bins=None)
        for m in METHODS
    )
    assert milp.attacked_upper[0] == truth
    assert milp.certified[0] >= lp.certified[0] >= naive.certified[0] >= (proved & targets).sum()
    if proved[targets].all():
        assert naive.attacked_upper[0] == 0


@settings(max_examples=60)
@given(problems(), st.data())
def test_a_mask_of_proofs_belongs_to_its_budget(problem, data) -> None:
    small = data.draw(budgets_of(problem, 2))
    sweep = [small, tuple(amount + 2 for amount in small)]
    proved = np.zeros((2, problem.outputs), dtype=bool)
    proved[0] = data.draw(masks(problem))
    for method in METHODS:
        found = collective_localized(problem, sweep, method=method, robust_per_node=proved, bins=None)
        assert found.attacked_upper[1] >= most_attacked(problem, sweep[1])
        assert found.attacked_upper[0] >= most_attacked(problem, small, robust_per_node=proved[0])
        assert method != "milp" or found.attacked_upper[1] == most_attacked(problem, sweep[1])


@settings(max_examples=80)
@given(problems(), st.data())
def test_only_targets_are_optimised_and_only_targets_are_counted(problem, data) -> None:
    """Trap 17: the same set in the objective and in |T| − bound, for the ratio and for the accuracy alike."""
    budget = data.draw(budgets_of(problem))
    targets, correct = data.draw(masks(problem)), data.draw(masks(problem))
    curve = collective_localized(problem, [budget], method="milp", targets=targets, correct=correct, bins=None)
    right = targets & correct
    assert curve.targets == targets.sum()
    assert curve.certified[0] == targets.sum() - most_attacked(problem, budget, targets)
    # The outputs outside must not matter at all: as if they did not exist.
    inside = replace(problem, groups=problem.groups[targets], eta=problem.eta[:, targets])
    assert curve.certified[0] == collective_localized(inside, [budget], method="milp", bins=None).certified[0]
    # Accuracy from a solve of its own over the correct targets, as a share of all targets.
    assert curve.correct_targets == right.sum()
    assert curve.accuracy[0] == (right.sum() - most_attacked(problem, budget, right)) / targets.sum()
    assert curve.accuracy[0] <= curve.ratio[0]


@settings(max_examples=60)
@given(problems(infinite=False), st.data())
def test_infinite_weights_are_the_limit_of_large_ones(problem, data) -> None:
    """Trap 16: ∞·0 is nothing; a block that a group cannot tolerate does harm only if it is touched."""
    budget = data.draw(budgets_of(problem))
    hit = np.array(data.draw(st.lists(st.booleans(), min_size=problem.weights.size, max_size=problem.weights.size)))
    hit = hit.reshape(problem.weights.shape)
    infinite = replace(problem, weights=np.where(hit, np.inf, problem.weights))
    large = replace(problem, weights=np.where(hit, 1e3, problem.weights))
    for method in METHODS:
        found = collective_localized(infinite, [budget], method=method, bins=None).attacked_upper
        assert found.tolist() == collective_localized(large, [budget], method=method, bins=None).attacked_upper.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_abstained_outputs_fall_without_any_change(method) -> None:
    eta = np.array([[0.0, -1.0, 2.0, 0.0], [0.0, 0.0, 2.0, 1.0]])
    nobody = np.zeros(1, int)
    problem = LocalizedProblem(np.zeros(4, int), eta, np.ones((2, 1, 1)), nobody, np.array([5]), ("feature_add",))
    curve = collective_localized(problem, [0, 1, 2], method=method)
    assert curve.attacked_upper.tolist() == [2, 3, 4]
    assert curve.gap[0] == 0
    assert method == "naive" or curve.gap.tolist() == [0, 0, 0]


@pytest.mark.parametrize("method", METHODS)
def test_what_only_an_intolerable_block_breaks_survives_all_others(method) -> None:
    """η = ∞ (a probability of 1): finite weights never add up to it, one change of infinite weight does."""
    problem = LocalizedProblem(
        groups=np.zeros(3, int),
        eta=np.array([[np.inf, np.inf, 4.0]]),
        weights=np.array([[[np.inf, 1.0]]]),
        axis_class=np.array([0, 1]),
        capacity=np.array([1, 9]),
        classes=("feature_add", "feature_delete"),
    )
    sweep = [(0, 3), (0, 5), (0, 9), (1, 0), (1, 9)]
    assert collective_localized(problem, sweep, method=method).attacked_upper.tolist() == [0, 1, 1, 3, 3]


def test_weights_too_small_for_a_solver_are_not_dropped() -> None:
    """A weight of 9e-10 lets 4,000 changes break what needs 3.6e-6: solvers take such coefficients for zero."""
    problem = LocalizedProblem(
        groups=np.array([0] * 10 + [1] * 7),
        eta=np.array([[3.0] * 10 + [3.6e-6] * 7]),
        weights=np.array([[[1.0, 0.0], [0.0, 9e-10]]]),
        axis_class=np.array([0, 0]),
        capacity=np.array([10_000, 10_000]),
        classes=("feature_add",),
    )
    for method in ("lp", "milp"):
        assert collective_localized(problem, [9000], method=method).attacked_upper.tolist() == [17]
