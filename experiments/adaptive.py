"""Adaptive against fixed numbers of samples, on Cora-ML: samples of single nodes, certified ratio and seconds.

    python experiments/adaptive.py

Each row trains a model, takes 10,000 samples of every node, and then, with the same seed, votes until the test nodes are
decided for two budgets. `--fast` is a small synthetic graph.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import graphcert as gc
from graphcert.run.nodes import Run
from graphcert.run.settings.graph_run import RunConfig

SETUPS = {
    "GCN, isotropic": ("gcn", {"features": {"add": 0.01, "delete": 0.6}}, (gc.Budget(1), gc.Budget(0, 5))),
    "APPNP, localized": (
        "appnp", {"clusters": 5, "features": {"add": [0.05, 0.08], "delete": [0.65, 0.95]}},
        (gc.Budget(1), gc.Budget(0, 3)),
    ),
}  # fmt: skip
HEADER = (
    "| noise | seed | certified, fixed | adaptive | samples of a target | of a node | seconds, fixed | adaptive |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|"
)


def row(title: str, seed: int, fast: bool, workers: int) -> str:
    """One line of the table."""
    model, noise, budgets = SETUPS[title]
    small = {"name": "synthetic", "options": {"nodes": 300, "classes": 3, "features": 200}}
    most, dataset = (2000, small) if fast else (10_000, {"name": "cora_ml"})
    config = RunConfig.from_dict({"seed": seed, "dataset": dataset, "model": {"name": model}, "smoothing": noise})
    with TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        data = run.train(config)
        module, smoothing, targets = run.model(config), run.smoothing(config), data.test_mask.numpy()
        options = {"seed": seed, "workers": workers}
        seconds, ratios, votes = [], [], None
        for number in ({"samples": most}, {"until": gc.Until(budgets, targets=targets), "max_samples": most}):
            began = time.perf_counter()
            votes = gc.sample_votes(module, data, smoothing, **number, **options)
            seconds.append(time.perf_counter() - began)
            certificate = gc.certify(votes, targets=targets)
            ratios.append(" / ".join(f"{certificate.certified_ratio(budget):.4f}" for budget in budgets))
    taken = votes.node_samples
    return (
        f"| {title} | {seed} | {ratios[0]} | {ratios[1]} | {taken[targets].mean() / most:.1%} | {taken.mean() / most:.1%} | "
        f"{seconds[0]:.0f} | {seconds[1]:.0f} |"
    )


def main() -> None:
    """Print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    print(HEADER)
    for title in SETUPS:
        for seed in range(given.seeds):
            print(row(title, seed, given.fast, given.workers), flush=True)


if __name__ == "__main__":
    main()
