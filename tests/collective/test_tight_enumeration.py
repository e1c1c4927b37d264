"""The tight collective certificate against every allocation in rational arithmetic: it is the truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localized_oracle import allocations
from tight_oracle import FIVE, ROUNDING, budgets_of, exact_critical, fallen, masks, most_fallen, problems

from graphcert.collective.exact import TightProblem, budget_solver, collective_tight
from graphcert.noise import BernoulliFlip

WAYS = {
    "all bounds": (10_000, (3e6, 10.0), 1e6),
    "prices of the hull from the start": (0, (3e6, 10.0), 1e6),
    "prices of the hull alone": (0, (0.0, 10.0), 1e6),
    "prices of half-spaces from the start": (0, (3e6, 10.0), 0),
    "prices of half-spaces alone": (0, (0.0, 10.0), 0),
    "one round of prices": (0, (0.0, 1.0), 0),
    "greedy alone": (10_000, (0.0, 0.0), 0),
    "prices that are never evaluated": (0, (0.0, 0.0), 0),
}
"""Boxes before prices are made; work of a star bound, rounds of prices; splits tabulated per second."""


def use(patch, way):
    boxes, effort, tabulated = WAYS[way]
    patch.setattr(budget_solver, "_FIRST_BOXES", boxes)
    patch.setattr(budget_solver, "EFFORT", np.array(effort))
    patch.setattr(budget_solver, "_SPLITS_PER_SECOND", tabulated)


def lies_within(problem, b, budget):
    spent = np.bincount(problem.axis_class, b, minlength=len(problem.classes))
    return (b >= 0).all() and (b <= problem.capacity).all() and (spent <= budget).all()


def check(problem, budgets, **more):
    """Bounds, attacks and gaps of a curve that must have been closed."""
    curve = collective_tight(problem, budgets, **more)
    counted = more.get("targets")
    worth = np.ones(problem.outputs, dtype=bool) if counted is None else counted
    for i, budget in enumerate(budgets):
        truth = most_fallen(problem, budget, worth)
        assert truth <= curve.attacked_upper[i] <= most_fallen(problem, budget, worth, ROUNDING, rounded=True)
        assert curve.gap[i] == 0
        assert curve.status[i] == "closed"
        assert lies_within(problem, curve.attacks[i], budget)
        assert (fallen(problem, curve.attacks[i], ROUNDING, rounded=True) & worth).sum() >= curve.attacked_upper[i]
    return curve


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60)
@given(problem=problems(), data=st.data())
def test_closed_bounds_are_the_truth(way, problem, data):
    with pytest.MonkeyPatch.context() as patch:
        use(patch, way)
        check(problem, [data.draw(budgets_of(problem))], bins=data.draw(st.sampled_from([1, 2, 256])))


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=15)
@given(problem=problems(laws=st.sampled_from(FIVE), most_axes=5), data=st.data())
def test_levels_that_form_no_chain(way, problem, data):
    with pytest.MonkeyPatch.context() as patch:
        use(patch, way)
        check(problem, [data.draw(budgets_of(problem, 2))])


@settings(max_examples=60)
@given(problems(), st.data())
def test_targets_and_several_budgets(problem, data):
    sweep = [data.draw(budgets_of(problem)) for _ in range(3)]
    targets = data.draw(masks(problem))
    curve = check(problem, sweep, targets=targets)
    assert curve.targets == targets.sum()


@settings(max_examples=40)
@given(problems(), st.data())
def test_accuracy_is_a_solve_of_its_own_over_the_correct_targets(problem, data):
    budget, targets, correct = data.draw(budgets_of(problem)), data.draw(masks(problem)), data.draw(masks(problem))
    curve = collective_tight(problem, [budget], targets=targets, correct=correct)
    right = targets & correct
    truth = most_fallen(problem, budget, right)
    assert truth <= curve.correct_upper[0] <= most_fallen(problem, budget, right, ROUNDING, rounded=True)
    assert curve.correct_targets == right.sum()
    assert curve.accuracy[0] <= curve.ratio[0]


@settings(max_examples=60)
@given(problems(), st.data())
def test_without_any_time_the_bound_still_holds(problem, data):
    sweep = [data.draw(budgets_of(problem)) for _ in range(2)]
    curve = collective_tight(problem, sweep, time_limit=0)
    for budget, upper, gap in zip(sweep, curve.attacked_upper, curve.gap, strict=True):
        assert most_fallen(problem, budget) <= upper
        assert upper - gap <= most_fallen(problem, budget, slack=ROUNDING, rounded=True)


@settings(max_examples=40)
@given(problems(), st.data())
def test_outputs_proved_robust_elsewhere_are_not_counted(problem, data):
    budget = data.draw(budgets_of(problem, 2))
    found = list(allocations(problem.axis_class, problem.capacity, budget))
    ever = np.any([fallen(problem, b) for b in found], axis=0)
    curve = collective_tight(problem, [budget], robust_per_node=~ever)
    assert most_fallen(problem, budget) <= curve.attacked_upper[0]
    assert curve.attacked_upper[0] <= most_fallen(problem, budget, ever, ROUNDING, rounded=True)
    assert curve.certified[0] >= (~ever).sum()
    assert (
        collective_tight(problem, [budget], robust_per_node=np.ones((1, problem.outputs), bool)).attacked_upper[0] == 0
    )


@pytest.mark.parametrize("boxes", [0, 10_000])
@settings(max_examples=60)
@given(problem=problems(), data=st.data())
def test_a_cutoff_is_where_interest_ends(boxes, problem, data):
    budget, cutoff = data.draw(budgets_of(problem)), data.draw(st.integers(0, problem.outputs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget_solver, "_FIRST_BOXES", boxes)
        curve = collective_tight(problem, [budget], cutoff=[cutoff])
    truth, nearly = most_fallen(problem, budget), most_fallen(problem, budget, slack=ROUNDING, rounded=True)
    assert truth <= curve.attacked_upper[0] <= max(nearly, cutoff)
    assert curve.attacked_upper[0] - curve.gap[0] <= fallen(problem, curve.attacks[0], ROUNDING, rounded=True).sum()
    assert curve.status[0] in ("closed", "cut off")
    assert curve.status[0] == "closed" or curve.attacked_upper[0] <= cutoff


def test_plain_greedy_over_levels_without_order_would_certify_too_much():
    """Thirty deletions at levels 3 and 4: all at level 3 is not the worst, though level 3 has the larger log-ratios."""
    critical = np.array([
        exact_critical(one_group(FIVE[3:], [0.5]), 0, (30 - far, far)) for far in range(31)
    ])  # fmt: skip
    assert critical.max() > critical[0] + 0.002
    between = np.linspace(critical[0], critical.max(), 7)[1:-1]
    curve = collective_tight(one_group(FIVE[3:], between), [30])
    assert curve.attacked_upper.tolist() == [5]
    assert curve.gap.tolist() == [0]
    assert 30 - curve.attacks[0, 0] == critical.argmax()


def one_group(laws, p):
    """One group that sees one block per law, to be deleted from."""
    axes = len(laws)
    return TightProblem(
        np.zeros(len(p), int), np.array(p), laws, np.arange(axes)[None], np.zeros(axes, int), np.full(axes, 30),
        ("feature_delete",),
    )  # fmt: skip


def test_a_channel_without_noise_breaks_everything_once_touched():
    problem = TightProblem(
        np.zeros(3, int), np.array([0.4, 0.9, 1.0]), (BernoulliFlip(0, 0),), np.zeros((1, 1), int), np.zeros(1, int),
        np.array([5]), ("edge_add",),
    )  # fmt: skip
    assert collective_tight(problem, [0, 1, 5]).attacked_upper.tolist() == [1, 3, 3]


def test_budgets_too_large_to_search_certify_nothing_that_is_not_proved_elsewhere():
    problem = one_group(FIVE[:1], [0.4, 0.9])
    curve = collective_tight(replace(problem, capacity=np.array([10**6])), [10**5], robust_per_node=[False, True])
    assert curve.attacked_upper.tolist() == [1]
    assert np.isnan(curve.gap[0])
