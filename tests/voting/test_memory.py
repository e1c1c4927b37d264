"""Memory bounds the number of threads and refuses what cannot fit; it never changes a vote, and estimates hold."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN
from torch_geometric.utils import scatter
from typer.testing import CliRunner
from voting_cases import FEATURES, NOISE, generic_model, small_graph, sparse_model

import graphcert as gc
from graphcert.cli.nodes import build_app
from graphcert.core import memory
from graphcert.core.memory import memory_bytes
from graphcert.errors import InputError
from graphcert.models import build_model
from graphcert.voting import room, sample_votes
from graphcert.voting.footprint import arrays_in, call_bytes
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import GenericPath
from graphcert.voting.room import Room
from graphcert.voting.sample import chosen_path

AMOUNTS = {
    "512MiB": 2**29, "2GiB": 2**31, "1e9": 10**9, "2GB": 2 * 10**9, "800M": 800 * 2**20, "0.5g": 2**29, "7 KiB": 7 * 2**10,
    "64 b": 64, "1.5T": 3 * 2**39, 4096: 4096,
}  # fmt: skip


@pytest.mark.parametrize("text", AMOUNTS)
def test_amounts_are_read(text):
    assert memory_bytes("memory", text) == AMOUNTS[text]


@pytest.mark.parametrize(
    "wrong", ["much", "", "-1G", "0", "nan", "1e400", "2 GiBs", "G", 0, -5, True, None, 1.5, b"2G"]
)
def test_what_is_no_amount_is_one_sentence(wrong):
    with pytest.raises(InputError, match=r"^memory must be an amount of memory such as 800M, 2GiB or 4G, got "):
        memory_bytes("memory", wrong)


def test_arrays_are_counted_once_wherever_they_are():
    base, tensor = np.zeros(1000, np.float32), torch.zeros(500)
    hidden = np.zeros(300)

    def closes_over():
        return hidden

    class Holder:
        def __init__(self):
            self.part, self.again = base[10:20], {"x": [base, tensor.numpy()]}

    found = arrays_in(Holder(), tensor, partial(closes_over), closes_over, np)
    assert sorted(found.values()) == [2000, 2400, 4000]


def test_what_a_model_takes_is_measured():
    """Two layers on N nodes: hidden units and their rectified ones at the same time."""
    data = small_graph(600)
    problem = Problem.of(data, NOISE["features"], 0)
    found = call_bytes(problem, generic_model("perceptron"))
    assert found.x == 4 * 600 * FEATURES
    assert 4 * 600 * 9 <= found.inside <= 4 * 600 * 9 * 3
    wide = call_bytes(problem, generic_model("centred"))
    assert wide.inside - wide.narrow >= 4 * 600 * FEATURES * 0.9  # x minus its mean


def large_problem():
    """A graph whose buffers are worth counting, and nothing else of it matters."""
    return Problem.of(small_graph(2000, edge_index=torch.empty(2, 0, dtype=torch.int64)), NOISE["features"], 0)


@pytest.mark.parametrize("path", ["sparse", "lazy", "generic"])
def test_as_many_threads_as_fit(path):
    problem = large_problem()
    with chosen_path(problem, sparse_model("gcn"), path) as chosen:
        shared, each = chosen.bytes_taken()
        tally = problem.nodes * 8 * chosen.classes
        for threads in (1, 3, 5):
            amount = shared + 2 * tally + threads * (each + tally)
            assert Room(amount, 8).threads(chosen) == threads
            assert Room(amount + each // 2, 8).threads(chosen) == threads
        assert Room(amount, 2).threads(chosen) == 2
        with pytest.raises(
            InputError, match=r"voting in one thread would take about .* but .* is allowed; give it more"
        ):
            Room(shared + each, 8).threads(chosen)


def test_scores_take_more_memory():
    with chosen_path(large_problem(), sparse_model("gcn"), "sparse") as chosen:
        amount = sum(chosen.bytes_taken()) + 3 * 2000 * 8 * chosen.classes
        assert Room(amount, 1).threads(chosen) == 1
        with pytest.raises(InputError, match="voting in one thread would take"):
            Room(amount, 1).threads(chosen, scores=True)


@pytest.mark.parametrize("path", ["sparse", "lazy", "generic"])
def test_memory_changes_no_vote(path, monkeypatch):
    crews, take = [], Room.threads
    monkeypatch.setattr(Room, "threads", lambda *given: crews.append(take(*given)) or crews[-1])
    monkeypatch.setattr(GenericPath, "_union_nodes", 1200)
    data, model = small_graph(60), generic_model("pyg gcn")
    free = sample_votes(model, data, NOISE["both"], 120, 20, workers=3, path=path)
    monkeypatch.setattr(Room, "refuse_large", lambda *given: None)
    with chosen_path(Problem.of(data, NOISE["both"], 0), model, path) as chosen:
        amount = sum(chosen.bytes_taken()) + 4 * 60 * 8 * chosen.classes
    tight = sample_votes(model, data, NOISE["both"], 120, 20, workers=3, path=path, memory=amount)
    assert crews == [3, 1]
    assert np.array_equal(free.counts, tight.counts)
    assert free.manifest == tight.manifest


def test_nothing_is_tried_where_nothing_fits(monkeypatch):
    called = []

    class Watched(nn.Module):
        def forward(self, x, edge_index):
            called.append(x.shape[0])
            return x[:, :3]

    data = small_graph(3000, edge_index=torch.empty(2, 0, dtype=torch.int64))
    with pytest.raises(InputError, match=r"would take about 1\.\d MiB of memory, but 1\.0 MiB is allowed"):
        sample_votes(Watched(), data, NOISE["features"], 10, 10, memory="1MiB")
    assert max(called, default=0) <= 512  # only the small graph on which it is measured
    monkeypatch.setattr(room, "free_memory", lambda: 2**20)
    with pytest.raises(InputError, match=r"but 1\.0 MiB is free; give it more \(memory=… or --memory\)"):
        sample_votes(Watched(), data, NOISE["features"], 10, 10)
    assert max(called) <= 512


def test_one_place_knows_how_much_there_is(monkeypatch):
    monkeypatch.setattr(memory, "_limits", lambda: iter([2**40, 2**33, 2**36]))
    assert memory.free_memory() == 2**33


def test_a_bad_amount_is_refused_before_anything_else():
    for call in (
        partial(sample_votes, None, None, NOISE["edges"], 10),
        partial(gc.certify_model, sparse_model("gcn"), small_graph(), NOISE["edges"], samples=10),
    ):
        with pytest.raises(InputError, match="memory must be an amount"):
            call(memory="lots")


@pytest.mark.parametrize("command", ["sample", "attack", "verify"])
def test_the_command_line_takes_it(command, tmp_path):
    (tmp_path / "config.toml").write_text("")
    result = CliRunner().invoke(build_app(), [command, str(tmp_path), "--memory", "lots"])
    assert isinstance(result.exception, InputError)
    assert "memory must be an amount" in str(result.exception)


def test_commands_that_take_no_votes_refuse_it(tmp_path):
    result = CliRunner().invoke(build_app(), ["collective", str(tmp_path), "--memory", "2GiB"])
    assert "--memory is about voting" in str(result.exception)


SCRIPT = """
import resource, sys
from graphcert.voting import room, sample_votes
from test_memory import large_graph, large_model
import graphcert as gc

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # bytes on Linux

