"""What the tight certificate refuses, and what it is made of where a mistake would not show in a count."""

import numpy as np
import pytest
from tight_oracle import FIVE

from graphcert.collective.exact import TightProblem, collective_tight
from graphcert.collective.exact.search_problem import OUTSIDE, chain_ranks, reduce_tight_axes
from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip


def problem(**more):
    parts = {
        "groups": np.array([0, 0, 1]),
        "p_lower": np.array([0.9, 0.8, 0.99]),
        "laws": FIVE[:2],
        "law_of_axis": np.array([[0, 1], [1, 0]]),
        "axis_class": np.array([0, 0]),
        "capacity": np.array([5, 5]),
        "classes": ("feature_add",),
    }
    return TightProblem(**{**parts, **more})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"p_lower": np.array([0.9, np.nan, 0.5])}, "one probability per output"),
        ({"p_lower": np.array([0.9, 1.1, 0.5])}, "one probability per output"),
        ({"p_lower": np.array([0.9, 0.8])}, "groups"),
        ({"groups": np.array([0, 0, 2])}, "groups"),
        ({"law_of_axis": np.array([[0, 2], [1, 0]])}, "law_of_axis"),
        ({"law_of_axis": np.array([[0.0, 1.0], [1, 0]])}, "law_of_axis must be integers"),
        ({"axis_class": np.array([0, 1])}, "axis_class"),
        ({"capacity": np.array([5])}, "capacity"),
        ({"capacity": np.array([5, -1])}, "capacities"),
        ({"level": np.array(0.49)}, "level must be one number of at least 1/2"),
        ({"level": np.array([0.5, 1.0])}, "level must be one number of at least 1/2"),
        ({"level": np.array([0.5, 0.5, 0.5])}, "level must be one number of at least 1/2"),
        ({"level": np.array([0.5, np.nan])}, "level must be one number of at least 1/2"),
        ({"classes": ("features",)}, "classes must be different names"),
        ({"classes": ("feature_add", "feature_add")}, "classes must be different names"),
    ],
)
def test_a_problem_that_is_none_is_refused_in_one_sentence(more, words):
    with pytest.raises(InputError, match=words) as raised:
        problem(**more)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("budgets", "more", "words"),
    [
        ([-1], {}, "whole numbers"),
        ([1.5], {}, "whole numbers"),
        ([], {}, "non-empty"),
        ([1], {"targets": np.zeros(3, bool)}, "no targets"),
        ([1], {"targets": np.ones(2, bool)}, "targets must be a boolean mask"),
        ([1], {"correct": np.ones(3, int)}, "correct must be a boolean mask"),
        ([1], {"robust_per_node": np.ones((2, 3), bool)}, "robust_per_node must be a boolean mask"),
        ([1], {"time_limit": -1}, "time_limit"),
        ([1], {"time_limit": float("nan")}, "time_limit"),
        ([1], {"bins": 0}, "bins"),
        ([1], {"bins": True}, "bins"),
        ([1], {"cutoff": [1, 2]}, "cutoff must be one whole number"),
        ([1], {"cutoff": [-1]}, "cutoff must be one whole number"),
        ([1], {"cutoff": [0.5]}, "cutoff must be one whole number"),
        ([1], {"cutoff": [1], "correct": np.ones(3, bool)}, "leave correct out"),
    ],
)
def test_bad_options_get_one_sentence(budgets, more, words):
    with pytest.raises(InputError, match=words) as raised:
        collective_tight(problem(), budgets, **more)
    assert "\n" not in str(raised.value)


def test_the_last_of_five_levels_is_on_no_chain():
    assert chain_ranks(FIVE, np.arange(5)).tolist() == [0, 1, 2, 3, OUTSIDE]
    assert chain_ranks(FIVE[::-1], np.arange(5)).tolist() == [OUTSIDE, 3, 2, 1, 0]
    assert chain_ranks(FIVE, np.array([1, 3])).tolist() == [OUTSIDE, 0, OUTSIDE, 1, OUTSIDE]


def test_equal_and_silent_laws_are_ordered_too():
    silent = BernoulliFlip(0.25, 0.75)
    assert sorted(chain_ranks((silent, FIVE[0], silent), np.arange(3)).tolist()) == [0, 1, 2]
    assert chain_ranks((silent, FIVE[0]), np.arange(2)).tolist() == [1, 0]


def test_axes_that_all_groups_see_alike_become_one_and_useless_ones_none():
    """Axes 0 and 2 are the same; 3 is weaker than both for every group; 1 is weaker, but for group 1 only."""
    given = problem(
        law_of_axis=np.array([[0, 1, 0, 2], [1, 0, 1, 3]]), laws=FIVE, axis_class=np.zeros(4, int),
        capacity=np.array([3, 9, 4, 9]),
    )  # fmt: skip
    reduced = reduce_tight_axes(given, np.array([7]))
    assert [members.tolist() for members in reduced.members] == [[0, 2], [1]]
    assert reduced.capacity.tolist() == [7, 7]
    assert reduced.spread(np.array([5, 2]), given).tolist() == [3, 2, 2, 0]
    assert reduced.gather(np.array([3, 2, 2, 0]), np.array([7]), np.array([0, 2])).tolist() == [5, 2]
    # With less room than budget nothing is dropped.
    assert len(reduce_tight_axes(given, np.array([10])).members) == 3


def test_a_sweep_knows_what_its_parts_know():
    curve = collective_tight(problem(), [3, 1, 2], correct=np.array([True, False, True]))
    assert (np.diff(curve.certified[[1, 2, 0]]) <= 0).all()
    assert curve.attacks.shape == (3, 2)
    assert curve.correct_targets == 2
    assert set(curve.method.tolist()) <= {"naive", "tight-lp", "tight"}
