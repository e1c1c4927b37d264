"""A model that code of the user's makes: `package.module:function`, which runs only because the user names it.

A run folder says which code made its model, but that is not a reason to run it: folders travel, and files must stay
harmless. So the code runs when the user names it, on the command line, in a file of settings that is named there, or in
Python; and only if its source is the one that the model was made with.
"""

import ast
import hashlib
import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

from graphcert.core.reading import problem, read_bytes
from graphcert.errors import GraphcertError, InputError, ModelError
from graphcert.voting.module_state import from_library


@dataclass(frozen=True)
class Factory:
    """A function of the user's that makes a model.

    Attributes:
        name: `package.module:function`.
        function: what it names; called as function(features, classes, **options), or without those it does not take.
        sources: for its module, and every module of the user's that this uses: the file and its sha256.
    """

    name: str
    function: Any
    sources: Mapping[str, tuple[str, str]]

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits that name all sources together, wherever they lie."""
        lines = [f"{module} {digest}\n" for module, (_, digest) in sorted(self.sources.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def build(self, features: int, classes: int, options: Mapping[str, Any]) -> Any:
        """What the function returns, `InputError` if it cannot be called so, and `ModelError` if it fails."""
        given = self._arguments({"features": features, "classes": classes}, options)
        try:
            return self.function(**given)
        except GraphcertError:
            raise
        except (Exception, SystemExit) as error:  # code that ends the program would end it without a certificate
            raise ModelError(f"{self.name} failed{_place(error)}: {type(error).__name__}: {problem(error)}") from error

    def _arguments(self, known: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        takes = inspect.signature(self.function).parameters
        named = [name for name, one in takes.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
        if not any(one.kind is one.VAR_KEYWORD for one in takes.values()):
            for key in options:
                if key not in named:
                    offer = f"it has {', '.join(named)}" if named else "it takes none"
                    raise InputError(f"{self.name} has no option {key!r}; {offer}")
        given = {**{key: value for key, value in known.items() if key in named}, **options}
        missing = [name for name in named if takes[name].default is inspect.Parameter.empty and name not in given]
        if missing:
            example = " ".join(f"--model-option {name}=…" for name in missing)
            raise InputError(
                f"{self.name} needs {', '.join(missing)}; give {example}, or let it take features and classes"
            )
        return given


def named_factory(name: str) -> Factory:
    """Import what the user named; modules of the current folder are found, as with `python -m`.

    Raises:
        InputError: if the name is no `package.module:function`, or there is no such thing.
    """
    module_name, _, attributes = name.partition(":")
    parts = [*module_name.split("."), *attributes.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise InputError(f"a model of your own is named as package.module:function, got {name!r}")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise InputError(
            f"the module {module_name} cannot be imported{_place(error)} ({type(error).__name__}: {problem(error)}); name "
            f"one that is in the current folder or installed"
        ) from error
    function: Any = module
    for part in attributes.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        raise InputError(f"{module_name} has no function {attributes}; name one that returns a model")
    return Factory(name, function, _sources(module))


def changed_sources(sources: object) -> list[str]:
    """Files that are there and are not what they were, of what a manifest says; nothing is imported."""
    if not isinstance(sources, dict):
        return []
    changed = []
    for one in sources.values():
        try:
            if hashlib.sha256(read_bytes(one["file"])).hexdigest() != one["sha256"]:
                changed.append(str(one["file"]))
        except (OSError, ValueError, KeyError, TypeError, GraphcertError):
            continue  # not there, or the manifest of another machine
    return changed


def refuse_other_sources(factory: Factory, expected: object) -> None:
    """Raise `InputError` unless the source of a factory is the one that a model was made with."""
    if factory.sha256 != expected:
        files = ", ".join(sorted(file for file, _ in factory.sources.values()))
        raise InputError(
            f"the source of {factory.name} ({files}) is not the one that this run was made with; restore it, or start a new "
            f"run with another --out"
        )


def _sources(module: ModuleType) -> dict[str, tuple[str, str]]:
    """The files of a module, of its package, and of the modules of the user's that they import."""
    if getattr(module, "__file__", None) is None:
        raise InputError(f"the module {module.__name__} has no source file; name a module that has one")
    found: dict[str, tuple[str, str]] = {}
    waiting = [module]
    while waiting:
        one = waiting.pop()
        file = getattr(one, "__file__", None)
        if one.__name__ in found or file is None or (one is not module and _is_library(one, module)):
            continue
        source = Path(file).read_bytes()
        found[one.__name__] = (os.path.abspath(file), hashlib.sha256(source).hexdigest())
        waiting += [sys.modules[name] for name in _imported(one, source) if name in sys.modules]
    return found


def _imported(module: ModuleType, source: bytes) -> Iterator[str]:
    """Names of what may be modules: the packages around a module, and what its source imports."""
    yield module.__name__.rpartition(".")[0]
    if not str(module.__file__).endswith(".py"):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            level = "." * node.level
            base = resolve_name(f"{level}{node.module or ''}", module.__package__) if level else str(node.module)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


_INSTALLED = tuple(os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))


def _is_library(one: ModuleType, module: ModuleType) -> bool:
    """Whether a module is not the user's: it is installed, and not in one package with the factory's module."""
    if from_library(one.__name__):
        return True
    file = os.path.realpath(getattr(one, "__file__", None) or "")
    together = one.__name__.partition(".")[0] == module.__name__.partition(".")[0]
    return not together and any(file.startswith(folder + os.sep) for folder in _INSTALLED)


def _place(error: BaseException) -> str:
    """Where in code outside of this package something went wrong."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    frames = [frame for frame in frames if os.path.isfile(frame.filename) and "importlib" not in frame.filename]
    return f" at {frames[-1].filename}, line {frames[-1].lineno}," if frames else ""
