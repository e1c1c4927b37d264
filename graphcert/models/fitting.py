"""Fitting a network of pixels or points: a warm-up, a cosine, and a running mean of the weights that validates best."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

from graphcert.errors import ModelError

Report = Callable[[int, float], None]
"""Called after every step with (step, training loss)."""

_KEPT = 0.99
"""Share that the running mean of the weights keeps of itself in every step, once it has seen enough of them."""

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class FitLog:
    """What training did: the step whose weights were kept, the steps done, and (step, loss, accuracy) of validations."""

    best_step: int
    steps: int
    interrupted: bool
    history: tuple[tuple[int, float, float], ...] = field(default=(), repr=False)


def fit(
    model: Network,
    loss_of: Callable[[Network], Tensor],
    validate: Callable[[Network], tuple[float, float]] | None,
    report: Report | None,
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    validate_every: int,
) -> tuple[Network, FitLog]:
    """Optimise; keep the running mean of the weights that validates best, or the last one without a validation.

    An interrupt ends training early and keeps what was best so far.

    Args:
        model: changed in place; what is returned is another one, in evaluation mode.
        loss_of: draws a batch and returns its loss.
        validate: (loss, accuracy) of weights, the same for the same weights.
        report: called after every step.
        steps, weight_decay: of AdamW.
        learning_rate: the highest; it rises for a twentieth of the steps and then falls as a cosine.
        validate_every: steps between validations; the last step is one too.

    Raises:
        ModelError: if the loss stops being a number.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    mean, best, history = copy.deepcopy(model).eval(), copy.deepcopy(model).eval(), []
    best_step, lowest, step, interrupted = 0, math.inf, 0, False
    try:
        for step in range(1, steps + 1):
            share = step / steps
            for group in optimiser.param_groups:  # warm-up, then a cosine
                group["lr"] = learning_rate * (min(share / 0.05, 1.0) * (1 + math.cos(math.pi * share)) / 2)
            model.train()
            optimiser.zero_grad()
            loss = loss_of(model)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if not math.isfinite(value := loss.item()):
                raise ModelError(f"the training loss is {value} at step {step}; lower the learning rate")
            _follow(mean, model, min(_KEPT, step / (step + 10)))
            if report is not None:
                report(step, value)
            if step % validate_every and step != steps:
                continue
            if validate is not None:
                measured = validate(mean)
                history.append((step, *measured))
                if measured[0] >= lowest:
                    continue
                lowest = measured[0]
            best.load_state_dict(mean.state_dict())
            best_step = step
    except KeyboardInterrupt:
        interrupted = True
        if best_step == 0:
            best.load_state_dict(mean.state_dict())
            best_step = max(step - 1, 0)
    return best.eval(), FitLog(best_step, step, interrupted, tuple(history))


@torch.no_grad()
def _follow(mean: nn.Module, model: nn.Module, kept: float) -> None:
    """Move a running mean of all weights and statistics towards those of `model`."""
    for old, new in zip(mean.state_dict().values(), model.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - kept)
        else:
            old.copy_(new)


def class_weights(labels: Sequence[Tensor], classes: int, balance: float) -> Tensor:
    """(K,) weights f_k^(−balance) for shares f_k of labels ≥ 0, of mean 1 over these; unseen classes get 1."""
    counts = sum(torch.bincount(each[each >= 0], minlength=classes) for each in labels)
    assert isinstance(counts, Tensor)
    shares = counts / counts.sum()
    raw = shares.clamp(min=1e-4) ** -balance
    return torch.where(counts > 0, raw / (shares * raw).sum(), torch.ones(()))
