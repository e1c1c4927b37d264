"""Collective certificates under a norm against the truth: every choice of thresholds, in rational arithmetic."""

from dataclasses import replace
from fractions import Fraction

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localized_oracle import masks
from norm_oracle import NORMS, most_attacked, norm_problems, spent

from graphcert.collective import NormProblem, collective_localized, collective_norm
from graphcert.collective.solvers import SOLVERS
from graphcert.collective.solvers.program import Solution

METHODS = ("naive", "lp", "milp")


def alone(problem, norm, counted):
    """Outputs that the whole budget breaks where it hurts them most."""
    heaviest = [max(map(Fraction, row)) for row in problem.weights.tolist()]
    budget = spent(problem, norm)
    fallen = [
        e <= 0 or (e < np.inf and Fraction(e) <= heaviest[i] * budget)
        for i, e in zip(problem.groups, problem.eta, strict=True)
    ]
    return int((np.array(fallen) & counted).sum())


@settings(max_examples=80)
@given(norm_problems(), st.lists(NORMS, min_size=1, max_size=3), st.data())
def test_naive_lp_milp_in_this_order_and_milp_is_the_truth(problem, norms, data) -> None:
    targets = data.draw(masks(problem.program(0)))
    truth = [most_attacked(problem, spent(problem, norm), targets) for norm in norms]
    naive, lp, milp = (collective_norm(problem, norms, method=m, targets=targets, bins=None) for m in METHODS)
    assert (naive.certified <= lp.certified).all()
    assert (lp.certified <= milp.certified).all()
    assert milp.attacked_upper.tolist() == truth
    assert (milp.gap == 0).all()
    assert naive.attacked_upper.tolist() == [alone(problem, norm, targets) for norm in norms]
    attack = lp.attacked_upper - lp.gap
    assert (np.isnan(attack) | (attack <= truth)).all()


@settings(max_examples=60)
@given(norm_problems(), NORMS, st.integers(1, 3))
def test_rounding_eta_to_few_steps_stays_below_the_truth(problem, norm, bins) -> None:
    truth = most_attacked(problem, spent(problem, norm))
    for method in METHODS:
        assert truth <= collective_norm(problem, [norm], method=method, bins=bins).attacked_upper[0]


@settings(max_examples=50)
@given(norm_problems(), NORMS, st.data())
def test_real_numbers_too(problem, norm, data) -> None:
    """Rounding may cost an output, never win one, and it costs only near-ties."""
    noise = st.floats(0.5, 1.5)
    scale = data.draw(st.lists(noise, min_size=problem.weights.size, max_size=problem.weights.size))
    lift = data.draw(st.lists(noise, min_size=problem.eta.size, max_size=problem.eta.size))
    real = replace(problem, weights=problem.weights * np.reshape(scale, problem.weights.shape), eta=problem.eta * lift)
    attacked = [collective_norm(real, [norm], method=m, bins=None).attacked_upper[0] for m in METHODS]
    assert attacked[0] >= attacked[1] >= attacked[2] >= most_attacked(real, spent(real, norm))
    assert attacked[2] <= most_attacked(replace(real, eta=real.eta * (1 - 1e-5) - 1e-5), spent(real, norm))


@settings(max_examples=25)
@given(norm_problems(), NORMS, NORMS, st.data())
def test_more_budget_less_noise_and_weaker_votes_never_certify_more(problem, norm, more, data) -> None:
    output, group = data.draw(st.integers(0, problem.eta.size - 1)), data.draw(st.integers(0, len(problem.weights) - 1))
    weaker, louder = problem.eta.copy(), problem.weights.copy()
    weaker[output] -= 1.0
    louder[group] += 1.0
    for method in METHODS:
        certified = [
            collective_norm(given, [far], method=method, bins=None).certified[0]
            for given, far in [
                (problem, norm), (problem, norm + more),
                (replace(problem, eta=weaker), norm), (replace(problem, weights=louder), norm),
            ]
        ]  # fmt: skip
        assert certified[0] >= max(certified[1:])


@settings(max_examples=25)
@given(norm_problems(), st.lists(NORMS, min_size=2, max_size=5), st.integers(-40, 40))
def test_the_unit_of_length_does_not_matter(problem, norms, exponent) -> None:
    """Also for budgets so far apart that they share no program."""
    power = exponent * (2 if problem.squared else 1)
    rescaled = replace(problem, weights=np.ldexp(problem.weights, -power))
    sweep = np.ldexp(np.array(norms), exponent)
    for method in METHODS:
        here = collective_norm(problem, norms, method=method, bins=None)
        there = collective_norm(rescaled, sweep, method=method, bins=None)
        assert here.attacked_upper.tolist() == there.attacked_upper.tolist()
        assert there.budgets[:, 0].tolist() == sweep.tolist()


