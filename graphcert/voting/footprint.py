"""How much memory voting takes: arrays that are there are counted, and what a model takes is measured on a small graph."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from graphcert.models.base import SparseFirstModel
from graphcert.voting.cache_detection import copied
from graphcert.voting.model_call import Call
from graphcert.voting.noisy_graph import Problem

_reference: Any = StorageWeakRef

_SMALL = 512
"""Nodes of the graph on which a model is measured."""


def arrays_in(*values: object) -> dict[int, int]:
    """Bytes by address of all arrays and tensors of the CPU that some values hold, in closures of functions too."""
    found, seen, waiting = dict[int, int](), set[int](), list(values)
    kept = []  # so that no address is given to another object meanwhile
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        kept.append(value)
        if isinstance(value, np.ndarray):
            while isinstance(value.base, np.ndarray):
                value = value.base
            found[value.ctypes.data] = max(value.nbytes, found.get(value.ctypes.data, 0))
        elif isinstance(value, Tensor) and value.layout is torch.strided:
            storage = value.untyped_storage()
            if storage.device.type == "cpu":
                found[storage.data_ptr()] = max(storage.nbytes(), found.get(storage.data_ptr(), 0))
        else:
            waiting += _parts(value)
    return _owners(found)


def _owners(found: dict[int, int]) -> dict[int, int]:
    """The same memory without parts of other memory: a tensor over an array does not know whose it is."""
    owners, last = dict[int, int](), 0
    for place, size in sorted(found.items()):
        if owners and place < last + owners[last]:
            owners[last] = max(owners[last], place + size - last)
        else:
            owners[place], last = size, place
    return owners


def _parts(value: Any) -> Iterator[object]:
    """What a value holds, besides code."""
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, (list, tuple, set)):
        yield from value
    elif isinstance(value, Tensor):  # sparse
        parts = "crow_indices", "col_indices", "values"
        yield from (getattr(value, part)() for part in parts if value.layout is torch.sparse_csr)
    elif isinstance(value, FunctionType):
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # it is empty until its variable is set
                yield cell.cell_contents
    elif isinstance(value, MethodType):
        yield value.__self__
    elif isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords)
    elif not isinstance(value, (type, ModuleType)):
        yield from getattr(value, "__dict__", {}).values()


class _Watched(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that are made while it is active, as the most at one time.

    `narrow` leaves out those of D columns, which stay lazy on the lazy path. What is `given` does not count.
    """

    def __init__(self, columns: int, given: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._columns, self._live = columns, dict[Any, tuple[int, int]]()
        self._given = {_reference(part.untyped_storage()) for part in given}
        self.all = self.narrow = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operation arrives here."""
        result = func(*args, **(kwargs or {}))
        for made in pytree.tree_leaves(result):
            if isinstance(made, Tensor) and made.layout is torch.strided:
                storage = made.untyped_storage()
                size = storage.nbytes()
                wide = made.dim() == 2 and made.shape[1] == self._columns
                if (reference := _reference(storage)) not in self._given:
                    self._live[reference] = size, 0 if wide else size
        self._live = {ref: sizes for ref, sizes in self._live.items() if not ref.expired()}
        self.all = max(self.all, sum(size for size, _ in self._live.values()))
        self.narrow = max(self.narrow, sum(size for _, size in self._live.values()))
        return result


@dataclass(frozen=True)
class CallBytes:
    """Bytes of memory that one graph takes while a model is called on the CPU.

    Attributes:
        x: of dense features (N, D).
        edges: of a noisy graph, as it is drawn and as it is shown.
        inside: of what the model computes with dense features, at most at one time.
        narrow: the same without matrices of D columns.
    """

    x: int
    edges: int
    inside: int
    narrow: int


def call_bytes(problem: Problem, model: nn.Module) -> CallBytes:
    """What a call of `model` takes on a graph of `problem`; nothing that large is made to know it.

    The model must be in evaluation mode. On an accelerator its own memory does not count.
    """
    sampler, ask = problem.sampler, Call(model, problem.carried.names)
    sparse = problem.draws_sparse_rows and isinstance(model, SparseFirstModel)
    # Sparse rows have two int64 for every float32, while they are put into order.
    x = 20 * sampler.clean_features.indices.size if sparse else 4 * sampler.nodes * sampler.columns
    # Per edge three int32 as it is drawn; per direction one of the graph, and two int64 twice while they are stacked.
    room = sampler.edge_room
    edges = 12 * room + 36 * room * (1 if problem.smoothing.directed else 2)
    if ask.device.type != "cpu":
        return CallBytes(x, edges, 0, 0)
    few = min(sampler.nodes, _SMALL)
    scale = sampler.nodes / few
    shown = _small_graph(problem, few, max(1, round(sampler.clean_graph.indices.size / scale)))
    asked = copied(model)
    watched = _Watched(sampler.columns, [*shown, *asked.parameters(), *asked.buffers()])
    try:
        with watched:
            ask.begun(asked, *shown)
    except Exception:  # the model insists on its own number of nodes; then about what two layers of messages take
        widths = sum(min(part.shape) for part in model.parameters() if part.dim() == 2)
        guessed = 4 * widths * (sampler.nodes + 2 * sampler.clean_graph.indices.size)
        return CallBytes(x, edges, guessed, guessed)
    return CallBytes(x, edges, int(watched.all * scale), int(watched.narrow * scale))


def _small_graph(problem: Problem, nodes: int, edges: int) -> list[Tensor]:
    """x, edge_index and what edges carry of a random graph."""
    rng = np.random.default_rng(0)
    x, ends = rng.random((nodes, problem.sampler.columns), np.float32) < 0.1, rng.integers(0, nodes, (2, edges))
    return list(map(torch.from_numpy, (x.astype(np.float32), ends, *problem.carried.made_up(edges, rng))))
