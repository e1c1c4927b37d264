"""How voting grows with the graph: seconds per sample and node, peak memory and fitted exponents, beside the floor.

    python benchmarks/scaling.py                  a table, up to 10^6 nodes
    python benchmarks/scaling.py --quick --json   a list of {"case", "ratio", …} up to 10^5 nodes

Average degree 10, 500 binary features of which about 20 are ones, GCN 2 × 64, one thread, flips of features: isotropic,
and localized with 50 METIS groups and five levels, for 10,000 nodes also with 50 levels, on a graph without local structure
("random"), with 50 communities ("blocks") and of a grid ("grid"). Every graph has a process of its own, so that its peak
memory is its own; it holds everything from drawing the graph to the votes. "cost" is the time of a sample over that of an
isotropic one on the same graph; "exponent" is the slope of a line fitted to the logarithms of nodes and seconds.

Groups are those of METIS, which takes long on large graphs without structure: a million nodes of such a graph are divided
in their order.

The floor is what must move per sample, over the bandwidth at which it can, both measured in the same process. In order, at
the bandwidth of a copy: the positions of the ones, the adjacency, rows of the first product written, rows of the second.
In the order of the neighbours, at the bandwidth of `numpy.take` on a table with a row per node: rows of the first product,
one for every node and neighbour, and localized for every group that has the node within a hop. Computing is free.
"floors" is the measured time over the floor's, "ratio" its inverse, "exponent_of_floor" the floor's own exponent.
"""

import json
import os
import resource
import subprocess
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np
import torch
from scipy import sparse

import graphcert as gc
from graphcert.models import build_model
from graphcert.sampling.philox import MAIN
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sparse_path import SparsePath

GROUPS, HIDDEN, CLASSES, WIDTH = 50, 64, 8, 500
SIZES, MANY_LEVELS = (10_000, 100_000, 1_000_000), 10_000
FLOAT, PADDED = 4, 16
"""Bytes of a number, and columns that the classes are padded to."""


def laws(levels: int) -> list[gc.BernoulliFlip]:
    """From little noise to that of the isotropic case."""
    shares = np.arange(1, levels + 1) / levels
    return [gc.BernoulliFlip(0.01 * share, 0.2 + 0.5 * share) for share in shares.tolist()]


def bandwidth() -> float:
    """Bytes per second that a copy of an array beyond all caches reads and writes."""
    source = np.ones(2**25)
    target = np.empty_like(source)
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - began)
    return 2 * source.nbytes / min(seconds)