@settings(max_examples=10)
@given(norm_problems(squared=False), st.permutations([2.0**-30, 2.0**-14, 0.5, 1.0, 2.0**11, 2.0**30]), st.data())
def test_a_sweep_over_many_orders_of_magnitude(problem, norms, data) -> None:
    correct = data.draw(masks(problem.program(0)))
    curve = collective_norm(problem, norms, method="milp", correct=correct, bins=None)
    for i, norm in enumerate(norms):
        assert curve.attacked_upper[i] == most_attacked(problem, spent(problem, norm))
        assert curve.correct_upper[i] == most_attacked(problem, spent(problem, norm), correct)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 8), min_size=1, max_size=12), st.integers(1, 4), st.integers(1, 4), NORMS, st.data())
def test_equal_levels_are_isotropic(eta, level, blocks, norm, data) -> None:
    groups = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(eta), max_size=len(eta))))
    problem = NormProblem(groups, np.array(eta, float), np.full((3, blocks), float(level)), squared=False)
    expected = sum(e <= level * Fraction(norm) for e in eta)
    for method in METHODS:
        assert collective_norm(problem, [norm], method=method, bins=None).attacked_upper[0] == expected


@settings(max_examples=40)
@given(norm_problems(), st.lists(NORMS, min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_nothing_that_a_solver_says_about_the_relaxation_is_believed(problem, norms, seed) -> None:
    class Liar:
        """Any duals at all, said to be optimal."""

        def __init__(self, time_limit):
            self.rng = np.random.default_rng(seed)

        def solve_linear(self, program):
            size, columns = program.row_upper.size, program.objective.size
            scale = 10.0 ** self.rng.integers(-3, 3)
            return Solution("optimal", self.rng.normal(size=size) * scale, 0.0, self.rng.random(columns) * 9, True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOLVERS, "highs", Liar)
        curve = collective_norm(problem, norms, method="lp", bins=None)
    for i, norm in enumerate(norms):
        truth = most_attacked(problem, spent(problem, norm))
        assert curve.attacked_upper[i] >= truth
        assert not curve.attacked_upper[i] - curve.gap[i] > truth


def plain(problem, norm, integer, nested):
    """The program in cvxpy: a row per output, or per group over its outputs in order, w·b ≥ Σ (η_k − η_(k−1)) t_k."""
    budget = float(spent(problem, norm))
    t = cvxpy.Variable(problem.eta.size, integer=integer)
    b = cvxpy.Variable(problem.weights.shape[1])
    rules = [b >= 0, cvxpy.sum(b) <= budget, t >= 0, t <= 1]
    fallible = problem.eta <= problem.weights.max(axis=1)[problem.groups] * budget
    eta = np.maximum(problem.eta, 0.0)
    for group, weights in enumerate(problem.weights):
        mine = np.flatnonzero((problem.groups == group) & fallible)
        mine = mine[np.argsort(eta[mine])]
        if nested and mine.size:
            rules += [weights @ b >= np.diff(eta[mine], prepend=0.0) @ t[mine], t[mine][1:] <= t[mine][:-1]]
        else:
            rules += [weights @ b >= eta[n] * t[n] for n in mine]
    rules += [t[n] == 0 for n in np.flatnonzero(~fallible)]
    return float(cvxpy.Problem(cvxpy.Maximize(cvxpy.sum(t)), rules).solve(solver=cvxpy.HIGHS))


@settings(max_examples=15)
@given(norm_problems(), NORMS, st.data())
def test_the_plain_programs_say_the_same(problem, norm, data) -> None:
    scale = data.draw(st.lists(st.floats(0.5, 1.5), min_size=problem.eta.size, max_size=problem.eta.size))
    real = replace(problem, eta=problem.eta * scale)
    lp, milp = (collective_norm(real, [norm], method=m, bins=None) for m in ("lp", "milp"))
    relaxed = plain(real, norm, integer=False, nested=True)
    # A bound that is not smaller in whole numbers than a cheaper one keeps that one.
    assert lp.attacked_upper[0] == np.floor(relaxed + 1e-6)
    assert plain(real, norm, integer=False, nested=False) >= relaxed - 1e-6
    assert milp.attacked_upper[0] == round(plain(real, norm, integer=True, nested=False))


def test_lowering_weights_as_for_whole_changes_would_certify_too_much() -> None:
    """A whole change that reaches the last step can do no more; half of it still does half of what it weighs."""
    problem = NormProblem(np.zeros(1, int), np.array([1.0]), np.array([[4.0]]), squared=False)
    for method in METHODS:
        assert collective_norm(problem, [0.125, 0.25], method=method).certified.tolist() == [1, 0]
    whole = replace(problem.program(0), whole=True)
    assert collective_localized(whole, [0], method="lp").certified.tolist() == [1]


def test_the_whole_is_more_than_its_parts() -> None:
    """Two groups that one budget breaks alone and no budget breaks together."""
    problem = NormProblem(np.array([0, 1]), np.array([4.0, 4.0]), np.array([[4.0, 1.0], [1.0, 4.0]]), squared=True)
    norms = [0.99, 1.0, 1.26, 1.27]
    assert collective_norm(problem, norms, method="naive").certified.tolist() == [2, 0, 0, 0]
    # Half of the budget on each block crosses both at 4 · 1.6/2 + 1.6/2 = 4, so together they fall from ε² = 1.6 on.
    assert collective_norm(problem, norms, method="lp").certified.tolist() == [2, 1, 1, 0]
