"""What whole changes must really reach: against all of them, never above the least, exact where all are looked at."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceived_oracle import cases, integers

from graphcert.collective.half_spaces import whole_changes
from graphcert.collective.half_spaces.receptive_attack import greedy_changes
from graphcert.collective.half_spaces.receptive_problem import receptive_problem
from graphcert.collective.half_spaces.receptive_program import encode_receptive
from graphcert.collective.half_spaces.whole_changes import supported


@st.composite
def half_spaces(draw):
    directions, outputs, axes = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(0, 3))
    classes = draw(st.integers(1, 2))
    eta = draw(integers(0, 9, directions, outputs)).astype(float)
    weights = np.minimum(draw(integers(0, 4, directions, outputs, axes)).astype(float), eta[:, :, None])
    axis_class, most = draw(integers(0, classes - 1, axes)), draw(integers(0, 4, classes))
    return eta, weights, draw(integers(0, 4, outputs, axes)), axis_class, most


def truth(eta, weights, rooms, axis_class, most):
    result = np.full(eta.shape, np.inf)
    for n, room in enumerate(rooms):
        for z in product(*(range(r + 1) for r in room)):
            if (np.bincount(axis_class, z, minlength=most.size) > most).any():
                continue
            sums = weights[:, n] @ np.array(z)
            if (sums >= eta[:, n]).all():
                result[:, n] = np.minimum(result[:, n], sums)
    return np.maximum(result, eta)


@settings(max_examples=200)
@given(half_spaces())
def test_the_least_sums_of_whole_changes_that_cross_everything(drawn) -> None:
    found, least = supported(*drawn), truth(*drawn)
    assert (found <= least).all()
    assert found == pytest.approx(least, rel=1e-12)


@settings(max_examples=150)
@given(half_spaces(), st.integers(1, 20))
def test_what_is_not_looked_at_only_costs(drawn, points) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole_changes, "POINTS", points)
        found = supported(*drawn)
    assert (drawn[0] <= found).all()
    assert (found <= truth(*drawn)).all()


def test_huge_budgets_end() -> None:
    one = np.ones((1, 1))
    for axes in (1, 3, 70):
        found = supported(
            2.5 * one, np.ones((1, 1, axes)), np.full((1, axes), 10**9), np.zeros(axes, int), np.array([10**9])
        )
        assert found[0, 0] == pytest.approx(3.0 if axes < 70 else 2.5, rel=1e-12)


@settings(max_examples=150)
@given(cases(), st.data())
def test_attacks_keep_every_limit_and_are_points_of_the_program(drawn, data) -> None:
    case, budget = drawn
    limits = {key: case.get(key) for key in ("local_budget", "attackers", "endpoints")}
    problem = receptive_problem(case["problem"], case["perception"], case["axis_of"], np.array([budget]), **limits)
    every = np.ones(case["problem"].outputs, dtype=bool)
    encoding = encode_receptive(problem, every, np.array(budget))
    if encoding.size == encoding.always:
        return
    program = encoding.program()
    near = np.array([data.draw(st.floats(0, float(upper))) for upper in encoding.changes(program.column_upper)])
    b = greedy_changes(encoding, near / max(near.sum(), 1.0))
    x = encoding.point(b)
    assert (x >= 0).all()
    assert (x <= program.column_upper).all()
    assert (program.matrix @ x <= program.row_upper + 1e-9).all()
    assert encoding.allowed(x)
    assert encoding.always + program.objective @ x == encoding.broken(b.astype(float))
