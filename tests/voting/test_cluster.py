"""Votes by the processes of a dask cluster are the same to the bit, whoever dies meanwhile."""

import json
import math
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from voting_cases import CLASSES, FEATURES, NOISE, Perceptron, generic_model, randomise, small_graph, sparse_model
from voting_server import contents

from graphcert.errors import InputError, ModelError, UnsupportedError
from graphcert.models import build_model
from graphcert.noise import Hierarchical
from graphcert.voting import sample_votes
from graphcert.voting.cluster import check_scheduler, evaluated
from graphcert.voting.crew import own_gpu, parts_of

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")

NUMBERS = {"samples": 300, "pilot_samples": 40, "seed": 7}
LONG = {"samples": 6_000, "pilot_samples": 40, "seed": 7, "shard_samples": 500}
"""A few seconds of voting about a graph of 800 nodes."""


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler with two workers."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address


def long_votes(**options):
    return sample_votes(sparse_model("gcn"), small_graph(800), NOISE["both"], **LONG, **options)


@pytest.fixture(scope="module")
def by_threads(tmp_path_factory):
    """The long votes and their shards."""
    folder = tmp_path_factory.mktemp("threads")
    return long_votes(store=folder), contents(folder)


def workers_of(process):
    """Those of a process, which the process that tracks its semaphores is not."""
    found = psutil.Process(process).children(recursive=True)
    return [child for child in found if "spawn_main" in " ".join(child.cmdline())]


