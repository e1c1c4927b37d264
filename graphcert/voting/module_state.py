"""Where a model can keep something between two calls: attributes, buffers, objects, closures, globals and classes."""

import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

ABSENT = object()
"""What stands in a place that does not exist."""

_LIBRARIES = sys.stdlib_module_names | {
    "_pytest", "cvxpy", "graphcert", "llvmlite", "networkx", "numba", "numpy", "pandas", "pytest", "scipy", "sklearn",
    "torch", "torch_cluster", "torch_geometric", "torch_scatter", "torch_sparse", "torchvision",
}  # fmt: skip
_CONTAINERS = (list, tuple, set, frozenset, deque, Mapping)
PLAIN = (bool, int, float, complex, str, bytes, torch.dtype, torch.device, type(None))
_MANY = 16
"""So many numbers in lists or dictionaries may be a graph; fewer are settings."""


class Place:
    """One attribute, variable or entry that can be read, written and removed.

    Attributes:
        name: what a person calls it, such as `model.conv1.k`.
        space: the dictionary or the object in which it stands …
        key: … under this name.
        keeps: whether it holds arrays or many numbers; a plain value otherwise.
        shared: whether copies of the model share it, as they do class attributes, globals and closures.
    """

    def __init__(self, name: str, space: Any, key: str, keeps: bool, shared: bool) -> None:
        self.name, self.space, self.key, self.keeps, self.shared = name, space, key, keeps, shared

    def read(self) -> Any:
        """Its value, or `ABSENT`."""
        if isinstance(self.space, dict):
            return self.space.get(self.key, ABSENT)
        try:
            return getattr(self.space, self.key)
        except (AttributeError, ValueError):  # an empty cell of a closure is a ValueError
            return ABSENT

    def write(self, value: Any) -> None:
        """Put a value there; `ABSENT` removes what is there."""
        if self.read() is ABSENT and value is ABSENT:
            return
        if isinstance(self.space, dict):
            if value is ABSENT:
                del self.space[self.key]
            else:
                self.space[self.key] = value
        elif value is ABSENT:
            delattr(self.space, self.key)
        else:
            setattr(self.space, self.key, value)


class Memo(Place):
    """The results that `functools.lru_cache` keeps of a function."""

    def read(self) -> Any:
        """The function, or `ABSENT` if it keeps no result."""
        return self.key if self.space.cache_info().currsize else ABSENT

    def write(self, value: Any) -> None:
        """Forget all results; they cannot be put back, and need not be."""
        if value is not self.key:
            self.space.cache_clear()


def places_of(model: nn.Module) -> list[Place]:
    """Everything that the model may keep outside of its parameters, and the plain values beside it."""
    walk = _Walk()
    walk.visit("model", model, shared=False)
    return walk.places


def is_array(value: object) -> bool:
    """Whether a value holds numbers as one block, dense or sparse."""
    if isinstance(value, (torch.Tensor, PackedSequence)):
        return not isinstance(value, nn.Parameter)
    return isinstance(value, np.ndarray) or type(value).__module__.startswith("scipy.sparse")


def keeps_numbers(value: object) -> bool:
    """Whether arrays, or many numbers, are reachable from a value without passing through a module or a function."""
    count = 0
    for part in _parts(value, set()):
        count += _MANY if is_array(part) else isinstance(part, (int, float)) and not isinstance(part, bool)
        if count >= _MANY:
            return True
    return False


def _parts(value: object, seen: set[int]) -> Iterator[object]:
    if id(value) in seen or isinstance(value, (nn.Module, FunctionType, MethodType, ModuleType, type)):
        return
    if is_array(value) or isinstance(value, PLAIN):
        yield value
        return
    seen.add(id(value))
    for _, part in _inside(value):
        yield from _parts(part, seen)


def _inside(value: object) -> list[tuple[str, object]]:
    """What a container or an object consists of, named as a person would write it."""
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", part) for key, part in list(value.items())]
    if isinstance(value, _CONTAINERS):
        return [(f"[{k}]", part) for k, part in enumerate(value)]
    return [(f".{key}", part) for key, part in attributes(value).items()]


def attributes(value: object) -> dict[str, Any]:
    """The instance attributes of an object, slots included."""
    found = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if not name.startswith("__") and hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def everything_in(name: str, value: object, seen: set[int] | None = None) -> Iterator[tuple[str, object]]:
    """(name, part) for all that a copy of a value copies, outer parts first."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, (FunctionType, ModuleType, type, *PLAIN)):
        return
    seen.add(id(value))
    yield name, value
    inner: Sequence[tuple[str, object]] = _inside(value)
    if isinstance(value, nn.Module):
        own = {key: part for key, part in vars(value).items() if key not in ("_parameters", "_buffers", "_modules")}
        inner = [(f".{key}", part) for key, part in (own | value._buffers | value._modules).items()]
    elif isinstance(value, MethodType):
        inner = [("", value.__self__)]
    elif isinstance(value, partial):
        inner = [("", value.func), ("", value.args), ("", value.keywords)]
    elif is_array(value) or isinstance(value, nn.Parameter):
        inner = []
    for key, part in inner:
        yield from everything_in(name + key, part, seen)


def from_library(module: str | None) -> bool:
    """Whether code of this module is a library's, whose classes and functions keep nothing of a graph."""
    return (module or "builtins").partition(".")[0] in _LIBRARIES


