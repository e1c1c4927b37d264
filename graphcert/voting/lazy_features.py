"""A feature matrix whose rows stay sparse: linear maps of rows wait until a weight makes them narrow, A·X·W = A·(X·W).

A layer that aggregates before its first weight would add up rows of D columns; here it adds up rows of H. An operation is
either exactly such a map of rows (`voting/row_maps.py`), or it sees the dense matrix, made once, and its name is noted.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

Handler = Callable[..., Any]
"""One operation; it returns NotImplemented where what it is given is no map of rows."""

HANDLERS: dict[Any, Handler] = {}
"""By operation of torch (`torch.ops.aten`)."""


class Source(Protocol):
    """The rows of which all features of one call are maps."""

    columns: int
    device: torch.device

    def product(self, weight: Tensor) -> Tensor:
        """The rows times weight (D, H), in memory that the caller may overwrite."""

    def dense(self) -> Tensor:
        """The rows (n, D) themselves, in memory that the caller may overwrite."""

    def note(self, operation: str) -> None:
        """Remember that an operation needed the rows themselves."""


@dataclass(frozen=True, eq=False)
class Rows:
    """A linear map of the rows of a source, whatever their number of columns: one step after other maps.

    Attributes:
        step: from the results of the parents, each (·, H), to (n, H); it allocates its result.
        edges: (index, factor) if the step takes the rows `index` of its one parent, times a column `factor` or None.
        zero: whether all results are zero.
    """

    step: Callable[..., Tensor]
    parents: tuple["Rows", ...]
    edges: tuple[Tensor, Tensor | None] | None = None
    zero: bool = False

    def of(self, source: Tensor) -> Tensor:
        """This map of the rows of `source`; what several maps share is computed once."""
        return self._of({id(IDENTITY): source})

    def _of(self, known: dict[int, Tensor]) -> Tensor:
        # No function inside of `of`: it would hold itself, and with it all matrices, until the garbage is collected.
        if id(self) not in known:
            known[id(self)] = self.step(*(parent._of(known) for parent in self.parents))
        return known[id(self)]


IDENTITY = Rows(Tensor.clone, ())


@dataclass
class Memory:
    """What stands in for the memory of a tensor; its views share it."""

    rows: Rows
    value: Tensor | None = None


class LazyFeatures(Tensor):
    """(n, D) float32: the rows of `memory` of `source`, or its value once an operation needed the numbers."""

    source: Source
    memory: Memory

    @staticmethod
    def __new__(cls, source: Source, memory: Memory, count: int) -> "LazyFeatures":
        """A tensor of n = `count` rows."""
        make: Any = Tensor._make_wrapper_subclass
        made: LazyFeatures = make(cls, (count, source.columns), dtype=torch.float32, device=source.device)
        made.source, made.memory = source, memory
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"LazyFeatures{tuple(self.shape)}"

    def followed(self, step: Callable[..., Tensor], count: int, *others: Any, **facts: Any) -> "LazyFeatures":
        """What a step makes of these rows and of others of the same source."""
        parents = (self.memory.rows, *(other.memory.rows for other in others))
        return LazyFeatures(self.source, Memory(Rows(step, parents, **facts)), count)

    def product(self, weight: Tensor) -> Tensor:
        """These rows times weight (D, H)."""
        return self.memory.rows.of(self.source.product(weight))

    def numbers(self, operation: str) -> Tensor:
        """The dense matrix, made once; from then on it stands for these rows, whatever is written to it."""
        memory = self.memory
        if memory.value is None:
            self.source.note(operation)
            memory.value = memory.rows.of(self.source.dense())
        return memory.value

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Every operation on one of these arrives here."""
        kwargs = kwargs or {}
        if all(part.memory.value is None for part in _lazy((args, kwargs))):
            handler = HANDLERS.get(func)
            # In inference mode composite operations arrive whole.
            result = func.decompose(*args, **kwargs) if handler is None else handler(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return _by_numbers(func, args, kwargs)


def _lazy(arguments: Any) -> Iterable[LazyFeatures]:
    return (part for part in pytree.tree_leaves(arguments) if isinstance(part, LazyFeatures))


def _by_numbers(func: Any, args: Any, kwargs: Any) -> Any:
    """An operation on dense matrices; one that writes to its argument returns that argument."""
    wrappers = {id(part.numbers(str(func))): part for part in _lazy((args, kwargs))}
    args, kwargs = pytree.tree_map_only(LazyFeatures, lambda part: part.memory.value, (args, kwargs))
    return pytree.tree_map_only(Tensor, lambda part: wrappers.get(id(part), part), func(*args, **kwargs))
