"""Training under the noise that the smoothed model will be certified with: a fresh sample every step."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.core.arguments import one_of, positive, real, whole
from graphcert.errors import InputError, ModelError
from graphcert.models.base import SparseFirstModel, edge_index_tensor, feature_tensor, single_torch_thread
from graphcert.models.objectives import consistency_loss, stability_loss
from graphcert.sampling.csr import CSR
from graphcert.sampling.edge_values import NO_VALUES, CarriedValues
from graphcert.sampling.philox import TRAIN, VALIDATION, seed_key
from graphcert.sampling.sampler import Sampler

MOST_STEPS = 10**7

OBJECTIVES: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "cross_entropy": (1, 1, ()), "consistency": (2, 2, ("regularisation", "entropy")),
    "stability": (1, 1, ("regularisation",)),
}  # fmt: skip
"""The least number of draws, the usual one, and the weights of each objective."""

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits (S, N, K) of S draws, labels (N,), mask (N,) of the known ones) → a scalar with gradients."""

Report = Callable[[int, float, float], None]
"""Called after each validation with (epoch, validation loss, validation accuracy)."""


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes:
        epochs: at most so many steps, each on the whole graph under one fresh sample of noise.
        learning_rate, weight_decay: of Adam.
        patience: stop after so many epochs without a lower validation loss.
        validate_every: epochs between validations.
        validation_samples: noisy graphs a validation averages over; the same ones each time, never a training sample.
        inductive: train and validate on the graph without its test nodes (the pipeline takes them out, see
            `graphcert.data.without_test_nodes`); the votes are taken on the whole graph.
        objective: "cross_entropy", "consistency" (`consistency_loss`) or "stability" (`stability_loss`). The last two also
            learn from nodes without a label.
        draws: noisy graphs per step; by default 1, and 2 for "consistency".
        regularisation: the weight of the second term of the last two objectives, by default that of the loss …
        entropy: … and that of the third term of "consistency".
    """

    epochs: int = 1000
    learning_rate: float = 0.01
    weight_decay: float = 1e-3
    patience: int = 100
    validate_every: int = 10
    validation_samples: int = 5
    inductive: bool = False
    objective: str = "cross_entropy"
    draws: int | None = None
    regularisation: float | None = None
    entropy: float | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "validate_every", "validation_samples"):
            count = getattr(self, name)
            if whole(f"training option {name}", count, 1) > MOST_STEPS:
                raise InputError(f"training option {name} must be at most {MOST_STEPS:,}, got {count}")
        if not isinstance(self.inductive, bool):
            raise InputError(f"training option inductive must be true or false, got {self.inductive!r}")
        positive("the learning rate", self.learning_rate)
        real("the weight decay", self.weight_decay, 0)
        one_of("the training option objective", self.objective, OBJECTIVES)
        least, _, used = OBJECTIVES[self.objective]
        if self.draws is not None:
            whole("training option draws", self.draws, least)
        for name in ("regularisation", "entropy"):
            value = getattr(self, name)
            if value is None:
                continue
            if name not in used:
                raise InputError(f"the objective {self.objective} has no {name}; leave the training option {name} out")
            real(f"training option {name}", value, 0)

    def loss(self, model: nn.Module, draw: "NoisyInput", step: int, labels: Tensor, mask: Tensor) -> Tensor:
        """What step 1, 2, … minimises: the objective on fresh draws of noise."""
        draws = OBJECTIVES[self.objective][1] if self.draws is None else self.draws
        logits = _draws(model, draw, step, draws)
        given = {"weight": self.regularisation, "entropy": self.entropy}
        weights = {name: value for name, value in given.items() if value is not None}
        if self.objective == "consistency":
            return consistency_loss(logits, labels, mask, **weights)
        if self.objective == "stability":
            return stability_loss(draw.ask(model, draw.without_noise()), logits, labels, mask, **weights)
        return F.cross_entropy(logits[:, mask].flatten(0, 1), labels[mask].repeat(draws))


def _draws(model: nn.Module, draw: "NoisyInput", step: int, draws: int) -> Tensor:
    """(S, N, K) logits under the draws of a step 1, 2, …"""
    first = (step - 1) * draws + 1
    return torch.stack([draw.ask(model, draw(TRAIN, first + k)) for k in range(draws)])


@dataclass(frozen=True)
class TrainingLog:
    """What training did: the best epoch (0 = never better than at the start) and each validation seen."""

    best_epoch: int
    best_loss: float
    best_accuracy: float
    history: list[tuple[int, float, float]] = field(default_factory=list, repr=False)


def train(
    model: nn.Module, sampler: Sampler, labels: Tensor, train_mask: Tensor, val_mask: Tensor, training: Training,
    seed: int = 0, report: Report | None = None, objective: str | Objective | None = None,
    carried: CarriedValues = NO_VALUES,
) -> TrainingLog:  # fmt: skip
    """Fit `model` under noise with early stopping; it ends in evaluation mode with its best weights.

    Args:
        model: called as model(x, edge_index), and by name what its edges carry. With a sparse first layer it is given sparse
            features, else dense ones.
        sampler: isotropic noise; training and validation use streams that pilot and final votes never touch. For a
            localized scheme take `smoothing.nearest()`, the noise that every cluster puts on itself: on Cora-ML that trains
            an accurate model, while noise of the far levels trains none.
        labels: (N,) classes.
        train_mask, val_mask: (N,) bool, both with at least one node.
        training: the schedule.
        seed: of dropout; the noise follows the sampler's seed.
        report: progress callback.
        objective: a name in place of that of the schedule, or a function of (logits (S, N, K), labels (N,), mask (N,)) of
            `training.draws` (default: 1) draws. Validation is by cross-entropy under noise in any case.
        carried: what edges carry and the model is shown.

    Raises:
        InputError: if a mask selects no node, or the noise is localized.
        ModelError: if the loss stops being a number.
    """
    if sampler.views.count > 1:
        raise InputError("a model is trained under isotropic noise; make the sampler for smoothing.nearest()")
    for name, mask in (("training", train_mask), ("validation", val_mask)):
        if mask.dim() != 1:
            raise InputError(f"the {name} mask has the shape {tuple(mask.shape)}; choose one split, mask[:, split]")
        if not bool(mask.any()):
            raise InputError(f"the {name} mask selects no node; training needs at least one")
    if isinstance(objective, str):
        training, objective = replace(training, objective=objective), None
    optimiser = torch.optim.Adam(model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
    draw = NoisyInput(sampler, dense=not isinstance(model, SparseFirstModel), carried=carried)
    history: list[tuple[int, float, float]] = []
    best, best_state = TrainingLog(0, math.inf, 0.0, history), copy.deepcopy(model.state_dict())
    # One torch thread: sums over edges and their gradients must not depend on how many there are.
    with single_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed_key(seed)) % 2**63)
        for epoch in range(1, training.epochs + 1):
            model.train()
            optimiser.zero_grad()
            if objective is None:
                loss = training.loss(model, draw, epoch, labels, train_mask)
            else:
                loss = objective(_draws(model, draw, epoch, training.draws or 1), labels, train_mask)
            if not torch.isfinite(loss):
                raise ModelError(f"the training loss is {loss.item()} at epoch {epoch}; lower the learning rate")
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if epoch % training.validate_every and epoch != training.epochs:
                continue
            val_loss, accuracy = _validate(model, draw, labels[val_mask], val_mask, training.validation_samples)
            history.append((epoch, val_loss, accuracy))
            if report is not None:
                report(epoch, val_loss, accuracy)
            if val_loss < best.best_loss:
                best = TrainingLog(epoch, val_loss, accuracy, history)
                best_state = copy.deepcopy(model.state_dict())
            elif epoch - best.best_epoch >= training.patience:
                break
    model.load_state_dict(best_state)
    model.eval()
    return best


class NoisyInput:
    """Noisy (x, edge_index, …) tensors of addressed samples, x dense if `dense` or if the noise leaves no zeros."""

    def __init__(self, sampler: Sampler, dense: bool = False, carried: CarriedValues = NO_VALUES) -> None:
        self.sampler, self.dense, self.carried = sampler, dense, carried
        self.work = sampler.workspace()
        self.clean = self._shown(sampler.clean_graph)

    def ask(self, model: nn.Module, given: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K) of a model that is shown this."""
        x, edge_index, *values = given
        logits: Tensor = model(x, edge_index, **dict(zip(self.carried.names, values, strict=True)))
        return logits

    def without_noise(self) -> tuple[Tensor, ...]:
        """The clean features (N, columns), edges (2, 2E) and what they carry; under hierarchical noise no row is marked."""
        x = feature_tensor(self.sampler.clean_features, self.sampler.columns)
        return (x.to_dense() if self.dense or self.sampler.dense else x), *self.clean

    def _shown(self, graph: CSR) -> tuple[Tensor, ...]:
        return edge_index_tensor(graph), *self.carried.on(graph, self.sampler.clean_graph)

    def __call__(self, purpose: int, sample: int) -> tuple[Tensor, ...]:
        """The sample's features (N, columns), sparse where the noise leaves zeros, its edges (2, 2E) and what they carry."""
        sampler, work = self.sampler, self.work
        if sampler.dense:
            x = torch.zeros(sampler.nodes, sampler.columns)
            sampler.fill_features(purpose, sample, work, 0, x.numpy())
        else:
            x = feature_tensor(sampler.features(purpose, sample, work), sampler.columns)
            x = x.to_dense() if self.dense else x
        edges = self._shown(sampler.graph(purpose, sample, work)) if sampler.noisy_edges else self.clean
        return x, *edges


@torch.no_grad()
def _validate(model: nn.Module, draw: NoisyInput, labels: Tensor, mask: Tensor, samples: int) -> tuple[float, float]:
    """Cross-entropy and accuracy of the mean predicted distribution over fixed noisy graphs."""
    model.eval()
    shown = (draw(VALIDATION, k) for k in range(samples))
    mean = torch.stack([draw.ask(model, one)[mask].softmax(dim=1) for one in shown]).mean(dim=0)
    loss = F.nll_loss(mean.clamp(min=torch.finfo(mean.dtype).tiny).log(), labels)
    return float(loss), float((mean.argmax(dim=1) == labels).float().mean())
