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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from voting_cases import CLASSES, FEATURES, NOISE, Perceptron, generic_model, randomise, small_graph, sparse_model
from voting_server import contents

from graphcert.errors import InputError, ModelError, UnsupportedError
from graphcert.models import build_model
from graphcert.noise import Hierarchical
from graphcert.voting import paths, sample_votes
from graphcert.voting.cluster import check_scheduler, client_of, evaluated, local_processes, told_deaths
from graphcert.voting.crew import Crew, Voter, _count, own_gpu, parts_of
from graphcert.voting.room import Room
from graphcert.voting.sample import identified_path, path_again, problem_of
from graphcert.voting.vote_sums import no_votes

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
    "lazy": (generic_model, "perceptron", NOISE["both"], {"path": "lazy"}),
    "recognised": (generic_model, "pyg gcn", NOISE["both"], {}),
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


class Alone(paths.Path):
    """A path whose scratch memory two tasks must not use at the same time."""

    def __init__(self):
        self.unit, self.inside, self.together = 1, 0, 0

    def fork(self):
        raise AssertionError("one task needs one path")

    def shown(self, purpose, start, stop):
        raise AssertionError("votes are added at once")

    def only(self, nodes):
        return self

    def add_to(self, tally, purpose, start, stop):
        self.inside += 1
        self.together = max(self.together, self.inside)
        time.sleep(0.01)
        self.inside -= 1


def test_threads_of_a_worker_vote_one_after_the_other():
    voter, path = Voter.__new__(Voter), Alone()
    voter.path = path
    members, tally = np.arange(2), partial(no_votes, 3, 2)
    with ThreadPoolExecutor(4) as pool:
        for task in [pool.submit(_count, voter, tally, members, 0, k, k + 2, 1) for k in range(8)]:
            task.result()
    assert path.together == 1


def test_a_worker_of_many_threads_takes_the_same_votes():
    parts = sparse_model("gcn"), small_graph(), NOISE["both"]
    with distributed.LocalCluster(n_workers=1, threads_per_worker=4, dashboard_address="127.0.0.1:0") as cluster:
        there = sample_votes(*parts, **NUMBERS, batch_size=1, scheduler=cluster.scheduler_address)
    assert there == sample_votes(*parts, **NUMBERS)


def test_first_products_of_a_worker_are_those_of_this_process():
    parts = problem_of(generic_model("perceptron"), small_graph(), NOISE["both"], 7)
    with identified_path(*parts, 7, path="lazy", row_normalised=False) as (path, identity):
        again, _ = path_again(path.problem, path._untouched, identity)
    assert again.name == "lazy"
    for sample in range(5):
        again.logits(1, sample)
    assert again._input.products.columns == path._input.products.columns


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


@pytest.fixture(scope="module")
def mortal():
    """A scheduler that can be killed, and its address."""
    started = []

    def start():
        code = (
            "import sys, time, logging\n"
            "from distributed import LocalCluster\n"
            "if __name__ == '__main__':\n"
            "    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address='127.0.0.1:0', processes=False, protocol='tcp://')\n"
            "    print(cluster.scheduler_address, flush=True)\n"
            "    time.sleep(600)\n"
        )
        here = Path(__file__).parent
        path = os.pathsep.join([str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONPATH": path}
        process = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait(60)
        process.stdout.close()


def test_a_scheduler_that_goes_away_is_one_sentence(mortal, tmp_path):
    process, address = mortal()

    def kill():
        wait_until(lambda: main_shards(tmp_path))
        process.kill()

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
        pytest.raises(InputError, match=f"the scheduler at {address} went away; start it and this command again"),
    ):
        long_votes(store=tmp_path, scheduler=address)
    thread.join(60)


@pytest.mark.parametrize("moment", ["before", "between", "during"])
def test_no_answer_of_a_scheduler_that_went_away_is_a_traceback(mortal, moment):
    process, address = mortal()
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}), client_of(address) as client:
        path = SimpleNamespace(problem=None)
        crew = Crew(client, address, Voter(None, path, None, {}), 1)
        counted = crew.counted(0, [(0, 10)], lambda _: None, partial(no_votes, 3, 2))
        if moment == "before":
            process.kill()
            process.wait(60)
        elif moment == "between":
            crew._all_sent(crew._voter)
            process.kill()
            process.wait(60)
            wait_until(lambda: client.status == "closed", 60)
        else:
            threading.Timer(0.5, process.kill).start()
            tasks = [client.submit(time.sleep, 600)]
            with pytest.raises(InputError, match="went away"), told_deaths(client, address):
                client.gather(tasks)
        with pytest.raises(InputError, match="went away"):
            next(counted)


def test_workers_that_are_awaited_come_late(monkeypatch):
    """Vain rounds are counted in a row, and none is counted while nobody is there."""
    rounds = iter([[], [(0, 1)], [], [], [], [(1, 2)], [], [], [], [(2, 3)]])
    crew = Crew(None, "tcp://nowhere", Voter(None, SimpleNamespace(problem=None), None, {}), 1)
    monkeypatch.setattr(crew, "_all_sent", lambda *_: [1, 2, 3])
    monkeypatch.setattr(crew, "_round", lambda *_: ((part, {}) for part in next(rounds)))
    assert [part for part, _ in crew._delivered(0, [(0, 1), (1, 2), (2, 3)], None)] == [(0, 1), (1, 2), (2, 3)]
    monkeypatch.setattr(crew, "_round", lambda *_: iter(()))
    with pytest.raises(InputError, match="the workers die again and again"):
        list(crew._delivered(0, [(0, 1)], None))


def test_two_commands_at_one_scheduler_use_other_names():
    names = []
    client = SimpleNamespace(scatter=lambda content, broadcast: names.extend(content) or content)
    content = Voter(None, SimpleNamespace(problem=None), None, {})
    for _ in range(2):
        Crew(client, "tcp://nowhere", content, 1)._sent(content)
    assert len(set(names)) == 2


def test_nothing_to_count_asks_nobody():
    crew = Crew(None, "tcp://nowhere", Voter(None, SimpleNamespace(problem=None), None, {}), 1)
    assert list(crew.counted(0, [], lambda _: None, partial(no_votes, 3, 2))) == []


def test_local_processes_have_to_fit_together(monkeypatch):
    monkeypatch.setattr("graphcert.voting.room.free_memory", lambda: 2**30)
    path = SimpleNamespace(bytes_taken=lambda: (2**28, 2**28), problem=SimpleNamespace(nodes=10), classes=2)
    assert Room(None, 1).threads(path) == 1
    with pytest.raises(
        InputError, match=r"3 processes would take about 1.5 GiB of memory, but 1.0 GiB is free; take few"
    ):
        Room(None, 1, local_processes("local:3")).threads(path)


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
