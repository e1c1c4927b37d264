"""Votes: what they refuse, and what a file of them survives."""

import zipfile
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from graphcert.core.arrays import seal
from graphcert.errors import DataError, VotesError
from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.votes import Votes

SMOOTHING = Smoothing(BernoulliFlip(0.01, 0.6), BernoulliFlip(0.001, 0.4))
PILOT = np.array([[3, 3, 4], [5, 5, 0], [0, 0, 10]])
COUNTS = np.array([[20, 30, 50], [99, 1, 0], [1, 2, 97]])


def make(**changes: object) -> Votes:
    arguments = {"pilot_counts": PILOT, "counts": COUNTS, "smoothing": SMOOTHING} | changes
    return Votes(**arguments)  # type: ignore[arg-type]


def test_the_pilot_chooses_the_label_and_the_others_count_for_it() -> None:
    votes = make()
    assert (votes.nodes, votes.classes, votes.pilot_samples, votes.samples) == (3, 3, 10, 100)
    np.testing.assert_array_equal(votes.labels, [2, 0, 2])  # node 1: the smallest class among equals
    np.testing.assert_array_equal(votes.successes, [50, 99, 97])


def test_votes_do_not_change_with_the_arrays_they_came_from() -> None:
    counts = COUNTS.copy()
    votes = make(counts=counts)
    counts[0] = 0
    np.testing.assert_array_equal(votes.counts, COUNTS)
    with pytest.raises(ValueError, match="read-only"):
        votes.counts[0, 0] = 1
    with pytest.raises(FrozenInstanceError):
        votes.counts = counts  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": COUNTS[:2]}, "agree on nodes and classes"),
        ({"counts": COUNTS[:, :2]}, "number of votes|agree"),
        ({"counts": COUNTS.astype(float)}, "integers"),
        ({"counts": COUNTS > 2}, "integers"),
        ({"counts": -COUNTS}, "negative"),
        ({"counts": COUNTS * 0}, "no votes"),
        ({"pilot_counts": PILOT * 0}, "no votes"),
        ({"counts": COUNTS + np.eye(3, dtype=int) * [1, 0, 0]}, "same number of votes"),
        ({"pilot_counts": PILOT[0]}, "shape"),
        ({"pilot_counts": PILOT[:0], "counts": COUNTS[:0]}, "shape"),
        ({"pilot_counts": PILOT.sum(1)[:, None], "counts": COUNTS.sum(1)[:, None]}, "classes ≥ 2"),
        ({"counts": COUNTS.astype(np.uint64) + np.uint64(2**63)}, "more samples"),
        ({"smoothing": {"features": (0.01, 0.6)}}, "Smoothing"),
        ({"total_variation": 1.0}, "total_variation"),
        ({"total_variation": float("nan")}, "total_variation"),
        ({"manifest": {"when": object()}}, "JSON"),
        ({"manifest": {"loss": float("nan")}}, "JSON"),
    ],
)
def test_inconsistent_votes_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(VotesError, match=message):
        make(**changes)


def test_equality_is_that_of_the_votes_and_not_of_the_manifest() -> None:
    assert make() == make(manifest={"seed": 1})
    assert len({make(), make(counts=COUNTS.astype(np.uint8))}) == 1
    for changes in (
        {"pilot_counts": PILOT[::-1]},
        {"smoothing": Smoothing(SMOOTHING.features)},
        {"total_variation": 0.1},
    ):
        assert make(**changes) != make()


def test_a_file_gives_back_the_votes_and_their_manifest(tmp_path: Path) -> None:
    votes = make(total_variation=2.0**-30, manifest={"seed": 7, "model": {"name": "gcn"}})
    votes.save(tmp_path / "votes.npz")
    back = Votes.load(tmp_path / "votes.npz", smoothing=SMOOTHING)
    assert back == votes
    assert back.manifest == votes.manifest
    assert back.total_variation == 2.0**-30
    assert [path.name for path in tmp_path.iterdir()] == ["votes.npz"]


def test_equal_votes_give_equal_bytes(tmp_path: Path) -> None:
    make().save(tmp_path / "a.npz")
    make(counts=COUNTS.astype(np.int32, order="F")).save(str(tmp_path / "b.npz"))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_saving_over_a_file_replaces_it(tmp_path: Path) -> None:
    make().save(tmp_path / "votes.npz")
    make(counts=COUNTS[::-1]).save(tmp_path / "votes.npz")
    assert Votes.load(tmp_path / "votes.npz") == make(counts=COUNTS[::-1])


def test_votes_of_another_smoothing_are_refused(tmp_path: Path) -> None:
    make().save(tmp_path / "votes.npz")
    with pytest.raises(VotesError, match="do not match the smoothing"):
        Votes.load(tmp_path / "votes.npz", smoothing=Smoothing(BernoulliFlip(0.01, 0.5)))


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "votes.npz"
    make().save(path)
    content = path.read_bytes()
    for size in range(0, len(content), 37):
        path.write_bytes(content[:size])
        with pytest.raises(DataError):
            Votes.load(path)


def test_every_changed_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "votes.npz"
    votes = make(manifest={"seed": 1})
    votes.save(path)
    content = bytearray(path.read_bytes())
    noticed = 0
    for position in range(0, len(content), 5):
        changed = content.copy()
        changed[position] ^= 0x11
        path.write_bytes(changed)
        try:
            back = Votes.load(path)
        except DataError:
            noticed += 1
        else:  # time stamps and padding of the archive carry nothing
            assert back == votes
            assert back.manifest == votes.manifest
    assert noticed > len(content) / 5 / 2


def rewrite(path: Path, **members: np.ndarray) -> None:
    """Replace members of a votes file by a valid archive, as a tamperer would."""
    with np.load(path, allow_pickle=False) as archive:
        content = dict(archive)
    np.savez(path, **(content | members))


def test_tampering_with_a_member_shows_the_expected_checksum(tmp_path: Path) -> None:
    path = tmp_path / "votes.npz"
    make().save(path)
    with np.load(path) as archive:
        expected, description = archive["sha256"].item(), archive["description"].item()
    better = COUNTS.copy()
    better[0] = [0, 0, 100]
    rewrite(path, counts=better)
    with pytest.raises(DataError, match=expected):
        Votes.load(path)
    make().save(path)
    rewrite(path, description=np.array(description.replace("0.6", "0.7")))
    with pytest.raises(DataError, match=expected):
        Votes.load(path)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "votes.npz"
    make().save(path)
    rewrite(path, counts=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError):
        Votes.load(path)


def test_files_that_are_no_votes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "votes.npz"
    with pytest.raises(DataError, match="no file of votes at"):
        Votes.load(path)
    np.save(tmp_path / "array.npy", COUNTS)
    np.savez(tmp_path / "other.npz", x=COUNTS)
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("counts.npy", "hello")
    for name in ("array.npy", "other.npz", "text.npz", "."):
        with pytest.raises(DataError):
            Votes.load(tmp_path / name)
    with pytest.raises(DataError, match="cannot be written"):
        make().save(tmp_path)
    with pytest.raises(DataError, match="no name holds a zero character"):
        make().save(tmp_path / "votes\0.npz")


def test_a_well_signed_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "votes.npz"
    counts = {"pilot_counts": np.asarray(PILOT), "counts": np.asarray(COUNTS)}
    for description in ('{"format": 2}', "{}", "[]", "nonsense", '{"format": 1, "smoothing": {"features": 3}}'):
        make().save(path)
        rewrite(path, description=np.array(description), sha256=np.array(seal(description, counts)))
        with pytest.raises(DataError):
            Votes.load(path)
