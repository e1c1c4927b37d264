"""Three ways to the same number: highspy directly, the same program through cvxpy, the plain program of the paper."""

import cvxpy
import numpy as np
import pytest
from collective_oracle import grids, problems
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import fresh_rng
from strictly_local_reference import reference_program

from graphcert.collective import collective_strictly_local, receptive_field, undirected_edges
from graphcert.collective.adversary import adversary
from graphcert.collective.solvers import highs_solver


def reference_value(problem, budget, integer):
    plain = {name: value for name, value in problem.items() if name != "grid"}
    checked = adversary(nodes=len(problem["grid"]), **plain)
    every = np.ones(len(problem["grid"]), dtype=bool)
    return reference_program(checked, problem["grid"], every, np.array(budget), integer).solve(solver=cvxpy.HIGHS)


@st.composite
def larger(draw):
    """Ten to twenty-five nodes: beyond enumeration, still quick; many equal rows and columns."""
    nodes = draw(st.integers(10, 25))
    ends = st.integers(0, nodes - 1)
    chosen = draw(st.lists(st.tuples(ends, ends).filter(lambda e: e[0] != e[1]), min_size=5, max_size=40))
    edges = np.array(chosen, dtype=np.int64).T
    axes = draw(st.sampled_from([("feature_add", "feature_delete"), ("feature_add", "edge_delete")]))
    perception = [receptive_field(edges, draw(st.integers(1, 2)), axis, num_nodes=nodes) for axis in axes]
    problem = {
        "grid": draw(grids(nodes, 2)),
        "axes": axes,
        "perception": perception,
        "endpoints": undirected_edges(edges, nodes),
        "local_budget": draw(st.sampled_from([None, 1, (None, 2)])),
        "attackers": draw(st.sampled_from([None, None, 3])),
    }
    return problem, draw(st.tuples(st.integers(0, 5), st.integers(0, 5)))


@settings(max_examples=40)
@given(larger())
def test_grouping_changes_neither_the_relaxation_nor_the_integer_optimum(case):
    problem, budget = case
    linear = collective_strictly_local(**problem, budgets=[budget])
    value = reference_value(problem, budget, integer=False)
    if linear.method[0] == "lp":
        assert linear.bound[0] == pytest.approx(value, abs=1e-5)
    assert linear.attacked_upper[0] <= np.floor(value + 1e-5)
    sweep = collective_strictly_local(**problem, budgets=[budget, tuple(size + 2 for size in budget)])
    assert sweep.bound[0] == pytest.approx(linear.bound[0], abs=1e-5)
    exact = collective_strictly_local(**problem, budgets=[budget], integer=True)
    assert exact.attacked_upper[0] == round(reference_value(problem, budget, integer=True))


@settings(max_examples=40)
@given(problems())
def test_cvxpy_and_highs_agree(case):
    problem, budget = case
    sweep = [budget, (1,) * len(budget)]
    for integer in (False, True):
        direct = collective_strictly_local(**problem, budgets=sweep, integer=integer)
        through = collective_strictly_local(**problem, budgets=sweep, integer=integer, solver="cvxpy")
        assert direct.attacked_upper.tolist() == through.attacked_upper.tolist()
        assert direct.bound == pytest.approx(through.bound, abs=1e-5)


@settings(max_examples=30)
@given(larger())
def test_interior_points_give_the_same_bound(case):
    problem, budget = case
    sweep = [budget, tuple(size + 1 for size in budget)]
    simplex = collective_strictly_local(**problem, budgets=sweep)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(highs_solver, "SIMPLEX_ROWS", 0)
        interior = collective_strictly_local(**problem, budgets=sweep)
    assert interior.bound == pytest.approx(simplex.bound, abs=1e-4)


def busy_problem(nodes=150):
    """A graph on which branch and bound takes far longer than any limit used here."""
    rng = fresh_rng()
    edges = rng.integers(0, nodes, (2, 2 * nodes))
    grid = np.arange(7) < rng.integers(2, 7, (nodes, 1))
    field = receptive_field(edges, 2, "feature_add", num_nodes=nodes)
    return {"grid": grid, "axes": ("feature_add",), "perception": [field], "budgets": [(9,)]}


@pytest.mark.parametrize("solver", ["highs", "cvxpy"])
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.3])
def test_a_time_limit_leaves_a_proved_bound_and_says_so(solver, seconds):
    problem = busy_problem()
    limited = collective_strictly_local(**problem, integer=True, time_limit=seconds, solver=solver)
    linear = collective_strictly_local(**problem)
    attack = linear.attacked_upper[0] - linear.gap[0]
    assert attack <= limited.attacked_upper[0] <= len(problem["grid"])
    assert limited.status[0] != "optimal" or limited.gap[0] == 0
    if seconds:
        return
    assert limited.certified[0] <= linear.certified[0]  # nothing was solved, so nothing beyond what is free
    assert limited.attacked_upper[0] > 0


class Liar:
    """A solver that fails in every way a solver can."""

    def __init__(self, solution):
        self.solution = solution

    def solve_linear(self, program):
        return self.solution(program)

    def solve_integer(self, program, start=None):
        return self.solution(program)


@pytest.mark.parametrize("lie", ["zeros", "nan", "negative", "huge", "none", "claims nothing is attacked"])
def test_a_lying_solver_cannot_certify_what_is_attacked(lie, monkeypatch):
    from graphcert.collective.solvers import SOLVERS
    from graphcert.collective.solvers.program import Solution

    def solution(program):
        size = program.row_upper.shape
        duals = {"zeros": np.zeros(size), "nan": np.full(size, np.nan), "negative": np.full(size, -1.0)}
        duals["huge"] = np.full(size, 1e300)
        claim = 0.0 if lie.startswith("claims") else float("nan")
        point = np.full(program.objective.shape, 0.5)
        return Solution("optimal", duals=duals.get(lie), best_bound=claim, point=point, trusted=True)

    problem = busy_problem(40)
    honest = collective_strictly_local(**problem)
    attack = honest.attacked_upper[0] - honest.gap[0]
    assert attack > 0
    monkeypatch.setitem(SOLVERS, "highs", lambda time_limit: Liar(solution))
    lied = collective_strictly_local(**problem, integer=True)
    assert lied.attacked_upper[0] >= attack
