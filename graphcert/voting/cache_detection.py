"""Whether a model answers from what it has seen before: then its votes say nothing about the graph that it is shown."""

import copy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from graphcert.errors import ModelError
from graphcert.models.base import Floats
from graphcert.voting.module_state import ABSENT, Place, everything_in, keeps_numbers, places_of

Input = tuple[NDArray[Any], ...]
Ask = Callable[[nn.Module, Input], Floats | None]
"""(model, arrays that it may overwrite) → logits, or None if it cannot be called with them."""

_CLOSE = 1e-5
"""Relative to the largest logit, answers may differ by so much: a compiled model may round otherwise in other shapes."""

_LINE = 64

Model = TypeVar("Model", bound=nn.Module)


def copied(model: Model) -> Model:
    """A copy that shares no parameter, buffer or attribute with the model, or `ModelError` naming what cannot be copied.

    Tensors that a call has left on it with their gradient history, such as attention weights, are copied without it; sparse
    rows, which deepcopy does not know, by themselves.
    """
    tensors = (part for _, part in everything_in("model", model) if isinstance(part, torch.Tensor))
    known = torch.strided, torch.sparse_coo
    computed = {id(part): part.detach().clone() for part in tensors if not part.is_leaf or part.layout not in known}
    try:
        return copy.deepcopy(model, computed)
    except Exception as error:
        name, reason = _obstacle(model, computed) or ("a part of it", error)
        raise ModelError(
            f"the model cannot be copied, as voting in threads needs: {name} is in the way "
            f"({type(reason).__name__}: {str(reason).splitlines()[0] if str(reason) else ''}); take it out of the model"
        ) from error


def _obstacle(model: nn.Module, computed: dict[int, torch.Tensor]) -> tuple[str, Exception] | None:
    """The innermost part that cannot be copied by itself, and why."""
    found = None
    for name, part in everything_in("model", model):
        try:
            copy.deepcopy(part, dict(computed))
        except Exception as error:
            found = name, error
    return found


def placed(given: Input) -> Input:
    """Private copies that begin at a cache line, since sums may round differently elsewhere."""
    copies = []
    for values in given:
        memory = np.empty(values.nbytes + _LINE, np.uint8)
        start = -memory.ctypes.data % _LINE
        copies.append(memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape))
        copies[-1][...] = values
    return tuple(copies)


def alike(one: Floats | None, two: Floats | None) -> bool:
    """Whether two answers agree up to rounding; where there is none, nothing disagrees."""
    if one is None or two is None or np.array_equal(one, two, equal_nan=True):
        return True
    scale = np.abs(two[np.isfinite(two)]).max(initial=0)
    return bool(one.shape == two.shape and np.allclose(one, two, rtol=0, atol=_CLOSE * scale, equal_nan=True))


def stale_places(model: nn.Module, ask: Ask, given: Input) -> list[str]:
    """The places from which the model answers although it would fill them anew if they were empty.

    A place that is not filled again holds a constant, such as class weights or a positional encoding that somebody chose:
    it belongs to the classifier. A place that is filled again with the same answer is recomputed in every call, or depends
    on nothing that changes. Plain values beside it, such as a flag "ready" or the number of nodes, count as part of the
    cache if a call writes them. What the model keeps was filled by other inputs than `given`; it is copied and not called.
    """
    kept = [place for place in places_of(model) if place.keeps]
    if not kept:
        return []
    trial = _Trial(model, ask, given)
    for empty in (ABSENT, None):
        again = trial.after({place.name: empty for place in kept})
        if again.refilled and again.same:
            return []
        if again.refilled:
            break
    stale, unsettled = [], []
    for place in kept:
        verdicts = (trial.after({place.name: empty}) for empty in _emptied(place.read()))
        verdict = next((verdict for verdict in verdicts if verdict.refilled), None)
        if verdict is None:
            unsettled.append(place)
        elif not verdict.same:
            stale.append(place.name)
    return stale or [name for names in _behind_flags(model, trial, unsettled) for name in names]


