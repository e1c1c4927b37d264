"""Votes of inputs that have one label each: rows of an input are counted apart from the inputs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import votes_of

import graphcert as gc
from graphcert.core.arrays import read_sealed, write_sealed
from graphcert.errors import DataError, VotesError
from graphcert.verification.run_files import read_votes

PILOT, COUNTS = np.tile([[9, 1]], (4, 1)), np.tile([[80, 20]], (4, 1))
GAUSSIAN = gc.Gaussian(0.25)


def test_rows_are_one_number_or_one_per_input() -> None:
    one, each = (gc.Votes(PILOT, COUNTS, GAUSSIAN, rows=rows) for rows in (7, [7, 7, 7, 7]))
    np.testing.assert_array_equal(one.rows, [7] * 4)
    assert one == each
    assert gc.Votes(PILOT, COUNTS, GAUSSIAN) != one
    assert gc.Votes(PILOT, COUNTS, GAUSSIAN, rows=[7, 7, 7, 8]) != one
    with pytest.raises(ValueError, match="read-only"):
        one.rows[0] = 3  # type: ignore[index]


@pytest.mark.parametrize("rows", [0, -1, 2.5, "7", [1, 2], [[1]] * 4, [1, 2, 3, 0], 2**40, [True] * 4])
def test_rows_outside_their_domain_are_refused(rows: Any) -> None:
    with pytest.raises(VotesError, match="rows"):
        gc.Votes(PILOT, COUNTS, GAUSSIAN, rows=rows)


def test_what_needs_one_graph_is_refused() -> None:
    two = gc.Partition([0, 1, 0, 1], [[0, 1], [1, 0]])
    with pytest.raises(VotesError, match="isotropic noise"):
        gc.Votes(PILOT, COUNTS, gc.Smoothing([gc.Gaussian(0.1), gc.Gaussian(0.2)], None, two), rows=4)
    with pytest.raises(VotesError, match="keep fewer"):
        gc.Votes(PILOT, COUNTS, gc.SubsetAblation(6), rows=[9, 9, 9, 5])
    gc.Votes(PILOT, COUNTS, gc.SubsetAblation(6), rows=6)


def test_a_file_says_how_many_rows_there_are(tmp_path: Path) -> None:
    votes = gc.Votes(PILOT, COUNTS, GAUSSIAN, rows=[1, 2, 3, 4])
    votes.save(tmp_path / "votes.npz")
    found = gc.Votes.load(tmp_path / "votes.npz")
    assert found == votes
    np.testing.assert_array_equal(found.rows, [1, 2, 3, 4])
    independent = read_votes(tmp_path / "votes.npz")
    assert independent.digest == votes.digest
    np.testing.assert_array_equal(independent.rows, [1, 2, 3, 4])


def test_files_of_nodes_are_what_they_were(tmp_path: Path) -> None:
    """Byte for byte: no member and no word that an older version does not know."""
    votes_of(GAUSSIAN, 5).save(tmp_path / "votes.npz")
    description, arrays = read_sealed(tmp_path / "votes.npz", "file of votes", None, "")
    assert description["format"] == 1
    assert set(description) == {"format", "smoothing", "total_variation", "manifest"}
    assert list(arrays) == ["pilot_counts", "counts"]
    assert votes_of(GAUSSIAN, 5).digest == "3765f54c9eecee9c0004db07c2e79236818b3fa7f0ba024b84fe7911ef19ff05"


def test_a_format_without_its_rows_is_refused(tmp_path: Path) -> None:
    gc.Votes(PILOT, COUNTS, GAUSSIAN, rows=3).save(tmp_path / "votes.npz")
    description, arrays = read_sealed(tmp_path / "votes.npz", "file of votes", None, "")
    for form, members in ((1, arrays), (2, {k: v for k, v in arrays.items() if k != "rows"}), (3, arrays)):
        write_sealed(tmp_path / "other.npz", {**description, "format": form}, members)
        with pytest.raises(DataError):
            gc.Votes.load(tmp_path / "other.npz")
        with pytest.raises(DataError):
            read_votes(tmp_path / "other.npz")
