"""Random numbers of tests: drawn from one base seed and the name of the test, so that every run can be repeated.

The base seed is 0, or the number in the environment variable GRAPHCERT_TEST_SEED; a failure prints it. Names count, not
the order in which tests run or the process that runs them.
"""

import os
import random
import zlib

import numpy as np
import torch

BASE = int(os.environ.get("GRAPHCERT_TEST_SEED", "0"))

_sequence = np.random.SeedSequence(BASE)


def begin(name: str) -> None:
    """Start the numbers of one test, those of the global generators of Python, NumPy and torch too."""
    global _sequence
    _sequence = np.random.SeedSequence([BASE, zlib.crc32(name.encode())])
    of_python, of_numpy, of_torch = (int(word) for word in _sequence.generate_state(3))
    random.seed(of_python)
    np.random.seed(of_numpy)  # noqa: NPY002 - libraries may use the global state
    torch.manual_seed(of_torch)


def fresh_rng() -> np.random.Generator:
    """A generator of its own on every call, the same ones in every run with the same base seed."""
    return np.random.default_rng(_sequence.spawn(1)[0])


def fresh_seed() -> int:
    """A seed of 64 bits for code that takes one."""
    return int(fresh_rng().integers(2**64, dtype=np.uint64))
