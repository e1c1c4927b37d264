"""Copies of a model, which take what a call leaves on a module without touching the user's own."""

import copy
from typing import TypeVar

import torch
from torch import nn

from graphcert.errors import ModelError
from graphcert.voting.places import everything_in

Model = TypeVar("Model", bound=nn.Module)


def copied(model: Model) -> Model:
    """A copy that shares no parameter, buffer or attribute with the model.

    Tensors that a call has left on it with their gradient history, such as attention weights, are copied without it.

    Raises:
        ModelError: naming what cannot be copied.
    """
    computed = {
        id(part): part.detach().clone()
        for _, part in everything_in("model", model)
        if isinstance(part, torch.Tensor) and not part.is_leaf
    }
    try:
        return copy.deepcopy(model, computed)
    except Exception as error:
        name, reason = _obstacle(model, computed) or ("a part of it", error)
        raise ModelError(
            f"the model cannot be copied, as voting in threads needs: {name} is in the way "
            f"({type(reason).__name__}: {str(reason).splitlines()[0] if str(reason) else ''}); take it out of the model"
        ) from error


def _obstacle(model: nn.Module, computed: dict[int, torch.Tensor]) -> tuple[str, Exception] | None:
    """The innermost part that cannot be copied by itself, and why."""
    found = None
    for name, part in everything_in("model", model):
        try:
            copy.deepcopy(part, dict(computed))
        except Exception as error:
            found = name, error
    return found
