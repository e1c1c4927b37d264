"""Collective certificates under a norm: what is refused, and what a curve over norms looks like."""

import json
from dataclasses import replace

import numpy as np
import pytest
from seeds import fresh_rng

from graphcert.collective import CollectiveCurve, NormProblem, collective_norm
from graphcert.errors import InputError

GOOD = {"groups": np.array([0, 1]), "eta": np.array([1.0, 2.0]), "weights": np.array([[1.0, 0.5], [0.25, 2.0]])}
PROBLEM = NormProblem(**GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"eta": np.array([[1.0, 2.0]])},
        {"eta": np.array([1.0, np.nan])},
        {"weights": np.array([1.0, 2.0])},
        {"weights": np.array([[1.0, np.inf], [1.0, 1.0]])},
        {"weights": np.array([[1.0, -1.0], [1.0, 1.0]])},
        {"weights": np.array([[1.0, np.nan], [1.0, 1.0]])},
        {"groups": np.array([0, 2])},
        {"groups": np.array([0.0, 1.0])},
    ],
)
def test_a_problem_that_is_none(change) -> None:
    with pytest.raises(InputError):
        NormProblem(**{**GOOD, **change})


@pytest.mark.parametrize("norms", [[], [-0.5], [np.nan], [np.inf], ["1"], [[0.5, 0.5]], [1e200], 0.5])
def test_norms_that_are_none(norms) -> None:
    with pytest.raises(InputError):
        collective_norm(PROBLEM, norms)


def test_options_are_those_of_whole_changes() -> None:
    for option in (
        {"method": "tight"},
        {"solver": "x"},
        {"bins": 0},
        {"targets": np.zeros(2, bool)},
        {"robust_per_node": np.ones(3, bool)},
    ):
        with pytest.raises(InputError):
            collective_norm(PROBLEM, [0.5], **option)


def test_tiny_and_huge_units_are_never_rounded_away() -> None:
    """Where floats end, everything is rounded up."""
    tiny = NormProblem(np.zeros(1, int), np.array([5e-324]), np.array([[1e-300]]))
    assert collective_norm(tiny, [1e-170, 1.0]).certified.tolist() == [1, 0]
    huge = NormProblem(np.zeros(1, int), np.array([1.0]), np.array([[1e300]]))
    assert collective_norm(huge, [0.0, 1e-200, 1e-140]).certified.tolist() == [1, 1, 0]


def test_a_curve_over_norms_survives_json_and_csv(tmp_path) -> None:
    curve = collective_norm(PROBLEM, [0.5, 1, 2.25], method="milp", correct=np.array([True, False]))
    again = CollectiveCurve.from_dict(json.loads(json.dumps(curve.to_dict())))
    assert again.budgets.dtype == np.float64
    assert again.budgets.tolist() == [[0.5], [1.0], [2.25]]
    assert list(again.rows()) == list(curve.rows())
    curve.to_csv(tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text().splitlines()[1].startswith("0.5,")
    assert again.axes == ("feature_shift",)


def test_both_backends_prove_the_same() -> None:
    rng = fresh_rng()
    problem = NormProblem(
        rng.integers(0, 3, 60), rng.integers(0, 9, 60).astype(float), rng.integers(1, 5, (3, 3)).astype(float)
    )
    for method in ("lp", "milp"):
        one, other = (collective_norm(problem, [0.5, 1.0, 1.25], method=method, solver=s) for s in ("highs", "cvxpy"))
        assert one.attacked_upper.tolist() == other.attacked_upper.tolist()


def test_what_is_robust_alone_never_falls() -> None:
    proved = np.array([[True, False], [False, False]])
    free, kept = (collective_norm(PROBLEM, [2.0, 2.0], method="milp", robust_per_node=r) for r in (None, proved))
    assert free.attacked_upper.tolist() == [2, 2]
    assert kept.attacked_upper.tolist() == [1, 1]  # the same norm twice: what is proved once holds
    assert replace(kept, targets=3).certified.tolist() == [2, 2]
