"""Where a model computes: how positions get there, and what becomes of them there."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

Positions = tuple[Tensor, ...]
"""A sparse matrix as (indptr (n + 1,), indices) of int32, and values of float32 unless all of them are ones."""


class Device:
    """A device as one thread uses it; noise is drawn on the CPU, whatever the device.

    Copies to a GPU leave pinned memory on a stream of their own, beside what the model computes. torch keeps the pinned
    memory of a copy until it is done.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = torch.device("cpu") if device is None else device
        self.far = self.device.type != "cpu"
        self._stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def fork(self) -> "Device":
        """The same device for another thread."""
        return type(self)(self.device)

    def send(self, tensor: Tensor) -> Tensor:
        """The tensor on the device, which may be read after `wait`; on the CPU itself."""
        if self._stream is None:
            return tensor.to(self.device)
        with torch.cuda.stream(self._stream):
            return tensor.pin_memory().to(self.device, non_blocking=True)

    def wait(self, sent: Iterable[Tensor]) -> None:
        """Let whatever is computed from here on begin after these tensors, and all sent before, have arrived."""
        if self._stream is not None:
            here = torch.cuda.current_stream(self.device)
            here.wait_stream(self._stream)
            for tensor in sent:
                # Else its memory could be given to the next copy while the model still reads it.
                tensor.record_stream(here)


def row_numbers(indptr: Tensor, entries: int) -> Tensor:
    """(entries,) int64 the row of every entry."""
    rows = torch.arange(indptr.numel() - 1, device=indptr.device)
    return rows.repeat_interleave(indptr.diff(), output_size=entries)


def dense_rows(positions: Positions, columns: int) -> Tensor:
    """(n, columns) float32 the sparse matrix, dense."""
    indptr, indices, *values = positions
    x = torch.zeros(indptr.numel() - 1, columns, device=indptr.device)
    places = row_numbers(indptr, indices.numel()), indices.long()
    return x.index_put_(places, values[0] if values else x.new_ones(()))


def gathered_sums(positions: Positions, rows: Tensor) -> Tensor:
    """(n, H) the sparse matrix times `rows` (·, H): sums over the entries of every row, in their order."""
    indptr, indices, *values = positions
    factors = values[0] if values else None
    return F.embedding_bag(
        indices, rows.contiguous(), indptr, mode="sum", per_sample_weights=factors, include_last_offset=True
    )


def sums_over_edges(count: int, source: Tensor, target: Tensor, factor: Tensor | None, rows: Tensor) -> Tensor:
    """(count, H): row t is the sum of factor (E, 1) · rows[s] over the edges (s, t), in their order.

    Sums over sorted targets, because additions to shared rows would come in another order every time.
    """
    targets, order = target.sort(stable=True)
    indptr = torch.searchsorted(targets, torch.arange(count + 1, device=target.device))
    factors = () if factor is None else (factor.select(1, 0).float().index_select(0, order),)
    return gathered_sums((indptr, source.index_select(0, order), *factors), rows)
