"""Files that are whole or absent, and arrays under a checksum that execute nothing."""

import os
import stat
import zipfile

import numpy as np
import pytest

from graphcert.errors import DataError
from graphcert.files import atomic_write, atomic_write_text
from graphcert.sealed import read_sealed, write_sealed

ARRAYS = {"counts": np.arange(6).reshape(2, 3), "more": np.array([7], np.int32)}
WORDS = {"what": "a test", "number": 1.5, "name": "é θ⁺"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_write_that_fails_leaves_the_old_file_or_none(error, tmp_path):
    path = tmp_path / "deep" / "file.txt"
    for before in (None, b"old"):
        if before is not None:
            path.write_bytes(before)
        with pytest.raises(error), atomic_write(path) as stream:  # noqa: PT012
            stream.write(b"half")
            raise error
        assert (path.read_bytes() if path.exists() else None) == before
        assert set(path.parent.iterdir()) == ({path} if before else set())


def test_nothing_is_there_until_everything_is(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_write(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"
    atomic_write_text(path, "θ⁺\n")
    assert path.read_text(encoding="utf-8") == "θ⁺\n"


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_file_is_as_readable_as_any_other(tmp_path):
    plain, atomic = tmp_path / "plain", tmp_path / "atomic"
    plain.write_text("")
    atomic_write_text(atomic, "")
    assert stat.S_IMODE(atomic.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_what_was_sealed_comes_back(tmp_path):
    path = tmp_path / "file.npz"
    write_sealed(path, WORDS, ARRAYS)
    words, arrays = read_sealed(path, "test", tuple(ARRAYS))
    assert words == WORDS
    assert all(np.array_equal(arrays[name], ARRAYS[name]) for name in ARRAYS)
    again = tmp_path / "again.npz"
    write_sealed(again, dict(reversed(WORDS.items())), ARRAYS)
    assert again.read_bytes() == path.read_bytes()


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match=r"there is no test at .*; sample again"):
        read_sealed(tmp_path / "none.npz", "test", ("counts",), "sample again")
    with pytest.raises(DataError, match=r"is not a complete test \(.*\); sample again"):
        read_sealed(tmp_path, "test", ("counts",), "sample again")
    with pytest.raises(DataError, match="cannot be written"):
        write_sealed(tmp_path, WORDS, ARRAYS)


class Payload:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_objects_are_never_unpickled(tmp_path):
    target, path = tmp_path / "executed", tmp_path / "file.npz"
    write_sealed(path, WORDS, ARRAYS)
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    for name in members:
        np.savez(path, **{**members, name: np.array([Payload(target)], dtype=object)})
        with pytest.raises(DataError, match="is not a complete test"):
            read_sealed(path, "test", tuple(ARRAYS))
    assert not target.exists()


CHANGES = {
    "a value": {"counts": np.arange(1, 7).reshape(2, 3)},
    "a shape": {"counts": np.arange(6)},
    "the words": {"description": np.array('{"number": 1.5, "name": "é θ⁺", "what": "another"}')},
    "the checksum": {"sha256": np.array("0" * 64)},
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_altered_file_is_refused_with_both_checksums(what, tmp_path):
    path = tmp_path / "file.npz"
    write_sealed(path, WORDS, ARRAYS)
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    np.savez(path, **{**members, **CHANGES[what]})
    with pytest.raises(DataError, match=r"was altered: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}"):
        read_sealed(path, "test", tuple(ARRAYS))


@pytest.mark.parametrize("member", [{"counts": np.ones(3)}, {"description": np.array(["{}"])}, {"sha256": np.array(3)}])
def test_members_of_other_types_are_refused(member, tmp_path):
    path = tmp_path / "file.npz"
    write_sealed(path, WORDS, ARRAYS)
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    np.savez(path, **{**members, **member})
    with pytest.raises(DataError, match="its members have the wrong types"):
        read_sealed(path, "test", tuple(ARRAYS))


def test_archives_that_readers_stumble_over_are_refused(tmp_path):
    """Encrypted or oddly compressed members, and headers that promise terabytes."""
    path = tmp_path / "file.npz"
    write_sealed(path, WORDS, ARRAYS)
    whole = path.read_bytes()
    central = whole.index(b"PK\x01\x02")
    for offset, value in ((8, b"\x01"), (10, b"\x63")):
        path.write_bytes(whole[: central + offset] + value + whole[central + offset + 1 :])
        with pytest.raises(DataError, match="is not a complete test"):
            read_sealed(path, "test", tuple(ARRAYS))
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("description", "sha256", *ARRAYS):
            header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (9999999999999,), }"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match="is not a complete test"):
        read_sealed(path, "test", tuple(ARRAYS))
