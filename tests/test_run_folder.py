"""Run folders: one writer at a time, never made again behind his back, and no leftovers of killed writers."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from graphcert.core.files import alone, atomic_write, atomic_write_text, claimed, private_folder, remove_abandoned
from graphcert.core.locks import LOCK
from graphcert.errors import DataError
from graphcert.run.images import SegmentRun
from graphcert.run.nodes import Run
from graphcert.run.settings.graph_run import DatasetConfig, RunConfig
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs locks of files")

HOLD = """
import sys
from pathlib import Path
from graphcert.core.files import claimed
sys.argv = ["graphcert", "certify", "my run", "--alpha", "0.1"]
with claimed(Path({folder!r})):
    print("held", flush=True)
    sys.stdin.read()
"""

WRITE = """
import sys
from pathlib import Path
from graphcert.core.files import atomic_write
with atomic_write(Path({path!r})) as stream:
    stream.write(b"half")
    stream.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start():
    """Start a script as a process; it waits for its input to end after its first line of output."""
    running = []

    def begin(script):
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        running.append(process)
        assert process.stdout.readline()
        return process

    yield begin
    for process in running:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()


# ------------------------------------------------------------------------------------------------------------ one writer


def test_a_second_process_is_told_who_writes(start, tmp_path):
    holder = start(HOLD.format(folder=str(tmp_path / "run")))
    words = re.escape(f"is being written by process {holder.pid} (graphcert certify 'my run' --alpha 0.1); wait until")
    with pytest.raises(DataError, match=words), claimed(tmp_path / "run"):
        pass
    with pytest.raises(DataError, match=words):
        Run(tmp_path / "run").report()
    with pytest.raises(DataError, match=words):
        SegmentRun(tmp_path / "run")._certify(None, [], [], 0.0)
    with pytest.raises(DataError, match=words):
        Run(tmp_path / "run").all_stages(
            RunConfig(SmoothingConfig(RatesConfig(0.1, 0.1)), dataset=DatasetConfig("digits"))
        )
    with claimed(tmp_path / "another"):
        pass


def test_a_killed_process_holds_nothing(start, tmp_path):
    holder = start(HOLD.format(folder=str(tmp_path / "run")))
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=60)
    assert (tmp_path / "run" / LOCK).exists()
    with claimed(tmp_path / "run"):
        atomic_write_text(tmp_path / "run" / "a.txt", "a")
    assert os.listdir(tmp_path / "run") == ["a.txt"]


def test_a_thread_may_claim_again_what_it_holds_and_no_other_thread_may(tmp_path):
    found = []

    def other():
        try:
            with claimed(tmp_path):
                found.append("held")
        except DataError as error:
            found.append(str(error))

    with claimed(tmp_path), claimed(tmp_path / "here" / ".."):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert f"is being written by process {os.getpid()}" in found[0]
    other()
    assert found[1] == "held"


def test_a_folder_that_stays_empty_goes_again(tmp_path):
    with pytest.raises(ValueError, match="nothing"), claimed(tmp_path / "a" / "b"):
        raise ValueError("nothing to write")
    assert os.listdir(tmp_path) == []
    (tmp_path / "mine").mkdir()
    with claimed(tmp_path / "mine"):
        pass
    assert os.listdir(tmp_path) == ["mine"]


def test_a_method_that_needs_an_old_run_makes_no_folder(tmp_path):
    class Thing:
        folder = tmp_path / "typo"

        @alone()
        def method(self):
            return self.folder.exists()

        @alone(new=True)
        def first(self):
            return self.folder.exists()

    assert Thing().method() is False
    assert Thing().first() is True
    assert os.listdir(tmp_path) == []


def test_where_files_cannot_be_locked_runs_go_on(tmp_path, monkeypatch):
    import fcntl

    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    (tmp_path / ".a.txt.abcd1234.tmp").write_text("perhaps somebody's")
    with claimed(tmp_path):
        atomic_write_text(tmp_path / "a.txt", "a")
    assert sorted(os.listdir(tmp_path)) == [".a.txt.abcd1234.tmp", "a.txt"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made"), claimed(tmp_path / "file" / "run"):
        pass


# ----------------------------------------------------------------------------------------------------- deleted underneath


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_deleted_underneath_is_not_made_again(tmp_path, again):
    folder = tmp_path / "run"
    words = r"run was deleted or moved while it was being written; start again"
    with pytest.raises(DataError, match=words), claimed(folder):  # noqa: PT012
        atomic_write_text(folder / "votes" / "first", "1")
        shutil.rmtree(folder)
        if again:
            (folder / "votes").mkdir(parents=True)
        atomic_write_text(folder / "votes" / "second", "2")
    assert [path.name for path in tmp_path.rglob("*")] == (["run", "votes"] if again else [])


def test_a_folder_deleted_while_a_file_is_written(tmp_path):
    folder = tmp_path / "run"
    deleted = pytest.raises(DataError, match="was deleted")
    with deleted, claimed(folder), atomic_write(folder / "a") as stream:
        stream.write(b"a")
        shutil.rmtree(folder)
        folder.mkdir()
    assert os.listdir(folder) == []


def test_a_folder_deleted_at_the_very_end(tmp_path):
    """Nothing is written any more, but what was written is gone."""
    deleted = pytest.raises(DataError, match="was deleted")
    with deleted, claimed(tmp_path / "run"), claimed(tmp_path / "run"):
        atomic_write_text(tmp_path / "run" / "a", "a")
        shutil.rmtree(tmp_path / "run")


def test_other_folders_are_made_as_before(tmp_path):
    with claimed(tmp_path / "run"):
        atomic_write_text(tmp_path / "elsewhere" / "deep" / "a", "a")
    assert (tmp_path / "elsewhere" / "deep" / "a").read_text() == "a"


# ------------------------------------------------------------------------------------------------------------- leftovers


def test_what_a_killed_writer_left_goes_with_the_next_write_of_the_file(start, tmp_path):
    killed = start(WRITE.format(path=str(tmp_path / "a.npz")))
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=60)
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".a.npz.")
    atomic_write_text(tmp_path / "b.npz", "another file")
    assert left in os.listdir(tmp_path)
    atomic_write_text(tmp_path / "a.npz", "whole")
    assert sorted(os.listdir(tmp_path)) == ["a.npz", "b.npz"]