def wait_until(condition, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def main_shards(folder):
    return list(folder.glob("main-*.npz"))


# The same votes


KINDS = {
    "sparse": (sparse_model, "gcn", NOISE["localized"], {}),
    "generic": (generic_model, "perceptron", NOISE["both"], {"path": "generic"}),
    "scored": (sparse_model, "gat", NOISE["both"], {"scores": True}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_workers_take_the_votes_of_threads(scheduler, tmp_path, kind):
    model, name, noise, options = KINDS[kind]
    parts = model(name), small_graph(), noise
    here = sample_votes(*parts, **NUMBERS, **options, shard_samples=70, store=tmp_path / "threads", workers=2)
    there = sample_votes(
        *parts, **NUMBERS, **options, shard_samples=70, store=tmp_path / "cluster", scheduler=scheduler
    )
    assert there == here
    assert there.manifest == here.manifest
    assert contents(tmp_path / "cluster") == contents(tmp_path / "threads")


def test_nodes_that_stop_and_a_bound_on_memory_are_those_of_threads(scheduler):
    parts = sparse_model("gcn"), small_graph(), NOISE["both"]
    options = {"pilot_samples": 40, "seed": 7, "until": {"add": 1}, "max_samples": 1000, "memory": "1GiB"}
    here, there = (sample_votes(*parts, **options, **who) for who in ({"workers": 2}, {"scheduler": scheduler}))
    assert there == here
    assert len(set(here.node_samples.tolist())) > 1


def test_functions_and_hierarchical_noise_travel(scheduler):
    model = randomise(build_model("gcn", FEATURES + 1, CLASSES))
    noise = Hierarchical(0.7, NOISE["both"])

    def classify(x, edge_index):
        return model(x, edge_index)

    assert sample_votes(classify, small_graph(), noise, **NUMBERS, scheduler=scheduler) == sample_votes(
        classify, small_graph(), noise, **NUMBERS
    )


def test_stored_shards_are_not_asked_for_again(scheduler, tmp_path):
    parts = sparse_model("gcn"), small_graph(), NOISE["both"]
    options = {**NUMBERS, "shard_samples": 50, "store": tmp_path}
    whole = sample_votes(*parts, **options)
    gone, *kept = sorted(main_shards(tmp_path))
    gone.unlink()
    written = {path: path.stat().st_mtime_ns for path in kept}
    assert sample_votes(*parts, **options, scheduler=scheduler) == whole
    assert all(path.stat().st_mtime_ns == before for path, before in written.items())
    assert gone.is_file()


def test_the_file_of_a_scheduler_will_do(scheduler, tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": scheduler}))
    parts = sparse_model("gcn"), small_graph(), NOISE["both"]
    assert sample_votes(*parts, **NUMBERS, scheduler=str(file)) == sample_votes(*parts, **NUMBERS)


@given(st.integers(0, 500), st.integers(1, 500), st.integers(1, 200))
def test_parts_are_cut_at_multiples_and_leave_nothing_out(start, number, size):
    parts = list(parts_of(start, start + number, size))
    assert [sample for part in parts for sample in range(*part)] == list(range(start, start + number))
    assert all(first % size == 0 for first, _ in parts[1:])
    assert all(first < last <= first + size for first, last in parts)


# Deaths


@contextmanager
def killing(*numbers_of_shards, folder, workers):
    """Kill so many of the local workers that are started in the block whenever so many shards are there; none is left."""
    before, killed = set(workers_of(os.getpid())), []

    def kill():
        for number in numbers_of_shards:
            wait_until(lambda number=number: len(main_shards(folder)) >= number)
            for worker in sorted(set(workers_of(os.getpid())) - before, key=lambda child: child.pid)[:workers]:
                worker.kill()
                killed.append(worker)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    yield killed
    thread.join(1)
    assert killed
    assert len(main_shards(folder)) > numbers_of_shards[-1]
    assert set(workers_of(os.getpid())) <= before


def test_a_killed_worker_changes_nothing(by_threads, tmp_path):
    with killing(1, folder=tmp_path, workers=1) as killed:
        votes = long_votes(store=tmp_path, scheduler="local:2")
    assert len(killed) == 1
    assert (votes, contents(tmp_path)) == by_threads


@pytest.mark.slow
def test_all_workers_that_have_the_model_die(by_threads, tmp_path):
    """What was sent out is lost with them, and sent again."""
    with killing(1, 3, folder=tmp_path, workers=2):
        votes = long_votes(store=tmp_path, scheduler="local:2")
    assert (votes, contents(tmp_path)) == by_threads


COORDINATOR = """
import sys
from test_cluster import long_votes
if __name__ == "__main__":
    long_votes(store=sys.argv[1], scheduler="local:2")
"""


@pytest.mark.slow
def test_a_killed_coordinator_leaves_no_worker_and_can_be_started_again(by_threads, scheduler, tmp_path):
    here = Path(__file__).parent
    script = tmp_path / "coordinator.py"
    script.write_text(COORDINATOR)
    path = os.pathsep.join([str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    store = tmp_path / "store"
    process = subprocess.Popen([sys.executable, str(script), str(store)], env={**os.environ, "PYTHONPATH": path})
    wait_until(lambda: main_shards(store))
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert len(workers) == 2
    wait_until(lambda: not any(worker.is_running() for worker in workers), 30)
    before = contents(store)
    assert 1 < len(before) < len(by_threads[1])
    written = {path: path.stat().st_mtime_ns for path in store.glob("*.npz")}
    assert (long_votes(store=store, scheduler=scheduler), contents(store)) == by_threads
    assert all(path.stat().st_mtime_ns == moment for path, moment in written.items())


# Refusals


@pytest.mark.parametrize(
    "text", ["", "local", "local:", "local:0", "local:-1", "local:two", "local:²", "http://x", "nowhere", 4]
)
def test_what_names_no_scheduler_is_refused(text):
    with pytest.raises(InputError, match="scheduler"):
        check_scheduler(text)


def test_threads_and_a_scheduler_are_one_too_many():
    with pytest.raises(InputError, match="workers are threads of this process"):
        sample_votes(sparse_model("gcn"), small_graph(), NOISE["both"], **NUMBERS, workers=2, scheduler="local:2")


def test_without_distributed_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("graphcert.voting.cluster.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'graphcert\[distributed\]'"):
        check_scheduler("local:2")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9", "tcp://nonsense", "file"])
def test_a_scheduler_that_does_not_answer_is_one_sentence(address, tmp_path):
    if address == "file":
        (tmp_path / "file").write_text("{")
        address = str(tmp_path / "file")
    began = time.monotonic()
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "300ms"}),
        pytest.raises(InputError, match="no dask scheduler with a worker answers") as caught,
    ):
        sample_votes(sparse_model("gcn"), small_graph(), NOISE["both"], **NUMBERS, scheduler=address)
    assert time.monotonic() - began < 60
    assert "\n" not in str(caught.value)


def test_workers_of_another_processor_are_refused(scheduler, monkeypatch):
    monkeypatch.setattr("graphcert.voting.counting.get_host_cpu_name", lambda: "abacus")
    with pytest.raises(UnsupportedError, match=r"processor: abacus here, .* there"):
        sample_votes(sparse_model("gcn"), small_graph(), NOISE["both"], **NUMBERS, scheduler=scheduler)


class AbsentMinded(Perceptron):
    """Knows nothing in the processes of workers."""

    def forward(self, x, edge_index):
        return super().forward(x, edge_index) * (1 if multiprocessing.parent_process() is None else math.nan)


def test_the_sentence_of_a_worker_arrives(scheduler):
    with pytest.raises(ModelError, match="NaN"):
        sample_votes(randomise(AbsentMinded()), small_graph(), NOISE["both"], **NUMBERS, scheduler=scheduler)


def test_code_that_workers_do_not_find_is_told(scheduler, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("from voting_cases import Perceptron\nclass Mine(Perceptron):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    from only_here import Mine

    with pytest.raises(ModelError, match=r"a worker cannot load the model .*only_here.*PYTHONPATH"):
        sample_votes(randomise(Mine()), small_graph(), NOISE["both"], **NUMBERS, scheduler=scheduler)


def test_what_cannot_travel_is_told(scheduler):
    model = generic_model("perceptron")
    model.lock = Unsendable()
    with pytest.raises(ModelError, match=r"cannot be sent to other processes .*a secret"):
        sample_votes(model, small_graph(), NOISE["both"], **NUMBERS, scheduler=scheduler)


class Unsendable:
    def __deepcopy__(self, _):
        return self

    def __reduce__(self):
        raise TypeError("a secret")


# Tasks that are no votes


def test_answers_come_in_order_and_errors_as_they_are(scheduler):
    tasks = [partial(pow, 2, number) for number in range(7)]
    assert evaluated(scheduler, tasks) == evaluated(None, tasks) == [2**number for number in range(7)]
    assert evaluated("nowhere", []) == []
    with pytest.raises(InputError, match="scheduler takes a text"):
        evaluated(scheduler, [partial(check_scheduler, 4)])


def test_tasks_compute_with_one_thread(scheduler):
    assert evaluated(scheduler, [torch.get_num_threads] * 2) == [1, 1]


def test_every_local_worker_has_a_gpu_of_its_own():
    assert [own_gpu(number, 4).index for number in range(6)] == [0, 1, 2, 3, 0, 1]
    assert own_gpu("jobqueue-3", 1) == own_gpu(2, 1) == torch.device("cuda", 0)


# What the page about clusters shows

PAGE = (Path(__file__).parents[2] / "docs/cluster.md").read_text(encoding="utf-8")


def settings_shown(section):
    """The settings of dask that the page shows in a section."""
    yaml = pytest.importorskip("yaml")
    blocks = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
    (found,) = [block[section] for block in blocks if section in block]
    return found


def test_every_setting_of_jobs_is_explained_and_gives_workers_of_one_thread():
    slurm = settings_shown("jobqueue")["slurm"]
    rows = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|", PAGE, re.MULTILINE)
    explained = [name for row in rows for name in re.findall(r"`([a-z-]+)`", row)]
    assert explained == list(slurm)
    assert slurm["cores"] == slurm["processes"]
    assert "export OMP_NUM_THREADS=1" in slurm["job-script-prologue"]
    assert dask.utils.parse_bytes(slurm["memory"]) > 2**30
    assert re.fullmatch(r"\d\d:\d\d:\d\d", slurm["walltime"])  # without quotes YAML makes a number of it


def test_the_settings_of_tls_are_those_that_dask_reads():
    settings = dask.config.merge(dask.config.get("distributed"), settings_shown("distributed"))
    with dask.config.set({"distributed": settings}):
        security = distributed.Security()
    assert security.require_encryption
    for role in ("scheduler", "worker", "client"):
        assert security.get_tls_config_for_role(role) == {
            "ca_file": "ca.pem", "cert": "node.pem", "key": "node-key.pem", "ciphers": None,
        }  # fmt: skip
