"""A forward pass written down as steps: message passing of known layers in kernels, everything else by torch itself.

Values are (N, H): first the products of x with the first weights, then what each step returns. Kernels want rows that are
filled up to whole vectors, so their values are in `Block`s; those of torch are tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from graphcert.models import kernels
from graphcert.models.base import CompiledForward, Floats, SparseFirst, padded, side_by_side
from graphcert.sampling.csr import CSR
from graphcert.sampling.simd.row_sums import aligned

Run = Callable[..., Any]
"""(scaled graph, values that a step reads) → its result, in memory that stays valid until the next sample."""


class Operation(Protocol):
    """What one step does; equal operations do the same."""

    def compiled(self, nodes: int, *widths: int) -> Run:
        """The operation with buffers of its own, for graphs of so many nodes and inputs of so many columns."""


@dataclass(frozen=True)
class Step:
    """An operation, the places of the values that it reads, and the shape of its result; () for several results.

    `aliases` says that the result may be a view of a value that it reads.
    """

    operation: Operation
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    aliases: bool = False

    @property
    def width(self) -> int:
        """The columns H of the result."""
        return self.shape[-1] if self.shape else 1


class ScaledGraph:
    """The noisy graph of one sample; all layers share its degrees."""

    def __init__(self, nodes: int) -> None:
        self._symmetric, self._mean = np.empty(nodes, np.float32), np.empty(nodes, np.float32)
        self.ones = np.ones(nodes, np.float32)

    def show(self, graph: CSR) -> None:
        """Turn to another graph."""
        self.indptr, self.indices = graph.indptr, graph.indices
        self._current = set[int]()

    @property
    def symmetric(self) -> Floats:
        """(N,) (degree + 1)^(−1/2)."""
        return self._once(kernels.symmetric_scale, self._symmetric)

    @property
    def mean(self) -> Floats:
        """(N,) 1 / degree."""
        return self._once(kernels.mean_scale, self._mean)

    def _once(self, fill: Callable[..., None], out: Floats) -> Floats:
        """An array that is filled for each graph when it is first asked for."""
        if id(out) not in self._current:
            fill(self.indptr, out)
            self._current.add(id(out))
        return out


_filled = partial(side_by_side, 1)
"""So many columns in whole vectors."""


class Block:
    """A value (N, H) in an array: its columns from `first` on, filled up to whole vectors."""

    def __init__(self, array: Floats, width: int, first: int = 0) -> None:
        self.array, self.first, self._width = array, first, width
        self.whole = array.shape[1] == _filled(width)

    @classmethod
    def new(cls, nodes: int, width: int) -> "Block":
        """One with memory of its own."""
        return cls(aligned(nodes, _filled(width)), width)

    @cached_property
    def columns(self) -> Tensor:
        """The value as a tensor of the same memory; made where torch needs it, which takes longer than a kernel."""
        return torch.from_numpy(self.array)[:, self.first : self.first + self._width]


def tensor_of(value: Any) -> Any:
    """A value as torch takes it."""
    return value.columns if isinstance(value, Block) else value


def vectors_of(value: Any, scratch: Block) -> Floats:
    """A value as kernels take it: its own array, or a copy in `scratch`."""
    if not isinstance(value, Block):
        scratch.columns.copy_(value)
    elif value.whole:
        return value.array
    else:
        kernels.copy_columns(value.array, value.first, scratch.array)
    return scratch.array


@dataclass(frozen=True)
class Torch:
    """A function of torch, with the values in the places that `Value` marks."""

    function: Callable[..., Any]
    arguments: Any

    def compiled(self, nodes: int, *widths: int) -> Run:
        """Its call: nothing is kept."""
        flat, form = pytree.tree_flatten(self.arguments)
        places = [place for place, part in enumerate(flat) if isinstance(part, Value)]

        def run(graph: ScaledGraph, *values: Any) -> Any:
            given = list(flat)
            for place, value in zip(places, values, strict=True):
                given[place] = tensor_of(value)
            args, options = pytree.tree_unflatten(given, form)
            return self.function(*args, **options)

        return run


class Value:
    """The place of a value in the arguments of a function."""


class Program(SparseFirst):
    """First weights (D, H_p), and the steps from the products with them to the logits, the last value."""

    def __init__(self, weights: list[Tensor], steps: list[Step], result: int) -> None:
        self.weights, self.steps, self.result = weights, steps, result
        self.widths = [weight.shape[1] for weight in weights] + [step.width for step in steps]

    def same_as(self, other: "Program") -> bool:
        """Whether another program has the same steps with the same numbers."""
        one, two = ((p.weights, [_facts(step) for step in p.steps], p.result) for p in (self, other))
        (numbers, form), (others, other_form) = (pytree.tree_flatten(facts) for facts in (one, two))
        return form == other_form and all(map(_equal, numbers, others))

    def first_weight(self) -> Tensor:
        """All first weights side by side, each filled up with zeros to whole vectors."""
        parts = [torch.from_numpy(padded(weight, 1)) for weight in self.weights]
        return torch.cat(parts, dim=1)

    def compiled(self, nodes: int) -> CompiledForward:
        """The steps with buffers of their own."""
        shown = ScaledGraph(nodes)
        columns = [(sum(map(_filled, self.widths[:k])), self.widths[k]) for k in range(len(self.weights))]
        read = [[self.widths[k] for k in step.inputs] for step in self.steps]
        runs = [step.operation.compiled(nodes, *widths) for step, widths in zip(self.steps, read, strict=True)]

        def forward(hidden: Floats, graph: CSR) -> Floats:
            shown.show(graph)
            values: list[Any] = [Block(hidden, width, first) for first, width in columns]
            with torch.inference_mode():
                for run, step in zip(runs, self.steps, strict=True):
                    values.append(run(shown, *(values[k] for k in step.inputs)))
            result = values[self.result]
            whole = isinstance(result, Block) and result.whole
            logits: Floats = result.array if whole else tensor_of(result).contiguous().numpy()
            return logits

        return forward


def _facts(step: Step) -> Any:
    return type(step.operation).__name__, vars(step.operation), step.inputs, step.shape


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        return torch.equal(one, two)
    marks = isinstance(one, Value) and isinstance(two, Value)
    return marks or bool(one is two or (type(one) is type(two) and one == two))
