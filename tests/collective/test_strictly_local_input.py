"""Bad input is refused in one sentence, before anything is computed."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp

from graphcert.collective import collective_strictly_local, naive_bound, receptive_field, undirected_edges
from graphcert.collective.solvers import highs_solver
from graphcert.errors import InputError, UnsupportedError

PATH = np.array([[0, 1, 2], [1, 2, 3]])
NODES = sp.csr_array(np.ones((4, 4)))
EDGES = receptive_field(PATH, 2, "edge_delete")


def good():
    return {"grid": np.ones((4, 3), dtype=bool), "axes": ("feature_add",), "perception": [NODES], "budgets": [(1,)]}


def not_monotone():
    grid = np.ones((4, 3), dtype=bool)
    grid[2, 1] = False
    return grid


CASES = [
    ({"budgets": [(-1,)]}, "whole numbers from 0"),
    ({"budgets": [(1.5,)]}, "whole numbers from 0"),
    ({"budgets": [(True,)]}, "whole numbers from 0"),
    ({"budgets": [(2**40,)]}, "whole numbers from 0"),
    ({"budgets": [(1, 2)]}, "one number per axis"),
    ({"budgets": []}, "non-empty sequence"),
    ({"budgets": [(1,), (1, 2)]}, "equal length"),
    ({"grid": not_monotone()}, "not monotone: node 2"),
    ({"grid": np.ones((4, 3))}, "must be boolean"),
    ({"grid": np.ones(4, dtype=bool)}, "one dimension of nodes"),
    ({"axes": ("feature_add", "feature_delete")}, "one dimension of nodes"),
    ({"axes": ("feature_change",)}, "axes must be different names"),
    ({"perception": NODES}, "sequence of one matrix per axis"),
    ({"perception": [NODES, NODES]}, "sequence of one matrix per axis"),
    ({"perception": [NODES[:, :3]]}, r"must have shape \(4, 4\)"),
    ({"perception": [NODES[:3]]}, r"must have shape \(4, 4\)"),
    ({"perception": [2 * NODES]}, "only 0 and 1"),
    ({"perception": ["all"]}, "sparse 0/1 matrix"),
    ({"axes": ("edge_delete",), "perception": [EDGES[:3]]}, r"must have shape \(4, edges\)"),
    ({"targets": np.ones(3, dtype=bool)}, r"targets must be a boolean mask of shape \(4,\)"),
    ({"targets": np.ones(4)}, "targets must be a boolean mask"),
    ({"targets": np.zeros(4, dtype=bool)}, "there are no targets"),
    ({"correct": np.ones((4, 1), dtype=bool)}, "correct must be a boolean mask"),
    ({"local_budget": -1}, "local budgets must be whole numbers"),
    ({"local_budget": (1, 1)}, "one entry per axis"),
    ({"local_budget": np.ones(3, dtype=int)}, r"shape \(4,\)"),
    ({"attackers": -1}, "attackers must be whole numbers"),
    ({"attackers": 0.5}, "attackers must be whole numbers"),
    ({"attackers": np.ones(4, dtype=int)}, "attackers is one number"),
    ({"axes": ("edge_delete",), "perception": [EDGES], "local_budget": 1}, "endpoints=undirected_edges"),
    ({"axes": ("edge_delete",), "perception": [EDGES], "attackers": 1}, "endpoints=undirected_edges"),
    (
        {"axes": ("edge_delete",), "perception": [EDGES], "attackers": 1, "endpoints": PATH[:, :2]},
        r"endpoints must have shape \(2, 3\)",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), CASES)
@pytest.mark.parametrize("certificate", [collective_strictly_local, naive_bound])
def test_bad_input(certificate, change, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        certificate(**{**good(), **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"), [({"solver": "glpk"}, "solver must be one of"), ({"time_limit": -1.0}, "seconds")]
)
def test_bad_solver_settings(change, sentence):
    with pytest.raises(InputError, match=sentence):
        collective_strictly_local(**good(), **change)


@pytest.mark.parametrize(("solver", "missing"), [("highs", "highspy"), ("cvxpy", "highspy"), ("cvxpy", "cvxpy")])
def test_a_missing_solver_is_named_with_the_way_to_get_it(solver, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=f"pip install '{missing}"):
        collective_strictly_local(**good(), solver=solver)


@pytest.mark.parametrize("solver", ["highs", "cvxpy"])
def test_an_unreliable_release_of_the_solver_is_refused(solver, monkeypatch):
    monkeypatch.setattr(highs_solver, "version", lambda package: "1.14.9")
    with pytest.raises(InputError, match=r"found 1\.14\.9"):
        collective_strictly_local(**good(), solver=solver)


def test_added_edges_need_a_masked_reach():
    arguments = {**good(), "axes": ("edge_add",), "perception": [EDGES]}
    for certificate in (collective_strictly_local, naive_bound):
        with pytest.raises(UnsupportedError, match="new reach"):
            certificate(**arguments)
        assert certificate(**arguments, reach_is_masked=True).certified.tolist() == [4]


def test_the_forms_that_are_accepted():
    plain = good()
    expected = collective_strictly_local(**{**plain, "budgets": [(3,), (1,)]}).certified.tolist()
    for budgets in ([3, 1], np.array([3, 1], dtype=np.int32), range(3, 0, -2), [[3], [1]]):
        assert collective_strictly_local(**{**plain, "budgets": budgets}).certified.tolist() == expected
    for matrix in (NODES.tocoo(), NODES.astype(bool), np.ones((4, 4))):
        assert naive_bound(**{**plain, "perception": [matrix]}).certified.tolist() == [4]
    for local in (1, (1,), (np.full(4, 1),), np.full(4, 1), [None]):
        assert collective_strictly_local(**plain, local_budget=local).certified.tolist() == [4]
    ends = undirected_edges(PATH)
    edge = {**plain, "axes": "edge_delete", "perception": (EDGES,), "endpoints": ends}
    assert collective_strictly_local(**edge, attackers=np.int64(1)).certified.tolist() == [4]
