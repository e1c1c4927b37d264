"""Philox against the published known answers and against plain Python; addresses that differ share nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from philox_reference import block

from graphcert.errors import InputError
from graphcert.sampling import philox

WORD = st.integers(0, 2**32 - 1)
# The test vectors that the authors publish with Random123.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [int(word, 16) for word in text.split()]


def blocks(seed, stream, sample, row, first, count):
    out = np.zeros((1, 4 * count), np.uint32)
    philox.fill_blocks(np.uint64(seed), stream, sample, row, 1, first, out)
    return out.reshape(count, 4).tolist()


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_known_answers(counter, key, answer):
    number, row, sample, stream = words(counter)
    low, high = words(key)
    assert blocks(high << 32 | low, stream, sample, row, number, 1) == [words(answer)]


@given(st.integers(0, 2**64 - 1), WORD, WORD, WORD, st.integers(0, 2**32 - 20), st.integers(1, 16))
@settings(max_examples=30)
def test_blocks_are_philox_of_their_address(seed, stream, sample, row, first, count):
    expected = [list(block(seed, stream, sample, row, first + k)) for k in range(count)]
    assert blocks(seed, stream, sample, row, first, count) == expected


@given(st.integers(0, 2**64 - 1), st.integers(1, 5), st.integers(1, 20), st.lists(WORD, min_size=5, max_size=5))
@settings(max_examples=30)
def test_many_rows_at_once_are_the_rows_one_by_one(seed, rows, count, firsts):
    """Consecutive rows, and lines that are any rows from any blocks on; other lines stay as they are."""
    out = np.zeros((7, 4 * count), np.uint32)
    philox.fill_blocks(np.uint64(seed), 1, 2, 30, rows, 4, out)
    lines = out.reshape(7, count, 4).tolist()
    assert lines[:rows] == [blocks(seed, 1, 2, 30 + k, 4, count) for k in range(rows)]
    assert not out[rows:].any()
    units = np.array([(7 - k, first // 2) for k, first in enumerate(firsts)], np.int64)
    philox.fill_blocks(np.uint64(seed), 1, 2, 0, rows, 0, out, units)
    lines = out.reshape(7, count, 4).tolist()
    assert lines[:rows] == [blocks(seed, 1, 2, row, first, count) for row, first in units[:rows].tolist()]


def test_addresses_that_differ_in_one_place_share_no_block():
    """Every field of the address matters, the seed included."""
    base = {"seed": 5, "stream": 16, "sample": 3, "row": 7, "first": 0, "count": 1}
    changes = [
        {},
        *({name: base[name] + 1} for name in ("seed", "stream", "sample", "row", "first")),
        {"seed": 5 + 2**32},
    ]
    found = [tuple(blocks(**{**base, **change})[0]) for change in changes]
    assert len(set(found)) == len(found)


def test_streams_of_purposes_and_channels_never_meet():
    purposes = (philox.PILOT, philox.MAIN, philox.TRAIN, philox.VALIDATION, philox.CHECK)
    channels = (philox.FEATURE_ADD, philox.FEATURE_DELETE, philox.EDGE_ADD, philox.EDGE_DELETE)
    extras = (0, philox.REFINE, philox.LEVEL, philox.LEVEL + philox.REFINE)
    both = [channel + extra for channel in channels for extra in extras]
    streams = [philox.stream_word(purpose, channel) for purpose, channel in itertools.product(purposes, both)]
    assert len(set(streams)) == len(purposes) * len(both)


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.int64(3), np.uint64(2**63)])
def test_a_seed_is_the_key(seed):
    assert philox.seed_key(seed) == int(seed)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, None, "7", float("nan")])
def test_what_is_not_a_seed_is_refused(seed):
    with pytest.raises(InputError, match="the seed must be a whole number"):
        philox.seed_key(seed)
