"""Nodes that an adversary adds: certified targets against their number, on Cora-ML and Citeseer, by several certificates.

    python experiments/injection.py [--seeds 3] [--out runs/injection]

A GCN is trained under dropped nodes and edges, and 100 test nodes that the smoothed model labels correctly are drawn (the
setting of Lai et al. 2024). From the same votes: their rule for single nodes, which needs no graph; their program for all,
as it was published; every node alone; and all together. `--fast` takes few samples of a small synthetic graph.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linprog
from scipy.sparse import csr_array, diags_array, eye_array, hstack, vstack
from torch_geometric.nn import GCN

import graphcert as gc

DATASETS, RATES = ("cora_ml", "citeseer"), ((0.9, 0.8), (0.9, 0.7), (0.5, 0.5))
INJECTED, DEGREE, TARGETS = tuple(range(0, 161, 20)), 6, 100


def trained(data, scheme, seed, epochs):
    """A GCN that has learnt under the noise it votes under."""
    torch.manual_seed(seed)
    noisy = gc.NoisyTransform(scheme, seed=seed)
    model = GCN(data.num_features, 64, 2, out_channels=data.classes, dropout=0.5)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    for _ in range(epochs):
        model.train()
        shown = noisy(data)
        logits = model(shown.x, shown.edge_index)
        loss = torch.nn.functional.cross_entropy(logits[data.train_mask], data.y[data.train_mask])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def published_alone(certificate, drop_nodes, drop_edges, injected):
    """How many targets the published rule for single nodes certifies: no edge of any new node survives."""
    edge = drop_edges + drop_nodes - drop_edges * drop_nodes
    unseen = ((1 - drop_nodes) * edge**DEGREE + drop_nodes) ** injected
    kept = unseen * (certificate.p_lower - certificate.p_other_upper + 1) > 1
    return int((kept & certificate.targets).sum())


def published_together(certificate, data, drop_nodes, drop_edges, injected):
    """The published linear program, without edges among new nodes, which only certifies more.

    Its reach, one edge beyond a contact, is too small for the symmetric normalisation of a GCN of two layers: no proof.
    """
    targets = np.flatnonzero(certificate.targets)
    nodes, edges = certificate.nodes, data.edge_index.numpy()
    margin = (certificate.p_lower - certificate.p_other_upper)[targets] / 2
    falls = margin <= 0
    b = (1 - drop_nodes) * (1 - drop_edges)
    near = csr_array((np.ones(edges.shape[1]), tuple(edges)), shape=(nodes, nodes))[targets]
    own = csr_array(eye_array(nodes))[targets]
    weights = own * -np.log1p(-b) + near * -np.log1p(-(b**2))
    needed = -np.log1p(-np.clip(margin, 1e-12, 1 - 1e-12))
    rows = hstack([eye_array(len(targets)), -diags_array(1 / needed) @ weights])
    budget = hstack([csr_array((1, len(targets))), csr_array(np.ones((1, nodes)))])
    found = linprog(
        -np.concatenate([np.ones(len(targets)), np.zeros(nodes)]), vstack([rows, budget]).tocsc(),
        np.concatenate([np.zeros(len(targets)), [injected * DEGREE]]),
        bounds=[(0, 1)] * len(targets) + [(0, injected)] * nodes, method="highs",
    )  # fmt: skip
    return len(targets) - max(int(np.floor(-found.fun + 1e-6)), int(falls.sum()))


def curves(name, rates, seed, fast):
    """One row per number of new nodes: certified targets by every certificate, and the seconds of the sweeps."""
    options = {"nodes": 300, "classes": 3, "features": 50} if fast else {}
    data = gc.load_dataset("synthetic" if fast else name, seed=seed, per_class_train=50 if not fast else 20, **options)
    scheme, samples = gc.NodeDrop(*rates), 500 if fast else 10_000
    model = trained(data, scheme, seed, 50 if fast else 300)
    votes = gc.sample_votes(model, data, scheme, samples, samples // 10, seed)
    right = np.flatnonzero(data.test_mask.numpy() & (votes.labels == data.y.numpy()))
    accuracy = right.size / int(data.test_mask.sum())
    targets = np.sort(np.random.default_rng(seed).choice(right, min(TARGETS, right.size), replace=False))
    certificate = gc.certify(votes, targets=targets)
    asked = {"degree": DEGREE, "data": data, "layers": 2}
    found, seconds = {}, {}
    for method in ("naive", "lp", "milp"):
        began = time.perf_counter()
        found[method] = certificate.injection(INJECTED, **asked, method=method, time_limit=10).certified
        seconds[method] = time.perf_counter() - began
    for i, injected in enumerate(INJECTED):
        yield {
            "dataset": name, "p_n": rates[0], "p_e": rates[1], "seed": seed, "accuracy": round(accuracy, 4),
            "injected": injected, "published, alone": published_alone(certificate, *rates, injected),
            "published, together": published_together(certificate, data, *rates, injected),
            "alone": int(found["naive"][i]), "lp": int(found["lp"][i]), "milp": int(found["milp"][i]),
            "targets": len(targets), **{f"seconds, {method}": round(took, 2) for method, took in seconds.items()},
        }  # fmt: skip


def main() -> None:
    """Write injection.csv, and print one line per data set, noise and number of new nodes: means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/injection"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = []
    print("| graph | p_n | p_e | new nodes | published, alone | published, together | alone | together, LP | MILP |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in DATASETS[: 1 if given.fast else None]:
        for rates in RATES:
            mine = [row for seed in range(given.seeds) for row in curves(name, rates, seed, given.fast)]
            rows += mine
            for injected in INJECTED:
                those = [row for row in mine if row["injected"] == injected]
                shares = (
                    f"{100 * sum(row[column] for row in those) / sum(row['targets'] for row in those):.1f}"
                    for column in ("published, alone", "published, together", "alone", "lp", "milp")
                )
                print(f"| {name} | {rates[0]} | {rates[1]} | {injected} | {' | '.join(shares)} |", flush=True)
            accuracy = np.mean([row["accuracy"] for row in mine])
            took = {m: np.mean([row[f"seconds, {m}"] for row in mine]) for m in ("naive", "lp", "milp")}
            print(f"accuracy {accuracy:.3f}; seconds per sweep {', '.join(f'{m} {s:.1f}' for m, s in took.items())}")
    with (given.out / "injection.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
