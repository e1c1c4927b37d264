"""Files of weights that a user brings, and whether weights fit a module; nothing in a file is ever executed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from graphcert.core.reading import problem
from graphcert.data.tensor_file import read_tensor_file
from graphcert.errors import DataError

_WRITE = 'torch.save(model.state_dict(), "w.pt")'
_PREFIXES = ("", "model.", "module.", "_orig_mod.")
"""What Lightning, DataParallel and torch.compile put before the names of weights."""
_INSIDE = ("", "model.", "used.0.")
"""Where a wrapper of a callable keeps the module that it calls."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors by name in a file that `torch.save` wrote of a state dict, or of a dictionary with one as "state_dict".

    Raises:
        DataError: if the file is missing, damaged, too large for memory, or holds anything but tensors and plain containers.
    """
    try:
        content = read_tensor_file(path)
    except FileNotFoundError:
        raise DataError(f"there is no file of weights at {path}; check the path") from None
    except Exception as error:  # whatever a damaged file makes the readers stumble over
        raise DataError(
            f"{path} is no file of plain weights ({problem(error)}), and nothing is unpickled; write one with {_WRITE}"
        ) from None
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state or not all(map(_is_weight, state.items())):
        raise DataError(f"{path} holds no state dict of tensors; write one with {_WRITE}")
    return dict(state)


def load_weights(model: nn.Module, path: Path) -> int:
    """Give a module the weights in a file; names may have a prefix of Lightning, DataParallel or torch.compile.

    Returns:
        How many of them were so small (subnormal) that they were set to zero, see `without_subnormal`.

    Raises:
        DataError: if the file cannot be read, or its weights are not those of such a module.
    """
    state, expected = read_weights(path), model.state_dict()
    try:
        named, small = without_subnormal(_renamed(state, set(expected)))
        refuse_unlike(named, expected)
    except ValueError as error:
        raise DataError(
            f"{path} does not fit the model: {error}; name the factory and the --model-option that it was trained with"
        ) from None
    model.load_state_dict(named)
    return small


def refuse_unlike(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise `ValueError` unless weights have the names, shapes and types that are expected, and usable values."""
    _refuse_names(set(state), set(expected))
    for name, wanted in expected.items():
        tensor = state[name]
        if tensor.dtype != wanted.dtype or not (is_lazy(wanted) or tensor.shape == wanted.shape):
            raise ValueError(f"the weights {name} are {_kind(tensor)}, and the model has {_kind(wanted)}"[:300])
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"the weights {name} hold NaN or infinite values"[:200])
        # Subnormal values are zero on some threads only (`torch.set_flush_denormal`): the model would not be one function.
        if tensor.is_floating_point() and bool(_subnormal(tensor).any()):
            raise ValueError(f"the weights {name} hold subnormal values, which processors may take for zero"[:200])


def without_subnormal(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """The weights with zeros for subnormal numbers, as training with weight decay leaves them, and how many there were."""
    small = {name: _subnormal(tensor) for name, tensor in state.items() if tensor.is_floating_point()}
    changed = {name: state[name].masked_fill(where, 0) for name, where in small.items()}
    return {**state, **changed}, sum(int(where.sum()) for where in small.values())


def _subnormal(tensor: Tensor) -> Tensor:
    return (tensor.abs() < torch.finfo(tensor.dtype).tiny) & (tensor != 0)


def _renamed(state: Mapping[str, Tensor], expected: set[str]) -> dict[str, Tensor]:
    """The weights under the names that the module has for them."""
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            for inside in _INSIDE:
                named = {inside + name.removeprefix(prefix): tensor for name, tensor in state.items()}
                if set(named) == expected:
                    return named
    _refuse_names(set(state), expected)
    raise AssertionError("names that agree need no other")


def _refuse_names(found: set[str], expected: set[str]) -> None:
    for those, verb in ((sorted(expected - found), "lacks"), (sorted(found - expected), "has no place for")):
        if those:
            more = f" and {len(those) - 3} more" if len(those) > 3 else ""
            who = "the file" if verb == "lacks" else "the model"
            raise ValueError(f"{who} {verb} {', '.join(those[:3])}{more}"[:300])


def _is_weight(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _kind(tensor: Tensor) -> str:
    return f"{tensor.dtype}" if is_lazy(tensor) else f"{tensor.dtype} {tuple(tensor.shape)}"
