from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.errors import InputError
from graphcert.statistics import check_sample_size, clopper_pearson_lower, minimum_samples


@given(st.floats(1e-9, 0.99), st.integers(1, 10**6))
def test_the_minimum_is_the_first_size_that_can_prove_a_majority(alpha: float, claims: int) -> None:
    n = minimum_samples(alpha, claims)
    assert Fraction(alpha) / claims > Fraction(1, 2**n)
    assert clopper_pearson_lower(n, n, alpha / claims) > 0.5
    assert n == 1 or clopper_pearson_lower(n - 1, n - 1, alpha / claims) <= 0.5


def test_the_refusal_names_the_number_needed() -> None:
    check_sample_size(19, 0.01, 2810)
    with pytest.raises(InputError, match="at least 19"):
        check_sample_size(18, 0.01, 2810)


def test_an_exact_power_of_two_is_not_enough() -> None:
    assert minimum_samples(0.25) == 3


def test_bad_input_is_refused() -> None:
    for alpha, claims in ((0.0, 1), (0.1, 0), (float("nan"), 1)):
        with pytest.raises(InputError):
            minimum_samples(alpha, claims)
