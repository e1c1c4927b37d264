"""The drawing kernels against the slow reference, bit by bit, also where 27 or 32 bits or 16 or 64 digits do not decide."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from philox_reference import gap_positions, uniform96, uniform128

from graphcert.sampling.blocks import class_of, draw_hits, draw_kept, mark_levels
from graphcert.sampling.flips import bit_threshold, cells_of, draw_bits, draw_gaps, gap_table
from graphcert.sampling.philox import LEVEL
from graphcert.sampling.simd.vectors import GROUP, WORD

SEEDS = st.integers(0, 2**64 - 1)
ALL = 2**64 - 1


def table_arrays(thresholds):
    """Kernel arrays of any ascending 96-bit thresholds: leading 32 bits and a sentinel, 64 bits, cells."""
    high = np.array([*(t >> 64 for t in thresholds), 2**32 - 1], np.uint32)
    low = np.array([t & ALL for t in thresholds], np.uint64)
    return high, low, cells_of(high[:-1])


def numbers_of(table):
    return [int(high) << 64 | int(low) for high, low in zip(table.high[:-1], table.low, strict=True)]


def kernel_gaps(seed, stream, sample, row, elements, arrays, scratch=32, room=200, at=0):
    out = np.full(room, -1, np.int32)
    words = np.empty((1, scratch), np.uint32)
    end = draw_gaps(np.uint64(seed), stream, sample, row, elements, *arrays, words, 0, 0, out, at)
    return int(end), out


def kernel_hits(seed, stream, sample, first, rows, elements, arrays, width=64, draws=48, room=2000):
    """The flips of as many rows as find room, by one block kernel."""
    words, steps = np.empty((rows, width), np.uint32), np.empty((rows, draws), np.uint32)
    begins, counts, hits = np.empty(rows, np.int64), np.empty(rows, np.int64), np.full(room, -1, np.int32)
    done = draw_hits(
        np.uint64(seed), stream, sample, first, rows, elements, *arrays, words, steps, begins, counts, hits
    )
    assert (begins[:done] % WORD == 0).all()
    return [hits[begin : begin + count].tolist() for begin, count in zip(begins[:done], counts[:done], strict=True)]


def kernel_lanes(seed, stream, sample, row, word, lanes, digits):
    """Flipped lanes (a mask) at a rate of `digits` / 2^128."""
    high, low = np.uint64(digits >> 64), np.uint64(digits & ALL)
    words = np.empty((1, 32), np.uint32)
    return int(draw_bits(np.uint64(seed), stream, sample, row, word, np.uint64(lanes), high, low, words))


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
    end, out = kernel_gaps(seed, stream, 9, 4, elements, (table.high, table.low, table.cells), scratch)
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
    arrays = (table.high, table.low, table.cells)
    end, complete = kernel_gaps(8, 0, 0, 0, 100, arrays, at=3)
    assert (complete[:3] == -1).all()
    short_end, short = kernel_gaps(8, 0, 0, 0, 100, arrays, room=10, at=3)
    assert short_end == end > 10
    assert (short == complete[:10]).all()
    assert kernel_gaps(8, 0, 0, 0, 100, arrays, room=0)[0] == end - 3


def test_elements_alone_decide_where_a_row_ends():
    """A longer row has the same flips and then some."""
    table = gap_table(0.1, 150)
    arrays = (table.high, table.low, table.cells)
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


@given(SEEDS, st.floats(0, 1), st.integers(0, 300), st.integers(1, 40), st.sampled_from([16, 48, 64, 128]))
@example(seed=3, rate=1.0, elements=200, lines=200, draws=48)
@example(seed=3, rate=0.0, elements=200, lines=200, draws=48)
@example(seed=3, rate=0.2, elements=300, lines=300, draws=64)
@example(seed=3, rate=0.02, elements=300, lines=2, draws=16)
@example(seed=3, rate=1e-5, elements=300, lines=300, draws=16)
@settings(max_examples=60)
def test_rows_of_a_block_are_those_of_the_reference(seed, rate, elements, lines, draws):
    """Rows that need fewer draws than are made at once and rows that need more, and tables cut short."""
    table = gap_table(rate, min(lines, elements))
    expected = [gap_positions(seed, 2, 9, 4 + k, elements, numbers_of(table)) for k in range(3)]
    arrays = table.high, table.low, table.cells
    assert kernel_hits(seed, 2, 9, 4, 3, elements, arrays, -(-draws // 64) * 64, draws) == expected


@given(SEEDS, st.integers(0, 40), st.integers(-1, 1), st.sampled_from([0, 5, 64, 96]))
@settings(max_examples=60)
def test_any_bit_can_decide_a_gap_of_a_block(seed, draw, offset, place):
    """A threshold that differs from a drawn number at one place: inside a cell, behind it, or behind 32 bits."""
    uniform = uniform96(seed, 1, 2, 3, draw)
    threshold = min(max(uniform + (offset << 96 - place if place else offset), 0), 2**96 - 1)
    arrays = table_arrays([threshold, 2**96 - 1])
    expected = gap_positions(seed, 1, 2, 3, 60, [threshold, 2**96 - 1])
    assert kernel_hits(seed, 1, 2, 3, 1, 60, arrays) == [expected]


@given(SEEDS, st.integers(1, 6))
def test_a_block_ends_where_its_room_does(seed, fitting):
    """Room is kept for a row of any length, so a row is never cut."""
    elements = 300
    table = gap_table(0.1, elements)
    arrays = table.high, table.low, table.cells
    whole = kernel_hits(seed, 0, 0, 0, 8, elements, arrays)
    room = elements + GROUP + sum(-(-len(row) // WORD) * WORD for row in whole[: fitting - 1])
    assert kernel_hits(seed, 0, 0, 0, 8, elements, arrays, room=room) == whole[:fitting]


def kept_classes(seed, indptr, digits):
    """The classes of all ones of some rows by the kernel: number of rates that each survives, less one."""
    longest = max(-(-int(ones) // 64) for ones in np.diff(indptr)) * (len(indptr) - 1)
    high, low = (np.array([d >> shift & ALL for d in digits], np.uint64) for shift in (64, 0))
    places, units = np.empty(len(indptr) - 1, np.int64), np.empty((longest, 2), np.int64)
    kept = np.full((len(digits), longest), 2**63, np.uint64)
    scratch = np.empty((longest, 32), np.uint32), np.empty((1, 64), np.uint16)
    draw_kept(
        np.uint64(seed), 1, 5, 6, len(places), np.r_[np.zeros(6, int), indptr], high, low, places, units, *scratch, kept
    )
    return [
        [class_of(kept[:, place:], lane) for lane in range(ones)]
        for place, ones in zip(places, np.diff(indptr), strict=True)
    ]


@given(SEEDS, st.lists(st.floats(0, 1), min_size=1, max_size=4), st.lists(st.integers(0, 130), min_size=1, max_size=3))
@example(seed=1, rates=[0.0, 1.0], lengths=[64, 0, 65])
@example(seed=1, rates=[2.0**-70], lengths=[64])
@settings(max_examples=30)
def test_survivors_are_those_of_the_reference(seed, rates, lengths):
    digits = sorted(int(bit_threshold(rate).high) << 64 | int(bit_threshold(rate).low) for rate in rates)
    expected = [
        [
            sum(d <= uniform128(seed, 1, 5, 6 + row, number // 64, number % 64) for d in digits) - 1
            for number in range(ones)
        ]
        for row, ones in enumerate(lengths)
    ]
    assert kept_classes(seed, np.r_[0, np.cumsum(lengths)], digits) == expected


@pytest.mark.parametrize("lane", [0, 17, 63])
@pytest.mark.parametrize("digit", [*range(0, 128, 9), 15, 16, 63, 64, 127])
def test_any_of_128_digits_can_decide_a_survivor(lane, digit):
    uniform = uniform128(11, 1, 5, 6, 0, lane)
    rates = sorted({uniform ^ 1 << 127 - digit, uniform, min(uniform + 1, 2**128 - 1)})
    expected = [[sum(rate <= uniform128(11, 1, 5, 6, 0, k) for rate in rates) - 1 for k in range(64)]]
    assert kept_classes(11, np.array([0, 64]), rates) == expected


@given(SEEDS, st.integers(0, 70), st.lists(st.integers(-2, 2), max_size=4, unique=True), st.sampled_from([64, 128]))
@settings(max_examples=40)
def test_levels_of_additions_are_those_of_the_reference(seed, draw, offsets, width):
    """The class of an addition is the number of smaller rates that it misses, also where 32 bits do not decide.

    Also of more additions than there are random words at once.
    """
    counts = np.array([71, 0, 130])
    begins = np.array([64, 192, 192])
    thresholds = sorted({uniform96(seed, 1 + LEVEL, 2, 3, draw) + offset for offset in offsets})
    high = np.array([t >> 64 for t in thresholds], np.uint32)
    low = np.array([t & ALL for t in thresholds], np.uint64)
    added = np.zeros((len(thresholds) + 1, 8), np.uint64)
    words = np.empty((3, width), np.uint32)
    mark_levels(np.uint64(seed), 1, 2, 3, 3, high, low, begins, counts, words, added)
    for row, (begin, count) in enumerate(zip(begins, counts, strict=True)):
        uniforms = [uniform96(seed, 1 + LEVEL, 2, 3 + row, k) for k in range(count)]
        found = [class_of(added, begin + k) for k in range(count)]
        assert found == [sum(t <= uniform for t in thresholds) for uniform in uniforms]
    assert sum(int(word).bit_count() for word in added.ravel()) == counts.sum()
