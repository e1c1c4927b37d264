"""Localized votes per second, against isotropic ones and against a plain implementation, in one run and on one thread.

    python benchmarks/localized.py                  a table
    python benchmarks/localized.py --quick --json   a list of {"case", "ratio", …}

Five METIS clusters with five levels of feature noise, APPNP. "cost" is the time of a localized sample (five views of the
graph, every node classified in its own) over that of an isotropic sample at the largest level. "ratio" compares with code
that samples the whole graph once per group and level, keeps the rows of the blocks at that level, and runs the model once
per group, with the plain sampling of votes.py. Each side is judged by its fastest turn.
"""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np
import torch
from votes import Baseline, graph, normalised

import graphcert as gc
from graphcert.models import build_model
from graphcert.sampling.philox import MAIN
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sample import choose_path

CLUSTERS = 5
LAWS = [
    gc.BernoulliFlip(float(add), float(delete))
    for add, delete in zip(np.linspace(0.05, 0.08, CLUSTERS), np.linspace(0.65, 0.95, CLUSTERS), strict=True)
]


class Plain(Baseline):
    """One graph at a time, sampled once per group and level."""

    def __init__(self, data, model, partition: gc.Partition) -> None:
        super().__init__(data, model)
        self.rank = torch.tensor(partition.rank)
        self.labels = torch.tensor(partition.labels)
        self.clean = data.x.nonzero().T
        self.edges, self.norm = normalised(data.edge_index, self.nodes)

    def sampled(self, law: gc.BernoulliFlip) -> torch.Tensor:
        """Positions (2, n) of the ones of one graph after flips of all its features."""
        kept = self.clean[:, torch.rand(self.clean.shape[1]) >= law.delete]
        zeros = torch.tensor(float(self.nodes * self.features - self.clean.shape[1]))
        number = int(torch.distributions.Binomial(zeros, torch.tensor(law.add)).sample())
        added = torch.stack([torch.randint(self.nodes, (number,)), torch.randint(self.features, (number,))])
        row, column = torch.cat([kept, added], dim=1)
        flat = torch.unique(row * self.features + column)
        return torch.stack([flat // self.features, flat % self.features])

    @torch.inference_mode()
    def vote(self) -> None:
        """One sample."""
        weight = self.model.first_weight()
        for group in range(CLUSTERS):
            hidden = torch.zeros(self.nodes, weight.shape[1])
            level_of_row = self.rank[group][self.labels]
            for level, law in enumerate(LAWS):
                row, column = self.sampled(law)
                keep = level_of_row[row] == level
                hidden.index_add_(0, row[keep], weight[column[keep]])
            labels = self.finish(hidden, self.edges, self.norm).argmax(dim=1)
            members = self.labels == group
            self.counts[members, labels[members]] += 1


def fastest(function, rounds: int) -> float:
    """Seconds of the fastest of so many calls, after one that does not count."""
    function()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def measure(rounds: int, samples: int) -> list[dict[str, object]]:
    data, name = graph()
    model = build_model("appnp", data.x.shape[1], data.classes).eval()
    partition = gc.partition_graph(data, CLUSTERS)
    counts = np.zeros((data.x.shape[0], data.classes), np.int64)
    seconds = {}
    for kind, smoothing in (
        ("localized", gc.Smoothing(LAWS, partition=partition)),
        ("isotropic", gc.Smoothing(LAWS[-1])),
    ):
        path = choose_path(Problem.of(data, smoothing, 0), model)
        seconds[kind] = fastest(lambda path=path: path.add_votes(MAIN, 0, samples, counts), rounds) / samples
    plain = fastest(Plain(data, model, partition).vote, max(1, rounds // 4))
    return [
        {
            "case": f"appnp, {name}, {CLUSTERS} clusters and levels, features (0.05, 0.65) to (0.08, 0.95)",
            "ratio": round(plain / seconds["localized"], 1),
            "cost": round(seconds["localized"] / seconds["isotropic"], 2),
            "votes_per_second": round(1 / seconds["localized"], 1),
            "isotropic_votes_per_second": round(1 / seconds["isotropic"], 1),
            "plain_ms_per_sample": round(1e3 * plain),
        }
    ]


def measure_all(quick: bool) -> list[dict[str, object]]:
    torch.set_num_threads(1)
    return measure(*((4, 10) if quick else (12, 20)))


if __name__ == "__main__":
    command.run(__doc__, measure_all)
