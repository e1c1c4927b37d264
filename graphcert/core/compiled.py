"""Compiled kernels, the one place through which graphcert uses numba, and a clock that stands still while they compile."""

import time
from collections.abc import Callable
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numba
import numba.extending
from numba.core import event

from graphcert.core.files import private_folder

Kernel = Callable[..., Any]


def kernel(function: Kernel) -> Kernel:
    """Compile `function` to machine code that releases the interpreter lock and is cached on disk.

    Arithmetic stays as written (no `fastmath`): the same bits on every run make votes reproducible. No threads start here.
    """
    return _compiled(function)


def reducing_kernel(function: Kernel) -> Kernel:
    """Like `kernel`, but sums may be reassociated into vector lanes: fixed for one machine type, not between types."""
    return _compiled(function, fastmath={"reassoc", "contract"})


def intrinsic(function: Kernel) -> Any:
    """An operation for use inside kernels, written in the compiler's own terms."""
    return numba.extending.intrinsic(function)


def _compiled(function: Kernel, **options: Any) -> Kernel:
    """A compiled function, cached where numba wants to or, if it can write nowhere there, in a temporary folder."""
    compiler = partial(numba.njit, nogil=True, error_model="numpy", **options)
    function = _versioned(function)
    try:
        return cast(Kernel, compiler(cache=True)(function))
    except RuntimeError:  # neither the package nor the user's cache can be written
        folder = private_folder()
    if folder is None:
        return cast(Kernel, compiler(cache=False)(function))
    settings: Any = numba.config
    before, settings.CACHE_DIR = settings.CACHE_DIR, str(folder / "kernels")
    try:
        return cast(Kernel, compiler(cache=True)(function))
    finally:
        settings.CACHE_DIR = before


def _versioned(function: Kernel) -> Kernel:
    """Give the function a name that changes with the source of any kernel; its cache file is found by that name.

    numba does not notice that another file has changed whose kernels it calls, and would run the old machine code.
    """
    function.__qualname__ = f"{function.__qualname__}_{_package_digest()}"
    return function


@cache
def _package_digest() -> str:
    return kernel_digest(Path(__file__).parent.parent)


def kernel_digest(root: Path) -> str:
    """Hexadecimal digest over all Python files below `root` that hold kernels or parts of them."""
    digest = sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        if b"numba" in content or b"graphcert.core.compiled" in content:
            digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


_COMPILING = event.TimingListener()
event.register("numba:compile", _COMPILING)


def working_time() -> float:
    """Seconds of a clock that only goes forward, without the time in which machine code was made.

    Kernels are compiled when they first run, which can take longer than a whole search, and a call must not prove less only
    because it came first. While other threads compile, it runs on.
    """
    compiled = _COMPILING.duration if _COMPILING.done else 0.0
    return time.monotonic() - float(compiled)
