"""A bound of branch and bound below an attack certifies nothing: every family, every route, both solvers (trap 26)."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from graphcert.collective import (
    collective_localized,
    collective_norm,
    collective_receptive,
    collective_strictly_local,
)
from graphcert.collective.bound_loop import Answer, Bound, CollectiveProblem, bound_loop, carried, unrefuted
from graphcert.collective.curve import REFUTED, CollectiveCurve, strengthened, weakened
from graphcert.collective.exact import TightProblem, budget_solver, collective_tight
from graphcert.collective.half_spaces import localized, receptive
from graphcert.collective.half_spaces.localized_problem import LocalizedProblem
from graphcert.collective.half_spaces.norm import NormProblem
from graphcert.collective.hierarchical import hierarchical_certificate
from graphcert.collective.solvers import SOLVERS
from graphcert.collective.solvers.cvxpy_solver import CvxpySolver
from graphcert.collective.solvers.highs_solver import HighsSolver
from graphcert.collective.solvers.program import LinearProgram
from graphcert.collective.solvers.safe_bounds import branch_and_bound_slack, claimed_bound
from graphcert.noise import BernoulliFlip

OUTPUTS = 24


class Liar(HighsSolver):
    """Honest about relaxations; its branch and bound has an optimal point and a bound that is too small by one or more."""

    short_by = 1.0

    def solve_integer(self, program, start=None):
        found = super().solve_integer(program, start)
        return type(found)(
            "optimal", best_bound=max(found.best_bound - self.short_by, 0.0), point=found.point, trusted=True
        )


class LargeLiar(Liar):
    """Lies about larger budgets only, and keeps its point to itself: only a smaller budget's attack gives it away."""

    def solve_integer(self, program, start=None):
        if program.row_upper.max() < 5:
            return HighsSolver.solve_integer(self, program, start)
        return type(HighsSolver.solve_linear(self, program))("optimal", best_bound=0.5, trusted=True)


def half_spaces(seed=0):
    """Outputs in three groups, who each see the changes of their own block most."""
    rng = np.random.default_rng(seed)
    weights = np.where(np.eye(3, dtype=bool), 1.0, 0.3)[None]
    return LocalizedProblem(
        np.arange(OUTPUTS) % 3,
        rng.uniform(0.2, 3.0, (1, OUTPUTS)),
        weights,
        np.zeros(3, int),
        np.full(3, 9),
        ("feature_add",),
    )


def by_half_spaces(budgets):
    return collective_localized(half_spaces(), budgets, method="milp", bins=None)


def by_receptive_fields(budgets):
    rng = np.random.default_rng(5)
    field = sp.csr_array(rng.random((OUTPUTS, OUTPUTS)) < 0.4).astype(float)
    return collective_receptive(
        half_spaces(), {"feature_add": field}, {"feature_add": np.arange(OUTPUTS) % 3}, budgets, method="milp"
    )


def by_staircases(budgets):
    rng = np.random.default_rng(5)
    field = sp.csr_array(rng.random((OUTPUTS, OUTPUTS)) < 0.3).astype(float)
    grid = np.arange(6)[None, :] < rng.integers(1, 5, OUTPUTS)[:, None]
    return collective_strictly_local(grid, ["feature_add"], [field], budgets, integer=True)


def by_norms(budgets):
    problem = half_spaces()
    return collective_norm(
        NormProblem(problem.groups, problem.eta[0], problem.weights[0]),
        np.ravel(budgets) / 2.0,
        method="milp",
        bins=None,
    )


FAMILIES = [by_half_spaces, by_receptive_fields, by_staircases, by_norms]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("short_by", [1.0, 3.0, 1e9])
def test_a_claim_below_the_attack_of_its_own_solve(family, short_by, monkeypatch) -> None:
    honest = family([[3]])
    assert honest.gap[0] == 0
    assert honest.method[0] == "milp", "or nothing is tested here"
    monkeypatch.setattr(Liar, "short_by", short_by)
    monkeypatch.setitem(SOLVERS, "highs", Liar)
    lied = family([[3]])
    assert lied.attacked_upper[0] >= honest.attacked_upper[0]
    assert lied.status[0] == REFUTED
    assert lied.method[0] in ("naive", "lp")
    assert lied.gap[0] == lied.attacked_upper[0] - honest.attacked_upper[0]


