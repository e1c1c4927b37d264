"""A forward pass written down as steps: message passing of known layers in kernels, everything else by torch itself.

Values are (N, H): first the products of x with the first weights, then what each step returns. Kernels want rows that are
filled up to whole vectors, so their values are in `Block`s; those of torch are tensors.

A value is needed for the nodes within so many rounds of message passing as are left until the logits, and rows are in the
order of that distance (`LocalGraph`): a step computes the first rows only, and finds more than it needs in what it reads.
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
from graphcert.sampling.local_graph import LocalGraph
from graphcert.sampling.simd.row_sums import aligned

Run = Callable[..., Any]
"""(scaled graph, rounds left after the step, values that it reads) → its result, in memory that stays valid until the next
sample. Rows of the result that are not needed mean nothing."""

TILE = 32
"""Functions of torch are shown a multiple of so many rows: it takes entries by vectors, and what is left at the end one by
one, with another rounding; so a row's bits would depend on the number of rows."""


class Operation(Protocol):
    """What one step does; equal operations do the same."""

    @property
    def rounds(self) -> int:
        """Rounds of message passing."""

    @property
    def in_place(self) -> bool:
        """Whether the result is in the memory of the first value."""

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
    """The noisy graph of one sample; all layers share its degrees. A program that is not `local` sees whole graphs."""

    def __init__(self, nodes: int, local: bool) -> None:
        self._symmetric, self._mean = np.empty(nodes, np.float32), np.empty(nodes, np.float32)
        self.ones = np.ones(nodes, np.float32)
        self._local = local

    def show(self, graph: LocalGraph) -> None:
        """Turn to another graph."""
        self._graph, self.indices = graph, graph.indices
        self._current = set[int]()

    def rows(self, left: int) -> int:
        """Rows that are needed when so many rounds are left."""
        return self._graph.sizes[left if self._local else 0]

    def shown(self, left: int) -> int | None:
        """Rows that functions of torch are shown; None for all there are."""
        return filled_up(self.rows(left), TILE) if self._local else None

    def receivers(self, left: int) -> Any:
        """The `indptr` of those rows."""
        return self._graph.indptr[: self.rows(left) + 1]

    @property
    def symmetric(self) -> Floats:
        """(≥ N,) (degree + 1)^(−1/2)."""
        return self._once(kernels.symmetric_scale, self._symmetric)

    @property
    def mean(self) -> Floats:
        """(≥ N,) 1 / degree."""
        return self._once(kernels.mean_scale, self._mean)

    def _once(self, fill: Callable[..., None], out: Floats) -> Floats:
        """An array that is filled for each graph when it is first asked for."""
        if id(out) not in self._current:
            fill(self._graph.degrees, out)
            self._current.add(id(out))
        return out