def _behind_flags(model: nn.Module, trial: "_Trial", unsettled: list[Place]) -> Iterator[list[str]]:
    """Places whose filling is guarded by a plain value beside or above them, which a call writes."""
    for flag in places_of(model):
        behind = [place.name for place in unsettled if place.name.startswith(flag.name.rpartition(".")[0] + ".")]
        if flag.keeps or not behind:
            continue
        verdicts = (trial.after({flag.name: other}) for other in _other(flag.read()))
        if any(verdict.refilled and not verdict.same for verdict in verdicts):
            yield behind


@dataclass(frozen=True)
class _Verdict:
    """Whether the model has written all the places again, and whether it answered as before."""

    refilled: bool
    same: bool


class _Trial:
    """Asks copies of a model about one input, with changes beforehand."""

    def __init__(self, model: nn.Module, ask: Ask, given: Input) -> None:
        self._model, self._ask, self._given = model, ask, given
        self._before = ask(copied(model), placed(given))

    def after(self, changes: Mapping[str, Any]) -> _Verdict:
        """Write these values to the named places of a copy and ask it; shared places get their own values back."""
        twin = copied(self._model)
        places = [place for place in places_of(twin) if place.name in changes]
        kept = [(place, place.read()) for place in places if place.shared]
        try:
            for place in places:
                place.write(changes[place.name])
            found = self._ask(twin, placed(self._given))
            refilled = found is not None and all(_written(place, changes[place.name]) for place in places)
        finally:
            for place, value in kept:
                place.write(value)
        return _Verdict(refilled, alike(self._before, found))


def _written(place: Place, empty: Any) -> bool:
    """Whether a call has put something else there."""
    value = place.read()
    if place.keeps:
        return value is not ABSENT and keeps_numbers(value)
    return value is not ABSENT and (type(value), value) != (type(empty), empty)


def _emptied(value: Any) -> Iterator[Any]:
    """What may have stood in a place before anything was kept in it."""
    yield ABSENT
    yield None
    if isinstance(value, torch.Tensor):
        yield torch.empty(0, dtype=value.dtype, device=value.device)
    elif isinstance(value, np.ndarray):
        yield np.empty(0, value.dtype)
    elif callable(getattr(value, "clear", None)):
        yield _cleared(value)
    if isinstance(value, (list, tuple, dict)):
        yield _hollow(value)


def _cleared(value: Any) -> Any:
    empty = copy.copy(value)
    empty.clear()
    return empty


def _hollow(value: Any) -> Any:
    """A list, tuple or dictionary with nothing in place of its arrays, and with empty containers in place of full ones."""
    if isinstance(value, dict):
        hollow = copy.copy(value)
        hollow.update({key: _nothing(part) for key, part in value.items()})
        return hollow
    parts = [_nothing(part) for part in value]
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def _nothing(value: Any) -> Any:
    if not keeps_numbers(value):
        return value
    return _cleared(value) if callable(getattr(value, "clear", None)) else None


def _other(value: Any) -> Iterator[Any]:
    """Other values that a flag or a key may have had in the beginning."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield 0 if value else -1
    if value is not None:
        yield None


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
        pairs: the first pair has the shape of the true input. The second array of an input, or its only one, is the one that
            caches forget.
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
    at = min(1, len(pairs[0][0]) - 1)
    different = next((first for first, second in pairs if not np.array_equal(first[at], second[at])), pairs[0][0])
    names = stale_places(two, ask, different)
    if names:
        raise ModelError(_sentence(of, names))


def _sentence(of: str, names: list[str]) -> str:
    where = f" in {', '.join(names[:3])}" if names else " (its answer depends on earlier calls)"
    return f"the model remembers earlier {of}{where} and would ignore noise; compute in every call what it keeps"


def _culprits(model: nn.Module, ask: Ask, earlier: Input, later: Input) -> list[str]:
    """The places that make the difference, filled before or by the earlier input: emptying them changes the answer."""
    used = copied(model)
    ask(used, placed(earlier))
    return stale_places(model, ask, later) or stale_places(used, ask, later)


def _in_turn(model: nn.Module, ask: Ask, pairs: Sequence[Pair]) -> Iterator[Floats | None]:
    """What the model says of the second input of each pair, right after the first, and in the same memory if that is free.

    Memory is free if the model holds no reference to it. Then a key made of addresses is met again by another input.
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