def test_a_claimed_folder_is_swept_but_for_living_writers_and_strangers(start, tmp_path):
    gone = [".config.toml.a1b2c3d4.tmp", "votes/.x.npz.abcdefgh.tmp", "votes/isotropic/.x.npz.a_______.tmp",
            "pictures/0/.overlay.png.00000000.tmp"]  # fmt: skip
    kept = [".tmp", "a.tmp", ".a.short.tmp", ".a.ABCDEFGH.tmp", "mine/.a.abcdefgh.tmp", "votes/pilot-0-1.npz"]
    for name in gone + kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".link.abcdefgh.tmp").symlink_to(tmp_path / "a.tmp")
    (tmp_path / ".folder.abcdefgh.tmp").mkdir()
    start(WRITE.format(path=str(tmp_path / "votes" / "living")))
    with claimed(tmp_path):
        left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    (living,) = [name for name in left if name.startswith("votes/.living.")]
    assert left == {*kept, living, LOCK, ".link.abcdefgh.tmp"}


def test_two_writers_of_one_file_do_not_disturb_each_other(start, tmp_path):
    first = start(WRITE.format(path=str(tmp_path / "a")))
    atomic_write_text(tmp_path / "a", "mine")
    assert (tmp_path / "a").read_text() == "mine"
    remove_abandoned(tmp_path)
    first.stdin.close()
    assert first.wait(timeout=60) == 0
    assert (tmp_path / "a").read_text() == "half"
    assert os.listdir(tmp_path) == ["a"]


# ------------------------------------------------------------------------------------------- files that cannot be written


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path, monkeypatch, call):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.txt"
    atomic_write_text(path, "old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(DataError, match=r"a\.txt cannot be written \(No space left on device\); make room"):
        atomic_write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
import torch
from graphcert.collective import CollectiveCurve
from graphcert.errors import DataError
from graphcert.models import build_model, save_model
from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.votes import Votes
folder = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
counts = np.full((50, 2), 5)
writers = [
    lambda: save_model(build_model("gcn", 9, 3), folder / "model.pt", "gcn", 9, 3),
    lambda: Votes(counts, counts + 1, Smoothing(BernoulliFlip(0.1, 0.1))).save(folder / "votes.npz"),
]
for write in writers:
    try:
        write()
    except DataError as error:
        print(error)
assert not list(folder.iterdir())
"""


def test_every_kind_of_file_says_that_it_does_not_fit(tmp_path):
    """torch answers a full disk with an error of its own; the operating system's limit of 200 bytes is as good as one."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("cannot be written (File too large); make room" in line for line in lines)


# -------------------------------------------------------------------------------------------------- the private folder


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    private_folder.cache_clear()
    yield tmp_path
    private_folder.cache_clear()


def test_the_private_folder_is_found_again_and_belongs_to_the_user_alone(temporary):
    folder = private_folder()
    assert folder.parent == temporary
    assert folder.stat().st_mode & 0o777 == 0o700
    private_folder.cache_clear()
    assert private_folder() == folder


@pytest.mark.parametrize("trap", ["open", "link", "file", "stranger"])
def test_a_folder_that_others_can_write_is_not_trusted(temporary, trap):
    place = private_folder()
    if trap == "open":
        place.chmod(0o777)
    elif trap == "stranger":
        if os.geteuid():
            pytest.skip("only root can give a folder away")
        os.chown(place, 12345, 12345)
    else:
        place.rmdir()
        (temporary / "theirs").mkdir(mode=0o700)
        if trap == "link":
            place.symlink_to(temporary / "theirs")
        else:
            place.write_text("")
    private_folder.cache_clear()
    fresh = private_folder()
    assert fresh != place
    assert fresh.stat().st_mode & 0o777 == 0o700


def test_without_any_temporary_folder_there_is_none(temporary, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(temporary / "gone"))
    assert private_folder() is None
