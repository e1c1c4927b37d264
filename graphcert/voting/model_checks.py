"""How a model is called, and what it must be before its votes mean anything."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import is_lazy

from graphcert.errors import ModelError
from graphcert.models.base import Floats
from graphcert.voting.cache_detection import Input


def check_model(model: object, takes: str = "x, edge_index") -> nn.Module:
    """Return the model if it is a module, or raise `ModelError` with what makes one of a function or a class."""
    if isinstance(model, nn.Module):
        return model
    if isinstance(model, type):
        raise ModelError(f"the model is the class {model.__name__}; give an object of it, {model.__name__}(…)")
    if callable(model):
        raise ModelError(
            f"the model must be a torch.nn.Module, got a {type(model).__name__}; make one of it: "
            f"class Model(torch.nn.Module) with def forward(self, {takes}): return f({takes})"
        )
    raise ModelError(f"the model must be a torch.nn.Module called as model({takes}), got {type(model).__name__}")


class Call:
    """Calls a model, or a copy of it, on its device and with features in the type of its weights.

    Noise is drawn in float32; another type is a rounding of it, which belongs to the base classifier.
    """

    def __init__(self, model: nn.Module) -> None:
        tensors = [*model.parameters(), *model.buffers()]
        self.device = tensors[0].device if tensors else torch.device("cpu")
        self.dtype = next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float32)

    def __call__(self, model: nn.Module, x: Tensor, edges: Tensor) -> Any:
        """What the model returns, on the CPU if it is a tensor."""
        with torch.inference_mode():
            result = model(x.to(self.device, self.dtype), edges.to(self.device))
        return result.cpu() if isinstance(result, Tensor) else result

    def first(self, model: nn.Module, x: Tensor, edges: Tensor) -> Any:
        """The same, or `ModelError` if the model cannot be called so, with what to write around it."""
        try:
            return self(model, x, edges)
        except Exception as error:
            hint = _hint(model)
            if hint is None:
                reason = next(iter(str(error).splitlines()), "")
                raise ModelError(
                    f"the model cannot be called as model(x, edge_index) with {self.dtype} x {tuple(x.shape)} and "
                    f"{edges.dtype} edge_index {tuple(edges.shape)}: {type(error).__name__}: {reason:.200}"
                ) from error
            raise ModelError(
                f"{hint[0]}, but it is called as model(x, edge_index); wrap it in a torch.nn.Module with "
                f"def forward(self, x, edge_index): return self.model({hint[1]})"
            ) from error

    def answer(self, model: nn.Module, given: Input) -> Floats:
        """Logits (N, K) for arrays x (N, D) and edge_index (2, 2E); a copy, whatever the model does to its output."""
        x, edges = given
        logits: Floats = self(model, torch.from_numpy(x), torch.from_numpy(edges)).float().numpy().copy()
        return logits


def _hint(model: nn.Module) -> tuple[str, str] | None:
    """(what the model takes instead, what a wrapper passes to it), as far as its signature tells."""
    given = inspect.signature(model.forward).parameters.values()
    parameters = [p for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not parameters or (len(parameters) == 2 and parameters[0].name not in _DATA):
        return None
    first, needed = parameters[0], [p.name for p in parameters if p.default is p.empty]
    kind = getattr(first.annotation, "__name__", str(first.annotation)).rpartition(".")[2]
    if first.name in _DATA or kind in ("Data", "Batch"):
        others = "".join(f", {name}=…" for name in needed[1:])
        return "the model takes a Data object", f"torch_geometric.data.Data(x=x, edge_index=edge_index){others}"
    if len(parameters) == 1:
        return f"the model ({type(model).__name__}) takes features alone", "x"
    if len(needed) > 2:
        values = ("x.new_ones(edge_index.shape[1])" if name == "edge_weight" else f"{name}=…" for name in needed[2:])
        return f"the model needs {', '.join(needed[2:])} as well", f"x, edge_index, {', '.join(values)}"
    return None


_DATA = ("data", "batch", "graph", "g")
"""How people call a parameter that is a whole graph."""


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
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ModelError(f"the model must return logits of shape ({nodes}, K ≥ 2), got {found}")
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
