"""The same model under isotropic noise, as strong as leaves it as accurate: what localized noise is compared with."""

from collections.abc import Callable

from graphcert.errors import InputError
from graphcert.noise import CHANNELS, BernoulliFlip, Smoothing
from graphcert.noise.scheme import changed

STEPS = 6
"""Bisections of the way from the near to the far strength: noise is matched to 1/64 of it."""


def strongest_noise(near: float, far: float, least: float, accuracy: Callable[[float], float]) -> float:
    """The largest strength from `near` to `far` that is at least as accurate as `least`; `near` if none is.

    `accuracy` is that under isotropic noise of a strength; it is taken to fall as the noise rises.
    """
    if accuracy(far) >= least:
        return far
    low, high = near, far
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if accuracy(middle) >= least else (low, middle)
    return low


def matched_isotropic(smoothing: Smoothing, least: float, accuracy: Callable[[Smoothing], float]) -> Smoothing:
    """The strongest isotropic noise between the nearest and the farthest level that is at least as accurate, by bisection.

    The nearest level if even that is less accurate than `least`, the accuracy of the localized scheme.

    Raises:
        InputError: if the scheme is isotropic.
    """
    if not smoothing.localized:
        raise InputError("only localized noise is compared with isotropic noise; set --clusters")
    return between(smoothing, strongest_noise(0.0, 1.0, least, lambda share: accuracy(between(smoothing, share))))


def between(smoothing: Smoothing, share: float) -> Smoothing:
    """Isotropic noise at so large a share of the way from the first level to the last."""
    laws: dict[str, BernoulliFlip] = {}
    for channel in CHANNELS:
        if smoothing.perturbs(channel):
            near, far = smoothing.levels(channel)[0], smoothing.levels(channel)[-1]
            rates = [(1 - share) * a + share * b for a, b in ((near.add, far.add), (near.delete, far.delete))]
            laws[channel] = BernoulliFlip(*rates)
    return changed(smoothing, features=laws.get("features"), edges=laws.get("edges"), partition=None)
