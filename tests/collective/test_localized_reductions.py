"""Every reduction of the localized problem on its own: fewer axes, the reach of a budget, steps and chains."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localized_oracle import allocations, broken, budgets_of, most_attacked, problems
from seeds import fresh_rng

from graphcert.collective import LocalizedProblem
from graphcert.collective.half_spaces.localized import improved, whole_changes
from graphcert.collective.half_spaces.localized_problem import BlockAxes, reduce_axes
from graphcert.collective.half_spaces.localized_program import encode_localized
from graphcert.collective.half_spaces.thresholds import build_steps, find_kinds


@settings(max_examples=150)
@given(problems(), st.data())
def test_fewer_axes_break_as_much(problem, data) -> None:
    most = np.array(data.draw(budgets_of(problem)))
    axes = reduce_axes(problem.weights, problem.axis_class, problem.capacity, most)
    small = replace(problem, weights=axes.weights, axis_class=axes.axis_class, capacity=axes.capacity)
    assert axes.capacity.size <= problem.capacity.size
    for budget in product(*(range(amount + 1) for amount in most)):
        assert most_attacked(small, budget) == most_attacked(problem, budget)


def test_a_block_that_nobody_minds_less_is_dropped_only_if_another_has_room_for_all() -> None:
    weights = np.array([[[3.0, 2.0], [1.0, 1.0]]])
    one_class = np.zeros(2, dtype=int)
    assert reduce_axes(weights, one_class, np.array([5, 5]), np.array([5])).capacity.tolist() == [5]
    assert reduce_axes(weights, one_class, np.array([4, 5]), np.array([5])).capacity.size == 2
    alike = np.array([[[3.0, 3.0], [1.0, 1.0]]])
    assert reduce_axes(alike, one_class, np.array([4, 5]), np.array([20])).capacity.tolist() == [9]
    assert reduce_axes(alike, np.array([0, 1]), np.array([4, 5]), np.array([9, 9])).capacity.size == 2


@settings(max_examples=150)
@given(problems(), st.data())
def test_the_reach_of_a_budget_is_its_worst_allocation(problem, data) -> None:
    budget = np.array(data.draw(budgets_of(problem)))
    reach = BlockAxes(problem.weights, problem.axis_class, problem.capacity).reach(budget)
    found = list(allocations(problem.axis_class, problem.capacity, budget))
    for d, group in np.ndindex(reach.shape):
        row = problem.weights[d, group]
        worst = max(sum(w * amount for w, amount in zip(row, b, strict=True) if amount) for b in found)
        assert worst <= reach[d, group] <= worst * (1 + 1e-13)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6), st.lists(st.integers(0, 9), min_size=6, max_size=6))
def test_the_reach_is_rounded_up(weights, capacity) -> None:
    axes = BlockAxes(np.array([[weights]]), np.zeros(len(weights), int), np.array(capacity[: len(weights)]))
    reach = axes.reach(np.array([60]))[0, 0]
    assert Fraction(reach) >= sum(Fraction(w) * c for w, c in zip(weights, capacity, strict=False))


def staircases_of(problem, bins):
    every = np.ones(problem.outputs, dtype=bool)
    kinds = find_kinds(problem.groups, np.maximum(problem.eta, 0), every)
    return kinds, build_steps(kinds, kinds.count(every), bins)


@settings(max_examples=200)
@given(problems(infinite=False), st.sampled_from([None, 1, 2, 3, 8]))
def test_steps_are_nested_below_their_outputs_and_few(problem, bins) -> None:
    kinds, stairs = staircases_of(problem, bins)
    assert (kinds.eta[:, kinds.of_output] == np.maximum(problem.eta, 0)).all()
    assert (kinds.group[kinds.of_output] == problem.groups).all()
    assert (stairs.eta[:, stairs.step] <= kinds.eta).all()
    assert (stairs.group[stairs.chain[stairs.step]] == kinds.group).all()
    assert (np.diff(stairs.chain) >= 0).all()
    same = np.diff(stairs.chain) == 0
    assert (np.diff(stairs.eta, axis=1)[:, same] >= 0).all()
    if bins is None:
        assert (stairs.eta[:, stairs.step] == kinds.eta).all()
    elif len(np.unique(stairs.chain)) == len(np.unique(problem.groups)):
        assert np.bincount(stairs.chain).max() <= max(bins ** len(problem.eta), bins)


@settings(max_examples=100)
@given(problems(nested=True, infinite=False), st.sampled_from([None, 1, 2, 5]))
def test_outputs_in_one_order_make_one_chain_per_group(problem, bins) -> None:
    _, stairs = staircases_of(problem, bins)
    assert stairs.group.tolist() == sorted(set(problem.groups.tolist()))
    if bins is not None:
        assert np.bincount(stairs.chain).max() <= bins


@pytest.mark.parametrize("bins", [None, 7])
def test_rounding_in_eta_does_not_split_a_chain(bins) -> None:
    """The last bit of η may contradict the order of p; the chain is then rounded down by as much."""
    p = np.repeat(np.linspace(1.0, 2.0, 25), 2)
    shaken = 1e-14 * (np.arange(50) % 2)
    eta = np.stack([p, p * (1 + shaken), p * (1 - shaken)])
    problem = LocalizedProblem(np.zeros(50, int), eta, np.ones((3, 1, 1)), np.zeros(1, int), np.ones(1, int), ("x",))
    kinds, stairs = staircases_of(problem, bins)
    assert stairs.group.size == 1
    assert (np.diff(stairs.eta, axis=1) >= 0).all()
    assert (stairs.eta[:, stairs.step] <= kinds.eta).all()
    assert bins or (stairs.eta[:, stairs.step] >= kinds.eta * (1 - 1e-9)).all()


def test_size_depends_on_groups_and_bins_not_on_outputs() -> None:
    rng = fresh_rng()
    sizes = set()
    for outputs in (3000, 30000):
        p = rng.random(outputs)
        eta = np.stack([p, 2 * p, p**2])
        problem = LocalizedProblem(
            rng.integers(0, 3, outputs), eta, rng.random((3, 3, 4)), np.zeros(4, int), np.full(4, 9), ("x",)
        )
        every = np.ones(outputs, dtype=bool)
        encoding = encode_localized(problem, every, np.array([9]), 32)
        program = encoding.program(encoding.kinds.count(every), np.array([9]))
        rows, columns = program.matrix.shape
        assert columns <= 3 * 32 + 4
        sizes.add(rows)
    assert sizes == {3 * (3 + 1) + 1}


@settings(max_examples=150)
@given(problems(), st.data())
def test_attacks_keep_every_limit_and_break_what_they_claim(problem, data) -> None:
    budget = np.array(data.draw(budgets_of(problem)))
    every = np.ones(problem.outputs, dtype=bool)
    encoding = encode_localized(problem, every, budget, None)
    counts = encoding.kinds.count(every)
    axes = encoding.axes
    relaxed = np.array([data.draw(st.floats(0, float(c))) for c in axes.capacity])
    relaxed *= min(1.0, budget.min(initial=0) / max(relaxed.sum(), 1e-9))
    first = whole_changes(encoding, relaxed, budget)
    better = improved(encoding, first, counts, budget)
    small = replace(problem, weights=axes.weights, axis_class=axes.axis_class, capacity=axes.capacity)
    for b in (first, better):
        assert tuple(b) in set(allocations(axes.axis_class, axes.capacity, budget))
        assert encoding.broken(b.astype(float), counts) == broken(small, b).sum()
        program = encoding.program(counts, budget)
        x = encoding.point(b, counts)
        assert (program.matrix @ x <= program.row_upper + 1e-9).all()
        assert program.objective @ x == encoding.broken_steps(b[None, :].astype(float), counts)[0]
    assert encoding.broken(better.astype(float), counts) >= encoding.broken(first.astype(float), counts)


@pytest.mark.parametrize("bins", [1, 2, 16])
def test_a_large_kind_is_not_rounded_away(bins) -> None:
    """All samples agree for a third of the outputs: the step on which they stand starts with them."""
    p = np.concatenate([np.linspace(1, 2, 600), np.full(300, 2.5)])
    problem = LocalizedProblem(
        np.zeros(900, int), p[None], np.ones((1, 1, 1)), np.zeros(1, int), np.ones(1, int), ("x",)
    )
    kinds, stairs = staircases_of(problem, bins)
    top = kinds.eta[0].argmax()
    assert bins == 1 or stairs.eta[0, stairs.step[top]] == (2.5 if bins > 2 else pytest.approx(2.5, abs=1.5))
