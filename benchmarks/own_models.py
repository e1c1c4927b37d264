"""A user's own models: milliseconds per sample against the dense path and our own kernels, in one run on one thread.

    python benchmarks/own_models.py                  a table
    python benchmarks/own_models.py --quick --json   a list of {"case", "ratio", …}

Models of torch_geometric and modules of its layers, with 64 hidden units, two layers (APPNP: ten steps) and eight heads,
trained a little. "ratio" is the time of the dense path (path="generic") over that of the path that is chosen by itself, and
"lazy_ratio" over that of the lazy path, which runs the module's own code in every call. "to_own" is the time of the chosen
path over that of our own model of that name; our GAT has one head in its last layer, as "GAT, one head last" has. Paths take
turns, and each is judged by the processor time of its fastest turn.

"differing" counts the nodes × samples that vote otherwise than on the dense path; every one of them must be a tie within
rounding ("largest_gap": of the two logits, relative to the largest one).
"""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch_geometric.nn import APPNP, GATConv, models
from votes import graph

import graphcert as gc
from graphcert.models import build_model
from graphcert.sampling.philox import MAIN
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sample import choose_path

HIDDEN, HEADS, CLUSTERS, ROUNDING = 64, 8, 5, 1e-5
LAWS = [
    gc.BernoulliFlip(float(add), float(delete))
    for add, delete in zip(np.linspace(0.002, 0.01, CLUSTERS), np.linspace(0.2, 0.6, CLUSTERS), strict=True)
]


class Walk(nn.Module):
    """A perceptron, then APPNP."""

    def __init__(self, features, classes):
        super().__init__()
        self.first, self.last = nn.Linear(features, HIDDEN), nn.Linear(HIDDEN, classes)
        self.walk = APPNP(K=10, alpha=0.15)

    def forward(self, x, edge_index):
        hidden = F.dropout(self.first(x).relu(), 0.5, self.training)
        return self.walk(self.last(hidden), edge_index)


class OneHeadLast(nn.Module):
    """GAT as Veličković et al. (2018) have it."""

    def __init__(self, features, classes):
        super().__init__()
        self.first, self.last = GATConv(features, HIDDEN // HEADS, HEADS), GATConv(HIDDEN, classes)

    def forward(self, x, edge_index):
        return self.last(F.elu(self.first(x, edge_index)), edge_index)


MODELS = {
    "GCN": (lambda d, k: models.GCN(d, HIDDEN, 2, k), "gcn"),
    "GraphSAGE": (lambda d, k: models.GraphSAGE(d, HIDDEN, 2, k), "sage"),
    "GAT": (lambda d, k: models.GAT(d, HIDDEN, 2, k, heads=HEADS), "gat"),
    "GAT, one head last": (OneHeadLast, "gat"),
    "APPNP": (Walk, "appnp"),
    "GIN": (lambda d, k: models.GIN(d, HIDDEN, 2, k), None),
    "GATv2": (lambda d, k: models.GAT(d, HIDDEN, 2, k, heads=HEADS, v2=True), None),
}


def trained(model, data, steps: int):
    """A few steps, so that logits are not those of chance."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(model(data.x, data.edge_index), data.y).backward()
        optimiser.step()
    return model.eval()


def fastest(paths, rounds: int, samples: int) -> list[float]:
    """Milliseconds per sample of each path."""
    counts = np.zeros((paths[0].problem.nodes, paths[0].classes), np.int64)
    best = [np.inf] * len(paths)
    for turn in range(rounds + 1):
        for k, path in enumerate(paths):
            # The dense path takes long, and its turns need no repetitions to be measured.
            number = max(1, samples // 10) if path.name == "generic" else samples
            began = time.process_time()
            path.add_votes(MAIN, turn * samples, turn * samples + number, counts)
            if turn > 0:
                best[k] = min(best[k], 1e3 * (time.process_time() - began) / number)
    return best


def differences(path, dense, samples: int) -> tuple[int, float]:
    """How many votes differ in so many samples, and the largest gap between the two logits where they do."""
    number, largest = 0, 0.0
    for sample in range(samples):
        found, expected = path.logits(MAIN, sample).argmax(axis=1), dense.logits(MAIN, sample)
        label, rows = expected.argmax(axis=1), np.arange(len(expected))
        other = found != label
        gaps = (expected[rows, label] - expected[rows, found])[other] / np.abs(expected).max()
        number, largest = number + int(other.sum()), max(largest, float(gaps.max(initial=0)))
    if largest > ROUNDING:
        raise AssertionError(f"two logits differ by {largest} of the largest one, and their votes differ")
    return number, largest


def measure(data, name: str, setting: str, problem: Problem, model, own: str | None, quick: bool) -> dict[str, object]:
    chosen, lazy, dense = (choose_path(problem, model, path) for path in ("auto", "lazy", "generic"))
    paths = [chosen, lazy, dense]
    if own is not None:
        paths.append(choose_path(problem, build_model(own, data.x.shape[1], data.classes).eval()))
    rounds, samples = (4, 10) if quick else (8, 20)
    found, by_lazy, by_dense, *by_own = fastest(paths, rounds, samples)
    compared = 5 if quick else 20
    results = [differences(path, dense, compared) for path in (chosen, lazy)]
    row: dict[str, object] = {
        "case": f"{name}, {setting}, {chosen.name} path",
        "ratio": round(by_dense / found, 1),
        "lazy_ratio": round(by_dense / by_lazy, 1),
        "ms_per_sample": round(found, 2),
        "lazy_ms_per_sample": round(by_lazy, 2),
        "dense_ms_per_sample": round(by_dense, 1),
        "differing": results[0][0],
        "lazy_differing": results[1][0],
        "of": compared * problem.nodes,
        "largest_gap": max(gap for _, gap in results),
    }
    if by_own:
        row |= {"own_ms_per_sample": round(by_own[0], 2), "to_own": round(found / by_own[0], 2)}
    return row


def measure_all(quick: bool) -> list[dict[str, object]]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data, name = graph()
    settings = {
        "features (0.01, 0.6)": gc.Smoothing(LAWS[-1]),
        f"features in {CLUSTERS} clusters": gc.Smoothing(LAWS, partition=gc.partition_graph(data, CLUSTERS)),
        "edges (0.001, 0.4)": gc.Smoothing(edges=gc.BernoulliFlip(0.001, 0.4)),
    }
    problems = {setting: Problem.of(data, smoothing, 0) for setting, smoothing in settings.items()}
    rows = []
    for label, (make, own) in MODELS.items():
        model = trained(make(data.x.shape[1], data.classes), data, 5 if quick else 20)
        rows += [
            measure(data, f"{label}, {name}", setting, problem, model, own, quick)
            for setting, problem in problems.items()
        ]
    return rows


if __name__ == "__main__":
    command.run(__doc__, measure_all)
