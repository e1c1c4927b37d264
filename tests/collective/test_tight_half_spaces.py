"""Tight half-spaces from above and below: no allocation that breaks a majority weighs less than its η*."""

from fractions import Fraction

import numpy as np
import pytest
from cases import DYADIC_FLIPS
from hypothesis import given, settings
from hypothesis import strategies as st
from localized_oracle import allocations
from tight_oracle import FIVE, LEVELS, critical_at, exact_critical, problems

from graphcert.collective.exact import TightProblem
from graphcert.collective.exact.directions import critical_by_weight, flip_rows, tight_directions
from graphcert.noise import BernoulliFlip
from graphcert.tradeoff import trade_off


@settings(max_examples=50)
@given(problem=problems(), data=st.data())
def test_what_breaks_a_majority_weighs_at_least_its_support_value(problem, data):
    budget = np.array(data.draw(st.tuples(*[st.integers(0, 2) for _ in problem.classes])))
    found = tight_directions(problem, budget + np.array(data.draw(st.integers(0, 1))), 0.1)
    removes = problem.deletes.astype(int)
    for b in allocations(problem.axis_class, problem.capacity, budget):
        for group in range(problem.law_of_axis.shape[0]):
            level = problem.levels[1][[group]]
            for other in np.unique(problem.cells.other):
                critical = exact_critical(problem, group, b, other)
                for direction in found:
                    spent = int(direction.weight[problem.law_of_axis[group], removes] @ np.array(b))
                    assert direction.support(np.array([critical]), level, np.array([other]))[0] <= spent


def test_the_hockey_stick_program_is_nearly_the_support_value():
    """Against the definition, over all allocations of one group that sees five levels."""
    problem = five_levels()
    budget = np.array([3, 1])
    p, level, other = np.linspace(0.5, 0.98, 40), np.zeros(40, int), np.ones(40)
    spendings = list(allocations(problem.axis_class, problem.capacity, budget))
    critical = np.array([exact_critical(problem, 0, b) for b in spendings])
    for direction in tight_directions(problem, budget, 2.0):
        spent = np.array(spendings) @ direction.weight[problem.law_of_axis[0], problem.deletes.astype(int)]
        least = np.array([spent[critical >= one].min(initial=10**6) for one in p])
        found = direction.support(p, level, other)
        assert (found <= least).all()
        reached = least < 10**6
        assert found[reached].mean() >= 0.8 * least[reached].mean()


def five_levels():
    return TightProblem(
        np.zeros(1, int), np.array([0.9]), FIVE, np.tile(np.arange(5), 2)[None], np.repeat([0, 1], 5), np.full(10, 9),
        ("feature_add", "feature_delete"),
    )  # fmt: skip


@settings(max_examples=80)
@given(
    DYADIC_FLIPS,
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from([(False, False), (True, False), (True, True)]),
    LEVELS,
)
def test_one_law_is_bounded_closely(law, add, delete, near, level):
    rows = np.array([flip_rows(law, False), flip_rows(law, True)])
    weight = np.array([1, 1])
    levels = np.array([0.5, level])
    found = critical_by_weight(
        rows, np.array([0, 1]), weight, np.array([add, delete, 0, 0]), np.array(near), add + delete, levels,
        np.array([0.01, 0.2, 1.0]),
    )  # fmt: skip
    whole = trade_off(law, add, delete)
    for mine, target in zip(found, levels, strict=True):
        for own, other in zip(mine, (0.01, 0.2, 1.0), strict=True):
            tie = target if other == 1.0 else min(target, whole.upper_exact(Fraction(other)) + 2 * Fraction(target) - 1)
            truth = critical_at(whole, tie)
            assert truth <= own[add + delete] <= truth + (0.02 if other == 1.0 else 0.05)


@pytest.mark.parametrize(
    "law", [BernoulliFlip(0, 0.3), BernoulliFlip(0.3, 0), BernoulliFlip(1, 0.4), BernoulliFlip(0, 0)]
)
def test_laws_that_tell_something_for_certain(law):
    rows, half = np.array([flip_rows(law, True)]), np.array([0.5])
    amounts = np.array([2, 0, 0, 0])
    found = critical_by_weight(rows, np.array([0]), np.array([2]), amounts, np.array([False]), 4, half, np.ones(1))[
        0, 0
    ]
    for amount in range(3):
        truth = trade_off(law, delete=amount).critical
        assert truth <= found[2 * amount] <= truth + 0.02