def filled_up(number: int, unit: int) -> int:
    """The next multiple of `unit`."""
    return -(-number // unit) * unit


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

    def filled_from(self, other: "Block", rows: int) -> "Block":
        """Itself, with the first rows of another value; those are the other itself if it has enough of them."""
        if len(other.array) >= len(self.array):
            return other
        kernels.copy_columns(other.array, other.first, self.array[:rows])
        return self

    @cached_property
    def columns(self) -> Tensor:
        """The value as a tensor of the same memory; made where torch needs it, which takes longer than a kernel."""
        return torch.from_numpy(self.array)[:, self.first : self.first + self._width]


def tensor_of(value: Any, rows: int | None) -> Any:
    """The first rows of a value as torch takes it; several results as they are."""
    tensor = value.columns if isinstance(value, Block) else value
    return tensor if rows is None or not isinstance(tensor, Tensor) or len(tensor) == rows else tensor[:rows]


def vectors_of(value: Any, scratch: Block, rows: int) -> Floats:
    """The first rows of a value as kernels take them: of its own array, or a copy in `scratch`."""
    if isinstance(value, Block) and value.whole:
        return value.array[:rows]
    copy = scratch.array[:rows]
    if isinstance(value, Block):
        kernels.copy_columns(value.array, value.first, copy)
    else:
        scratch.columns[:rows].copy_(value[:rows])
    return copy


@dataclass(frozen=True)
class Torch:
    """A function of torch, with the values in the places that `Value` marks."""

    function: Callable[..., Any]
    arguments: Any
    rounds, in_place = 0, False

    def compiled(self, nodes: int, *widths: int) -> Run:
        """Its call: nothing is kept."""
        flat, form = pytree.tree_flatten(self.arguments)
        places = [place for place, part in enumerate(flat) if isinstance(part, Value)]

        def run(graph: ScaledGraph, left: int, *values: Any) -> Any:
            given, rows = list(flat), graph.shown(left)
            for place, value in zip(places, values, strict=True):
                given[place] = tensor_of(value, rows)
            args, options = pytree.tree_unflatten(given, form)
            return self.function(*args, **options)

        return run


class Value:
    """The place of a value in the arguments of a function."""


class Program(SparseFirst):
    """First weights (D, H_p), and the steps from the products with them to the logits, the last value.

    `local` says that all steps are message passing or compute rows from rows.
    """

    def __init__(self, weights: list[Tensor], steps: list[Step], result: int, local: bool) -> None:
        self.weights, self.steps, self.result, self.local = weights, steps, result, local
        self.widths = [weight.shape[1] for weight in weights] + [step.width for step in steps]
        self._left = self._rounds_left()

    @property
    def layers(self) -> int:
        """Rounds of message passing on the longest way from the features to the logits."""
        return max(self._left)

    def _rounds_left(self) -> list[int]:
        """For every value the most rounds between it and the logits."""
        left, products = [0] * len(self.widths), len(self.weights)
        for k, step in reversed(list(enumerate(self.steps, products))):
            for place in step.inputs:
                left[place] = max(left[place], left[k] + step.operation.rounds)
        return left

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
        nodes = filled_up(nodes, TILE) if self.local else nodes
        shown, columns = ScaledGraph(nodes, self.local), np.cumsum([0, *map(_filled, self.widths)]).tolist()
        read = [[self.widths[k] for k in step.inputs] for step in self.steps]
        runs = [step.operation.compiled(nodes, *widths) for step, widths in zip(self.steps, read, strict=True)]
        todo = list(zip(runs, self._left[len(self.weights) :], (step.inputs for step in self.steps), strict=True))
        own = {k: Block.new(nodes, self.widths[k]) for k in self._products_of_torch()} if self.local else {}

        def forward(hidden: Floats, graph: LocalGraph) -> Floats:
            shown.show(graph)
            values: list[Any] = [Block(hidden, self.widths[k], columns[k]) for k in range(len(self.weights))]
            for k, block in own.items():
                values[k] = block.filled_from(values[k], shown.rows(self._left[k]))
            with torch.inference_mode():
                for run, left, inputs in todo:
                    values.append(run(shown, left, *(values[k] for k in inputs)))
            result, rows = values[self.result], shown.rows(0)
            whole = isinstance(result, Block) and result.whole
            logits: Floats = result.array[:rows] if whole else tensor_of(result, rows).contiguous().numpy()
            return logits

        return forward

    def _products_of_torch(self) -> set[int]:
        """Products that torch reads, which are given without the rows that fill its last tile.

        What is done in the memory of a product is read there too.
        """
        memory, found = list[int | None](range(len(self.weights))), set[int]()
        for step in self.steps:
            read = [memory[place] for place in step.inputs]
            by_torch = isinstance(step.operation, Torch)
            found |= {product for product in read if by_torch and product is not None}
            memory.append(read[0] if step.operation.in_place else None)
        return found


def _facts(step: Step) -> Any:
    return type(step.operation).__name__, vars(step.operation), step.inputs, step.shape


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        return torch.equal(one, two)
    marks = isinstance(one, Value) and isinstance(two, Value)
    return marks or bool(one is two or (type(one) is type(two) and one == two))
