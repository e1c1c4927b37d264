"""Prices of half-spaces against every allocation, and distances of shifts against the package's own."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localized_oracle import budgets_of, masks, most_attacked, problems

import graphcert as gc
from graphcert.verification.norms import proved_distance
from graphcert.verification.prices import HalfSpaces, proved_by_prices, scaled_down, scaled_up
from graphcert.verification.real_laws import survives_shift


def half_spaces(problem, kind):
    """A problem of half-spaces with finite η, of whole changes, as the verification reads it."""
    eta = [[scaled_down(Fraction(max(e, 0.0))) for e in row] for row in problem.eta.tolist()]
    weight = [
        [[None if np.isinf(w) else scaled_up(Fraction(w)) for w in row] for row in rows]
        for rows in problem.weights.tolist()
    ]
    axes, capacity = problem.axis_class.tolist(), problem.capacity.tolist()
    return HalfSpaces(problem.groups, eta, weight, axes, capacity, kind, True)


@settings(max_examples=60)
@given(st.data())
def test_any_prices_prove_what_no_allocation_exceeds(data):
    problem = data.draw(problems(infinite=False))
    budget, counted = data.draw(budgets_of(problem)), data.draw(masks(problem))
    kind = np.array(data.draw(st.lists(st.integers(0, 1), min_size=problem.outputs, max_size=problem.outputs)))
    voids = data.draw(st.lists(st.booleans(), min_size=problem.weights.size, max_size=problem.weights.size))
    problem.weights[np.array(voids).reshape(problem.weights.shape) & (problem.weights == 4)] = np.inf
    price = st.one_of(st.just(0.0), st.floats(0, 3))
    chains = [[n, *(data.draw(price) for _ in problem.eta)] for n in range(problem.outputs)]
    spaces = half_spaces(problem, kind)
    found = proved_by_prices({"prices": chains}, spaces, [Fraction(b) for b in budget], counted)
    assert most_attacked(problem, budget, counted) <= found


def test_prices_gain_over_outputs_alone():
    """Two groups that see one block each: a budget of 4 breaks one of them."""
    problem = gc.collective.LocalizedProblem(
        np.arange(8) % 2, np.full((1, 8), 4.0), np.eye(2)[None], np.zeros(2, int), np.array([9, 9]), ("feature_add",)
    )
    spaces, counted = half_spaces(problem, np.zeros(8, int)), np.ones(8, bool)
    for price, number in ((0.0, 8), (1.0, 4), (0.5, 6)):
        proof = {"prices": [[0, price], [1, price]]}
        assert proved_by_prices(proof, spaces, [Fraction(4)], counted) == number


@pytest.mark.parametrize("law", [gc.Gaussian(1.0), gc.Uniform(1.0), gc.Laplace(1.0)])
def test_distances_are_next_to_those_of_the_package_and_not_above_the_truth(law):
    kind = type(law).__name__.lower()
    pairs = [(0.6, 0.3), (0.9, 0.1), (0.999, 0.0005), (0.5001, 0.49), (0.4, 0.2), (0.9, None), (0.51, None)]
    for label, other in pairs:
        found = proved_distance(kind, label, other)
        rival = None if other is None else Fraction(other)
        above = found * (1 + Fraction(1, 10**6))
        assert survives_shift(kind, Fraction(1), found, Fraction(0), Fraction(label), rival)
        assert not survives_shift(kind, Fraction(1), above, Fraction(0), Fraction(label), rival)
    for label, other in ((0.5, None), (0.3, 0.3), (0.2, 0.5), (1.0, 0.0), (0.0, 1.0), (0.4, None)):
        assert proved_distance(kind, label, other) == 0 or label == 1.0
