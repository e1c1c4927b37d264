"""Files that are whole or absent, and arrays under a checksum that execute nothing."""

import os
import stat
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from graphcert.core import reading
from graphcert.core.arrays import read_sealed, seal, write_sealed
from graphcert.core.files import atomic_write, atomic_write_text
from graphcert.errors import DataError, InputError

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


def test_a_small_file_that_unpacks_to_much_more_is_refused_before_it_does(tmp_path, monkeypatch):
    """Zeros that were packed a thousandfold; the declared size is what is refused."""
    monkeypatch.setattr("graphcert.core.arrays._SPARE", 2**24)
    path = tmp_path / "file.npz"
    votes = {name: np.zeros(2**21, np.int64) for name in ARRAYS}
    np.savez_compressed(path, description=np.array("{}"), sha256=np.array(seal("{}", votes)), **votes)
    assert path.stat().st_size < 2**17
    tracemalloc.start()
    with pytest.raises(DataError, match=r"would unpack to 33,55\d,\d+ bytes, where at most 16,.* are expected"):
        read_sealed(path, "test", tuple(ARRAYS))
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
    monkeypatch.setattr("graphcert.core.arrays._SPARE", 2**26)
    assert read_sealed(path, "test", tuple(ARRAYS))[0] == {}


def test_an_error_shows_no_control_characters_of_a_file(tmp_path):
    path = tmp_path / "file.npz"
    np.savez(path, description=np.array("{}"), sha256=np.array("ab\n\x1b[2J\u202ecd"), **ARRAYS)
    with pytest.raises(DataError, match=r"was altered: expected sha256 ab��\[2J�cd, found") as caught:
        read_sealed(path, "test", tuple(ARRAYS))
    assert str(caught.value).isprintable()


def test_the_memory_that_a_file_may_take_is_set_by_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "file.npz"
    write_sealed(path, WORDS, {"counts": np.zeros((1000, 1000), np.int64)})
    read_sealed(path, "test", ("counts",))
    for amount in ("10M", "10000000", "0.01g"):
        monkeypatch.setenv("GRAPHCERT_MEMORY", amount)
        with pytest.raises(DataError, match=r"counts .* would take 0\.0 GiB of memory, .* set GRAPHCERT_MEMORY"):
            read_sealed(path, "test", ("counts",))
    for amount in ("1G", "64m"):
        monkeypatch.setenv("GRAPHCERT_MEMORY", amount)
        read_sealed(path, "test", ("counts",))
    for wrong in ("much", "-1G", "0", "nan", "inf", ""):
        monkeypatch.setenv("GRAPHCERT_MEMORY", wrong)
        with pytest.raises((InputError, DataError), match="GRAPHCERT_MEMORY must be an amount"):
            read_sealed(path, "test", ("counts",))


def test_without_a_setting_half_of_the_free_memory_is_allowed(monkeypatch):
    monkeypatch.delenv("GRAPHCERT_MEMORY", raising=False)
    monkeypatch.setattr(reading, "free_memory", lambda: 2**33)
    assert reading.memory_limit() == 2**32
    reading.check_memory(2**32, "a file")
    with pytest.raises(DataError, match=r"a file would take 4\.1 GiB of memory, but 4\.0 GiB are allowed"):
        reading.check_memory(2**32 + 10**8, "a file")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
def test_a_limit_of_the_process_counts_as_free_memory():
    code = (
        "import resource; from graphcert.core.reading import memory_limit; "
        "resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30)); print(memory_limit())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "GRAPHCERT_MEMORY"}
    environment["PYTHONPATH"] = os.pathsep.join(part for part in sys.path if part)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert 2**26 <= int(done.stdout) <= 3 * 2**29


def test_lack_of_memory_is_said(tmp_path, monkeypatch):
    path = tmp_path / "file.npz"
    write_sealed(path, WORDS, ARRAYS)

    def none_left(*_):
        raise MemoryError

    monkeypatch.setattr("graphcert.core.archives._filled", none_left)
    with pytest.raises(DataError, match=r"is not a complete test .*\(MemoryError\)"):
        read_sealed(path, "test", tuple(ARRAYS))


@pytest.mark.parametrize("kind", [np.uint64, np.uint32, np.int8])
def test_whole_numbers_beyond_64_bits_with_sign_are_refused(kind, tmp_path):
    """2^64 − 1 has the seal of −1."""
    write_sealed(tmp_path / "file.npz", WORDS, {"counts": np.array([1, 2], kind)})
    if kind is np.uint64:
        with pytest.raises(DataError, match="wrong types"):
            read_sealed(tmp_path / "file.npz", "test", ("counts",))
    else:
        assert read_sealed(tmp_path / "file.npz", "test", ("counts",))[1]["counts"].tolist() == [1, 2]
