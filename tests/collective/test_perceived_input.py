"""Bad input is refused in one sentence, before anything is computed."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp

from graphcert.collective import LocalizedProblem, collective_receptive, receptive_field, smoothing_places
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Partition, Smoothing

PATH = np.array([[0, 1], [1, 2]])
CLASSES = ("feature_add", "feature_delete", "edge_add", "edge_delete")
PROBLEM = LocalizedProblem(
    groups=np.array([0, 1, 1]),
    eta=np.ones((2, 3)),
    weights=np.ones((2, 2, 5)),
    axis_class=np.array([0, 0, 1, 2, 3]),
    capacity=np.full(5, 9),
    classes=CLASSES,
)
NODES, EDGES = sp.csr_array(np.ones((3, 3))), receptive_field(PATH, 1, "edge_delete")
GOOD = {
    "problem": PROBLEM,
    "perception": {"feature_add": NODES, "edge_delete": EDGES},
    "axis_of": {"feature_add": np.array([0, 1, 1]), "edge_delete": np.array([4, 4])},
    "budgets": [(1, 0, 0, 1)],
}
AXES, FIELDS = GOOD["axis_of"], GOOD["perception"]

CASES = [
    ({"budgets": [(1, 1, 0, 0)]}, "the budgets spend on feature_delete, so perception needs a matrix"),
    ({"budgets": [(1, 0)]}, "one number per axis"),
    ({"budgets": [(1, 0, 0, 0.5)]}, "whole numbers"),
    ({"budgets": []}, "non-empty"),
    ({"perception": [NODES]}, "perception must be a mapping"),
    ({"perception": {}, "budgets": [(0, 0, 0, 0)]}, "at least one class"),
    ({"perception": {**FIELDS, "edges": EDGES}}, "perception names the class 'edges'"),
    ({"perception": {**FIELDS, "feature_add": NODES[:, :2]}}, r"must have shape \(3, 3\)"),
    ({"perception": {**FIELDS, "feature_add": 2 * NODES}}, "only 0 and 1"),
    ({"perception": {**FIELDS, "edge_delete": EDGES[:2]}}, r"must have shape \(3, edges\)"),
    ({"axis_of": [AXES]}, "axis_of must be a mapping"),
    ({"axis_of": {"feature_add": AXES["feature_add"]}}, "axis_of needs the axis of every column of edge_delete"),
    ({"axis_of": {**AXES, "edge_delete": np.array([4])}}, "must be 2 integers"),
    ({"axis_of": {**AXES, "edge_delete": np.array([4.0, 4.0])}}, "must be 2 integers"),
    ({"axis_of": {**AXES, "edge_delete": np.array([4, 5])}}, "must lie between 0 and 4, got 4 to 5"),
    ({"axis_of": {**AXES, "edge_delete": np.array([4, 2])}}, "puts column 1 on axis 2, which is of feature_delete"),
    ({"method": "exact"}, "method must be one of naive, lp, milp"),
    ({"solver": "simplex"}, "solver must be one of"),
    ({"time_limit": -1.0}, "time_limit"),
    ({"targets": np.ones(2, dtype=bool)}, "targets must be a boolean mask"),
    ({"targets": np.zeros(3, dtype=bool)}, "no targets"),
    ({"correct": np.ones(3)}, "correct must be a boolean mask"),
    ({"robust_per_node": np.ones((2, 3), dtype=bool)}, "robust_per_node must be a boolean mask"),
    ({"local_budget": -1}, "local budgets must be whole numbers"),
    ({"local_budget": (1, 1)}, "one entry per class"),
    ({"local_budget": {"edges": 1}}, "local_budget names the class 'edges'"),
    ({"local_budget": {"feature_add": np.ones(2, dtype=int)}}, r"shape \(3,\)"),
    ({"local_budget": {"edge_delete": 1}}, "endpoints=undirected_edges"),
    ({"attackers": 0.5, "endpoints": PATH}, "attackers must be whole numbers"),
    ({"attackers": 1}, "endpoints=undirected_edges"),
    ({"attackers": 1, "endpoints": PATH[:, :1]}, r"endpoints must have shape \(2, 2\)"),
]


@pytest.mark.parametrize(("change", "sentence"), CASES)
@pytest.mark.parametrize("method", ["naive", "lp"])
def test_bad_input(change, sentence, method) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        collective_receptive(**{"method": method, **GOOD, **change})
    assert "\n" not in str(caught.value)


def test_added_edges_need_a_masked_reach() -> None:
    adding = {
        **GOOD,
        "perception": {**FIELDS, "edge_add": EDGES},
        "axis_of": {**AXES, "edge_add": np.array([3, 3])},
        "budgets": [(0, 0, 1, 0)],
    }
    with pytest.raises(UnsupportedError, match="new reach"):
        collective_receptive(**adding)
    assert collective_receptive(**adding, reach_is_masked=True).certified.tolist() == [0]


@pytest.mark.parametrize(("solver", "missing"), [("highs", "highspy"), ("cvxpy", "highspy"), ("cvxpy", "cvxpy")])
def test_a_missing_solver_is_named_with_the_way_to_get_it(solver, missing, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=f"pip install '{missing}"):
        collective_receptive(**GOOD, solver=solver)
    assert collective_receptive(**GOOD, method="naive", solver=solver).certified.tolist() == [0]


def test_the_forms_of_limits_that_are_accepted() -> None:
    expected = collective_receptive(**GOOD).certified.tolist()
    for local in (None, 9, np.full(3, 9), {"feature_add": 9}, {"feature_delete": 0}, (9, 0, None, None), {}):
        found = collective_receptive(**GOOD, local_budget=local, endpoints=PATH)
        assert found.certified.tolist() == expected
    nobody = collective_receptive(**GOOD, local_budget={"feature_add": 0, "edge_delete": 0}, endpoints=PATH)
    assert nobody.certified.tolist() == [3]
    assert collective_receptive(**GOOD, attackers=0, endpoints=PATH).certified.tolist() == [3]


def test_a_class_without_matrix_costs_nothing_as_long_as_nothing_is_spent_on_it() -> None:
    only = {**GOOD, "perception": {"feature_add": NODES}, "axis_of": {"feature_add": AXES["feature_add"]}}
    assert collective_receptive(**{**only, "budgets": [(0, 0, 0, 0), (1, 0, 0, 0)]}).certified.tolist() == [3, 0]


def test_places_of_a_scheme_follow_its_blocks() -> None:
    class Data:
        x, edge_index = np.ones((4, 2)), np.array([[3, 0, 1], [0, 1, 2]])

    partition = Partition(np.array([0, 0, 1, 2]), np.array([[0, 1, 2], [1, 0, 2], [1, 2, 0]]))
    levels = [BernoulliFlip(0.1, rate) for rate in (0.2, 0.3, 0.4)]
    found = smoothing_places(Smoothing(levels, None, partition), Data)
    assert found["feature_add"].tolist() == [0, 0, 1, 2]
    assert found["feature_delete"].tolist() == [3, 3, 4, 5]
    # Edges 0-1, 0-3, 1-2 join the blocks 00, 02, 01; pairs are counted 00, 01, 02, 11, 12, 22.
    assert found["edge_add"].tolist() == [6, 8, 7]
    assert found["edge_delete"].tolist() == [12, 14, 13]
    one = smoothing_places(Smoothing(levels[0]), Data)
    assert [sorted(set(axes.tolist())) for axes in one.values()] == [[0], [1], [2], [3]]
