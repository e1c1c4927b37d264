"""Looks: their levels never sum to more than the level, in exact arithmetic, and numbers that are none are refused."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.errors import InputError
from graphcert.statistics import Looks


@given(st.integers(1, 10**7), st.floats(1e-12, 0.4999))
def test_levels_of_planned_looks_never_sum_to_more(samples: int, level: float) -> None:
    looks = Looks.planned(samples)
    assert looks.ends[-1] == samples
    assert sum(map(Fraction, looks.weights)) <= 1
    spent = [looks.level(level, look) for look in range(len(looks.ends))]
    assert min(spent) > 0
    assert sum(map(Fraction, spent)) <= Fraction(level)
    # Nearly all of it is spent.
    assert sum(spent) > level * (1 - 1e-12)
    assert all(
        Fraction(one) <= Fraction(level) * Fraction(weight) for one, weight in zip(spent, looks.weights, strict=True)
    )


def test_a_single_look_has_the_whole_level() -> None:
    assert Looks.planned(40) == Looks((40,), (1.0,))
    assert Looks.planned(40).level(0.01, 0) == 0.01


@pytest.mark.parametrize(
    ("ends", "weights", "words"),
    [
        ((10, 20), (0.5, 0.5000001), "sum to more than 1"),
        ((10, 20), (0.1,) * 3, "a weight for each"),
        ((20, 10), (0.5, 0.5), "ascending"),
        ((10, 10), (0.5, 0.5), "ascending"),
        ((), (), "ascending"),
        ((0, 10), (0.5, 0.5), "at least 1"),
        ((10, 20), (0.0, 0.5), "above 0"),
        ((10, 20), (float("nan"), 0.5), "above 0"),
    ],
)
def test_numbers_that_are_no_looks_are_refused(ends: tuple[int, ...], weights: tuple[float, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Looks(ends, weights)


def test_ten_tenths_are_more_than_one_in_exact_arithmetic() -> None:
    """In floats they are less: the check must not be made there."""
    assert sum([0.1] * 10) < 1
    with pytest.raises(InputError, match="more than 1"):
        Looks(tuple(range(1, 11)), (0.1,) * 10)


def test_the_look_of_a_number_of_samples() -> None:
    looks = Looks((10, 20, 40), (0.25, 0.25, 0.5))
    assert looks.of(np.array([40, 10, 20])).tolist() == [2, 0, 1]
    for wrong in (11, 9, 41):
        with pytest.raises(InputError, match="samples of a look"):
            looks.of(np.array([10, wrong]))