def row_bandwidth(adjacency: sparse.csr_array) -> float:
    """Bytes per second of rows of a table (N, HIDDEN) that are read in the order of the neighbours."""
    table = np.ones((adjacency.shape[0], HIDDEN), np.float32)
    rows = adjacency.indices[: 10**6].astype(np.int64)
    parts = rows[: rows.size // 1000 * 1000].reshape(-1, 1000)
    # What is taken stays in a fast cache.
    taken, seconds = np.empty((1000, HIDDEN), np.float32), []
    for _ in range(6):
        began = time.perf_counter()
        for part in parts:
            np.take(table, part, axis=0, out=taken, mode="clip")
        seconds.append(time.perf_counter() - began)
    return len(parts) * taken.nbytes / min(seconds)


def floor_seconds(ones: int, adjacency: sparse.csr_array, groups: np.ndarray) -> float:
    """Seconds that one sample needs at least to move what it must, for groups (N,) numbered from 0."""
    nodes = adjacency.shape[0]
    products, gathered, second, entries = HIDDEN * FLOAT * nodes, 0, 0, 0
    degrees = np.diff(adjacency.indptr)
    for group in range(groups.max() + 1):
        near = (groups == group).astype(np.float32)
        entries += int(degrees[near > 0].sum())
        near = near + adjacency @ near
        second += int((near > 0).sum())
        gathered += int(degrees[near > 0].sum()) + int((near > 0).sum())
    in_order = FLOAT * (ones + nodes + entries + gathered) + products + 2 * PADDED * FLOAT * second + 16 * nodes
    return in_order / bandwidth() + HIDDEN * FLOAT * gathered / row_bandwidth(adjacency)


def measure_graph(kind: str, nodes: int) -> list[dict[str, object]]:
    """One graph in this process: isotropic, then localized."""
    torch.set_num_threads(1)
    options = {} if kind == "random" else {"geometry": kind}
    began = time.perf_counter()
    data = gc.load_dataset(
        "synthetic", nodes=nodes, classes=CLASSES, features=WIDTH, degree=10, present=0.12, background=0.0286, **options
    )
    drawn = time.perf_counter() - began
    began = time.perf_counter()
    method = "consecutive" if kind == "random" and nodes > 100_000 else "metis"
    partition = gc.partition_graph(data, GROUPS, method)
    divided = time.perf_counter() - began
    model = build_model("gcn", WIDTH, CLASSES).eval()
    source, target = data.edge_index.numpy()
    adjacency = sparse.csr_array((np.ones(source.size, np.float32), (target, source)), (nodes, nodes))
    counts, rows = np.zeros((nodes, CLASSES), np.int64), []
    everyone, labels = np.zeros(nodes, np.int64), np.asarray(partition.labels)
    cases = [("isotropic", gc.Smoothing(laws(1)[0]), everyone)]
    for levels in (5, GROUPS) if nodes <= MANY_LEVELS else (5,):
        divided_by = ", groups in order" if method == "consecutive" else ""
        cases.append(
            (f"localized, {levels} levels{divided_by}", gc.Smoothing(laws(levels), partition=partition), labels)
        )
    for name, scheme, groups in cases:
        began = time.perf_counter()
        problem = Problem.of(data, scheme, 0)
        path = SparsePath(problem, model)
        ready = time.perf_counter() - began
        samples = max(1, 20_000 // nodes)
        path.add_votes(MAIN, 0, samples, counts)
        seconds = []
        for turn in range(1, 4):
            began = time.perf_counter()
            path.add_votes(MAIN, turn * samples, (turn + 1) * samples, counts)
            seconds.append((time.perf_counter() - began) / samples)
        floor = floor_seconds(problem.sampler.clean_features.indices.size, adjacency, groups)
        rows.append({
            "name": name, "case": f"{name}, {kind}, {nodes:,} nodes", "seconds": min(seconds), "nodes": nodes,
            "nanoseconds_per_sample_and_node": round(1e9 * min(seconds) / nodes, 1),
            "floors": round(min(seconds) / floor, 2), "ratio": round(floor / min(seconds), 3), "floor_seconds": floor,
            "seconds_to_draw_graph": round(drawn, 1), "seconds_to_partition": round(divided, 1),
            "seconds_to_be_ready": round(ready, 1),
            "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        })  # fmt: skip
        del path, problem
    return [row | {"cost": round(row["seconds"] / rows[0]["seconds"], 2)} for row in rows]


def measure(quick: bool) -> list[dict[str, object]]:
    found = []
    for kind in ("random", "blocks", "grid"):
        cases: dict[str, list[dict[str, object]]] = {}
        for nodes in SIZES[: 2 if quick else 3]:
            call = [sys.executable, __file__, kind, str(nodes)]
            for row in json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout):
                cases.setdefault(str(row.pop("name")), []).append(row)
        for rows in cases.values():
            exponent = {}
            if len(rows) > 1:
                sizes, seconds = ([np.log(row[key]) for row in rows] for key in ("nodes", "seconds"))
                floors = [np.log(row["floor_seconds"]) for row in rows]
                exponent = {
                    "exponent": round(float(np.polyfit(sizes, seconds, 1)[0]), 3),
                    "exponent_of_floor": round(float(np.polyfit(sizes, floors, 1)[0]), 3),
                }
            found += [row | exponent for row in rows]
    return found


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[2].isdigit():
        print(json.dumps(measure_graph(sys.argv[1], int(sys.argv[2]))))
    else:
        command.run(__doc__, measure)
