"""Files of trained classifiers of whole inputs, and their training under noise. Loading executes nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from graphcert.core.arguments import positive, real, whole
from graphcert.core.reading import damage_refused
from graphcert.errors import DataError, InputError, ModelError
from graphcert.models.base import single_torch_thread
from graphcert.models.checkpoint import built_like, model_fingerprint, read_tensors, write_tensors
from graphcert.models.fitting import Report
from graphcert.noise import Scheme
from graphcert.outputs.inputs import OneInput
from graphcert.outputs.networks import KINDS, OutputNetwork
from graphcert.outputs.output_votes import input_seed
from graphcert.sampling.philox import TRAIN, seed_key
from graphcert.voting.generic_input import GenericInput
from graphcert.voting.noisy_graph import Problem

_FORMAT = "graphcert-classifier-1"
_SHAPE = ("kind", "features", "classes", "width")


@dataclass(frozen=True)
class ClassifierTraining:
    """How to train: steps of Adam on batches of noisy inputs, the rate falling as a cosine."""

    steps: int = 1000
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            whole(f"training option {name}", getattr(self, name), 1)
        positive("training option learning_rate", self.learning_rate)
        real("training option weight_decay", self.weight_decay, 0)


@dataclass(frozen=True, eq=False)
class OutputClassifier:
    """A network and what its outputs mean.

    Attributes:
        model: in evaluation mode.
        names: of the K classes.
        training: how it was trained, as plain values.
    """

    model: OutputNetwork
    names: tuple[str, ...]
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.names) != self.model.classes or not all(isinstance(name, str) for name in self.names):
            raise InputError(
                f"the network knows {self.model.classes} classes, and each needs a name; got {self.names!r:.80}"
            )

    def save(self, path: Path) -> None:
        """Write everything atomically; `DataError` if the file cannot be written."""
        write_tensors(path, {
            "format": _FORMAT, "shape": {name: getattr(self.model, name) for name in _SHAPE},
            "state": self.model.state_dict(), "sha256": model_fingerprint(self.model), "names": list(self.names),
            "training": self.training,
        })  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> "OutputClassifier":
        """Read a file that `save` wrote; only tensors and plain containers are read.

        Raises:
            DataError: if the file is missing, damaged, altered, too large for memory, not one of a classifier, or has
                weights that are NaN, infinite or subnormal.
        """
        content = read_tensors(path, _FORMAT, "network", "no file of a classifier", "graphcert classify")
        with damage_refused(f"{path} does not describe a classifier that this version can build", "train it again"):
            shape = {name: content["shape"][name] for name in _SHAPE}
            counts = {name: shape[name] for name in _SHAPE if name != "kind"}
            model = built_like(content["state"], counts, (), lambda: OutputNetwork(**shape))
            assert isinstance(model, OutputNetwork)
            expected = content["sha256"]
            found = cls(model.eval(), tuple(content["names"]), dict(content["training"]))
        if model_fingerprint(model) != expected:
            raise DataError(f"{path} was altered: its weights do not have the sha256 {expected!s:.64}; train it again")
        return found


def network_shape(given: OneInput, marked: bool) -> dict[str, Any]:
    """Kind and features of a network for inputs like this one; `marked` if a column says which rows are noised."""
    columns = int(given.data.x.shape[1]) + marked
    kind = KINDS[len(given.shape)]
    return {"kind": kind, "features": given.shape[0] * columns if kind == "vector" else columns}


def train_classifier(
    inputs: Sequence[OneInput], labels: NDArray[np.int64], names: tuple[str, ...], smoothing: Scheme,
    training: ClassifierTraining | None = None, seed: int = 0, report: Report | None = None, width: int = 32,
) -> OutputClassifier:  # fmt: skip
    """Fit an `OutputNetwork` of some `width` to inputs under the noise that it will be smoothed with, fresh in every step.

    Raises:
        InputError: if there is nothing to train with, or arrays differ in shape.
        ModelError: if the loss stops being a number.
    """
    schedule = ClassifierTraining() if training is None else training
    if not inputs or len(inputs) != len(labels):
        raise InputError("training needs inputs with a label each, and there are none; give some, or name a network")
    if len({one.shape for one in inputs}) > 1:
        raise InputError(
            "the training inputs differ in shape; give inputs of one shape, or train a network of your own"
        )
    drawn = [GenericInput(Problem.of(one.data, smoothing, input_seed(seed, k))) for k, one in enumerate(inputs)]
    truth = torch.from_numpy(labels)
    with single_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed_key(seed)) % 2**63)
        shape = network_shape(inputs[0], marked=drawn[0].problem.sampler.selection is not None)
        model = OutputNetwork(**shape, classes=len(names), width=width)
        optimiser = torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
        for step in range(1, schedule.steps + 1):
            for group in optimiser.param_groups:
                group["lr"] = schedule.learning_rate * (1 + math.cos(math.pi * step / schedule.steps)) / 2
            chosen = torch.randint(len(inputs), (min(schedule.batch, len(inputs)),))
            loss = F.cross_entropy(_logits(model, inputs[0], [drawn[k] for k in chosen.tolist()], step), truth[chosen])
            if not math.isfinite(float(loss.detach())):
                raise ModelError(f"the training loss is {float(loss.detach())} at step {step}; lower the learning rate")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if report is not None:
                report(step, float(loss.detach()))
    return OutputClassifier(model.eval(), names)


def _logits(model: OutputNetwork, first: OneInput, drawn: Sequence[GenericInput], step: int) -> Tensor:
    """(B, K) of one noisy version of each of these inputs."""
    graphs = [one.union(TRAIN, step, 1) for one in drawn]
    if first.shape:
        found: Tensor = model(first.shown(torch.stack([x for x, *_ in graphs])))
        return found
    sizes = torch.tensor([len(x) for x, *_ in graphs])
    starts = (sizes.cumsum(0) - sizes).tolist()
    edges = torch.cat([edge_index + start for (_, edge_index, *_), start in zip(graphs, starts, strict=True)], dim=1)
    batch = torch.arange(len(graphs)).repeat_interleave(sizes)
    logits: Tensor = model(torch.cat([x for x, *_ in graphs]), edges, batch)
    return logits
