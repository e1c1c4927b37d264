"""Thresholds against exact rational arithmetic: the law drawn is the law described up to the error that is stated."""

from bisect import bisect_left
from fractions import Fraction
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from philox_reference import gap_thresholds

from graphcert.sampling.flips import CELL_BITS, LONGEST_TABLE, OPEN, SPLIT_BITS, bit_threshold, gap_table

TINY = 5e-324
RATES = st.floats(0, 1, allow_subnormal=True)


def table_numbers(table):
    """The thresholds as 96-bit whole numbers."""
    return [int(high) << 64 | int(low) for high, low in zip(table.high[:-1], table.low, strict=True)]


def gap_law(thresholds, unit):
    """Probabilities of the gaps 0, 1, … and, last, of "at least as long as the table"."""
    steps = [0, *thresholds, unit]
    return [Fraction(b - a) / unit for a, b in pairwise(steps)]


def total_variation(table, rate):
    length = table.low.size
    survive = [(1 - Fraction(rate)) ** k for k in range(length + 1)]
    exact = [*(a - b for a, b in pairwise(survive)), survive[-1]]
    drawn = gap_law(table_numbers(table), 2**96)
    assert sum(exact) == sum(drawn) == 1
    return sum(abs(a - b) for a, b in zip(exact, drawn, strict=True)) / 2


@given(RATES, st.integers(0, 60))
@example(rate=1.0, elements=7)
@example(rate=0.0, elements=7)
@example(rate=TINY, elements=7)
@example(rate=1e-310, elements=3)
@example(rate=np.nextafter(1.0, 0.0), elements=7)
@example(rate=2.0**-96, elements=7)
@settings(max_examples=60)
def test_the_law_of_a_gap_is_off_by_no_more_than_stated(rate, elements):
    table = gap_table(rate, elements)
    assert total_variation(table, rate) <= table.total_variation <= 1e-26


@pytest.mark.parametrize(("rate", "elements"), [(0.01, 2879), (0.03, 700), (1 / 3, 400), (0.999, 50), (1.0, 50)])
def test_thresholds_are_exact_numbers_rounded_by_at_most_one_unit(rate, elements):
    """So the law of a gap is off by at most one unit of 2^−96 for each line of the table."""
    table = gap_table(rate, elements)
    found, exact = table_numbers(table), gap_thresholds(rate, elements)
    assert len(found) == len(exact) == min(elements, ceil(16 / rate))
    assert all(0 <= a - b <= 1 for a, b in zip(found, exact, strict=True))
    assert found == sorted(found)
    assert (len(found) + 1) * 2.0**-96 <= table.total_variation <= 1e-24


CELL, SPLIT = 2 ** (32 - CELL_BITS), 2 ** (32 - CELL_BITS - SPLIT_BITS)


@pytest.mark.parametrize(
    ("rate", "elements"), [(1e-3, 3000), (0.02, 3000), (0.08, 2879), (0.5, 9), (1.0, 9), (1e-5, 10**6), (0.3, 0)]
)
def test_a_cell_says_which_gaps_its_numbers_may_have(rate, elements):
    """The first of them; where there are two, all numbers of either; otherwise it is open, as where no flip is possible."""
    table = gap_table(rate, elements)
    high = table.high[:-1].tolist()
    assert table.cells.size == 2**CELL_BITS
    for cell in (*range(0, 2**CELL_BITS, 37), 2**CELL_BITS - 1):
        first, last = (bisect_left(high, border * CELL) for border in (cell, cell + 1))
        gap, split = divmod(int(table.cells[cell]), 2**16)
        assert gap == first
        assert (split == OPEN) == (last > first + 1 or last == len(high))
        if split < OPEN:
            below, beyond = cell * CELL + split * SPLIT, cell * CELL + (split + 1) * SPLIT
            assert bisect_left(high, below) == first
            assert bisect_left(high, beyond) == last


def test_nothing_to_flip_needs_no_table():
    assert gap_table(0.0, 100).low.size == gap_table(0.5, 0).low.size == 0
    assert (gap_table(0.0, 100).cells == OPEN).all()


def test_a_table_never_outgrows_its_limit():
    assert gap_table(1e-9, 10**6).low.size == LONGEST_TABLE


@given(RATES)
@example(rate=1.0)
@example(rate=0.0)
@example(rate=TINY)
@example(rate=2.0**-75)
@example(rate=float(np.nextafter(2.0**-76, 1)))
def test_a_rate_of_128_digits_is_off_by_no_more_than_stated(rate):
    threshold = bit_threshold(rate)
    digits = int(threshold.high) << 64 | int(threshold.low)
    error = abs(Fraction(digits, 2**128) - Fraction(rate))
    assert error <= threshold.total_variation <= 2.0**-128
    assert (error == 0) == (threshold.total_variation == 0)
    if 2.0**-75 <= rate < 1:
        assert error == 0
