"""What the steps of a program do in kernels: layers of message passing, matrix products, and sums in place.

N nodes, H columns. Each `compiled` makes the buffers of one thread. A step computes the rows that are needed with the
rounds of message passing that are left after it, from those that are needed with its own rounds more.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcert.models import kernels
from graphcert.models.base import padded
from graphcert.models.program import Block, Run, ScaledGraph, tensor_of, vectors_of
from graphcert.sampling.simd.row_products import row_products
from graphcert.sampling.simd.row_sums import aligned


@dataclass(frozen=True, eq=False)
class Linear:
    """x W + b, for W (H, H') and b (H',) or None."""

    weight: Tensor
    bias: Tensor | None
    rounds, in_place = 0, False

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One matrix product, in which a row comes out the same whatever the other rows are."""
        depth, columns = self.weight.shape
        scratch, out, matrix = Block.new(nodes, depth), Block.new(nodes, columns), padded(self.weight, 1)
        bias = padded(torch.zeros(columns) if self.bias is None else self.bias, 0)

        def run(graph: ScaledGraph, left: int, x: Any) -> Block:
            row_products(vectors_of(x, scratch, graph.rows(left)), matrix, depth, bias, out.array)
            return out

        return run


@dataclass(frozen=True)
class Symmetric:
    """`hops` steps with Â, the symmetrically normalised adjacency with self-loops."""

    hops: int = 1
    in_place = False

    @property
    def rounds(self) -> int:
        """One a step."""
        return self.hops

    def compiled(self, nodes: int, *widths: int) -> Run:
        """Â x = s ∘ ((A + I)(s ∘ x))."""
        scratch, odd, even = (Block.new(nodes, widths[0]) for _ in range(3))

        def run(graph: ScaledGraph, left: int, x: Any) -> Block:
            rows, scale, result = vectors_of(x, scratch, graph.rows(left + self.hops)), graph.symmetric, even
            if self.hops == 0:
                even.array[: len(rows)] = rows
            for after in reversed(range(left, left + self.hops)):
                receivers, result = graph.receivers(after), odd if after % 2 else even
                kernels.symmetric_sum(receivers, graph.indices, rows, scale, None, False, result.array)
                rows = result.array
            return result

        return run


@dataclass(frozen=True)
class Neighbours:
    """The sum or the mean of the neighbours, zero where there are none, and `own` times the node itself."""

    mean: bool
    own: float = 0.0
    rounds, in_place = 1, False

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One pass over the edges."""
        scratch, out = Block.new(nodes, widths[0]), Block.new(nodes, widths[0])
        inside = self.own == 1 and not self.mean

        def run(graph: ScaledGraph, left: int, x: Any) -> Block:
            scale, rows = graph.mean if self.mean else graph.ones, vectors_of(x, scratch, graph.rows(left + 1))
            kernels.gather_sum(graph.receivers(left), graph.indices, rows, inside, scale, out.array)
            if self.own and not inside:
                few, shown = graph.rows(left), graph.shown(left)
                if rows.base is not scratch.array:
                    scratch.array[:few] = rows[:few]
                tensor_of(out, shown).add_(tensor_of(scratch, shown), alpha=self.own)
            return out

        return run


@dataclass(frozen=True)
class Walk:
    """`hops` steps Z ← (1 − restart) Â Z + restart · x (Gasteiger et al. 2019)."""

    hops: int
    restart: float
    in_place = False

    @property
    def rounds(self) -> int:
        """One a step."""
        return self.hops

    def compiled(self, nodes: int, *widths: int) -> Run:
        """On the scaled state s ∘ Z it takes one pass a step."""
        scratch, anchor, odd, even, out = (Block.new(nodes, widths[0]) for _ in range(5))
        zero = np.zeros(anchor.array.shape[1], np.float32)
        keep, restart = np.float32(1 - self.restart), np.float32(self.restart)

        def run(graph: ScaledGraph, left: int, x: Any) -> Block:
            rows, scale, state = graph.rows(left + self.hops), graph.symmetric, anchor.array
            kernels.scale_sums(vectors_of(x, scratch, rows), zero, scale, anchor.array)
            step = keep * scale[:rows] * scale[:rows]
            for after in reversed(range(left, left + self.hops)):
                target, receivers = (odd if after % 2 else even).array, graph.receivers(after)
                kernels.restarting_step(receivers, graph.indices, state, step, anchor.array, restart, target)
                state = target
            kernels.scale_rows(state[: graph.rows(left)], 1 / scale[: graph.rows(left)], out.array)
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
    rounds, in_place = 1, False

    def compiled(self, nodes: int, *widths: int) -> Run:
        """Scores, then shares and sums in one pass over the edges."""
        heads, slope = self.receiver.shape[0], np.float32(self.slope)
        receiver, sender = padded(self.receiver), padded(self.sender)
        to, of = (np.empty((nodes, heads), np.float32) for _ in range(2))
        out = aligned(nodes, widths[0])
        result = torch.from_numpy(out)

        def run(graph: ScaledGraph, left: int, x: Any) -> Tensor:
            rows = tensor_of(x, graph.rows(left + 1)).contiguous().numpy()
            kernels.attention_scores(rows, heads, receiver, sender, to, of)
            kernels.attend(graph.receivers(left), graph.indices, rows, heads, to, of, slope, out)
            return result

        return run


@dataclass(frozen=True, eq=False)
class PairAttention:
    """Attention of every node over neighbours and self (Brody et al. 2022), for what nodes send and receive (N, heads · F).

    `weight` is (heads, F).
    """

    weight: Tensor
    slope: float
    rounds, in_place = 1, False

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One pass over the edges."""
        weight, slope, out = padded(self.weight), np.float32(self.slope), aligned(nodes, widths[0])
        result = torch.from_numpy(out)

        def run(graph: ScaledGraph, left: int, sent: Any, received: Any) -> Tensor:
            # What a neighbour sends is needed further out than what a node receives.
            given = ((sent, graph.rows(left + 1)), (received, graph.rows(left)))
            rows = [tensor_of(value, number).contiguous().numpy() for value, number in given]
            kernels.attend_pairs(graph.receivers(left), graph.indices, *rows, weight, slope, out)
            return result

        return run


@dataclass(frozen=True, eq=False)
class Bias:
    """x + bias, then ReLU if `rectify`, in the memory of x."""

    bias: Tensor
    rectify: bool
    rounds, in_place = 0, True

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One pass over the rows."""
        scratch, bias = Block.new(nodes, widths[0]), padded(self.bias, 0)

        def run(graph: ScaledGraph, left: int, x: Any) -> Block:
            kernels.add_bias(vectors_of(x, scratch, graph.rows(left)), bias, self.rectify)
            return x if isinstance(x, Block) and x.whole else scratch

        return run


@dataclass(frozen=True)
class Sum:
    """x + y, in the memory of x."""

    rounds, in_place = 0, True

    def compiled(self, nodes: int, *widths: int) -> Run:
        """One pass over the rows, in a kernel where both are in arrays."""

        def run(graph: ScaledGraph, left: int, x: Any, y: Any) -> Any:
            rows = graph.rows(left)
            if isinstance(x, Block) and x.whole and isinstance(y, Block):
                kernels.add_columns(y.array, y.first, x.array[:rows])
            else:
                tensor_of(x, rows).add_(tensor_of(y, rows))
            return x

        return run
