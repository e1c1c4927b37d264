"""Bad input to the localized certificate: one sentence each."""

import sys

import numpy as np
import pytest

from graphcert.collective import LocalizedProblem, axis_weights, collective_localized
from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip

GOOD = {
    "groups": np.array([0, 1, 1]),
    "eta": np.ones((2, 3)),
    "weights": np.ones((2, 2, 2)),
    "axis_class": np.array([0, 1]),
    "capacity": np.array([4, 4]),
    "classes": ("feature_add", "feature_delete"),
}
PROBLEM = LocalizedProblem(**GOOD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": np.array([0, 1])}, "groups must be 3 integers"),
        ({"groups": np.array([0.0, 1.0, 1.0])}, "groups must be 3 integers"),
        ({"groups": np.array([0, 1, 2])}, "groups must lie between 0 and 1"),
        ({"groups": np.array([0, -1, 1])}, "groups must lie between 0 and 1"),
        ({"eta": np.ones(3)}, "one row per direction"),
        ({"eta": np.ones((0, 3))}, "one row per direction"),
        ({"eta": np.array([[1, 2, np.nan], [1, 1, 1]])}, "NaN is neither"),
        ({"weights": np.ones((3, 2, 2))}, r"shape \(2, groups, axes\)"),
        ({"weights": np.ones((2, 2))}, r"shape \(2, groups, axes\)"),
        ({"weights": -np.ones((2, 2, 2))}, "at least 0"),
        ({"weights": np.full((2, 2, 2), np.nan)}, "NaN is neither"),
        ({"axis_class": np.array([0])}, "axis_class must be 2 integers"),
        ({"axis_class": np.array([0, 2])}, "axis_class must lie between 0 and 1"),
        ({"capacity": np.array([4, -1])}, "capacities must be whole numbers"),
        ({"capacity": np.array([4.0, 1.0])}, "capacities must be whole numbers"),
        ({"capacity": np.array([4])}, "one number per axis"),
    ],
)
def test_a_problem_that_does_not_fit_together(change, message) -> None:
    with pytest.raises(InputError, match=message):
        LocalizedProblem(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budgets": [(1,)]}, "one number per axis"),
        ({"budgets": [(1, -1)]}, "whole numbers"),
        ({"budgets": [(1, 0.5)]}, "whole numbers"),
        ({"budgets": []}, "non-empty"),
        ({"method": "exact"}, "method must be one of naive, lp, milp"),
        ({"solver": "simplex"}, "solver must be one of"),
        ({"bins": 0}, "bins must be"),
        ({"bins": 2.5}, "bins must be"),
        ({"bins": True}, "bins must be"),
        ({"time_limit": -1.0}, "time_limit"),
        ({"time_limit": float("nan")}, "time_limit"),
        ({"targets": np.ones(2, dtype=bool)}, "targets must be a boolean mask"),
        ({"targets": np.ones(3)}, "targets must be a boolean mask"),
        ({"targets": np.zeros(3, dtype=bool)}, "no targets"),
        ({"correct": np.ones((3, 1), dtype=bool)}, "correct must be a boolean mask"),
        ({"robust_per_node": np.ones((2, 3), dtype=bool)}, "robust_per_node must be a boolean mask"),
        ({"robust_per_node": np.ones(3)}, "robust_per_node must be a boolean mask"),
    ],
)
def test_arguments_outside_their_domain(arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        collective_localized(PROBLEM, **{"budgets": [(1, 1)], **arguments})


@pytest.mark.parametrize(("module", "solver"), [("highspy", "highs"), ("cvxpy", "cvxpy"), ("highspy", "cvxpy")])
def test_a_solver_that_is_not_installed_is_named_before_anything_runs(module, solver, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"pip install '{module}"):
        collective_localized(PROBLEM, [(1, 1)], solver=solver)
    assert collective_localized(PROBLEM, [(1, 1)], method="naive", solver=solver).certified.tolist() == [0]


def test_a_class_without_axes_and_a_problem_without_axes() -> None:
    """A channel that is not part of the problem: its budget breaks nothing (leaving axes out is the caller's claim)."""
    lonely = LocalizedProblem(**{**GOOD, "axis_class": np.array([0, 0])})
    assert collective_localized(lonely, [(0, 9)]).certified.tolist() == [3]
    empty = LocalizedProblem(
        **{**GOOD, "weights": np.ones((2, 2, 0)), "axis_class": np.zeros(0, int), "capacity": np.zeros(0, int)}
    )
    for method in ("naive", "lp", "milp"):
        assert collective_localized(empty, [(3, 3)], method=method).certified.tolist() == [3]


def test_capacities_beyond_every_budget_are_as_good_as_unlimited() -> None:
    huge = LocalizedProblem(**{**GOOD, "capacity": np.array([10**12, 4])})
    assert collective_localized(huge, [(1, 1)]).certified.tolist() == [0]


def test_the_curve_names_classes_and_is_frozen_input_free() -> None:
    eta = np.ones((2, 3))
    problem = LocalizedProblem(**{**GOOD, "eta": eta})
    curve = collective_localized(problem, [(1, 0), (0, 0)], method="lp")
    assert curve.axes == GOOD["classes"]
    assert [row["feature_add"] for row in curve.rows()] == [1, 0]
    assert (eta == 1).all()


def test_weights_take_the_law_of_each_group_and_block() -> None:
    laws = [BernoulliFlip(0.1, 0.2), BernoulliFlip(0.3, 0.4)]
    weights = axis_weights(laws, [[0, 1], [1, 0]], [False, False])
    assert weights.shape == (8, 2, 2)
    assert (weights[:, 0, 0] == weights[:, 1, 1]).all()
    assert (weights[:, 0, 1] == weights[:, 1, 0]).all()
    removing = axis_weights(laws, [[0, 1], [1, 0]], [True, True])
    assert (removing != weights).any()