kind, workers, estimates = sys.argv[1], int(sys.argv[2]), []
refuse, fitting = room.Room._refuse, room.Room.threads

def refused(self, held, more):
    estimates.append(held + more)
    refuse(self, held, more)

def threads(self, path, *given):
    shared, each = path.bytes_taken()
    estimates.append(shared + workers * each)
    return fitting(self, path, *given)

room.Room._refuse, room.Room.threads = refused, threads
for nodes in (50, 20000):  # first whatever is loaded and compiled once
    data = large_graph(nodes)
    if kind.startswith("localized"):
        partition = gc.partition_graph(data, 10, "consecutive")
        features = [gc.BernoulliFlip(0.0001 * level, 0.4) for level in range(1, 11)]
        edges = [gc.BernoulliFlip(1e-6 * level, 0.3) for level in range(1, 11)]
        noise = gc.Smoothing(features, edges if kind == "localized edges" else None, partition)
    else:
        noise = gc.Smoothing(gc.BernoulliFlip(0.001, 0.4), gc.BernoulliFlip(1e-5, 0.3))
    before = peak()
    estimates.clear()
    # One sample at a time, so that all threads have work.
    path = "generic" if kind == "generic" else "auto"
    sample_votes(large_model(kind), data, noise, 30, 10, workers=workers, path=path, batch_size=1)
print((peak() - before) / max(estimates))
"""
WIDTH = 500


class Unheard(nn.Module):
    """No kernels stand for it."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, 64), nn.Linear(64, 7)

    def forward(self, x, edge_index):
        hidden = self.first(x).relu()
        return self.last(scatter(hidden[edge_index[0]], edge_index[1], 0, len(x), "mean").cumsum(1))


def large_graph(nodes):
    """Ten neighbours and twenty ones per node."""
    rng = np.random.default_rng(0)
    pairs = np.unique(np.sort(rng.integers(0, nodes, (2, 5 * nodes)), axis=0), axis=1)
    pairs = torch.from_numpy(pairs[:, pairs[0] != pairs[1]])
    x = torch.zeros(nodes, WIDTH)
    x[torch.arange(nodes).repeat_interleave(20), torch.from_numpy(rng.integers(0, WIDTH, 20 * nodes))] = 1
    return Data(x=x, edge_index=torch.cat([pairs, pairs.flip(0)], dim=1))


def large_model(kind):
    if kind == "sparse" or kind.startswith("localized"):
        return build_model("gcn", WIDTH, 7).eval()
    return (Unheard() if kind == "lazy" else GCN(WIDTH, 64, 2, 7)).eval()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="units of the peak differ between systems")
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("kind", ["sparse", "recognised", "lazy", "generic", "localized features", "localized edges"])
def test_estimates_hold(kind, workers):
    """Against the peak of a process: the largest of what trying the model and what voting would take, within 30 %."""
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), str(here.parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(workers)], env=environment, capture_output=True, text=True, check=True
    )
    assert 0.7 < float(done.stdout) < 1.3, done.stdout
