"""Pickles read step by step, within bounds, without ever giving them anything that could act.

A pickle is a program that calls what it names. Here only admitted names mean anything, every one of them something inert,
and what Python's own reader does without asking is refused: tables of any size, keys that are structures (whose hash takes
twice as long with every level), and structures that contain one another twice.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

Admitted = Mapping[tuple[str, str], Any]

_MOST_STEPS = 2**21
_DEEPEST = 64
_ATOMS = frozenset((
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
))  # fmt: skip
_BYTES_OF_PYTHON_2 = frozenset(("STRING", "BINSTRING", "SHORT_BINSTRING"))
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS, _GETS = frozenset(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")), frozenset(("GET", "BINGET", "LONG_BINGET"))


class Inert:
    """Keeps the arguments and the state that a pickle gives it, and does nothing with them."""

    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments


class InertDict(dict[Any, Any]):
    """A dictionary that a pickle makes by a name; state that it is given is dropped."""

    state: Any = None

    def __init__(self, *_: Any) -> None:
        super().__init__()


def read_pickle(payload: bytes, admitted: Admitted, persistent: Callable[[Any], Any] | None = None) -> Any:
    """The value of a pickle: numbers, text, bytes, lists, tuples, dictionaries, and what `admitted` makes.

    Byte strings of Python 2 stay bytes. What `admitted` has for a (module, name) may be called, so it must bound what it
    takes and act on nothing. `persistent` makes the things that a pickle only names (`persistent_id`), if there are any.

    Raises:
        Exception: of any kind, if the pickle is damaged or asks for more; see `graphcert.core.reading.damage_refused`.
    """
    machine = _Machine(admitted, persistent)
    for steps, (operation, argument, _) in enumerate(pickletools.genops(payload)):
        if steps >= _MOST_STEPS:
            raise ValueError(f"it takes more than {_MOST_STEPS:,} steps")
        machine.step(operation.name, argument)
    (value,) = machine.stack
    _refuse_deep(value)
    return value


class _Machine:
    """The stack and the memory of a pickle."""

    def __init__(self, admitted: Admitted, persistent: Callable[[Any], Any] | None) -> None:
        self.stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._admitted, self._persistent = admitted, persistent

    def step(self, name: str, argument: Any) -> None:
        """Do one operation."""
        if name in _ATOMS:
            self.stack.append(argument)
        elif name in _BYTES_OF_PYTHON_2:
            self.stack.append(argument.encode("latin-1"))
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in ("APPEND", "APPENDS"):
            self._extend(self._popped(1) if name == "APPEND" else self._marked())
        elif name in ("SETITEM", "SETITEMS"):
            self._set(self._popped(2) if name == "SETITEM" else self._marked())
        elif name in _TUPLES:
            self.stack.append(tuple(self._popped(_TUPLES[name])))
        elif name in _PUTS:
            self._memo[len(self._memo) if argument is None else argument] = self.stack[-1]
        elif name in _GETS:
            self._recall(self._memo[argument])
        elif name == "GLOBAL":
            self._name(*argument.split(" ", 1))
        elif name not in ("PROTO", "FRAME", "STOP"):
            rare = getattr(self, f"_do_{name.lower()}", None)
            if rare is None:
                raise ValueError(f"the operation {name} is not admitted")
            rare()

    def _popped(self, count: int) -> list[Any]:
        found = self.stack[len(self.stack) - count :] if count else []
        if len(found) != count:
            raise ValueError("it takes more than there is")
        del self.stack[len(self.stack) - count :]
        return found

    def _marked(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        found, self.stack = self.stack, self._outer.pop()
        return found

    def _recall(self, value: Any) -> None:
        """Put on the stack what was kept; of a short flat list a copy, so that nothing comes to contain itself."""
        if isinstance(value, (list, tuple, dict)):
            inner = list(value.values()) if isinstance(value, dict) else list(value)
            if len(inner) > _DEEPEST or any(isinstance(item, (list, tuple, dict)) for item in inner):
                raise ValueError("it contains one structure twice")
            value = dict(value) if isinstance(value, dict) else inner if isinstance(value, list) else value
        self.stack.append(value)

    def _name(self, module: str, name: str) -> None:
        if (module, name) not in self._admitted:
            raise ValueError(f"it asks for {module}.{name}, which is never unpickled"[:200])
        self.stack.append(self._admitted[module, name])

    def _do_mark(self) -> None:
        self._outer.append(self.stack)
        self.stack = []

    def _do_list(self) -> None:
        items = self._marked()  # replaces the stack, so it comes first
        self.stack.append(items)

    def _do_tuple(self) -> None:
        items = tuple(self._marked())
        self.stack.append(items)

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("it appends to what is no list")
        self.stack[-1].extend(items)

    def _do_dict(self) -> None:
        items = self._marked()
        self.stack.append({})
        self._set(items)

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise ValueError("it sets an item of what is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Large numbers of equal hash would make every look-up as slow as reading the whole dictionary.
            if not (isinstance(key, (str, bytes)) or (type(key) is int and -(2**63) <= key < 2**63)):
                raise ValueError("a key of a dictionary is neither text nor a whole number of 64 bits")
            target[key] = value

    def _do_stack_global(self) -> None:
        module, name = self._popped(2)
        self._name(str(module), str(name))

    def _do_reduce(self) -> None:
        function, arguments = self._popped(2)
        if type(arguments) is not tuple or not any(function is known for known in self._admitted.values()):
            raise ValueError("it calls what is no function")
        self.stack.append(function(*arguments))

    _do_newobj = _do_reduce

    def _do_build(self) -> None:
        (state,) = self._popped(1)
        if not isinstance(self.stack[-1], (Inert, InertDict)):
            raise ValueError("it gives state to what has none")
        self.stack[-1].state = state

    def _do_binpersid(self) -> None:
        if self._persistent is None:
            raise ValueError("it names things outside itself")
        (name,) = self._popped(1)
        self.stack.append(self._persistent(name))


def _refuse_deep(value: Any) -> None:
    """Raise `ValueError` if lists, tuples and dictionaries are nested too deeply for whoever goes through them."""
    level = [value]
    for _ in range(_DEEPEST):
        outer = [value for value in level if isinstance(value, (list, tuple, dict))]
        level = [inner for value in outer for inner in (value.values() if isinstance(value, dict) else value)]
        if not level:
            return
    raise ValueError(f"it is nested more than {_DEEPEST} deep")
