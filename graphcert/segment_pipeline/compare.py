"""The same network under isotropic noise, as strong as leaves it as accurate on the same images."""

from collections.abc import Callable

STEPS = 6
"""Bisections of the way from the near to the far deviation: noise is matched to 1/64 of it."""


def matched_sigma(near: float, far: float, least: float, accuracy: Callable[[float], float]) -> float:
    """The largest deviation from `near` to `far` that is at least as accurate as `least`; `near` if none is.

    Args:
        accuracy: pixel accuracy under isotropic noise of a deviation; taken to fall as it rises.
    """
    if accuracy(far) >= least:
        return far
    low, high = near, far
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if accuracy(middle) >= least else (low, middle)
    return low
