"""The drawing kernels against the slow reference, bit by bit, also where 32 bits or 64 digits do not decide."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from philox_reference import gap_positions, uniform96, uniform128

from graphcert.sampling.flips import draw_gaps, draw_lanes
from graphcert.sampling.localized import classify_additions
from graphcert.sampling.philox import LEVEL
from graphcert.sampling.tables import GUIDE_BITS, bit_threshold, gap_table

SEEDS = st.integers(0, 2**64 - 1)
ALL = 2**64 - 1


def table_arrays(thresholds):
    """Kernel arrays of any ascending 96-bit thresholds: leading 32 bits and a sentinel, 64 bits, guide."""
    high = np.array([*(t >> 64 for t in thresholds), 2**32 - 1], np.uint32)
    low = np.array([t & ALL for t in thresholds], np.uint64)
    cells = np.arange(2**GUIDE_BITS, dtype=np.int64) << 32 - GUIDE_BITS
    guide = sum((np.int64(t >> 64) < cells for t in thresholds), np.zeros(cells.size, np.int32))
    return high, low, guide.astype(np.uint16)


def numbers_of(table):
    return [int(high) << 64 | int(low) for high, low in zip(table.high[:-1], table.low, strict=True)]


def kernel_gaps(seed, stream, sample, row, elements, arrays, scratch=32, room=200, at=0):
    out = np.full(room, -1, np.int32)
    words = np.empty(scratch, np.uint32)
    end = draw_gaps(np.uint64(seed), stream, sample, row, elements, *arrays, words, out, at)
    return int(end), out


def kernel_lanes(seed, stream, sample, row, word, lanes, digits):
    """Flipped lanes (a mask) at a rate of `digits` / 2^128."""
    high, low = np.uint64(digits >> 64), np.uint64(digits & ALL)
    return int(
        draw_lanes(np.uint64(seed), stream, sample, row, word, np.uint64(lanes), high, low, np.empty(32, np.uint32))
    )


@given(
    SEEDS,
    st.integers(0, 60),
    st.floats(0, 1),
    st.integers(0, 120),
    st.integers(1, 40),
    st.sampled_from([8, 16, 32, 64]),
)
@example(seed=3, stream=2, rate=1.0, elements=65, lines=65, scratch=8)
@example(seed=3, stream=2, rate=0.02, elements=120, lines=2, scratch=16)
@settings(max_examples=60)
def test_gaps_are_those_of_the_reference(seed, stream, rate, elements, lines, scratch):
    """For every rate, also with a table cut short (then the draw starts afresh), whatever the size of the scratch."""
    table = gap_table(rate, lines)
    expected = gap_positions(seed, stream, 9, 4, elements, numbers_of(table))
    end, out = kernel_gaps(seed, stream, 9, 4, elements, (table.high, table.low, table.guide), scratch)
    assert out[:end].tolist() == expected


@given(SEEDS, st.integers(0, 11), st.integers(-1, 1))
@settings(max_examples=40)
def test_64_more_bits_decide_where_32_do_not(seed, draw, offset):
    """A table whose only threshold agrees with a drawn number in its first 32 bits, or in all 96."""
    threshold = uniform96(seed, 1, 2, 3, draw) + offset
    expected = gap_positions(seed, 1, 2, 3, 40, [threshold])
    end, out = kernel_gaps(seed, 1, 2, 3, 40, table_arrays([threshold]))
    assert out[:end].tolist() == expected
    assert (draw in expected) == (offset == 1)  # with one line every draw moves on by one element


@given(SEEDS, st.integers(0, 5))
@settings(max_examples=30)
def test_refinement_among_many_equal_leading_bits(seed, draw):
    """Five thresholds share the drawn 32 bits: two below the number, itself, and two above."""
    uniform = uniform96(seed, 1, 2, 3, draw)
    thresholds = sorted({0, *(uniform + k for k in range(-2, 3)), 2**96 - 1})
    expected = gap_positions(seed, 1, 2, 3, 60, thresholds)
    end, out = kernel_gaps(seed, 1, 2, 3, 60, table_arrays(thresholds))
    assert out[:end].tolist() == expected


def test_what_finds_no_room_is_counted_and_not_written():
    table = gap_table(0.3, 100)
    arrays = (table.high, table.low, table.guide)
    end, complete = kernel_gaps(8, 0, 0, 0, 100, arrays, at=3)
    assert (complete[:3] == -1).all()
    short_end, short = kernel_gaps(8, 0, 0, 0, 100, arrays, room=10, at=3)
    assert short_end == end > 10
    assert (short == complete[:10]).all()
    assert kernel_gaps(8, 0, 0, 0, 100, arrays, room=0)[0] == end - 3


def test_elements_alone_decide_where_a_row_ends():
    """A longer row has the same flips and then some."""
    table = gap_table(0.1, 150)
    arrays = (table.high, table.low, table.guide)
    end, out = kernel_gaps(8, 0, 0, 0, 150, arrays)
    for elements in range(150):
        shorter, found = kernel_gaps(8, 0, 0, 0, elements, arrays)
        assert found[:shorter].tolist() == [p for p in out[:end].tolist() if p < elements]


@given(SEEDS, st.floats(0, 1), st.integers(0, 3), st.integers(0, ALL))
@example(seed=1, rate=1.0, word=0, lanes=ALL)
@example(seed=1, rate=0.0, word=0, lanes=ALL)
@example(seed=1, rate=2.0**-70, word=0, lanes=ALL)
@settings(max_examples=20)
def test_lanes_are_those_of_the_reference(seed, rate, word, lanes):
    threshold = bit_threshold(rate)
    digits = int(threshold.high) << 64 | int(threshold.low)
    expected = sum((uniform128(seed, 1, 5, 6, word, lane) < digits) << lane for lane in range(64)) & lanes
    assert kernel_lanes(seed, 1, 5, 6, word, lanes, digits) == expected


@pytest.mark.parametrize("lane", [0, 17, 63])
@pytest.mark.parametrize("digit", [*range(0, 128, 9), 63, 64, 126, 127])
def test_any_of_128_digits_can_decide_a_lane(lane, digit):
    """Rates that agree with a lane's random digits up to one place, where they differ."""
    uniform = uniform128(11, 1, 5, 6, 1, lane)
    rate = uniform ^ 1 << 127 - digit
    expected = sum((uniform128(11, 1, 5, 6, 1, k) < rate) << k for k in range(64))
    assert kernel_lanes(11, 1, 5, 6, 1, ALL, rate) == expected
    assert (expected >> lane & 1) == (rate > uniform)


