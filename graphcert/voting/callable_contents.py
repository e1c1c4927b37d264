"""What a callable uses: the modules that it can call, and its code with all values that decide what it does."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from types import CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from graphcert.voting.module_state import MODULE_OWN, PLAIN, attributes, from_library, names_in


def _reached(value: object) -> Iterator[object]:
    """What a callable holds directly: closure, default values, bound arguments, attributes, and what its code names."""
    if isinstance(value, MethodType):
        yield from (value.__self__, value.__func__)
        if isinstance(value.__func__, FunctionType):
            yield from _named(value.__self__, names_in(value.__func__.__code__))
    elif isinstance(value, partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, FunctionType) and not from_library(value.__module__):
        names = names_in(value.__code__)
        held = [*_contents(value), *(value.__globals__[name] for name in sorted(names) if name in value.__globals__)]
        yield from held
        for part in held:
            yield from _named(part, names)
    elif isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, (list, tuple)):
        yield from value
    elif hasattr(value, "__wrapped__") and not isinstance(
        value, (ModuleType, type)
    ):  # what functools made of a function
        yield value.__wrapped__
    elif _is_own_object(value):
        yield from ((type(value).__call__,) if callable(value) else ())
        yield from attributes(value).values()


def _contents(function: FunctionType) -> Iterator[object]:
    """The variables in the closure of a function, and the default values of its arguments."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue
    yield from (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())


def _named(value: object, names: set[str]) -> Iterator[object]:
    """What code with these names may look up in a module of Python, in a class or in the class of an object."""
    if isinstance(value, ModuleType):
        spaces: list[Mapping[str, object]] = [] if from_library(value.__name__) else [vars(value)]
    else:
        kind = value if isinstance(value, type) else type(value)
        spaces = [vars(base) for base in kind.__mro__ if not from_library(base.__module__)]
    return (space[name] for space in spaces for name in sorted(names) if name in space)


def _is_own_object(value: object) -> bool:
    """Whether this is an object of a class of the user's, or a plain one that only holds attributes."""
    known = isinstance(value, (type, nn.Module, Tensor, ModuleType, FunctionType))
    return not known and (isinstance(value, SimpleNamespace) or not from_library(type(value).__module__))


def modules_in(value: object, seen: set[int] | None = None) -> Iterator[nn.Module]:
    """The modules that a callable can call."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, nn.Module):
        yield value
        return
    for part in _reached(value):
        yield from modules_in(part, seen)


def is_shared(model: object) -> bool:
    """Whether copies of a callable use the same modules, which a function or a class has by name."""
    holder = model
    while isinstance(holder, partial):
        holder = holder.func
    if isinstance(holder, MethodType):
        holder = holder.__self__
    by_name = isinstance(holder, (FunctionType, type)) or hasattr(holder, "__wrapped__")
    return by_name and any(True for _ in modules_in(model))


def code_of(value: object) -> str:
    """sha256 of the code of a callable and of all values that it uses, modules aside."""
    digest = sha256()
    _digest(value, digest.update, set())
    return digest.hexdigest()


def held_by(module: nn.Module) -> str:
    """sha256 of what decides what a module says beside its state and its plain settings; empty if there is nothing.

    These are buffers that are not saved, and tensors, functions and containers among the attributes of the user's own
    modules. As for settings, what starts with an underscore is not part of it.
    """
    digest, found = sha256(), False
    for name, part in module.named_modules():
        unsaved = {key: part._buffers[key] for key in part._non_persistent_buffers_set}
        own = {} if from_library(type(part).__module__) else vars(part)
        held = unsaved | {key: value for key, value in own.items() if not _is_known(key, value)}
        if held:
            found = True
            _digest({name: held}, digest.update, set())
    return digest.hexdigest() if found else ""


def _is_known(key: str, value: object) -> bool:
    """Whether an attribute of a module is part of its state or a plain setting, or not to be part of anything."""
    return key in MODULE_OWN or key.startswith("_") or isinstance(value, (nn.Module, *PLAIN))


def _digest(value: object, update: Callable[[bytes], None], seen: set[int]) -> None:
    if isinstance(value, PLAIN):
        update(f"{value!r};".encode())
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    update(f"{type(value).__qualname__}(".encode())
    if isinstance(value, Tensor):
        _digest_tensor(value.detach(), update)
    elif isinstance(value, np.ndarray):
        update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif isinstance(value, CodeType):
        update(value.co_code + repr(value.co_names).encode())
        for part in value.co_consts:
            _digest(part, update, seen)
    elif not isinstance(value, nn.Module):
        update(_written(value).encode())
        if not isinstance(value, (ModuleType, type)) and not _is_library_function(value):
            code = [value.__code__] if isinstance(value, FunctionType) else []
            keys = list(value) if isinstance(value, Mapping) else []
            for part in (*code, *keys, *_reached(value), getattr(value, "__dict__", None)):
                _digest(part, update, seen)
    update(b")")


def _digest_tensor(value: Tensor, update: Callable[[bytes], None]) -> None:
    """Type, shape and numbers, for every layout and type."""
    update(f"{value.dtype}{tuple(value.shape)}{value.layout}".encode())
    if value.layout == torch.sparse_coo:
        parts = [value._indices(), value._values()]
    elif value.layout != torch.strided:
        coordinates: Tensor = value.to_sparse(layout=torch.sparse_coo)
        parts = [coordinates._indices(), coordinates._values()]
    else:
        parts = [] if value.is_meta else [value]
    for part in parts:
        update(part.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def _written(value: object) -> str:
    """The name of a function, a class or a module of Python, or how a small object is written, without addresses."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if isinstance(name, str):
        return f"{getattr(value, '__module__', '')}.{name}"
    if isinstance(value, (set, frozenset)):
        return repr(sorted(map(_written, value)))
    small = not hasattr(value, "__dict__") and not isinstance(value, (Mapping, list, tuple))
    return repr(value) if small and " at 0x" not in repr(value) else ""


def _is_library_function(value: object) -> bool:
    return isinstance(value, FunctionType) and from_library(value.__module__)
