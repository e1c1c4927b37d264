"""Certified accuracy of a GCN by objective of training, on Cora-ML and Citeseer, over five seeds.

    python experiments/training_objectives.py --out training_objectives.md

Features are flipped with (.01, .6). Every seed has a split, weights and noise of its own; all objectives share them. The
weights of the objectives were chosen by `--tune` on validation nodes of Cora-ML under another seed (100).
"""

import argparse
import statistics
import time
import warnings
from pathlib import Path

import numpy as np

import graphcert as gc
from graphcert.models import Training, build_model, train
from graphcert.voting.noisy_graph import Problem

warnings.simplefilter("ignore", gc.errors.OutOfReachWarning)  # the largest budget is beyond so few samples
NOISE = gc.Smoothing(features=gc.BernoulliFlip(0.01, 0.6))
BUDGETS = [gc.Budget(), *(gc.Budget(add) for add in (1, 2, 3)), *(gc.Budget(0, delete) for delete in (1, 3, 5, 10))]
OBJECTIVES = {
    "cross_entropy": {},
    "consistency": {"regularisation": 5.0, "entropy": 0.5},
    "stability": {"regularisation": 1.0},
}
GRID = {
    "cross_entropy": [{}, {"draws": 2}],
    "consistency": [
        {"regularisation": weight, "entropy": entropy} for weight in (1.0, 5.0, 20.0) for entropy in (0.0, 0.5, 2.0)
    ],
    "stability": [{"regularisation": weight} for weight in (1.0, 5.0, 20.0)],
}


def certified(name, seed, objective, options, targets, samples):
    """Certified accuracy per budget, and seconds of training."""
    data = gc.load_dataset(name, seed=seed)
    problem = Problem.of(data, NOISE, seed)
    model = build_model("gcn", data.num_features, data.classes, seed=seed)
    began = time.perf_counter()
    schedule = Training(objective=objective, **options)
    train(model, problem.sampler, data.y, data.train_mask, data.val_mask, schedule, seed)
    seconds = time.perf_counter() - began
    votes = gc.sample_votes(model, data, NOISE, samples, 1000, seed, workers=1)
    mask = data[targets].numpy()
    certificate = gc.certify(votes, alpha=0.01, targets=mask)
    truth = data.y.numpy()
    return np.array([certificate.certified_accuracy(budget, truth) for budget in BUDGETS]), seconds


def tune(name, samples):
    for objective, choices in GRID.items():
        for options in choices:
            found, seconds = certified(name, 100, objective, options, "val_mask", samples)
            print(
                name,
                objective,
                options,
                np.round(100 * found, 1),
                f"mean {100 * found.mean():.2f}, {seconds:.0f} s",
                flush=True,
            )


def table(name, seeds, samples):
    words = ["clean", "+1", "+2", "+3", "−1", "−3", "−5", "−10"]
    lines = [f"| {name} | " + " | ".join(words) + " | seconds |", "|---|" + "--:|" * (len(words) + 1)]
    found = {}
    for objective, options in OBJECTIVES.items():
        runs = [certified(name, seed, objective, options, "test_mask", samples) for seed in range(seeds)]
        found[objective] = 100 * np.array([accuracy for accuracy, _ in runs])
        cells = [f"{column.mean():.1f} ± {column.std(ddof=1):.1f}" for column in found[objective].T]
        seconds = statistics.mean(seconds for _, seconds in runs)
        lines.append(f"| {objective} | " + " | ".join(cells) + f" | {seconds:.0f} |")
        print(lines[-1], flush=True)
    for objective in list(OBJECTIVES)[1:]:
        gain = found[objective] - found["cross_entropy"]
        cells = [f"{column.mean():+.1f} ± {column.std(ddof=1):.1f}" for column in gain.T]
        lines.append(f"| gain of {objective}, seed by seed | " + " | ".join(cells) + " | |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--datasets", nargs="+", default=["cora_ml", "citeseer"])
    parser.add_argument("--tune", action="store_true", help="print the choices on the validation nodes of seed 100")
    given = parser.parse_args()
    if given.tune:
        for name in given.datasets:
            tune(name, given.samples)
        return
    tables = [table(name, given.seeds, given.samples) for name in given.datasets]
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text("\n\n".join(tables) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