@pytest.mark.parametrize("family", FAMILIES[:3], ids=lambda value: getattr(value, "__name__", ""))
def test_a_claim_below_the_attack_of_a_smaller_budget(family, monkeypatch) -> None:
    """No attack is searched for, so at the larger budget nothing refutes the claim; the smaller one's attack does."""
    honest = family([[2], [6]])
    if family is by_half_spaces:
        find = localized.attempted
        monkeypatch.setattr(localized, "attempted", lambda e, near, budget: find(e, near, budget) * (budget.max() < 5))
        monkeypatch.setattr(localized, "improved", lambda encoding, b, counts, budget: b)
    if family is by_receptive_fields:
        monkeypatch.setattr(receptive, "greedy_changes", lambda encoding, near: np.zeros(near.size, np.int64))
    monkeypatch.setitem(SOLVERS, "highs", LargeLiar)
    lied = family([[2], [6]])
    assert (lied.attacked_upper >= honest.attacked_upper).all()
    assert (lied.gap >= 0).all()


def test_of_three_bounds_the_largest_unrefuted_one_counts() -> None:
    naive = Bound(9.0, 9, "naive", "not solved", math.nan)
    linear = Bound(6.2, 6, "lp", "optimal", math.nan, naive)
    integer = Bound(4.0, 4, "milp", "optimal", math.nan, linear)
    for attack, method, status in ((4.0, "milp", "optimal"), (5.0, "lp", REFUTED), (7.0, "naive", REFUTED)):
        found = unrefuted(integer, attack)
        assert (found.method, found.status, found.attack) == (method, status, attack)
    assert unrefuted(integer, math.nan) is not None
    assert unrefuted(integer, math.nan).attacked == 4


def test_where_no_other_bound_is_left_nothing_is_certified() -> None:
    """An attack on three targets is no proof that a fourth one stands."""
    targets = np.ones(9, bool)
    alone = [Bound(1.0, 1, "tight", "closed", math.nan)]
    answer = Answer(unrefuted(alone[0], 3.0))
    family = CollectiveProblem(("feature_add",), 9, lambda *_: lambda *_: answer)
    curve = bound_loop(family, np.array([[1]]), targets=targets, correct=targets)
    assert (curve.attacked_upper[0], curve.bound[0], curve.certified[0], curve.gap[0]) == (9, 9.0, 0, 6.0)
    assert curve.correct_upper[0] == 9
    assert curve.status[0] == REFUTED


def test_an_attack_at_a_smaller_budget_refutes_the_bound_of_a_larger_one_everywhere() -> None:
    budgets = np.array([[1], [2], [3]])
    naive = Bound(9.0, 9, "naive", "not solved", math.nan)
    found = carried(
        [Answer(Bound(5.0, 5, "milp", "optimal", 5.0, naive)), Answer(Bound(7.0, 7, "milp", "optimal", math.nan, naive)),
         Answer(Bound(3.0, 3, "milp", "optimal", 2.0, naive))], budgets
    )  # fmt: skip
    found = [answer.bound for answer in found]
    assert [bound.attacked for bound in found] == [5, 7, 9]
    assert [bound.attack for bound in found] == [5.0, 5.0, 5.0]
    assert found[2].status == REFUTED


def problem_of_trade_offs():
    rng = np.random.default_rng(2)
    laws = (BernoulliFlip(0.05, 0.6), BernoulliFlip(0.1, 0.85))
    return TightProblem(
        np.arange(OUTPUTS) % 2, 1 - rng.uniform(0, 0.4, OUTPUTS) ** 2, laws, np.array([[0, 1], [1, 0]]), np.zeros(2, int),
        np.full(2, 9), ("feature_add",),
    )  # fmt: skip


def test_our_own_search_is_not_believed_either(monkeypatch) -> None:
    honest = collective_tight(problem_of_trade_offs(), [3, 4])
    assert (honest.gap == 0).all()
    assert (honest.attacked_upper > 0).all()
    monkeypatch.setattr(budget_solver, "upper_bound", lambda tree: 0)
    monkeypatch.setattr(budget_solver, "naive_bound", lambda problem, cache: problem.p.size)
    lied = collective_tight(problem_of_trade_offs(), [3, 4])
    assert (lied.attacked_upper >= honest.attacked_upper).all()
    assert set(lied.status) == {REFUTED}


@pytest.mark.parametrize("route", ["joint_problem", "collective_tight"])
def test_hierarchical_bounds_are_checked_against_perturbations_that_exist(route, monkeypatch) -> None:
    from graphcert.collective import collective_hierarchical, hierarchical_problem
    from graphcert.noise import Budget, Hierarchical

    p = 1 - np.random.default_rng(1).uniform(0, 0.4, 8) ** 2
    data = SimpleNamespace(x=np.eye(8, 4, dtype=int), edge_index=np.zeros((2, 0), int), num_nodes=8)
    problem = hierarchical_problem(Hierarchical(0.9, BernoulliFlip(0.1, 0.6)), p, data)
    budgets = [Budget(2, 1, nodes=2)]
    honest = collective_hierarchical(problem, budgets)
    assert honest.gap[0] == 0
    assert honest.attacked_upper[0] > 0
    right = getattr(hierarchical_certificate, "collective_localized" if route == "joint_problem" else route)

    def lying(*args, **options):
        curve = right(*args, **options)
        nothing = np.zeros(len(curve), np.int64)
        return type(curve)(**{**vars(curve), "attacked_upper": nothing, "bound": nothing + 0.0, "gap": nothing + 0.0})

    monkeypatch.setattr(hierarchical_certificate, right.__name__, lying)
    monkeypatch.setattr(hierarchical_certificate._Budget, "_capped", lambda self, bound, apart: self._joint(1.0))
    lied = collective_hierarchical(problem, budgets)
    assert lied.attacked_upper[0] >= honest.attacked_upper[0]


