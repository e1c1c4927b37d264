"""`--scheduler`: the same run by other processes, one sentence where it cannot be, and none of them left."""

import signal
import time
from pathlib import Path

import pytest
from commands import SMALL
from typed import call

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")

SAME = ["config.toml", "plan.json", "certificate.json", "collective.json", "collective.csv", "attacks.csv"]


@pytest.fixture(scope="module")
def by_threads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("threads") / "run"
    assert call(*SMALL, folder) == 0
    return folder


def votes_in(folder):
    return {path.name: path.read_bytes() for path in (folder / "votes").glob("*.npz")}


def test_the_run_is_that_of_threads(by_threads, tmp_path):
    folder = tmp_path / "run"
    assert call(*SMALL, folder, "--scheduler", "local:2") == 0
    assert votes_in(folder) == votes_in(by_threads)
    for name in SAME:
        assert (folder / name).read_bytes() == (by_threads / name).read_bytes(), name
    assert call("verify", folder) == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--scheduler", "local"], "'local' is no scheduler; give local:4 for four processes here"),
        (["--scheduler", "tcp://127.0.0.1:9"], "no dask scheduler with a worker answers at tcp://127.0.0.1:9"),
        (["--scheduler", "local:2", "--workers", "2"], "a scheduler has processes of its own; give one of them"),
    ],
)
def test_a_scheduler_that_cannot_be_is_one_sentence(by_threads, run, options, sentence):
    with dask.config.set({"distributed.comm.timeouts.connect": "300ms"}):
        code, _, errors = run("sample", by_threads, *options)
    assert code == 2
    assert sentence in errors.splitlines()[-1]


def test_a_certificate_without_sweeps_refuses_it(tmp_path, run):
    plain = {"0.05:0.1": "0.05", "0.3:0.7": "0.3", "2": "1"}
    options = [plain.get(option, option) for option in SMALL]
    folder = tmp_path / "run"
    assert run(*options, folder)[0] == 0
    code, _, errors = run("certify", folder, "--scheduler", "local:2")
    assert code == 2
    assert "--scheduler would do nothing" in errors


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs fork")
def test_an_interrupt_ends_the_workers_and_keeps_the_shards(server, tmp_path):
    folder = tmp_path / "run"
    options = ["--samples", "1000000", "--scheduler", "local:2"]
    server.start(*SMALL[:-1], *options, "--out", folder)
    server.wait_until(lambda: list(folder.rglob("main-*.npz")), 120)
    workers = psutil.Process(server.child).children(recursive=True)
    assert len(workers) >= 2
    server.send(signal.SIGINT)
    code, _ = server.end()
    assert code == 130
    assert f"graphcert: interrupted; {folder} keeps the model, " in server.errors()
    assert "shards of votes; continue with" in server.errors()
    assert "Traceback" not in server.errors()
    deadline = time.monotonic() + 30
    while any(worker.is_running() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
