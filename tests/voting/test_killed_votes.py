"""kill -9 at any moment loses at most the current shard; the result of a resumed run is bit-identical."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import voting_server
from voting_server import PILOT, SAMPLES, SHARD, contents, take

from graphcert.voting.counting import Counter, shards

SHARDS = [(purpose, *ends) for purpose, n in (("pilot", PILOT), ("main", SAMPLES)) for ends in shards(n, SHARD)]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def server():
    path = os.pathsep.join([str(HERE), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, voting_server.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


@pytest.fixture(scope="module", params=["sparse", "generic", "scored", "hierarchical"])
def uninterrupted(request, tmp_path_factory):
    """(kind of path, its votes, the content of every shard, seconds per shard)."""
    folder = tmp_path_factory.mktemp(request.param)
    began = time.monotonic()
    votes = take(request.param, folder)
    return request.param, votes, contents(folder), (time.monotonic() - began) / len(SHARDS)


def file_name(purpose, start, stop):
    return f"{purpose}-{start:09d}-{stop:09d}.npz"


def killed(server, kind, folder, shards_before, patience):
    """Start voting; once so many shards are there, wait for a random moment and kill; return whether it was still alive."""
    server.stdin.write(f"{kind} {folder}\n")
    server.stdin.flush()
    child = int(server.stdout.readline())
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.npz"))) < shards_before and alive(child) and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(random.uniform(0, patience))
    running = alive(child)
    if running:
        os.kill(child, signal.SIGKILL)
    assert server.stdout.readline() == "ended\n"
    return running


def alive(child):
    """Children of the server are reaped by it, so a process number that answers may be a zombie for a moment only."""
    try:
        return "Z" not in Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def survive(server, uninterrupted, folder, kills, monkeypatch):
    """Kill a run again and again, then finish it; return how often it really was killed."""
    kind, expected, whole, seconds = uninterrupted
    times = 0
    for _ in range(kills):
        before = contents(folder)
        times += killed(server, kind, folder, random.randint(0, len(SHARDS) - 1), seconds)
        now = contents(folder)
        # Whole shards only, in order, and none of those that were there is lost.
        assert set(before) <= set(now)
        assert list(now) == [] or set(now) == {file_name(*shard) for shard in SHARDS[: len(now)]}
        assert all(whole[name] == content for name, content in now.items())
    there = len(contents(folder))
    taken = []
    count = Counter.count
    monkeypatch.setattr(Counter, "count", lambda self, *ends: (taken.append(list(ends[1:3])), count(self, *ends))[1])
    assert take(kind, folder) == expected
    assert contents(folder) == whole
    assert taken == [ends for _, *ends in SHARDS[there:]]  # at most the current shard was lost
    return times


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc and fork")


@needs_proc
def test_a_killed_run_continues_bit_by_bit(server, uninterrupted, tmp_path, monkeypatch):
    # A run may end before its killers get their turn, on a busy machine more than once; then there is a next one.
    assert any(survive(server, uninterrupted, tmp_path / str(attempt), 3, monkeypatch) for attempt in range(20))


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("storm", range(12))
def test_a_storm_of_kills(server, uninterrupted, tmp_path, monkeypatch, storm):
    survive(server, uninterrupted, tmp_path, 12, monkeypatch)
