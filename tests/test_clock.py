"""The clock of time limits: it runs with the day's, except while kernels are compiled."""

import time

import numba
import numpy as np
from numba.core import event

from graphcert.core.compiled import working_time


def test_the_clock_runs():
    wall, began = time.monotonic(), working_time()
    time.sleep(0.02)
    assert 0.02 <= working_time() - began <= time.monotonic() - wall


def test_the_clock_stands_still_while_a_kernel_is_compiled():
    @numba.njit
    def inner(values):
        return values.sum()

    @numba.njit
    def fresh(values):
        return inner(values) + 1

    with event.install_listener("numba:compile", event.TimingListener()) as compiling:
        wall, began = time.monotonic(), working_time()
        assert fresh(np.ones(3)) == 4
        worked, took = working_time() - began, time.monotonic() - wall
    assert compiling.duration > 0
    assert 0 <= worked <= took - compiling.duration / 2  # not below 0: what is nested is counted once
