"""Files of a run as the independent reader takes them: what it reads is what was written, and nothing else is read."""

from pathlib import Path

import numpy as np
import pytest
from cases import schemes, votes_of

import graphcert as gc
from graphcert.errors import DataError
from graphcert.verification.run_files import parse_strict, read_json, read_sealed, read_votes


@pytest.mark.parametrize("name", schemes(8))
def test_votes_are_read_as_they_were_written(name: str, tmp_path: Path) -> None:
    votes = votes_of(schemes(8)[name].scheme, 8)
    votes.save(tmp_path / "votes.npz")
    read = read_votes(tmp_path / "votes.npz")
    assert read.digest == votes.digest
    assert read.scheme == votes.smoothing.to_dict()
    assert np.array_equal(read.counts, votes.counts)
    assert np.array_equal(read.pilot_counts, votes.pilot_counts)


def test_what_is_changed_or_unknown_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "votes.npz"
    votes_of(gc.BernoulliFlip(0.01, 0.6), 8).save(path)
    content = path.read_bytes()
    with np.load(path) as file:
        members = dict(file)
    raised = members["counts"] + np.array([[1, -1, 0]])
    for members_now in (members | {"counts": raised}, members | {"counts": members["counts"].astype(float)}):
        np.savez(path, **members_now)
        with pytest.raises(DataError, match=r"altered|no sealed file"):
            read_votes(path)
    np.savez_compressed(path, **members)
    with pytest.raises(DataError, match="compressed"):
        read_sealed(path)
    for end in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(DataError):
            read_votes(path)
    with pytest.raises(DataError, match="no file"):
        read_votes(tmp_path / "none.npz")


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', "[Infinity]", '{"a": 1, "a": 2}', "1e999", "[" * 100 + "]" * 100, "", "{", "[" * 100_000]
)
def test_json_is_read_strictly(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        parse_strict(text)
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_plain_json_is_read() -> None:
    assert parse_strict('{"a": [1, 2.5, null, true, "é"]}') == {"a": [1, 2.5, None, True, "é"]}
