"""Steps of a program that can write over a value which nothing else reads: biases, ReLU and sums, without new memory."""

from collections import Counter
from dataclasses import replace

import torch
from torch import Tensor

from graphcert.models.operations import Bias, Sum
from graphcert.models.program import Operation, Step, Torch


def fused(shapes: list[tuple[int, ...]], steps: list[Step], result: int) -> tuple[list[Step], int]:
    """The same steps with fewer passes over memory; `shapes` are those of the products, at whose places steps go on."""
    products, uses = len(shapes), Counter(place for step in steps for place in step.inputs)
    uses[result] += 1
    shapes = shapes + [step.shape for step in steps]
    shared = {products + k for k, step in enumerate(steps) if step.aliases}
    new, at = list[Step](), list(range(products))
    for step in steps:
        first = step.inputs[0]
        place, alone = at[first], uses[first] == 1 and first not in shared and shapes[first] == step.shape
        step = replace(step, inputs=tuple(at[place] for place in step.inputs))
        before = new[place - products].operation if place >= products else None
        if alone and _is("relu", step.operation) and isinstance(before, Bias):
            new[place - products] = replace(new[place - products], operation=Bias(before.bias, True))
            at.append(place)
            continue
        rows = len(step.shape) == 2 and step.shape[0] == shapes[0][0]
        new.append(replace(step, operation=_in_place(step)) if alone and rows else step)
        at.append(products + len(new) - 1)
    return new, at[result]


def _is(name: str, operation: Operation) -> bool:
    return isinstance(operation, Torch) and getattr(operation.function, "__name__", "") == name


def _in_place(step: Step) -> Operation:
    """The operation in the memory of its first value, where it has such a form."""
    columns = step.shape[1]
    if _is("relu", step.operation):
        return Bias(torch.zeros(columns), True)
    if not isinstance(step.operation, Torch) or not _is("add", step.operation):
        return step.operation
    terms, options = step.operation.arguments
    if options or len(terms) != 2:
        return step.operation
    if len(step.inputs) == 2:
        return Sum()
    bias = terms[1]
    fits = isinstance(bias, Tensor) and bias.shape == (columns,) and bias.dtype == torch.float32
    return Bias(bias, False) if fits else step.operation
