"""A clock for time limits that stands still while kernels are compiled."""

import time

from numba.core import event

_COMPILING = event.TimingListener()
event.register("numba:compile", _COMPILING)


def working_time() -> float:
    """Seconds of a clock that only goes forward, without the time in which machine code was made.

    Kernels are compiled the first time they run on a machine, which can take longer than a whole search. A time limit is
    about the search: the same call must not prove less only because it came first. While other threads compile, it runs
    on.
    """
    compiled = _COMPILING.duration if _COMPILING.done else 0.0
    return time.monotonic() - float(compiled)
