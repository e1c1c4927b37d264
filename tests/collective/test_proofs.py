"""Proofs that stay with collective curves: what they show is true, and no more than is true can be shown."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from norm_oracle import NORMS, norm_problems
from norm_oracle import spent as spent_norm
from tight_oracle import FIVE, ROUNDING, budgets_of, fallen, masks, most_fallen, problems

from graphcert.certificates.proofs import with_proofs
from graphcert.collective import CollectiveCurve, LocalizedProblem, collective_localized, collective_norm
from graphcert.collective.exact.covering import Coverings
from graphcert.collective.half_spaces.norm import norm_prices
from graphcert.errors import InputError
from graphcert.noise import AXES
from graphcert.verification.coverings import check_covering
from graphcert.verification.flip_axes import FlipAxes
from graphcert.verification.prices import HalfSpaces, proved_by_prices, scaled_down, scaled_up
from graphcert.verification.schemes import Law


def read_axes(problem):
    """The axes of a problem as the verification reads them."""
    laws = tuple(Law("flips", (Fraction(law.add), Fraction(law.delete))) for law in problem.laws)
    index = np.array([AXES.index(name) for name in problem.classes])[problem.axis_class]
    return FlipAxes(problem.groups, laws, problem.law_of_axis, index, problem.capacity, False)


def checked(problem, proof, budget, number, counted):
    """What the verification says of a covering, if what falls is known from the oracle."""
    whole = np.zeros(len(AXES), int)
    whole[[AXES.index(name) for name in problem.classes]] = budget
    falls = lambda group, b: int((fallen(problem, b) & counted & (problem.groups == group)).sum())  # noqa: E731
    return check_covering(proof, read_axes(problem), whole.tolist(), number, falls)


def covering_shows_the_truth(problem, budget, counted):
    coverings = Coverings(problem, np.array(budget), counted)
    truth = most_fallen(problem, budget, counted)
    number = most_fallen(problem, budget, counted, ROUNDING, rounded=True)
    proof = coverings.proof(number)
    assert proof is not None
    assert checked(problem, proof, budget, number, counted) is None
    assert coverings.proof(truth - 1) is None
    assert checked(problem, proof, budget, truth - 1, counted) is not None


@settings(max_examples=60)
@given(st.data())
def test_coverings_show_what_falls_and_nothing_less(data):
    problem = data.draw(problems())
    covering_shows_the_truth(problem, data.draw(budgets_of(problem)), data.draw(masks(problem)))


@settings(max_examples=15)
@given(st.data())
def test_coverings_over_laws_that_cannot_be_compared(data):
    problem = data.draw(problems(laws=st.sampled_from(FIVE)))
    covering_shows_the_truth(problem, data.draw(budgets_of(problem, 4)), data.draw(masks(problem)))


def read_half_spaces(problem):
    """The half-spaces of a norm as the verification reads them."""
    eta = [scaled_down(Fraction(min(max(e, 0.0), 1e6))) for e in problem.eta.tolist()]
    weight = [[scaled_up(Fraction(w)) for w in row] for row in problem.weights.tolist()]
    blocks = problem.weights.shape[1]
    kind = np.zeros(problem.eta.size, int)
    return HalfSpaces(problem.groups, [eta], [weight], [0] * blocks, [None] * blocks, kind, False)


@settings(max_examples=100)
@given(problem=norm_problems(), norm=NORMS, data=st.data())
def test_prices_of_a_norm_show_the_linear_program(problem, norm, data):
    size = problem.eta.size
    counted = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(any)))
    curve = collective_norm(problem, [norm], method="lp", targets=counted)
    proof = norm_prices(problem, norm, counted, int(curve.attacked_upper[0]))
    assert proof is not None
    found = proved_by_prices(proof, read_half_spaces(problem), [spent_norm(problem, norm)], counted)
    assert found <= curve.attacked_upper[0]
    best = collective_norm(problem, [norm], method="milp", targets=counted)
    assert found >= best.attacked_upper[0] - best.gap[0]


def two_halves():
    """Two groups, each of which an adversary can break alone, and neither in part."""
    half = np.eye(2) * 0.9 + 0.1
    problem = LocalizedProblem(np.arange(8) % 2, np.full((1, 8), 4.0), half[None], np.zeros(2, int), np.array([9, 9]))
    budgets = [[n, 0, 0, 0] for n in (0, 4, 5)]
    return {
        name: collective_localized(problem, budgets, method=name, correct=np.arange(8) < 6)
        for name in ("naive", "milp")
    }


def test_the_smallest_number_is_proved_and_larger_ones_refer_to_it():
    curves = two_halves()
    asked = []

    def provers(row, counted):
        yield lambda number: None
        yield lambda number: asked.append((row, number)) or {"kind": "boxes"}

    masks = (np.ones(8, bool), np.arange(8) < 6)
    found = with_proofs(curves, provers, masks, 100.0)
    assert [row["targets"]["kind"] for row in found["naive"].proofs] == ["boxes", "all", "all"]
    assert [row["targets"]["kind"] for row in found["milp"].proofs] == ["other", "boxes", "boxes"]
    assert len(asked) == 6
    failed = with_proofs(curves, lambda row, counted: iter([lambda number: None]), masks, 100.0)
    assert {one["kind"] for row in failed["milp"].proofs for one in row.values()} == {"search"}
    assert failed["naive"].proofs[2]["targets"] == {"kind": "all"}


def test_proofs_are_written_down_and_curves_without_them_still_read():
    plain = two_halves()["milp"]
    assert "proofs" not in plain.to_dict()
    assert CollectiveCurve.from_dict(plain.to_dict()).proofs is None
    proofs = ({"targets": {"kind": "search"}, "correct": {"kind": "boxes", "bits": "AA=="}},) * 3
    described = json.loads(json.dumps(replace(plain, proofs=proofs).to_dict()))
    assert CollectiveCurve.from_dict(described).proofs == proofs
    for wrong in (
        proofs[:2],
        ({"targets": {"kind": "search"}},) * 3,
        ({**proofs[0], "correct": {"kind": "sworn"}},) * 3,
    ):
        with pytest.raises(InputError, match="does not describe"):
            CollectiveCurve.from_dict({**described, "proofs": wrong})
