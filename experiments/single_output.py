"""One label per image of a digit: constant against input-dependent noise, and Gaussian against selected noise and ablation.

    python experiments/single_output.py --out runs/single_output

For each of five seeds, networks are trained under every noise on 1,697 of scikit-learn's 8 × 8 digits and certified on the
other 100, by 1,000 samples and each claim by itself at α = 0.01. Writes results.csv, results.md and two plots. `--fast`
takes one seed, 20 images and 200 samples.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphcert as gc
from graphcert.noise import as_scheme
from graphcert.outputs.classifier import ClassifierTraining, train_classifier
from graphcert.outputs.sources import load_inputs

SIGMA, SELECT = 0.25, 0.85
NOISES = {
    f"Gaussian, σ = {SIGMA}": gc.Gaussian(SIGMA),
    f"selected {SELECT}, σ = {SIGMA}": gc.Hierarchical(SELECT, gc.Gaussian(SIGMA)),
    f"selected {SELECT}, σ = 0.5": gc.Hierarchical(SELECT, gc.Gaussian(0.5)),
    f"ablated {SELECT}": gc.Hierarchical(SELECT, gc.Ablation()),
}
ELASTICITIES = (0.0, 0.1, 0.3)
SHIFTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
LIMITS = (1, 2, 3, 4, None)
NEIGHBOURS = 20


def of_seed(seed: int, inputs: int, samples: int, steps: int) -> dict[tuple[str, str, float], float]:
    """Certified accuracy by (noise, limit of changed pixels, norm)."""
    data = load_inputs("digits", inputs, seed)
    images = np.stack([one.data.x.numpy().T.reshape(one.shape) for one in data.inputs])
    known, asked = (np.stack([one.data.x.numpy().ravel() for one in some]) for some in (data.train, data.inputs))
    found: dict[tuple[str, str, float], float] = {}
    for name, noise in NOISES.items():
        schedule = ClassifierTraining(steps=steps, batch=48)
        network = train_classifier(data.train, data.train_truth, data.names, as_scheme(noise), schedule, seed, width=16)
        model = gc.OutputModel(network.model, batch=100)
        claims = gc.certify(gc.sample_output_votes(model, images, noise, samples, 100, seed), simultaneous=False)
        correct = claims.labels == data.truth
        for limit in LIMITS:
            for shift in SHIFTS:
                if as_scheme(noise).norm:
                    kept = claims.robust(shift=shift, nodes=limit) if shift else claims.robust()
                elif limit is not None and shift:  # whatever happens to so many pixels
                    kept = claims.robust(nodes=limit)
                else:
                    kept = claims.robust() if not shift else np.zeros(len(correct), bool)
                found[name, str(limit), shift] = float((kept & correct).mean())
        if isinstance(noise, gc.Gaussian):
            for rate in ELASTICITIES:
                sigma = gc.elastic_sigma(known, asked, SIGMA, rate, NEIGHBOURS)
                votes = gc.sample_elastic_votes(model, images, sigma, samples, 100, seed)
                elastic = gc.certify_elastic(votes, images[0].size, rate, simultaneous=False)
                for shift in SHIFTS:
                    found[f"σ(x), r = {rate}", "None", shift] = elastic.certified_accuracy(shift, data.truth)
    return found


def table(rows: list[tuple[str, str]], found: list[dict[tuple[str, str, float], float]]) -> list[str]:
    """Markdown: mean ± standard deviation over the seeds, in percent."""
    lines = ["| noise | pixels | " + " | ".join(f"{shift:g}" for shift in SHIFTS) + " |"]
    lines.append("|---|---|" + "--:|" * len(SHIFTS))
    for name, limit in rows:
        cells = []
        for shift in SHIFTS:
            values = 100 * np.array([one[name, limit, shift] for one in found])
            cells.append(f"{values.mean():.1f} ± {values.std():.1f}")
        words = "any" if limit == "None" else f"≤ {limit}"
        lines.append(f"| {name} | {words} | " + " | ".join(cells) + " |")
    return lines


def plot(path: Path, rows: list[tuple[str, str]], found: list[dict[tuple[str, str, float], float]]) -> None:
    """Certified accuracy against the ℓ2 norm; what holds at a norm holds below it down to the one before."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, limit in rows:
        values = np.array([[one[name, limit, shift] for shift in SHIFTS] for one in found])
        label = name if limit == "None" else f"{name}, ≤ {limit} pixels"
        axes.step(SHIFTS, values.mean(axis=0), where="pre", label=label)
    axes.set(xlabel="ℓ2 norm of the change", ylabel="certified accuracy", ylim=(0, 1), xlim=(0, SHIFTS[-1]))
    axes.legend(fontsize=7)
    figure.savefig(path)


def main() -> None:
    """Run all seeds and write tables and plots."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/single_output"))
    parser.add_argument("--fast", action="store_true")
    given = parser.parse_args()
    seeds, inputs, samples, steps = (1, 20, 200, 60) if given.fast else (5, 100, 1000, 400)
    began, found = time.perf_counter(), []
    for seed in range(seeds):
        found.append(of_seed(seed, inputs, samples, steps))
        print(f"seed {seed}: {time.perf_counter() - began:.0f} s", flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    elastic = [(f"σ(x), r = {rate}", "None") for rate in ELASTICITIES]
    everywhere, *others = NOISES  # without a selection the number of pixels makes no difference
    by_rows = [(everywhere, "None"), *((name, str(limit)) for limit in LIMITS[:-1] for name in others)]
    lines = [*table(elastic, found), "", *table(by_rows, found)]
    (given.out / "results.md").write_text("\n".join(lines) + "\n")
    with (given.out / "results.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["seed", "noise", "pixels", "norm", "certified_accuracy"])
        writer.writerows([seed, *key, value] for seed, one in enumerate(found) for key, value in one.items())
    plot(given.out / "elastic.svg", elastic, found)
    plot(given.out / "rows.svg", [(name, "2") for name in NOISES], found)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
