"""Every scatter and segment reduction of graphcert's models goes through this module.

Two backends: `native` (plain torch, always there) and `torch_scatter` (the optional extra `graphcert[scatter]`). The
accelerated one is used only if it reproduces the native results on a small self-test in this very process: an extension
built for another torch can import without error and still return nonsense.
"""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from graphcert.errors import UnsupportedError

BACKENDS = ("native", "torch_scatter")


def segment_sum(values: Tensor, index: Tensor, size: int, backend: str | None = None) -> Tensor:
    """Σ of the rows with equal index: (E, …), (E,) → (size, …); empty segments are 0."""
    if _backend(backend) == "torch_scatter":
        result: Tensor = _torch_scatter().scatter_sum(values, index, dim=0, dim_size=size)
        return result
    return values.new_zeros((size, *values.shape[1:])).index_add_(0, index, values)


def segment_max(values: Tensor, index: Tensor, size: int, backend: str | None = None) -> Tensor:
    """Maximum of the rows with equal index: (E, …), (E,) → (size, …); empty segments are 0."""
    if _backend(backend) == "torch_scatter":
        result: Tensor = _torch_scatter().scatter_max(values, index, dim=0, dim_size=size)[0]
        return result
    positions = index.view(-1, *[1] * (values.dim() - 1)).expand_as(values)
    zeros = values.new_zeros((size, *values.shape[1:]))
    return zeros.scatter_reduce(0, positions, values, "amax", include_self=False)


def segment_mean(values: Tensor, index: Tensor, size: int, backend: str | None = None) -> Tensor:
    """Mean of the rows with equal index: (E, …), (E,) → (size, …); empty segments are 0."""
    count = torch.bincount(index, minlength=size).clamp(min=1).to(values.dtype)
    return segment_sum(values, index, size, backend) / count.view(-1, *[1] * (values.dim() - 1))


def segment_softmax(values: Tensor, index: Tensor, size: int, backend: str | None = None) -> Tensor:
    """Softmax among the rows with equal index: (E, …), (E,) → (E, …)."""
    # The maximum only keeps exp in range; its gradient cancels, so it is not followed.
    top = segment_max(values.detach(), index, size, backend)
    share = torch.exp(values - top[index])
    return share / segment_sum(share, index, size, backend)[index]


def _backend(requested: str | None) -> str:
    """The backend to use; asking for one by name checks that it is there and correct."""
    if requested is None:
        return "torch_scatter" if accelerated() else "native"
    if requested not in BACKENDS:
        raise UnsupportedError(f"unknown scatter backend {requested!r}; choose one of {', '.join(BACKENDS)}")
    if requested == "torch_scatter" and not accelerated():
        raise UnsupportedError("torch-scatter is not installed or failed its self-test; use the native backend")
    return requested


@cache
def accelerated() -> bool:
    """Whether torch-scatter is installed and passes the self-test (decided once per process)."""
    try:
        module = _torch_scatter()
        return passes_self_test(module.scatter_sum, lambda *args, **kw: module.scatter_max(*args, **kw)[0])
    except (ImportError, OSError, RuntimeError, AttributeError):
        return False


def _torch_scatter() -> Any:
    return importlib.import_module("torch_scatter")


def passes_self_test(scatter_sum: Callable[..., Tensor], scatter_max: Callable[..., Tensor]) -> bool:
    """Compare both reductions with the native ones: unsorted index, an empty segment, negative values, gradients."""
    values = torch.tensor([[1.5, -2.0], [0.25, 4.0], [-3.0, -1.0], [8.0, 0.5], [-7.0, -6.0]], dtype=torch.float32)
    index = torch.tensor([3, 0, 3, 1, 4])
    for ours, theirs in ((segment_sum, scatter_sum), (segment_max, scatter_max)):
        mine, other = (values.clone().requires_grad_() for _ in range(2))
        expected = ours(mine, index, 6, "native")
        try:
            found = theirs(other, index, dim=0, dim_size=6)
            (slope,) = torch.autograd.grad(found.square().sum(), other)
            (expected_slope,) = torch.autograd.grad(expected.square().sum(), mine)
            same = found.shape == expected.shape and torch.allclose(found, expected)
            if not same or not torch.allclose(slope, expected_slope):
                return False
        except Exception:  # whatever a broken extension raises, it is not used
            return False
    return True


def with_self_loops(edge_index: Tensor, nodes: int) -> Tensor:
    """Append the edge (i, i) of every node: (2, E) → (2, E + N)."""
    loops = torch.arange(nodes, device=edge_index.device)
    return torch.cat([edge_index, loops.expand(2, -1)], dim=1)


def symmetric_propagation(
    edge_index: Tensor, nodes: int, dtype: torch.dtype, edge_weight: Tensor | None = None
) -> Callable[[Tensor], Tensor]:
    """Multiplication (N, H) → (N, H) with the adjacency with self-loops, (j, i) weighed (deg i · deg j)^(−1/2).

    With weights (E,) ≥ 0 of the edges, an edge counts and carries as much as its weight, which has a gradient.
    """
    source, target = with_self_loops(edge_index, nodes)
    if edge_weight is None:
        scale = torch.bincount(target, minlength=nodes).to(dtype).clamp(min=1).rsqrt()
        weights = (scale[source] * scale[target]).unsqueeze(1)
    else:
        present = torch.cat([edge_weight, edge_weight.new_ones(nodes)])
        scale = segment_sum(present, target, nodes, "native").rsqrt()
        weights = (present * scale[source] * scale[target]).unsqueeze(1)

    def propagate(hidden: Tensor) -> Tensor:
        large = source.numel() * hidden.shape[1] > _AT_ONCE and _backend(None) == "native"
        if large and not weights.requires_grad:
            result: Tensor = _InParts.apply(hidden, source, target, weights)  # type: ignore[no-untyped-call]
            return result
        return segment_sum(hidden[source] * weights, target, nodes)

    return propagate


_AT_ONCE = 1 << 24
"""Numbers that edges of a large graph carry at once, forwards and backwards."""


class _InParts(torch.autograd.Function):
    """The same sums in the same order, to the bit, without what all edges carry in memory."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, source: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """(N, H) the weighed sums of the rows of sources."""
        ctx.save_for_backward(source, target, weights)
        return _carried(hidden, source, target, weights)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        """The same the other way."""
        source, target, weights = ctx.saved_tensors
        return _carried(slope, target, source, weights), None, None, None


def _carried(rows: Tensor, source: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    found, step = torch.zeros_like(rows), max(1, _AT_ONCE // rows.shape[1])
    for start in range(0, source.numel(), step):
        part = slice(start, start + step)
        found.index_add_(0, target[part], rows[source[part]] * weights[part])
    return found
