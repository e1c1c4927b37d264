"""The operations of torch under which lazy features stay lazy, or at which a weight makes them narrow.

n rows, D columns. Each handler returns NotImplemented where its operation is no map of rows; then the dense matrix does it.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcert.models.kernels import edge_sums
from graphcert.voting.device import sums_over_edges
from graphcert.voting.lazy_features import HANDLERS, IDENTITY, Handler, LazyFeatures, Memory, Rows

aten = torch.ops.aten


def _handles(*operations: Any) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(operations, handler))
        return handler

    return register


# Views: what is written to one is seen in the other.


@_handles(aten.detach.default, aten.alias.default, aten.contiguous.default)
def _same(x: LazyFeatures, **options: Any) -> Any:
    return LazyFeatures(x.source, x.memory, x.shape[0])


@_handles(aten.view.default, aten.reshape.default, aten._unsafe_view.default)
def _viewed(x: LazyFeatures, shape: list[int]) -> Any:
    return _same(x) if list(shape) in (list(x.shape), [-1, x.shape[1]], [x.shape[0], -1]) else NotImplemented


@_handles(aten.dropout.default)
def _dropout(x: LazyFeatures, p: float, train: bool) -> Any:
    return NotImplemented if train else _same(x)


# Maps of rows


@_handles(aten.clone.default)
def _clone(x: LazyFeatures, **options: Any) -> Any:
    return LazyFeatures(x.source, Memory(x.memory.rows), x.shape[0])


@_handles(aten._to_copy.default)
def _cast(x: LazyFeatures, *, dtype: Any = None, layout: Any = None, **options: Any) -> Any:
    same = (
        dtype in (None, torch.float32) and options.get("device") in (None, x.device) and layout in (None, torch.strided)
    )
    return _clone(x) if same else NotImplemented


def _is_lazy(*parts: Any) -> bool:
    return all(isinstance(part, LazyFeatures) for part in parts)


def _places(index: Tensor, rows: int) -> Tensor | None:
    """A copy of row numbers (E,), which may be overwritten before they are used; None if one is none."""
    if index.dtype not in (torch.int64, torch.int32) or index.dim() != 1 or _is_lazy(index):
        return None
    if index.numel() and (int(index.min()) < 0 or int(index.max()) >= rows):
        return None
    return index.to(torch.int64, copy=True)


@_handles(aten.index_select.default)
def _selected(x: Any, dim: int, index: Tensor) -> Any:
    places = _places(index, x.shape[0]) if _is_lazy(x) and dim in (0, -2) else None
    if places is None:
        return NotImplemented
    return x.followed(lambda y: y.index_select(0, places), places.numel(), edges=(places, None))


@_handles(aten.index.Tensor)
def _indexed(x: Any, indices: list[Any]) -> Any:
    index = indices[0] if len(indices) == 1 else None
    if not _is_lazy(x) or not isinstance(index, Tensor) or index.dim() != 1:
        return NotImplemented
    return _selected(x, 0, index.nonzero()[:, 0] if index.dtype == torch.bool else index)


def _factor(x: LazyFeatures, other: Any) -> Any:
    """What multiplies every row by one number: a number or a column (n, 1), copied; None if `other` is something else."""
    if isinstance(other, (int, float)):
        return other if math.isfinite(other) else None
    if not isinstance(other, Tensor) or _is_lazy(other) or other.dim() > 2 or other.layout != torch.strided:
        return None
    if torch.result_type(torch.empty(1, 1), other) != torch.float32:
        return None
    # 0 · ∞ is no number, which only the dense matrix shows.
    if not math.isfinite(float(other.sum())):
        return None
    if other.numel() == 1:
        return other.clone().reshape(())
    column = other.dim() == 2 and other.shape[0] == x.shape[0] and (other.shape[1] == 1 or other.stride(1) == 0)
    return other[:, :1].clone() if column else None


@_handles(aten.mul.Tensor, aten.mul.Scalar)
def _times(one: Any, two: Any) -> Any:
    x, other = (one, two) if _is_lazy(one) else (two, one)
    factor = _factor(x, other)
    if factor is None:
        return NotImplemented
    if x.memory.rows.edges is None or not isinstance(factor, Tensor) or factor.dim() != 2:
        return x.followed(lambda y: y * factor, x.shape[0])
    places, before = x.memory.rows.edges
    both = factor if before is None else factor * before
    rows = Rows(lambda y: y.index_select(0, places) * both, x.memory.rows.parents, edges=(places, both))
    return LazyFeatures(x.source, Memory(rows), x.shape[0])


@_handles(aten.div.Tensor, aten.div.Scalar)
def _over(x: Any, other: Any) -> Any:
    factor = _factor(x, other) if _is_lazy(x) else None
    if factor is None or not torch.as_tensor(factor).all():  # nor is 0 / 0
        return NotImplemented
    return x.followed(lambda y: y / factor, x.shape[0])


@_handles(aten.neg.default)
def _negative(x: LazyFeatures) -> Any:
    return x.followed(torch.neg, x.shape[0])


@_handles(aten.add.Tensor)
def _plus(x: Any, other: Any, *, alpha: float = 1) -> Any:
    if not _is_lazy(x, other) or x.source is not other.source or x.shape != other.shape:
        return NotImplemented
    return x.followed(lambda one, two: one.add(two, alpha=alpha), x.shape[0], other)


@_handles(aten.sub.Tensor)
def _minus(x: Any, other: Any, *, alpha: float = 1) -> Any:
    return _plus(x, other, alpha=-alpha)


@_handles(aten.cat.default)
def _below(tensors: list[Any], dim: int = 0) -> Any:
    x = tensors[0]
    if dim not in (0, -2) or not _is_lazy(*tensors) or any(part.source is not x.source for part in tensors):
        return NotImplemented
    return x.followed(lambda *parts: torch.cat(parts), sum(part.shape[0] for part in tensors), *tensors[1:])


# Sums over edges


@_handles(aten.new_zeros.default)
def _zeros(x: LazyFeatures, size: list[int], **options: Any) -> Any:
    if options.get("dtype") not in (None, torch.float32) or list(size)[1:] != [x.shape[1]]:
        return torch.empty(0, device=x.device).new_zeros(size, **options)
    count = size[0]
    rows = Rows(lambda y: y.new_zeros(count, y.shape[1]), (IDENTITY,), zero=True)
    return LazyFeatures(x.source, Memory(rows), count)


@_handles(aten.zeros_like.default)
def _zeros_like(x: LazyFeatures, **options: Any) -> Any:
    return _zeros(x, list(x.shape), dtype=options.get("dtype"))


def _fresh(operation: Any, x: Any, *args: Any, **options: Any) -> Any:
    """Memory of the same type as lazy features, with nothing of theirs in it."""
    return operation(torch.empty(0, device=x.device), *args, **options) if _is_lazy(x) else NotImplemented


for _operation in (aten.new_ones.default, aten.new_full.default, aten.new_empty.default):
    HANDLERS[_operation] = partial(_fresh, _operation)


def _edge_sums(y: Tensor, count: int, source: Tensor, target: Tensor, factor: Tensor | None) -> Tensor:
    """(count, H): row t is the sum of factor · y[s] over the edges (s, t)."""
    if y.device.type != "cpu":
        return sums_over_edges(count, source, target, factor, y)
    out = np.zeros((count, y.shape[1]), np.float32)
    weight = np.empty(0, np.float32) if factor is None else factor[:, 0].float().contiguous().numpy()
    edge_sums(source.numpy(), target.numpy(), weight, y.contiguous().numpy(), out)
    return torch.from_numpy(out)


def _summed(x: Any, dim: int, index: Tensor, addend: Any, alpha: float = 1) -> Any:
    """x and, in the row index[e], the row e of `addend`."""
    places = _places(index, x.shape[0]) if _is_lazy(x, addend) and dim in (0, -2) and alpha == 1 else None
    if places is None or addend.shape[0] != places.numel() or x.source is not addend.source:
        return NotImplemented
    count = x.shape[0]
    source, factor = addend.memory.rows.edges or (torch.arange(places.numel(), device=places.device), None)
    parents = addend.memory.rows.parents if addend.memory.rows.edges else (addend.memory.rows,)
    sums = Rows(lambda y: _edge_sums(y, count, source, places, factor), parents)
    rows = sums if x.memory.rows.zero else Rows(torch.add, (x.memory.rows, sums))
    return LazyFeatures(x.source, Memory(rows), count)


@_handles(aten.index_add.default)
def _index_added(x: Any, dim: int, index: Tensor, source: Any, *, alpha: float = 1) -> Any:
    return _summed(x, dim, index, source, alpha)


@_handles(aten.scatter_add.default)
def _scattered(x: Any, dim: int, index: Tensor, source: Any) -> Any:
    # One row number per edge, shown in every column.
    repeated = index.dim() == 2 and index.shape == source.shape and (index.shape[1] == 1 or index.stride(1) == 0)
    return _summed(x, dim, index[:, 0], source) if repeated else NotImplemented


@_handles(aten.expand_as.default)
def _expanded(x: Any, other: Any) -> Any:
    return NotImplemented if _is_lazy(x) else x.expand(other.shape)


# Where a weight makes them narrow


@_handles(aten.mm.default)
def _multiplied(one: Any, two: Any) -> Any:
    if _is_lazy(one, two) or torch.float32 not in (one.dtype, two.dtype):
        return NotImplemented
    if _is_lazy(one):
        return one.product(two)
    if not bool(torch.isfinite(one if one.layout is torch.strided else one.sum()).all()):
        return NotImplemented
    matrix = one.clone()
    return two.followed(lambda y: matrix @ y, one.shape[0])


@_handles(aten.mv.default)
def _times_vector(x: Any, vector: Any) -> Any:
    return x.product(vector[:, None])[:, 0] if _is_lazy(x) and not _is_lazy(vector) else NotImplemented


@_handles(aten.linear.default)
def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    if not _is_lazy(x) or _is_lazy(weight) or weight.dim() != 2:
        return NotImplemented
    result = x.product(weight.t())
    return result if bias is None else result + bias


@_handles(aten.addmm.default)
def _added_product(bias: Any, x: Any, weight: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    if not _is_lazy(x) or _is_lazy(weight) or _is_lazy(bias):
        return NotImplemented
    return beta * bias + alpha * x.product(weight)


@_handles(aten.sum.dim_IntList)
def _row_sums(x: LazyFeatures, dim: Any, keepdim: bool = False, *, dtype: Any = None) -> Any:
    if list(dim or ()) not in ([1], [-1]) or dtype not in (None, torch.float32):
        return NotImplemented
    sums = x.product(torch.ones(x.shape[1], 1, device=x.device))
    return sums if keepdim else sums[:, 0]


@_handles(aten.mean.dim)
def _row_means(x: LazyFeatures, dim: Any, keepdim: bool = False, *, dtype: Any = None) -> Any:
    sums = _row_sums(x, dim, keepdim, dtype=dtype)
    return sums if sums is NotImplemented else sums / x.shape[1]


# The same operations, written to their first argument


def _in_place(handler: Handler, x: Any, *args: Any, **options: Any) -> Any:
    result = handler(x, *args, **options) if _is_lazy(x) else NotImplemented
    if result is NotImplemented or result.shape != x.shape:
        return NotImplemented
    x.memory.rows = result.memory.rows
    return x


for _operation, _handler in {
    aten.mul_.Tensor: _times, aten.div_.Tensor: _over, aten.add_.Tensor: _plus, aten.sub_.Tensor: _minus,
    aten.index_add_.default: _index_added, aten.scatter_add_.default: _scattered, aten.neg_.default: _negative,
}.items():  # fmt: skip
    HANDLERS[_operation] = partial(_in_place, _handler)
