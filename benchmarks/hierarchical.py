"""Hierarchical votes per second against votes under the lower noise alone, in one run and on one thread.

    python benchmarks/hierarchical.py                  a table
    python benchmarks/hierarchical.py --quick --json   a list of {"case", "cost", …}

"cost" is the time of a sample in which rows are selected, noised and marked, over that of a sample in which every row is
noised. Both sides take turns, and each is judged by its fastest turn.
"""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np
import torch
from votes import graph

import graphcert as gc
from graphcert.models import build_model
from graphcert.sampling.philox import MAIN
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sample import choose_path

SELECT = 0.81
FEATURES, EDGES = gc.BernoulliFlip(0.05, 0.8), gc.BernoulliFlip(0.001, 0.4)


def measure(data, name: str, model_name: str, lower: gc.Smoothing, rounds: int, samples: int) -> dict[str, object]:
    counts = np.zeros((data.x.shape[0], data.classes), np.int64)
    schemes = {"lower": lower, "hierarchical": gc.Hierarchical(SELECT, lower)}
    paths, seconds = {}, {kind: [] for kind in schemes}
    for kind, scheme in schemes.items():
        problem = Problem.of(data, scheme, 0)
        paths[kind] = choose_path(problem, build_model(model_name, problem.x.shape[1], data.classes).eval())
        paths[kind].add_votes(MAIN, 0, samples, counts)
    for turn in range(rounds):
        for kind, path in paths.items():
            began = time.perf_counter()
            path.add_votes(MAIN, turn * samples, (turn + 1) * samples, counts)
            seconds[kind].append((time.perf_counter() - began) / samples)
    hierarchical, plain = min(seconds["hierarchical"]), min(seconds["lower"])
    edges = "" if lower.edges is None else f" and edges ({EDGES.add:g}, {EDGES.delete:g})"
    return {
        "case": f"{model_name}, {name}, features ({FEATURES.add:g}, {FEATURES.delete:g}){edges}, selected with {SELECT:g}",
        "cost": round(hierarchical / plain, 2),
        "votes_per_second": round(1 / hierarchical, 1),
        "lower_votes_per_second": round(1 / plain, 1),
    }


def measure_all(quick: bool) -> list[dict[str, object]]:
    torch.set_num_threads(1)
    data, name = graph()
    rounds, samples = (8, 10) if quick else (30, 20)
    lowers = gc.Smoothing(FEATURES), gc.Smoothing(FEATURES, EDGES)
    return [measure(data, name, model, lower, rounds, samples) for model in ("gcn", "appnp") for lower in lowers]


if __name__ == "__main__":
    command.run(__doc__, measure_all)
