"""What cells have in common: graphs and digits, models trained under noise, and rows of certificates."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch_geometric.data import Data

from graphcert.certificates import Certificate
from graphcert.collective import CollectiveCurve
from graphcert.core.arrays import Mask
from graphcert.data import load_dataset, without_test_nodes
from graphcert.errors import OutOfReachWarning, RepeatedClaimsWarning
from graphcert.experiments.experiment import Row
from graphcert.models import Training, build_model, train
from graphcert.noise import Law, as_scheme
from graphcert.noise.scheme import Scheme
from graphcert.outputs.classifier import ClassifierTraining, train_classifier
from graphcert.outputs.output_model import OutputModel
from graphcert.outputs.sources import LabelledInputs, load_inputs
from graphcert.run.budget_choice import quiet_grid
from graphcert.voting.noisy_graph import Problem

SMALL = {"nodes": 300, "classes": 3, "features": 200}
"""The generated graph of fast settings."""

MODELS: dict[str, dict[str, Any]] = {
    "gcn": {}, "gat": {"hidden": 8, "heads": 8}, "appnp": {"hidden": 64, "hops": 10, "restart": 0.15},
}  # fmt: skip


def graph(name: str, seed: int, **split: Any) -> Data:
    """A data set with the split of a seed; "synthetic" is the small one."""
    options: dict[str, Any] = {**split, **(SMALL if name == "synthetic" else {})}
    return load_dataset(name, seed=seed, **options)


def trained(
    model: str,
    data: Data,
    scheme: Scheme,
    seed: int,
    training: Mapping[str, Any] | None = None,
    inductive: bool = False,
) -> nn.Module:
    """A model of the package that was trained under the nearest level of a noise; inductive without the test nodes."""
    shown = without_test_nodes(data) if inductive else data
    problem = Problem.of(shown, scheme.nearest(), seed)
    # Hierarchical noise shows one column more than the data have.
    module = build_model(model, int(problem.x.shape[1]), data.classes, seed=seed, **MODELS[model])
    train(module, problem.sampler, shown.y, shown.train_mask, shown.val_mask, Training(**dict(training or {})), seed)
    return module


def digits(seed: int, count: int) -> tuple[LabelledInputs, NDArray[np.float32]]:
    """scikit-learn's 8 × 8 digits, so many to certify and the others to train with, and the former as an array."""
    found = load_inputs("digits", count, seed)
    return found, np.stack([one.data.x.numpy().T.reshape(one.shape) for one in found.inputs])


def digit_classifier(given: LabelledInputs, noise: Scheme | Law, steps: int, seed: int) -> OutputModel:
    """A small network that was trained with the other digits under a noise."""
    schedule = ClassifierTraining(steps=steps, batch=48)
    found = train_classifier(given.train, given.train_truth, given.names, as_scheme(noise), schedule, seed, width=16)
    return OutputModel(found.model, batch=100)


def budget_rows(certificate: Certificate, truth: Any, axis: str, values: Sequence[int], **fixed: Any) -> Iterator[Row]:
    """Certified ratio and accuracy of the targets, each alone, against every budget on an axis."""
    grid = quiet_grid(certificate, truth, **{axis: values, **fixed})
    for place, value in enumerate(values):
        accuracy = 0.0 if grid.accuracy is None else float(grid.accuracy[place])
        yield {"budget": int(value), "ratio": float(grid.ratio[place]), "certified accuracy": accuracy}


def curve_rows(curve: CollectiveCurve, values: Sequence[int]) -> Iterator[Row]:
    """Certified ratio and accuracy of all targets together."""
    accuracy = curve.accuracy
    for place, value in enumerate(values):
        yield {
            "budget": int(value), "ratio": float(curve.ratio[place]),
            "certified accuracy": 0.0 if accuracy is None else float(accuracy[place]),
        }  # fmt: skip


def average_changes(rows: Sequence[Row], measured: str = "certified accuracy") -> float:
    """The average number of changes that a target survives, from curves over ascending budgets that begin at 0.

    Between two budgets that were looked at it counts what holds at the larger one, so it is never too large.
    """
    total, last = 0.0, 0
    for row in rows:
        budget = int(row["budget"])
        total += (budget - last) * float(row[measured])
        last = budget
    return total


def average_radius(curve: Sequence[tuple[float, float]]) -> float:
    """The average norm that an element survives, from (norm, share) over ascending norms; never too large, as above."""
    return sum((b - a) * share for (a, _), (b, share) in pairwise(curve))


def accuracy_of(labels: Any, truth: Any, targets: Mask) -> float:
    """Share of the targets whose label is right; an abstention (−1) is wrong."""
    return float((labels == truth)[targets].mean())


@contextmanager
def many_claims() -> Iterator[None]:
    """Certify the same votes by several rules, side by side: each is a claim by itself, none is chosen by the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepeatedClaimsWarning)
        warnings.simplefilter("ignore", OutOfReachWarning)
        yield
