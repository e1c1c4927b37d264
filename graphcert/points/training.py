"""Training a network of parts under the noise that it will be smoothed with: Gaussian noise, turns, or both."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphcert.core.arguments import one_of, positive, real, whole
from graphcert.errors import DataError, InputError, UnsupportedError
from graphcert.models.base import single_torch_thread
from graphcert.models.fitting import FitLog, Report, class_weights, fit
from graphcert.models.segmenter_files import colours
from graphcert.noise import Law, Scheme, as_scheme
from graphcert.points.cloud import PointCloud
from graphcert.points.networks import NETWORKS, EdgeConvParts, PointNetParts
from graphcert.points.segmenter import PointSegmenter
from graphcert.sampling.philox import seed_key
from graphcert.sampling.turns import random_turns


@dataclass(frozen=True)
class PointTraining:
    """How to train.

    Attributes:
        steps: of the optimiser.
        batch: clouds in a step, each scaled a little and made noisy at random.
        points: random points of each cloud in a step, at most; fewer are faster.
        learning_rate: the highest; it rises for a twentieth of the steps and then falls as a cosine.
        weight_decay: of AdamW.
        balance: exponent of the inverse frequency that weighs a part: 0 counts points, 1 counts parts.
        validate_every: steps between validations; the last step is one too.
    """

    steps: int = 600
    batch: int = 16
    points: int = 512
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    balance: float = 0.25
    validate_every: int = 200

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "points", "validate_every"):
            whole(f"training option {name}", getattr(self, name), 1)
        positive("training option learning_rate", self.learning_rate)
        for name, most in (("weight_decay", math.inf), ("balance", 1.0)):
            real(f"training option {name}", getattr(self, name), 0.0, most)


class TrainingNoise(NamedTuple):
    """What noise clouds get in training: the largest deviation, the share of noised points, and a law of turns.

    `select` is None where the classifier does not see which points are noised.
    """

    sigma: float
    select: tuple[float, float] | None
    turns: Any

    @classmethod
    def of(cls, noise: Law | Scheme | Sequence[Law | Scheme]) -> "TrainingNoise":
        """From one scheme or law, or from Gaussian noise and turns.

        Raises:
            InputError: if there are two of one kind, or edges carry noise.
            UnsupportedError: for other laws.
        """
        schemes = [as_scheme(one) for one in (noise if isinstance(noise, (list, tuple)) else [noise])]
        found: dict[str, Any] = {}
        for scheme in schemes:
            law = scheme.feature_law
            element = "" if law is None else law.element
            if element not in ("reals", "turns") or (law is not None and law.norm == "ℓ1") or scheme.perturbs("edges"):
                raise UnsupportedError(
                    "networks of points are trained under Gaussian noise of coordinates and turns alone"
                )
            if element in found:
                raise InputError("give training noise once of each kind: Gaussian noise, turns, or both")
            found[element] = scheme
        if not found:
            raise InputError("training needs noise, such as Gaussian(0.25) or Rotation(0.5)")
        turns, sigma, select = None, 0.0, None
        if "turns" in found:
            turns = found["turns"].feature_law
        if "reals" in found:
            sigma = max(law.row.scale for law in found["reals"].levels("features"))
            selects = [law.select for law in found["reals"].levels("features") if law.selects]
            select = (min(selects), max(selects)) if selects else None
        return cls(sigma, select, turns)

    @property
    def columns(self) -> int:
        """How many columns a network is shown."""
        return 3 if self.select is None else 4

    def show(self, points: Tensor, deviations: Tensor) -> Tensor:
        """(B, P, 3) clean coordinates → (B, P, C) noisy ones, Gaussian noise of one deviation (B,) per cloud."""
        batch, size, _ = points.shape
        if self.turns is not None:
            normals = torch.randn(batch, 9, dtype=torch.float64).numpy()
            turns = torch.from_numpy(random_turns(self.turns, normals)).float()
            points = points @ turns.transpose(1, 2)
        moved = deviations[:, None, None] * torch.randn_like(points)
        if self.select is None:
            return points + moved
        low, high = self.select
        share = low + (high - low) * torch.rand(batch, 1, 1)
        chosen = (torch.rand(batch, size, 1) < share).float()
        return torch.cat([points + chosen * moved, chosen], dim=-1)


def train_points(
    shapes: Sequence[PointCloud], noise: Law | Scheme | Sequence[Law | Scheme], *, names: Sequence[str],
    validation: Sequence[PointCloud] | None = None, network: str = "pointnet", training: PointTraining | None = None,
    shape: dict[str, Any] | None = None, seed: int = 0, report: Report | None = None,
) -> tuple[PointSegmenter, FitLog]:  # fmt: skip
    """Fit a network to the parts of clouds under noise.

    Half of the clouds of a step get Gaussian noise of the largest deviation, half of them less, so that the network also
    serves localized noise of smaller deviations. Turns are those of the law. An interrupt ends training early and keeps
    what was best so far.

    Args:
        shapes: clouds with known parts, normalised as those to be certified will be.
        noise: a law or scheme: `Gaussian`, localized or hierarchical too, or `Rotation`; or a pair of the two.
        names: of the K parts.
        validation: clouds that choose the weights to keep, by their loss under noise; without them the last ones are kept.
            In both cases these are running means over the last steps.
        network: one of `NETWORKS`.
        training: the schedule.
        shape: further arguments of the network, such as width.
        seed: of weights, batches and noise; the same seed gives the same weights (on the same processor).
        report: called with step and loss after every step.

    Raises:
        InputError: if an argument is outside its domain.
        DataError: if clouds have no parts, or parts without a name.
        UnsupportedError: for noise that is not trained under.
        ModelError: if the loss stops being a number.
    """
    schedule = PointTraining() if training is None else training
    shown = TrainingNoise.of(noise)
    kind = NETWORKS[one_of("a network of points", network, NETWORKS)]
    known = tuple(names)
    clouds = _known(shapes, len(known), "training")
    held_out = None if validation is None else _known(validation, len(known), "validation")
    # One torch thread: sums of gradients must not depend on how many there are.
    with single_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed_key(seed)) % 2**63)
        model = kind(len(known), columns=shown.columns, **(shape or {}))
        weights = class_weights([parts for _, parts in clouds], len(known), schedule.balance)

        def loss_of(trained: PointNetParts | EdgeConvParts) -> Tensor:
            points, parts = _batch(clouds, schedule.batch, schedule.points)
            deviations = shown.sigma * torch.rand(schedule.batch)
            deviations[::2] = shown.sigma
            logits = trained(shown.show(points, deviations))
            loss = F.cross_entropy(logits.flatten(0, 1), parts.flatten(), weights, ignore_index=-1, reduction="sum")
            return loss / (parts >= 0).sum().clamp(min=1)

        def validate(trained: PointNetParts | EdgeConvParts) -> tuple[float, float]:
            assert held_out is not None
            return _validate(trained, held_out, shown, weights)

        found, log = fit(
            model, loss_of, None if held_out is None else validate, report, steps=schedule.steps,
            learning_rate=schedule.learning_rate, weight_decay=schedule.weight_decay, validate_every=schedule.validate_every,
        )  # fmt: skip
    how = {**asdict(schedule), "network": network, "shapes": len(clouds), "seed": int(seed), "best_step": log.best_step}
    if shown.turns is not None:
        how["turns"] = shown.turns.to_dict()
    return PointSegmenter(found, known, colours(known), shown.sigma, how), log


Known = list[tuple[Tensor, Tensor]]
"""Points (P, 3) float32 and their parts (P,), −1 for none."""


def _known(shapes: Sequence[PointCloud], classes: int, which: str) -> Known:
    """Clouds as tensors; refused unless all of them have parts that are among so many classes."""
    if not len(shapes):
        raise InputError(f"there are no {which} clouds; give some")
    found = []
    for cloud in shapes:
        if cloud.parts is None or cloud.parts.max() < 0:
            raise DataError(f"the parts of the {which} cloud {cloud.name!r:.60} are not known; leave it out")
        if cloud.parts.max() >= classes:
            raise DataError(
                f"the {which} cloud {cloud.name!r:.60} has the part {cloud.parts.max()}, but there are {classes} names"
            )
        found.append((torch.from_numpy(cloud.points.astype(np.float32)), torch.from_numpy(cloud.parts.copy())))
    return found


def _batch(clouds: Known, count: int, points: int) -> tuple[Tensor, Tensor]:
    """Random clouds (B, P, 3) of equally many random points, scaled a little, and their parts (B, P)."""
    chosen = [clouds[int(i)] for i in torch.randint(len(clouds), (count,))]
    size = min(points, *(len(parts) for _, parts in chosen))
    pairs = [(each[kept], parts[kept]) for each, parts in chosen for kept in [torch.randperm(len(parts))[:size]]]
    coordinates, parts = (torch.stack(one) for one in zip(*pairs, strict=True))
    return coordinates * torch.empty(count, 1, 1).uniform_(0.9, 1.05), parts


@torch.no_grad()
def _validate(
    model: PointNetParts | EdgeConvParts, clouds: Known, noise: TrainingNoise, weights: Tensor
) -> tuple[float, float]:
    """Loss and accuracy of points under the largest noise, the same noise every time."""
    loss = right = known = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for points, parts in clouds:
            logits = model(noise.show(points[None], torch.tensor([noise.sigma])))[0]
            loss += float(F.cross_entropy(logits, parts, weights, ignore_index=-1, reduction="sum"))
            right += float((logits.argmax(dim=1) == parts)[parts >= 0].sum())
            known += float((parts >= 0).sum())
    return loss / known, right / known