class _Walk:
    """Collects places by walking through modules, objects, containers, classes and functions."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._seen: set[int] = set()

    def visit(self, name: str, value: Any, shared: bool) -> None:
        """Add the places inside of a value."""
        if id(value) in self._seen or is_array(value) or isinstance(value, (nn.Parameter, *PLAIN)):
            return
        self._seen.add(id(value))
        if isinstance(value, nn.Module):
            self._module(name, value, shared)
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, MethodType):
            self.visit(name, value.__self__, shared)
            self.visit(name, value.__func__, True)
        elif isinstance(value, partial):
            for bound in (value.func, value.args, value.keywords):
                self.visit(name, bound, shared)
        elif callable(getattr(value, "cache_clear", None)) and callable(getattr(value, "cache_info", None)):
            self.places.append(Memo(f"{value.__qualname__} (functools cache)", value, value.__qualname__, True, True))
            self.visit(name, value.__wrapped__, True)
        elif isinstance(value, _CONTAINERS):
            for key, part in _inside(value):
                self.visit(name + key, part, shared)
        elif isinstance(value, type):
            self._class(value)
        elif not isinstance(value, ModuleType):
            self._space(name, value, attributes(value), shared)
            self._class(type(value))

    def _space(self, name: str, space: Any, entries: Mapping[str, Any], shared: bool) -> None:
        """Add the entries of a dictionary of variables, or of an object's attributes."""
        own = getattr(space, "__dict__", {})
        for key, value in list(entries.items()):
            keeps = keeps_numbers(value)
            if keeps or isinstance(value, (*PLAIN, torch.Size)):
                self.places.append(Place(f"{name}.{key}", own if key in own else space, key, keeps, shared))
            self.visit(f"{name}.{key}", value, shared)

    def _module(self, name: str, module: nn.Module, shared: bool) -> None:
        own = {key: value for key, value in vars(module).items() if key not in MODULE_OWN}
        self._space(name, module, own, shared)
        if not from_library(type(module).__module__):  # batch statistics and the like are a library's
            self._space(name, module._buffers, module._buffers, shared)
        for key, value in vars(module).items():
            if "hooks" in key:
                self.visit(name, value, shared)
        for key, child in module._modules.items():
            self.visit(f"{name}.{key}", child, shared)
        self._class(type(module))

    def _class(self, kind: type) -> None:
        for base in kind.__mro__:
            if id(base) in self._seen or from_library(base.__module__):
                continue
            self._seen.add(id(base))
            own = {key: value for key, value in vars(base).items() if not key.startswith("__")}
            for key, value in own.items():
                if keeps_numbers(value) or isinstance(value, PLAIN):
                    self.places.append(Place(f"{base.__qualname__}.{key}", base, key, keeps_numbers(value), True))
            for value in vars(base).values():
                inner = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
                inner = inner.fget if isinstance(inner, property) else getattr(inner, "func", inner)
                self.visit(base.__qualname__, inner, True)

    def _function(self, function: FunctionType) -> None:
        """Closure, defaults, attributes, and the globals that the code names."""
        if from_library(function.__module__):
            return
        name = function.__qualname__
        for key, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._entry(f"{name}.{key}", cell, "cell_contents")
        self._entry(f"{name} (default values)", function, "__defaults__")
        self._entry(f"{name} (default values)", function, "__kwdefaults__")
        self._space(name, function, vars(function), shared=True)
        for key in names_in(function.__code__):
            if key in function.__globals__:
                self._global(function.__module__, function.__globals__, key, function.__code__)

    def _global(self, module: str, variables: dict[str, Any], key: str, code: CodeType) -> None:
        value = variables[key]
        if isinstance(value, ModuleType):  # a module of the user's as a place to keep things
            if not from_library(value.__name__):
                self._space(
                    value.__name__, value, {k: vars(value)[k] for k in names_in(code) if k in vars(value)}, True
                )
        else:
            self._space(module, variables, {key: value}, shared=True)

    def _entry(self, name: str, space: Any, key: str) -> None:
        """Add one attribute of a function or a cell."""
        place = Place(name, space, key, True, True)
        value = place.read()
        if value is ABSENT or value is None:
            return
        place.keeps = keeps_numbers(value)
        if place.keeps or isinstance(value, PLAIN):
            self.places.append(place)
        self.visit(name, value, True)


MODULE_OWN = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training"} | {
    key for key in vars(nn.Module()) if "hooks" in key
}
"""What every module has, walked by other means or none."""


def names_in(code: CodeType) -> set[str]:
    """The names that code, and the functions in it, look up."""
    inner = (names_in(part) for part in code.co_consts if isinstance(part, CodeType))
    return set(code.co_names).union(*inner)
