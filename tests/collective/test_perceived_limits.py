"""The two certificates that this one contains: everybody perceives everything, and one block for all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceived_oracle import cases, masks, ring
from scipy.sparse import csr_array

from graphcert.collective import (
    LocalizedProblem,
    collective_localized,
    collective_receptive,
    collective_strictly_local,
    naive_bound,
    receptive_field,
)


@settings(max_examples=150)
@given(cases(limits=False, everything=True), st.data())
def test_if_everybody_perceives_everything_it_is_the_localized_certificate(drawn, data) -> None:
    case, budget = drawn
    targets, problem = data.draw(masks(case)), case["problem"]
    room = np.zeros(problem.capacity.size, dtype=int)  # a block has as many edges as there are columns
    for name, axes in case["axis_of"].items():
        np.add.at(room, axes, 1 if name.startswith("edge") else 99)
    localized = replace(problem, capacity=np.minimum(problem.capacity, room))
    for method in ("naive", "milp"):
        one = collective_receptive(**case, budgets=[budget], method=method, targets=targets)
        other = collective_localized(localized, [budget], method=method, targets=targets, bins=None)
        assert one.attacked_upper.tolist() == other.attacked_upper.tolist()
    relaxed = collective_receptive(**case, budgets=[budget], targets=targets)
    assert relaxed.attacked_upper[0] >= other.attacked_upper[0]


@settings(max_examples=100)
@given(cases(blocks=1, infinite=False, roomy=True), st.data())
def test_one_block_and_one_class_is_the_strictly_local_certificate(drawn, data) -> None:
    """A half-space over one axis is a staircase with one step: broken from eta changes on."""
    case, _ = drawn
    name, nodes = case["problem"].classes[0], case["problem"].outputs
    field = case["perception"][name]
    needs = np.array(data.draw(st.lists(st.integers(0, 4), min_size=nodes, max_size=nodes)))
    problem = LocalizedProblem(
        groups=np.zeros(nodes, dtype=int),
        eta=0.7 * needs[None, :] - 0.3 * (needs > 0),
        weights=np.full((1, 1, 1), 0.7),
        axis_class=np.zeros(1, dtype=int),
        capacity=np.array([10**6]),
        classes=(name,),
    )
    local = (case["local_budget"] or {}).get(name)
    limits = {"attackers": case["attackers"], "endpoints": case["endpoints"]}
    grid = np.arange(5) < needs[:, None]
    sweep = [3, 1, 4]
    staircase = {"grid": grid, "axes": (name,), "perception": [field], "budgets": sweep, "local_budget": (local,)}
    here = {"problem": problem, "perception": {name: field}, "axis_of": {name: np.zeros(field.shape[1], dtype=int)}}
    here |= {"budgets": sweep, "local_budget": {name: local}}
    assert (
        collective_receptive(**here, **limits, method="naive").attacked_upper.tolist()
        == naive_bound(**staircase, **limits).attacked_upper.tolist()
    )
    assert (
        collective_receptive(**here, **limits, method="milp").attacked_upper.tolist()
        == collective_strictly_local(**staircase, **limits, integer=True).attacked_upper.tolist()
    )
    linear, steps = collective_receptive(**here, **limits), collective_strictly_local(**staircase, **limits)
    assert (linear.bound <= steps.bound + 1e-6).all()


def test_at_a_realistic_size_it_beats_both_and_everything_stays_in_order() -> None:
    case = ring(300)
    sweep = [(1, 0), (2, 1), (4, 4), (8, 0)]
    localized = collective_localized(case["problem"], sweep, bins=None)
    naive, linear = (collective_receptive(**case, budgets=sweep, method=method) for method in ("naive", "lp"))
    assert (linear.certified >= naive.certified).all()
    assert (linear.certified >= localized.certified).all()
    assert (linear.certified > np.maximum(naive.certified, localized.certified)).any()
    assert (linear.gap >= 0).all()


def test_a_larger_field_never_certifies_more() -> None:
    case = ring(120)
    edges = np.stack([np.arange(120), (np.arange(120) + 1) % 120])
    sweep, before = [(1, 1), (3, 0)], np.full(2, 120)
    for layers in range(4):
        field = receptive_field(edges, layers, "feature_add", num_nodes=120)
        perception = {"feature_add": field, "feature_delete": field}
        curve = collective_receptive(**{**case, "perception": perception}, budgets=sweep, method="milp")
        assert (curve.certified <= before).all()
        before = curve.certified


@pytest.mark.parametrize("directions", [1, 2, 8])
def test_more_directions_only_help(directions) -> None:
    case = ring(150)
    problem, sweep = case["problem"], [(2, 0), (3, 3)]
    few = replace(problem, eta=problem.eta[:directions], weights=problem.weights[:directions])
    some = collective_receptive(**{**case, "problem": few}, budgets=sweep)
    every = collective_receptive(**case, budgets=sweep)
    assert (some.bound >= every.bound - 1e-6).all()


def two_outputs(eta, weights, perceives, classes=("feature_add",)):
    """Two outputs beside two nodes that are only places; the axes are the classes, one block."""
    inside = np.zeros((4, 4))
    for output, places in enumerate(perceives):
        inside[output, places] = 1
    problem = LocalizedProblem(
        groups=np.zeros(4, dtype=int),
        eta=np.array([[*eta, 99.0, 99.0]]),
        weights=np.array([[weights]]),
        axis_class=np.arange(len(classes)),
        capacity=np.full(len(classes), 99),
        classes=classes,
    )
    field = csr_array(inside)
    return {
        "problem": problem,
        "perception": dict.fromkeys(classes, field),
        "axis_of": {name: np.full(4, index) for index, name in enumerate(classes)},
        "targets": np.array([True, True, False, False]),
    }


def test_a_place_with_little_room_serves_two_outputs_only_once() -> None:
    case = two_outputs([2.0, 2.0], [1.0], [[0, 2], [1, 2]])
    room = {"feature_add": np.array([9, 9, 1, 9])}
    free = collective_receptive(**case, budgets=[1, 2, 3], method="milp")
    limited = collective_receptive(**case, budgets=[1, 2, 3], method="milp", local_budget=room)
    assert free.attacked_upper.tolist() == [0, 2, 2]
    assert limited.attacked_upper.tolist() == [0, 1, 2]


def test_what_only_an_intolerable_place_breaks_survives_all_others() -> None:
    classes = ("feature_add", "feature_delete")
    case = two_outputs([np.inf, np.inf], [np.inf, 1.0], [[0], [1]], classes)
    found = collective_receptive(**case, budgets=[(0, 9), (1, 9), (2, 9)], method="milp")
    assert found.attacked_upper.tolist() == [0, 1, 2]
