"""The tight certificate among the others: it is the strongest, and moves the right way with everything it depends on."""

from dataclasses import replace

import numpy as np
import pytest
from cases import DYADIC
from hypothesis import given, settings
from hypothesis import strategies as st
from localized_oracle import allocations
from tight_oracle import FIVE, ROUNDING, budgets_of, fallen, problems

from graphcert.collective import collective_localized
from graphcert.collective.exact import TightProblem, budget_solver, collective_tight, tight_problem
from graphcert.noise import BernoulliFlip, Partition, Smoothing
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order


def safe(problem):
    """The problem with majorities a little larger, so that none is exactly critical."""
    return replace(problem, p_lower=np.minimum(problem.p_lower + 1e-9, 1.0))


@settings(max_examples=60)
@given(problems(), st.data())
def test_tight_is_at_least_milp_with_all_orders_and_with_order_2_and_naive(problem, data):
    budget = data.draw(budgets_of(problem))
    problem = safe(problem)
    tight = collective_tight(problem, [budget]).certified[0]
    published = problem.half_spaces([Order(2.0)])
    all_orders = problem.half_spaces([Order(2.0), *DEFAULT_ORDERS])
    milp = collective_localized(all_orders, [budget], method="milp", bins=None).certified[0]
    order_2 = collective_localized(published, [budget], method="milp", bins=None).certified[0]
    naive = collective_localized(published, [budget], method="naive").certified[0]
    assert tight >= milp >= order_2 >= naive
    found = allocations(problem.axis_class, problem.capacity, budget)
    assert tight >= (~np.any([fallen(problem, b) for b in found], axis=0)).sum(), "each output alone, exactly"


@pytest.mark.parametrize("tabulated", [0, 10**6])
@settings(max_examples=60)
@given(problem=problems(), data=st.data())
def test_the_program_without_branching_is_between_the_search_and_the_relaxation_of_all_orders(tabulated, problem, data):
    """The concave hull, and the staircase program of tight half-spaces."""
    budget = data.draw(budgets_of(problem))
    problem = safe(problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget_solver, "_SPLITS_PER_SECOND", tabulated)
        program = collective_tight(problem, [budget], branching=False)
    relaxed = collective_localized(problem.half_spaces(), [budget], method="lp", bins=None)
    assert collective_tight(problem, [budget]).attacked_upper[0] <= program.attacked_upper[0]
    assert program.attacked_upper[0] <= relaxed.bound[0] + 1e-6
    assert program.method[0] in ("naive", "tight-lp")
    assert (
        fallen(problem, program.attacks[0], ROUNDING, rounded=True).sum() >= program.attacked_upper[0] - program.gap[0]
    )


@settings(max_examples=60)
@given(problems(), st.data())
def test_monotone_in_budget_capacity_and_majority(problem, data):
    budget = np.array(data.draw(budgets_of(problem)))
    more = budget + np.array(data.draw(budgets_of(problem, 2)))
    one = collective_tight(problem, [budget]).certified[0]
    assert collective_tight(problem, [more]).certified[0] <= one
    assert collective_tight(replace(problem, capacity=problem.capacity + 1), [budget]).certified[0] <= one
    higher = problem.p_lower + np.array(data.draw(st.lists(st.floats(0, 0.1), min_size=1, max_size=1)))
    assert collective_tight(replace(problem, p_lower=np.minimum(higher, 1.0)), [budget]).certified[0] >= one
    sweep = collective_tight(problem, [more, budget, more])
    assert sweep.certified[0] == sweep.certified[2] <= sweep.certified[1]
    raised = replace(problem, level=np.minimum(problem.level + data.draw(st.floats(0, 0.2)), 1 - 2.0**-53))
    assert collective_tight(raised, [budget]).certified[0] <= one


@settings(max_examples=40)
@given(problems(), DYADIC, DYADIC, st.data())
def test_equal_levels_are_the_isotropic_certificate(problem, add, delete, data):
    law = BernoulliFlip(add, delete)
    same = replace(problem, laws=(law,) * len(problem.laws), capacity=np.full(problem.capacity.size, 9))
    budget = data.draw(budgets_of(problem))
    b = np.zeros(problem.capacity.size, int)
    for index, amount in enumerate(budget):
        b[np.flatnonzero(problem.axis_class == index)[:1]] = amount  # anywhere, it is all the same
    attacked = collective_tight(same, [budget]).attacked_upper[0]
    assert fallen(same, b).sum() <= attacked <= fallen(same, b, ROUNDING, rounded=True).sum()


def test_a_scheme_becomes_its_problem():
    """Ranks, not sorted blocks; edges at the larger rank; capacities of the graph."""
    affinity = np.array([[9, 1, 3], [1, 9, 2], [3, 2, 9]])
    partition = Partition.of_affinity(np.array([0, 0, 1, 1, 2, 2]), affinity)
    features, edges = list(FIVE[:3]), [BernoulliFlip(0.1, 0.5), BernoulliFlip(0.2, 0.6), BernoulliFlip(0.3, 0.65)]
    p = np.linspace(0.6, 0.999, 6)
    problem = tight_problem(Smoothing(features, edges, partition), p)
    assert problem.law_of_axis[0].tolist()[:3] == [0, 2, 1]
    low, high = np.triu_indices(3)
    expected = 3 + np.maximum(partition.rank[0][low], partition.rank[0][high])
    assert problem.law_of_axis[0].tolist()[6:12] == expected.tolist()
    curve = collective_tight(problem, [(1, 0, 0, 0), (0, 1, 1, 0), (0, 0, 1, 1)])
    assert (curve.gap == 0).all()
    assert curve.attacks.shape == (3, 2 * 3 + 2 * 6)
    for budget, b, upper in zip(curve.budgets, curve.attacks, curve.attacked_upper, strict=True):
        assert np.bincount(problem.axis_class, b, 4).tolist() == budget.tolist()
        assert fallen(problem, b, ROUNDING, rounded=True).sum() == upper


@pytest.mark.parametrize("tabulated", [0, 10**6])
def test_the_linear_program_alone_helps_where_the_search_has_no_time(tabulated, monkeypatch):
    """Twelve groups: the naive bound, the program of half-spaces or of hulls, and the closed search, in this order."""
    rng = np.random.default_rng(0)
    groups = 12
    rank = np.array([np.roll(np.arange(groups), i) for i in range(groups)])
    problem = TightProblem(
        rng.integers(0, groups, 600), 1 - 0.4 * rng.beta(0.4, 2, 600), FIVE[:4], rank // 3, np.zeros(groups, int),
        np.full(groups, 99), ("feature_add",),
    )  # fmt: skip
    closed = collective_tight(problem, [6])
    assert closed.method.tolist() == ["tight"]
    monkeypatch.setattr(budget_solver, "_SPLITS_PER_SECOND", tabulated)
    monkeypatch.setattr(budget_solver, "_FIRST_BOXES", 0)
    monkeypatch.setattr(budget_solver._OneBudget, "_branch", lambda self, *_: None)
    stopped = collective_tight(problem, [6])
    assert stopped.method.tolist() == ["tight-lp"]
    naive = collective_localized(problem.half_spaces(), [6], method="naive").attacked_upper[0]
    assert closed.attacked_upper[0] <= stopped.attacked_upper[0] < naive
