"""Norms as text: exact, read upwards and written downwards, so that a text never claims more than was certified."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.errors import InputError
from graphcert.run.settings.stages import norm_values, sweep_values
from graphcert.tradeoff.base import norm_words

DECIMALS = st.decimals(min_value=0, max_value=1000, places=3).map(str)


@given(texts=st.lists(DECIMALS, min_size=1, max_size=5))
def test_a_norm_is_the_smallest_float_that_is_not_below_its_text(texts):
    for text, norm in zip(texts, norm_values("shift", ",".join(texts)), strict=True):
        assert Fraction(norm) >= Fraction(text)
        assert float(Fraction(text)) in (norm, pytest.approx(norm, rel=1e-15))
        assert Fraction(norm_words(norm, 12)) == Fraction(text), "reading and writing give the same text"


def test_a_text_that_a_float_rounds_down_would_be_caught():
    assert Fraction(float("0.3")) < Fraction("0.3") <= Fraction(norm_values("shift", "0.3")[0])
    assert norm_words(0.3) == "0.2999", "a float below 0.3 does not become 0.3"


@given(first=DECIMALS, step=st.decimals(min_value="0.001", max_value=3, places=3), count=st.integers(1, 200))
def test_a_range_holds_both_ends_and_every_step(first, step, count):
    last = Fraction(first) + (count - 1) * Fraction(step)
    expected = [Fraction(first) + k * Fraction(step) for k in range(count)]
    found = norm_values("shift", f"{first}:{last}:{step}")
    assert len(found) == count
    assert all(Fraction(norm) >= exact for norm, exact in zip(found, expected, strict=True))
    assert found == norm_values("shift", ",".join(map(str, expected)))
    # A range that ends just before the next step has one norm less.
    if count > 1:
        assert norm_values("shift", f"{first}:{last - Fraction(1, 10**9)}:{step}") == found[:-1]


BAD = ", a 0:1 0:1:2:3 0:1:0 0:1:-0.1 1:0:0.1 0:1:0.001 -1 0,-0.1 -1:1:1 nan inf 1e400 1/0 0:inf:1"


@pytest.mark.parametrize("text", ["", *BAD.split(), ",".join(["1"] * 201)])
def test_anything_else_is_refused_in_one_sentence(text):
    with pytest.raises(InputError, match="shift takes up to 200 norms"):
        norm_values("shift", text)


def test_only_shift_is_swept_over_norms():
    assert sweep_values("shift", "0:1:0.5") == (0.0, 0.5, 1.0)
    assert sweep_values("shift", 2) == (2.0,)
    assert sweep_values("nodes", "1:3") == (1, 2, 3)
    for axis in ("add", "delete", "edge_add", "edge_delete", "nodes"):
        with pytest.raises(InputError, match="whole numbers"):
            sweep_values(axis, "0.5")
