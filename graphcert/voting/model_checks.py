"""What a model must be before its votes mean anything."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import is_lazy

from graphcert.errors import ModelError
from graphcert.voting.model_call import described, refuse_class


def check_model(model: object, takes: str) -> nn.Module:
    """Return the model of images if it is a module, or raise `ModelError` with what makes one of a function or a class."""
    if isinstance(model, nn.Module):
        return model
    refuse_class(model)
    if callable(model):
        raise ModelError(
            f"the model must be a torch.nn.Module, got a {type(model).__name__}; make one of it: "
            f"class Model(torch.nn.Module) with def forward(self, {takes}): return f({takes})"
        )
    raise ModelError(f"the model must be a torch.nn.Module called as model({takes}), got {type(model).__name__}")


def refuse_cached_normalisation(model: nn.Module) -> None:
    """Raise `ModelError` if a layer keeps the normalised adjacency of its first call: it would ignore edge noise."""
    for name, module in model.named_modules():
        if getattr(module, "cached", False):
            where = f"the layer {name!r} ({type(module).__name__})" if name else f"the model {type(module).__name__}"
            raise ModelError(f"{where} caches the normalised adjacency and would ignore edge noise; use cached=False")


def refuse_unusable_parameters(model: nn.Module) -> None:
    """Raise `ModelError` if a parameter or buffer has no value yet, is not a number or infinite."""
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if is_lazy(value):
            raise ModelError(
                f"the parameter {name!r} has no values before the first call; call the model once, and train"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(f"the parameter {name!r} holds NaN or infinite values; train the model again")


def refuse_training_layers(model: nn.Module) -> None:
    """Raise `ModelError` if a layer is still random or uses batch statistics although the model is in evaluation mode."""
    for name, module in model.named_modules():
        where = f"the layer {name!r} ({type(module).__name__})"
        if module.training and isinstance(module, (_BatchNorm, _DropoutNd)):
            raise ModelError(f"{where} stays in training mode after model.eval(); let it change its mode")
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            raise ModelError(f"{where} normalises by the batch that it is shown; use track_running_stats=True")


def check_logits(logits: object, nodes: int, least: int, most: int | None) -> Tensor:
    """Return the logits if they are an (N, K) floating tensor without NaN, with least ≤ K ≤ most; else `ModelError`."""
    if not isinstance(logits, Tensor) or logits.dim() != 2 or logits.shape[0] != nodes or logits.shape[1] < 2:
        advice = "" if isinstance(logits, Tensor) else "; say by output= which part of it are the logits"
        raise ModelError(f"the model must return logits of shape ({nodes}, K ≥ 2), got {described(logits)}{advice}")
    classes = logits.shape[1]
    if classes < least or (most is not None and classes > most):
        raise ModelError(f"the model has {classes} classes but the data have {least}; train it on these data")
    if bool(torch.isnan(logits).any()):
        raise ModelError(NAN_LOGITS)
    return logits


NAN_LOGITS = "the model returned NaN logits under noise; a vote for NaN means nothing, so repair or retrain the model"


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Run with dropout and batch statistics frozen; every submodule gets its own mode back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
