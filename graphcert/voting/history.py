"""Does a model answer from what it has seen before? Then its votes say nothing about the graph that it is shown."""

import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch import nn

from graphcert.errors import ModelError
from graphcert.models.base import Floats
from graphcert.voting.copies import copied
from graphcert.voting.resets import Ask, Input, alike, placed, stale_places

Pair = tuple[Input, Input]
"""Two inputs of equal shapes that share as much as possible, and so the key of a cache, but not the right answer."""


def refuse_memory(model: nn.Module, call: Callable[[nn.Module, Input], Floats], pairs: Sequence[Pair], of: str) -> None:
    """Raise `ModelError` if what the model says of an input depends on the inputs that came before.

    A cache that was filled before voting is part of every copy, so equal copies prove nothing. Two copies are asked in
    different orders, with inputs in between that drive out what a cache of one slot holds, whatever its key is. What is
    never driven out, because the first call alone fills it, is found by emptying the places where a model can keep
    something: a model that fills one again, and then answers otherwise, has answered from an earlier input.

    Models that cannot be called with other shapes (a parameter per node) are asked with their own shape only.

    Args:
        model: in evaluation mode; it is copied and not called.
        call: calls a model with an input, whose arrays it may overwrite.
        pairs: the first pair has the shape of the true input. The last array of an input is the one that caches forget.
        of: what inputs are called, "graphs" or "images".
    """

    def ask(asked: nn.Module, memory: Input) -> Floats | None:
        try:
            return call(asked, memory)
        except Exception:  # whatever the model says about a shape that is not its own
            return None

    one, two = copied(model), copied(model)
    early = [ask(one, placed(second)) for _, second in pairs]
    late = [*_in_turn(two, ask, pairs), ask(two, placed(pairs[0][1]))]
    for k, found in enumerate(late):
        if not alike(early[k % len(pairs)], found):
            raise ModelError(_sentence(of, _culprits(model, ask, *pairs[k % len(pairs)])))
    # In a complete graph no edge can move: then only another number of edges tells.
    different = next((first for first, second in pairs if not np.array_equal(first[-1], second[-1])), pairs[0][0])
    names = stale_places(two, ask, different)
    if names:
        raise ModelError(_sentence(of, names))


def _sentence(of: str, names: list[str]) -> str:
    where = f" in {', '.join(names[:3])}" if names else " (its answer depends on earlier calls)"
    return f"the model remembers earlier {of}{where} and would ignore noise; compute in every call what it keeps"


def _culprits(model: nn.Module, ask: Ask, earlier: Input, later: Input) -> list[str]:
    """The places that make the difference, filled before or by the earlier input: emptying them changes the answer."""
    fresh, used = copied(model), copied(model)
    ask(used, placed(earlier))
    return stale_places(fresh, ask, later) or stale_places(used, ask, later)


def _in_turn(model: nn.Module, ask: Ask, pairs: Sequence[Pair]) -> Iterator[Floats | None]:
    """What the model says of the second input of each pair, right after the first, and in the same memory if that is free.

    Memory is free, as an allocator would find it, if the model holds no reference to it. Then a key made of addresses is
    met again by another input.
    """
    for first, second in pairs:
        memory = list(placed(first))
        held = [sys.getrefcount(memory[k]) for k in range(len(memory))]
        ask(model, tuple(memory))
        for k, part in enumerate(second):
            if sys.getrefcount(memory[k]) > held[k]:
                memory[k] = placed(second)[k]
            else:
                memory[k][...] = part
        yield ask(model, tuple(memory))
