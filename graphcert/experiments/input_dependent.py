"""Gaussian noise whose deviation depends on the input, against constant noise, on digits."""

from collections.abc import Sequence

import numpy as np

from graphcert.certificates.elastic import certify_elastic
from graphcert.experiments.experiment import Cell, Experiment, Lines, Row, Table
from graphcert.experiments.steps import digit_classifier, digits, many_claims
from graphcert.experiments.views import chosen, spread
from graphcert.noise import Gaussian, elastic_sigma
from graphcert.outputs import sample_elastic_votes

SIGMA, NEIGHBOURS = 0.25, 20
ELASTICITIES = (0.0, 0.1, 0.3)
NORMS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)


def cells(fast: bool, seeds: int) -> list[Cell]:
    """One per seed."""
    return [
        {
            "inputs": 20 if fast else 100, "samples": 200 if fast else 1000, "pilot": 50 if fast else 100,
            "steps": 60 if fast else 400, "seed": seed,
        }
        for seed in range(seeds)
    ]  # fmt: skip


def measure(cell: Cell, workers: int | None) -> list[Row]:
    """One network, trained under constant noise, that votes under noise of every elasticity."""
    seed = int(cell["seed"])
    given, images = digits(seed, cell["inputs"])
    assert given.truth is not None
    known, asked = (np.stack([one.data.x.numpy().ravel() for one in some]) for some in (given.train, given.inputs))
    model = digit_classifier(given, Gaussian(SIGMA), cell["steps"], seed)
    found: list[Row] = []
    for rate in ELASTICITIES:
        sigma = elastic_sigma(known, asked, SIGMA, rate, NEIGHBOURS)
        votes = sample_elastic_votes(model, images, sigma, cell["samples"], cell["pilot"], seed, workers=workers)
        with many_claims():
            claims = certify_elastic(votes, images[0].size, rate, simultaneous=False)
        about: Row = {"data": "digits", "noise": _words(rate), "seed": seed}
        deviations = {"smallest σ": float(sigma.min()), "largest σ": float(sigma.max())}
        found.append({**about, **deviations})
        found += [
            {**about, "norm": norm, "certified accuracy": claims.certified_accuracy(norm, given.truth)}
            for norm in NORMS
        ]
    return found


def _words(rate: float) -> str:
    return f"σ(x), r = {rate:g}" if rate else f"constant, σ = {SIGMA:g}"


def findings(rows: Sequence[Row]) -> list[str]:
    """Where noise that depends on the input is above constant noise, and by how much it is below it elsewhere."""
    constant, *others = map(_words, ELASTICITIES)
    sentences = []
    for name in others:
        gains = {}
        for norm in NORMS:
            ours, rival = (
                spread(chosen(rows, {"noise": one, "norm": norm}), "certified accuracy") for one in (name, constant)
            )
            if ours is not None and rival is not None:
                gains[norm] = 100 * (ours.mean - rival.mean)
        above = [f"{norm:g}" for norm, gain in gains.items() if gain > 0]
        worst = min(gains, key=lambda norm: gains[norm])
        lowest, highest = (
            found.mean
            for key in ("smallest σ", "largest σ")
            if (found := spread(chosen(rows, {"noise": name}), key)) is not None
        )
        sentences.append(
            f"{name}, where σ(x) goes from {lowest:.3f} to {highest:.3f}: above constant noise at "
            f"{'the norms ' + ', '.join(above) if above else 'no norm'}; the difference is {gains[worst]:+.1f} points at "
            f"its lowest, at {worst:g}."
        )
    return sentences


EXPERIMENT = Experiment(
    name="input_dependent",
    title="Input-dependent against constant noise",
    paper="Súkeník, Kuvshinov, Günnemann: Intriguing Properties of Input-Dependent Randomized Smoothing (ICML 2022)",
    cells=cells,
    measure=measure,
    tables=(
        Table(
            "Certified accuracy by the ℓ2 norm of a change of pixel values in [0, 1]", ("noise",), "norm",
            "certified accuracy",
        ),
    ),
    plots=(
        Lines("curves", "Certified accuracy against the ℓ2 norm of a change", "norm", "certified accuracy",
            "noise", "data"),
    ),
    setting="100 of scikit-learn's 8 × 8 digits per seed; the other 1,697 train a small network under the constant noise. "
    "1,000 samples, the binary rule, each claim by itself at α = 0.01. ln σ(x) grows by r per unit of distance to the 20 "
    "nearest training images, and σ(x) is 0.25 where this distance is average. The radius must allow for another σ nearby, "
    "which costs more the more pixels there are. The paper is about MNIST and CIFAR-10; its tables could not be reached, so "
    "no figure of it stands here.",
    findings=findings,
)  # fmt: skip