def curve_of_counts(attacked, gap, attacks=True, correct=None):
    attacked = np.array(attacked)
    return CollectiveCurve(
        axes=("feature_add",), budgets=np.arange(attacked.size)[:, None], targets=9, bound=attacked.astype(float),
        attacked_upper=attacked, method=np.full(attacked.size, "tight"), status=np.full(attacked.size, "time limit"),
        gap=np.array(gap, float), attacks=np.zeros((attacked.size, 1), int) if attacks else None,
        correct_upper=None if correct is None else np.array(correct), correct_targets=None if correct is None else 9,
    )  # fmt: skip


def test_curves_take_over_no_refuted_bound() -> None:
    tight = curve_of_counts([6, 6, 6], [2, 2, np.nan])
    other = curve_of_counts([4, 3, 5], [0, 0, 0], attacks=False)
    assert strengthened(tight, other).attacked_upper.tolist() == [4, 6, 5]
    np.testing.assert_array_equal(strengthened(tight, other).gap, [0, 2, np.nan])
    loose = curve_of_counts([6, 6, 6], [2, 2, np.nan], attacks=False)
    assert strengthened(loose, other).attacked_upper.tolist() == [4, 3, 5], (
        "an attack on half-spaces may be none on others"
    )
    assert np.isnan(strengthened(loose, other).gap).all()
    assert strengthened(loose, other, same=True).attacked_upper.tolist() == [4, 6, 5]
    lower = weakened(curve_of_counts([2, 3], [0, 0], False, [1, 2]), np.array([2.0, 4.0]), None)
    assert lower.attacked_upper.tolist() == [2, 9]
    assert lower.correct_upper.tolist() == [1, 9]
    assert lower.status.tolist() == ["time limit", REFUTED]


def eleven_for_twelve(upper):
    """max x1 + x2 with x3 ≥ x1, x2 ≤ 1000·x0, x0 + x2 ≤ 12, x3 ≤ 1 unbounded below, x0 binary; here 1 − x3 is a column."""
    rows = np.array([[0, 1, 0, 1], [-1000, 0, 1, 0], [1, 0, 1, 0]], float)
    return LinearProgram(
        np.array([0.0, 1.0, 1.0, 0.0]), sp.csc_array(rows), np.array([1.0, 0.0, 12.0]),
        np.array([1.0, upper, upper, upper]), np.array([True, False, False, False]),
    )  # fmt: skip


BACKENDS = [HighsSolver, CvxpySolver]


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("upper", [np.inf, 1e6, 12.0])
def test_twelve_is_not_eleven(kind, upper) -> None:
    found = kind().solve_integer(eleven_for_twelve(upper))
    assert found.trusted
    assert found.best_bound == pytest.approx(12, abs=1e-6)
    assert found.point[1] + found.point[2] == pytest.approx(12, abs=1e-6)


@pytest.mark.parametrize("kind", BACKENDS)
def test_a_column_without_any_limit_is_trusted_by_nobody(kind) -> None:
    program = LinearProgram(
        np.array([1.0, 0.0]), sp.csc_array(np.array([[1.0, -1.0]])), np.array([1.0]), np.array([3.0, np.inf]),
        np.array([True, False]),
    )  # fmt: skip
    assert program.bounded().column_upper.tolist() == [3.0, np.inf]
    assert claimed_bound(kind().solve_integer(program), 0.0) == math.inf


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("seed", range(4))
def test_without_whole_columns_the_relaxation_answers(kind, seed) -> None:
    """HiGHS keeps no bound of branch and bound then: its record says 0, which would read as "nothing is attacked"."""
    rng = np.random.default_rng(seed)
    program = LinearProgram(
        rng.uniform(0, 1, 5),
        sp.csc_array(rng.uniform(0, 1, (3, 5))),
        rng.uniform(0.5, 2, 3),
        np.ones(5),
        np.zeros(5, bool),
    )
    solver = kind()
    found = solver.solve_integer(program)
    best = float(program.objective @ solver.solve_linear(program).point)
    assert best > 0
    assert best <= claimed_bound(found, branch_and_bound_slack(5.0)) <= best + 1e-6
