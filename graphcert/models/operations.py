"""What the steps of a program do in kernels: layers of message passing, matrix products, and sums in place.

N nodes, H columns. Each `compiled` makes the buffers of one thread.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcert.models import kernels
from graphcert.models.base import padded
from graphcert.models.program import Block, Run, ScaledGraph, tensor_of, vectors_of
from graphcert.sampling.simd.row_sums import LANES, aligned


@dataclass(frozen=True, eq=False)
class Linear:
    """x W + b, for W (H, H') and b (H',) or None."""

    weight: Tensor
    bias: Tensor | None

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One matrix product: narrow ones in a kernel, which starts sooner than a library."""
        weight, bias, columns = self.weight.contiguous(), self.bias, self.weight.shape[1]
        scratch, out = Block.new(nodes, self.weight.shape[0]), Block.new(nodes, columns)
        transposed = padded(weight.t(), 1)
        added = padded(torch.zeros(columns) if bias is None else bias, 0)

        def narrow(graph: ScaledGraph, x: Any) -> Block:
            kernels.dense(vectors_of(x, scratch), transposed, out.array)
            if bias is not None:
                kernels.add_bias(out.array, added, False)
            return out

        def wide(graph: ScaledGraph, x: Any) -> Block:
            if bias is None:
                torch.mm(tensor_of(x), weight, out=out.columns)
            else:
                torch.addmm(bias, tensor_of(x), weight, out=out.columns)
            return out

        return narrow if columns <= LANES else wide


@dataclass(frozen=True)
class Symmetric:
    """`hops` steps with Â, the symmetrically normalised adjacency with self-loops."""

    hops: int = 1

    def compiled(self, nodes: int, *widths: int) -> Run:
        """Â x = s ∘ ((A + I)(s ∘ x))."""
        scratch, scaled, out = (Block.new(nodes, widths[0]) for _ in range(3))

        def run(graph: ScaledGraph, x: Any) -> Block:
            rows, scale = vectors_of(x, scratch), graph.symmetric
            if self.hops == 0:
                out.array[:] = rows
            for _ in range(self.hops):
                kernels.scale_rows(rows, scale, scaled.array)
                kernels.gather_sum(graph.indptr, graph.indices, scaled.array, True, scale, out.array)
                rows = out.array
            return out

        return run


@dataclass(frozen=True)
class Neighbours:
    """The sum or the mean of the neighbours, zero where there are none, and `own` times the node itself."""

    mean: bool
    own: float = 0.0

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One pass over the edges."""
        scratch, out = Block.new(nodes, widths[0]), Block.new(nodes, widths[0])
        inside = self.own == 1 and not self.mean

        def run(graph: ScaledGraph, x: Any) -> Block:
            scale = graph.mean if self.mean else graph.ones
            kernels.gather_sum(graph.indptr, graph.indices, vectors_of(x, scratch), inside, scale, out.array)
            if self.own and not inside:
                out.columns.add_(tensor_of(x), alpha=self.own)
            return out

        return run


@dataclass(frozen=True)
class Walk:
    """`hops` steps Z ← (1 − restart) Â Z + restart · x (Gasteiger et al. 2019)."""

    hops: int
    restart: float

    def compiled(self, nodes: int, *widths: int) -> Run:
        """On the scaled state s ∘ Z it takes one pass a step."""
        scratch, anchor, odd, even, out = (Block.new(nodes, widths[0]) for _ in range(5))
        zero = np.zeros(anchor.array.shape[1], np.float32)
        keep, restart, hops = np.float32(1 - self.restart), np.float32(self.restart), self.hops
        last = (odd if hops % 2 else even) if hops > 0 else anchor

        def run(graph: ScaledGraph, x: Any) -> Block:
            scale, steps = graph.symmetric, (restart, hops, odd.array, even.array)
            kernels.scale_sums(vectors_of(x, scratch), zero, scale, anchor.array)
            kernels.restarting_walk(graph.indptr, graph.indices, anchor.array, keep * scale * scale, *steps)
            kernels.scale_rows(last.array, 1 / scale, out.array)
            return out

        return run


@dataclass(frozen=True, eq=False)
class Attention:
    """Attention of every node over neighbours and self (Veličković et al. 2018), for x (N, heads · F).

    `receiver` and `sender` are (heads, F).
    """

    receiver: Tensor
    sender: Tensor
    slope: float

    def compiled(self, nodes: int, *widths: int) -> Run:
        """Scores, then shares and sums in one pass over the edges."""
        heads, slope = self.receiver.shape[0], np.float32(self.slope)
        receiver, sender = padded(self.receiver), padded(self.sender)
        to, of = (np.empty((nodes, heads), np.float32) for _ in range(2))
        out = aligned(nodes, widths[0])
        result = torch.from_numpy(out)

        def run(graph: ScaledGraph, x: Any) -> Tensor:
            rows = tensor_of(x).contiguous().numpy()
            kernels.attention_scores(rows, heads, receiver, sender, to, of)
            kernels.attend(graph.indptr, graph.indices, rows, heads, to, of, slope, out)
            return result

        return run


@dataclass(frozen=True, eq=False)
class PairAttention:
    """Attention of every node over neighbours and self (Brody et al. 2022), for what nodes send and receive (N, heads · F).

    `weight` is (heads, F).
    """

    weight: Tensor
    slope: float

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One pass over the edges."""
        weight, slope, out = padded(self.weight), np.float32(self.slope), aligned(nodes, widths[0])
        result = torch.from_numpy(out)

        def run(graph: ScaledGraph, sent: Any, received: Any) -> Tensor:
            rows = [tensor_of(value).contiguous().numpy() for value in (sent, received)]
            kernels.attend_pairs(graph.indptr, graph.indices, *rows, weight, slope, out)
            return result

        return run


@dataclass(frozen=True, eq=False)
class Bias:
    """x + bias, then ReLU if `rectify`, in the memory of x."""

    bias: Tensor
    rectify: bool

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One pass over the rows."""
        scratch, bias = Block.new(nodes, widths[0]), padded(self.bias, 0)

        def run(graph: ScaledGraph, x: Any) -> Block:
            rows = vectors_of(x, scratch)
            kernels.add_bias(rows, bias, self.rectify)
            return scratch if rows is scratch.array else x

        return run


@dataclass(frozen=True)
class Sum:
    """x + y, in the memory of x."""

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One pass over the rows, in a kernel where both are in arrays."""

        def run(graph: ScaledGraph, x: Any, y: Any) -> Any:
            if isinstance(x, Block) and x.whole and isinstance(y, Block):
                kernels.add_columns(y.array, y.first, x.array)
            else:
                tensor_of(x).add_(tensor_of(y))
            return x

        return run