@pytest.mark.parametrize("lane", [0, 40, 63])
def test_a_number_equal_to_the_rate_in_all_128_digits_is_not_below_it(lane):
    uniform = uniform128(11, 1, 5, 6, 0, lane)
    assert kernel_lanes(11, 1, 5, 6, 0, 1 << lane, uniform) == 0
    assert kernel_lanes(11, 1, 5, 6, 0, 1 << lane, uniform + 1) == 1 << lane


@given(SEEDS, st.integers(0, 70), st.lists(st.integers(-2, 2), max_size=4, unique=True), st.sampled_from([4, 16, 64]))
@settings(max_examples=40)
def test_levels_of_additions_are_those_of_the_reference(seed, draw, offsets, scratch):
    """The class of an addition is the number of smaller rates that it misses, also where 32 bits do not decide."""
    count = 71
    thresholds = sorted({uniform96(seed, 1 + LEVEL, 2, 3, draw) + offset for offset in offsets})
    high = np.array([t >> 64 for t in thresholds], np.uint32)
    low = np.array([t & ALL for t in thresholds], np.uint64)
    classes = np.full(count + 3, 99, np.uint8)
    classify_additions(np.uint64(seed), 1, 2, 3, high, low, np.empty(scratch, np.uint32), count, classes)
    uniforms = [uniform96(seed, 1 + LEVEL, 2, 3, k) for k in range(count)]
    assert classes.tolist() == [sum(t <= uniform for t in thresholds) for uniform in uniforms] + [99] * 3
