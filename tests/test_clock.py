"""The clock of time limits: it runs with the day's, except while kernels are compiled."""

import time

import numba
import numpy as np

from graphcert.clock import working_time


def test_the_clock_runs():
    began, wall = working_time(), time.monotonic()
    time.sleep(0.02)
    assert 0.02 <= working_time() - began <= time.monotonic() - wall + 1e-6


def test_the_clock_stands_still_while_a_kernel_is_compiled():
    @numba.njit
    def inner(values):
        return values.sum()

    @numba.njit
    def fresh(values):
        return inner(values) + 1

    began, wall = working_time(), time.monotonic()
    assert fresh(np.ones(3)) == 4
    worked, took = working_time() - began, time.monotonic() - wall
    assert worked < took / 2  # compiling is nearly all of it, and is counted once for the two functions
    assert worked >= 0
