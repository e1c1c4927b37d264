"""Functions of torch that compute every row from the same row of their values, so that some rows can be had alone.

A step that is not known to do so makes the program one of whole graphs.
"""

import inspect
from dataclasses import replace
from types import EllipsisType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils import _pytree as pytree

from graphcert.models.program import Step, Torch

Shape = tuple[int, ...]

_EVERY_ENTRY = {
    "add", "__add__", "__radd__", "sub", "__sub__", "__rsub__", "rsub", "mul", "__mul__", "__rmul__", "div", "true_divide",
    "__truediv__", "__rtruediv__", "__rdiv__", "neg", "__neg__", "pow", "__pow__", "abs", "exp", "log", "sqrt", "rsqrt",
    "clone", "detach", "contiguous", "float", "clamp", "maximum", "minimum", "relu", "elu", "leaky_relu", "prelu", "gelu",
    "silu", "selu", "celu", "relu6", "mish", "softplus", "softsign", "sigmoid", "logsigmoid", "tanh", "hardtanh",
    "hardswish", "hardsigmoid", "threshold", "tanhshrink", "sin", "cos", "erf", "over",
}  # fmt: skip
_ALONG_AXES: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(("sum", "mean", "var", "std", "amax", "amin", "max", "min", "softmax", "log_softmax"), (1, None)),
    **dict.fromkeys(("narrow", "select"), (1, None)), **dict.fromkeys(("cat", "concat", "stack", "unbind"), (1, 0)),
    **dict.fromkeys(("chunk", "split"), (2, 0)), "glu": (1, -1), "normalize": (2, 1), "norm": (2, None),
}  # fmt: skip
"""The place of the axes among the arguments, and those that are taken by default."""
_RESHAPES = {"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as"}


def over(product: Tensor, scale: Tensor) -> Tensor:
    """The product of x / scale; a row of x has zeros, and 0 / 0 is no number."""
    return product / torch.where(scale == 0, torch.nan, scale)


def by_rows(shapes: list[Shape], steps: list[Step]) -> list[Step] | None:
    """The same steps for any number of rows; None if rows of some step may depend on other rows of what it reads.

    `shapes` are those of the products (N, H), at whose places steps go on.
    """
    nodes, shapes = shapes[0][0], [*shapes, *(step.shape for step in steps)]
    found = [_form(step, [shapes[place] for place in step.inputs], nodes) for step in steps]
    known = [step for step in found if step is not None]
    # With a single node an axis of one entry could be anything.
    return known if len(known) == len(steps) and nodes > 1 else None


def _form(step: Step, given: list[Shape], nodes: int) -> Step | None:
    """One step for any number of rows; steps of kernels have no other form."""
    operation = step.operation
    if not isinstance(operation, Torch) or operation.function is tuple.__getitem__:
        return step
    if any(shape[:1] != (nodes,) for shape in given) or (step.shape and step.shape[0] != nodes):
        return None
    name, (args, options) = getattr(operation.function, "__name__", ""), operation.arguments
    constants = [part for part in pytree.tree_leaves(operation.arguments) if isinstance(part, Tensor)]
    if name in _EVERY_ENTRY:
        return step if _entry_by_entry(len(step.shape), given, constants) else None
    if operation.function in (F.layer_norm, F.batch_norm):
        return step if _normalises_rows(operation, given[0]) else None
    if constants:
        return None
    if name in _RESHAPES:
        # The number of nodes may stand among the arguments, and so may a value that only lends its shape.
        rest = step.shape[1:]
        if not args or not all(rest):
            return None
        return replace(step, operation=Torch(Tensor.reshape, ((args[0], (-1, *rest)), {})), inputs=step.inputs[:1])
    if name == "__getitem__":
        return step if _takes_all_rows(args[1], len(given[0])) else None
    axes = len(given[0]) + (name == "stack")
    return step if name in _ALONG_AXES and _spares_rows(name, args, options, axes) else None


def _entry_by_entry(axes: int, given: list[Shape], constants: list[Tensor]) -> bool:
    """Whether the first axis of all values is that of the result, and constants are the same for all rows."""
    same = all(part.dim() < axes or part.shape[0] == 1 for part in constants)
    return same and all(len(shape) == axes for shape in given)


def _normalises_rows(operation: Torch, shape: Shape) -> bool:
    """Whether a norm has means of its own for every row, or means that are known beforehand."""
    args, options = operation.arguments
    bound = inspect.signature(operation.function).bind(*args, **options)
    bound.apply_defaults()
    if operation.function is F.layer_norm:
        return len(bound.arguments["normalized_shape"]) < len(shape)
    return not bound.arguments["training"] and isinstance(bound.arguments["running_mean"], Tensor)


def _takes_all_rows(index: Any, axes: int) -> bool:
    """Whether x[index] is about other axes than the first."""
    parts = index if isinstance(index, tuple) else (index,)
    plain = all(type(part) in (int, slice, EllipsisType) for part in parts)
    return plain and (parts[0] == slice(None) or (parts[0] is Ellipsis and len(parts) <= axes))


def _spares_rows(name: str, args: Any, options: dict[str, Any], axes: int) -> bool:
    """Whether a function works along axes that are stated, the first not among them."""
    place, default = _ALONG_AXES[name]
    stated = args[place] if len(args) > place else options.get("dim", default)
    listed = list(stated) if isinstance(stated, tuple | list) else [stated]
    return bool(listed) and all(type(axis) is int and axis % axes != 0 for axis in listed)
