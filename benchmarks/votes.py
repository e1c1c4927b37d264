"""Votes per second against a plainly written baseline, in the same run and on one thread each.

    python benchmarks/votes.py                  a table
    python benchmarks/votes.py --quick --json   a list of {"case", "ratio", …}

The baseline is what one writes first: index tensors of the non-zeros, a Bernoulli mask for deletions, random positions with
sort/unique for additions, ten samples a batch as one disjoint union, the first layer as gather + index_add, the
normalisation recomputed per batch. Both sides classify the same graph with the same weights; they take turns, and each is
judged by its fastest turn: other work on the machine only ever adds time.
"""

import os
import resource
import time

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np
import torch
from torch import Tensor

import graphcert as gc
from graphcert.errors import GraphcertError
from graphcert.models import APPNP, GCN, SparseFirstModel, build_model
from graphcert.sampling.philox import MAIN
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sample import choose_path

FEATURES, EDGES = gc.BernoulliFlip(0.01, 0.6), gc.BernoulliFlip(0.001, 0.4)
BATCH = 10


def flipped(ones: Tensor, rows: int, columns: int, law: gc.BernoulliFlip) -> Tensor:
    """Index tensor (2, ones) of a batch after flips (additions drawn with replacement, as plain code does it).

    Args:
        ones: (2, n) positions of the ones of a batch, that is of BATCH · rows rows.
    """
    kept = ones[:, torch.rand(ones.shape[1]) >= law.delete]
    zeros = torch.tensor(float(BATCH * rows * columns - ones.shape[1]))
    number = int(torch.distributions.Binomial(zeros, torch.tensor(law.add)).sample())
    added = torch.stack([torch.randint(BATCH * rows, (number,)), torch.randint(columns, (number,))])
    row, column = torch.cat([kept, added], dim=1)
    flat = torch.unique(row * columns + column)
    return torch.stack([flat // columns, flat % columns])


def batched(ones: Tensor, rows: int) -> Tensor:
    """(2, n) positions of one graph → (2, BATCH · n) positions of the batch."""
    row = ones[0] + rows * torch.arange(BATCH)[:, None]
    return torch.stack([row.flatten(), ones[1].repeat(BATCH)])


def weighted(hidden: Tensor, edge_index: Tensor, norm: Tensor) -> Tensor:
    source, target = edge_index
    return torch.zeros_like(hidden).index_add_(0, target, hidden[source] * norm[:, None])


def normalised(edge_index: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    loops = torch.arange(nodes)
    edge_index = torch.cat([edge_index, torch.stack([loops, loops])], dim=1)
    degree = torch.zeros(nodes).index_add_(0, edge_index[1], torch.ones(edge_index.shape[1]))
    scale = degree.rsqrt()
    return edge_index, scale[edge_index[0]] * scale[edge_index[1]]


class Baseline:
    def __init__(self, data, model: SparseFirstModel) -> None:
        self.model, (self.nodes, self.features) = model, data.x.shape
        upper = data.edge_index[:, data.edge_index[0] < data.edge_index[1]]
        self.ones, self.pairs = batched(data.x.nonzero().T, self.nodes), batched(upper, self.nodes)
        self.counts = torch.zeros(self.nodes, data.classes, dtype=torch.long)

    @torch.inference_mode()
    def vote(self) -> None:
        """Ten samples."""
        nodes = BATCH * self.nodes
        row, column = flipped(self.ones, self.nodes, self.features, FEATURES)
        source, target = flipped(self.pairs, self.nodes, self.nodes, EDGES)
        source, target = source[source % self.nodes < target], target[source % self.nodes < target]
        half = torch.stack([source, target + source - source % self.nodes])
        edge_index, norm = normalised(torch.cat([half, half.flip(0)], dim=1), nodes)
        weight = self.model.first_weight()
        hidden = torch.zeros(nodes, weight.shape[1]).index_add_(0, row, weight[column])
        labels = self.finish(hidden, edge_index, norm).argmax(dim=1).view(BATCH, -1)
        self.counts.scatter_add_(1, labels.T, torch.ones_like(labels.T))

    def finish(self, hidden: Tensor, edge_index: Tensor, norm: Tensor) -> Tensor:
        model = self.model
        if isinstance(model, GCN):
            hidden = torch.relu(weighted(hidden, edge_index, norm) + model.biases[0])
            return weighted(hidden @ model.weights[1], edge_index, norm) + model.biases[1]
        assert isinstance(model, APPNP)
        start = torch.relu(hidden + model.bias_in) @ model.weight_out + model.bias_out
        state = start
        for _ in range(model.hops):
            state = (1 - model.restart) * weighted(state, edge_index, norm) + model.restart * start
        return state


def graph():
    """Cora-ML, or a synthetic graph of its size where the files cannot be had."""
    try:
        return gc.load_dataset("cora_ml"), "cora_ml"
    except GraphcertError:
        options = {"nodes": 2810, "classes": 7, "features": 2879, "degree": 5.7}
        return gc.load_dataset("synthetic", **options), "synthetic graph of the size of cora_ml"


def measure(data, name: str, model_name: str, rounds: int, samples: int) -> dict[str, object]:
    model = build_model(model_name, data.x.shape[1], data.classes).eval()
    path = choose_path(Problem.of(data, gc.Smoothing(FEATURES, EDGES), 0), model)
    counts = np.zeros((data.x.shape[0], data.classes), np.int64)
    path.add_votes(MAIN, 0, samples, counts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plain = Baseline(data, model)
    plain.vote()
    ours, theirs = [], []
    for turn in range(rounds):
        began = time.perf_counter()
        path.add_votes(MAIN, turn * samples, (turn + 1) * samples, counts)
        ours.append((time.perf_counter() - began) / samples)
        began = time.perf_counter()
        plain.vote()
        theirs.append((time.perf_counter() - began) / BATCH)
    mine, baseline = min(ours), min(theirs)
    return {
        "case": f"{model_name}, {name}, features (0.01, 0.6) and edges (0.001, 0.4), {path.name} path",
        "ratio": round(baseline / mine, 1),
        "votes_per_second": round(1 / mine, 1),
        "ms_per_sample": round(1e3 * mine, 3),
        "baseline_ms_per_sample": round(1e3 * baseline, 2),
        "peak_memory_mib": round(peak / 1024),
    }


def measure_all(quick: bool) -> list[dict[str, object]]:
    torch.set_num_threads(1)
    data, name = graph()
    rounds, samples = (12, 30) if quick else (30, 30)
    rows = [measure(data, name, model, rounds, samples) for model in ("gcn", "appnp")]
    # The peak is taken before the first baseline of the process has run; later ones would show the baseline's memory.
    for row in rows[1:]:
        del row["peak_memory_mib"]
    return rows


if __name__ == "__main__":
    command.run(__doc__, measure_all)
