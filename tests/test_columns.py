"""Long columns of JSON files: small, read back exactly by both readers, and refused when they are damaged."""

import json

import numpy as np
import pytest

from graphcert.core import columns
from graphcert.errors import DataError
from graphcert.verification import stated

NODES = columns.PLAIN + 7


@pytest.mark.parametrize("kinds", [1, 2, 256, 257, 70_000])
def test_numbers_are_read_back_exactly(kinds: int) -> None:
    count = max(NODES, 2 * kinds)
    entries = np.random.default_rng(kinds).random(kinds)[np.arange(count) % kinds]
    written = json.loads(json.dumps(columns.column(entries)))
    assert set(written) == {"values", "places"}
    assert np.array_equal(columns.read_column(written), entries)
    assert np.array_equal(stated.numbers(written, "p", (count,)), entries)


def test_whole_numbers_and_truth_values_keep_their_kind() -> None:
    labels, mask = np.arange(NODES) % 7, np.arange(NODES) % 3 == 0
    assert np.array_equal(stated.whole_numbers(columns.column(labels), "label", (NODES,), 6), labels)
    assert np.array_equal(stated.mask(columns.column(mask), "target", (NODES,)), mask)
    with pytest.raises(DataError, match="true and false"):
        stated.mask(columns.column(labels), "target", (NODES,))


def test_short_columns_are_plain_lists_as_in_older_files() -> None:
    short = np.arange(5) / 7
    assert columns.column(short) == short.tolist()
    assert np.array_equal(columns.read_column(short.tolist()), short)


def test_a_million_entries_stay_small() -> None:
    counts = np.random.default_rng(0).integers(0, 10_000, 10**6)
    assert len(json.dumps(columns.column(counts / 10_000))) < 3_000_000


@pytest.mark.parametrize(
    "change", [{"places": "AAAA"}, {"places": "?"}, {"values": []}, {"values": [0.5]}, {"values": 3}, {"more": 1}]
)
def test_damage_is_refused(change: dict[str, object]) -> None:
    written = columns.column(np.arange(NODES) % 3 / 4) | change
    with pytest.raises(DataError, match="shape"):
        stated.numbers(written, "p", (NODES,))


def test_places_beyond_the_values_are_refused() -> None:
    written = columns.column(np.arange(NODES) % 3 / 4) | {"values": [0.5]}
    with pytest.raises(ValueError, match="place"):
        columns.read_column(written)
