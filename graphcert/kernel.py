"""Compiled kernels: the one place through which graphcert uses numba."""

from collections.abc import Callable
from typing import Any, cast

import numba

Kernel = Callable[..., Any]


def kernel(function: Kernel) -> Kernel:
    """Compile `function` to machine code that releases the interpreter lock and is cached on disk.

    Arithmetic stays as written (no `fastmath`): a kernel returns the same bits on every run, which is what makes votes
    reproducible. Kernels never start threads of their own; parallelism lives in `voting`.
    """
    return cast(Kernel, numba.njit(nogil=True, cache=True, error_model="numpy")(function))


def reducing_kernel(function: Kernel) -> Kernel:
    """Like `kernel`, but sums may be reassociated into vector lanes: fixed for one machine type, not between types."""
    compiled = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
    return cast(Kernel, compiled(function))
