"""The certificate against the truth: every perturbation of a tiny graph, enumerated."""

import numpy as np
from collective_oracle import most_attacked, problems
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.collective import collective_strictly_local, naive_bound


def chain(problem, budgets, **masks):
    """Attacked counts by the naive, linear and integer program, and the last one's curve."""
    naive = naive_bound(**problem, budgets=budgets, **masks)
    linear = collective_strictly_local(**problem, budgets=budgets, **masks)
    exact = collective_strictly_local(**problem, budgets=budgets, integer=True, **masks)
    return naive, linear, exact


@settings(max_examples=300)
@given(problems())
def test_naive_lp_milp_and_truth_are_ordered_and_the_milp_is_the_truth(case):
    problem, budget = case
    naive, linear, exact = chain(problem, [budget])
    truth = most_attacked(problem, budget, np.ones(len(problem["grid"]), dtype=bool))
    assert naive.attacked_upper[0] >= linear.attacked_upper[0] >= exact.attacked_upper[0] == truth
    assert naive.certified[0] <= linear.certified[0] <= exact.certified[0] == len(problem["grid"]) - truth
    assert linear.bound[0] >= exact.bound[0] - 1e-6
    assert exact.gap[0] == 0 or np.isnan(exact.gap[0])
    assert not linear.gap[0] < linear.attacked_upper[0] - truth  # a known attack is never better than the best one


@settings(max_examples=100)
@given(problems(max_nodes=4), st.data())
def test_targets_and_accuracy_have_their_own_truth(case, data):
    problem, budget = case
    nodes = len(problem["grid"])
    masks = st.lists(st.booleans(), min_size=nodes, max_size=nodes).map(np.array)
    targets, correct = data.draw(masks.filter(np.any)), data.draw(masks)
    for curve, exactly in zip(chain(problem, [budget], targets=targets, correct=correct), (0, 0, 1), strict=True):
        truth = targets.sum() - most_attacked(problem, budget, targets)
        accurate = (targets & correct).sum() - most_attacked(problem, budget, targets & correct)
        assert curve.targets == targets.sum()
        assert curve.certified[0] <= truth
        assert curve.accuracy[0] <= accurate / targets.sum()
        if exactly:
            assert curve.certified[0] == truth
            assert curve.ratio[0] == truth / targets.sum()
            assert curve.accuracy[0] == accurate / targets.sum()


@settings(max_examples=60)
@given(problems(), st.permutations(range(3)))
def test_a_sweep_is_its_budgets_one_by_one_in_any_order(case, order):
    problem, largest = case
    sweep = [tuple(min(size, step) for size in largest) for step in order]
    for integer in (False, True):
        together = collective_strictly_local(**problem, budgets=sweep, integer=integer)
        alone = [collective_strictly_local(**problem, budgets=[b], integer=integer).attacked_upper[0] for b in sweep]
        assert together.attacked_upper.tolist() == alone
        assert together.budgets.tolist() == [list(b) for b in sweep]


@settings(max_examples=60)
@given(problems())
def test_a_larger_budget_never_certifies_more_and_no_budget_only_loses_the_uncertified(case):
    problem, budget = case
    more = tuple(size + 1 for size in budget)
    for curve in chain(problem, [more, budget, (0,) * len(budget)]):
        assert curve.certified[0] <= curve.certified[1] <= curve.certified[2]
        assert curve.certified[2] == problem["grid"].reshape(len(problem["grid"]), -1)[:, 0].sum()
        assert curve.gap[2] == 0


@settings(max_examples=30)
@given(problems(limits=False))
def test_limits_only_help_the_defender(case):
    problem, budget = case
    free = chain(problem, [budget])
    for limit in ({"local_budget": 1}, {"attackers": 1}):
        for unlimited, limited in zip(free, chain({**problem, **limit}, [budget]), strict=True):
            assert limited.certified[0] >= unlimited.certified[0]
    for limit in ({"local_budget": max(budget)}, {"attackers": len(problem["grid"])}):
        for unlimited, limited in zip(free, chain({**problem, **limit}, [budget]), strict=True):
            assert limited.certified[0] == unlimited.certified[0]
