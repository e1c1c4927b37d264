"""Confidence bounds of the class probabilities that a certificate stands on (theory section 10)."""

import numpy as np
from numpy.typing import NDArray

from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.statistics import clopper_pearson_lower, clopper_pearson_upper
from graphcert.votes import Votes

Floats = NDArray[np.float64]


def binary_bounds(votes: Votes, level: float) -> tuple[Floats, Floats]:
    """The pilot label against everything else.

    Args:
        votes: votes of N nodes.
        level: error rate of one node's claim.

    Returns:
        p_lower (N,), a lower bound of the label's probability at `level`, and 1 − p_lower rounded up.
    """
    p_lower = _reduced(clopper_pearson_lower(votes.successes, votes.samples, level), votes.total_variation)
    return p_lower, _complement_up(p_lower)


def multiclass_bounds(votes: Votes, level: float) -> tuple[Floats, Floats]:
    """The pilot label against its strongest competitor, bounding every other class and not only a runner-up.

    Half of `level` goes to the label, the rest in equal shares to the K − 1 others; then all bounds of a node hold
    together. The upper bound grows with the count, so the largest count gives the largest bound.

    Returns:
        pA_lower (N,) and pB_upper (N,), the latter at most 1 − pA_lower.
    """
    p_lower = _reduced(clopper_pearson_lower(votes.successes, votes.samples, level / 2), votes.total_variation)
    others = votes.counts.copy()
    np.put_along_axis(others, votes.labels[:, None], 0, axis=1)
    share = level / (2 * (votes.classes - 1))
    p_other = _raised(clopper_pearson_upper(others.max(axis=1), votes.samples, share), votes.total_variation)
    return p_lower, np.minimum(p_other, _complement_up(p_lower))


RULES = {"binary": binary_bounds, "multiclass": multiclass_bounds}
"""What each rule needs to know of a node."""


def unanimous_votes(samples: int, classes: int, total_variation: float) -> Votes:
    """Made-up votes of one node that is always given the same class; their bounds do not depend on the noise."""
    pilot = np.eye(1, classes, dtype=np.int64)
    noise = Smoothing(features=BernoulliFlip(0.5, 0.5))
    return Votes(pilot, pilot * samples, noise, total_variation=total_variation, independent=True)


def _reduced(p: Floats, distance: float) -> Floats:
    """p − distance, rounded down; a vote counted under a law at this distance proves no more."""
    return p if distance == 0 else np.maximum(np.nextafter(p - distance, -1.0), 0.0)


def _raised(p: Floats, distance: float) -> Floats:
    return p if distance == 0 else np.minimum(np.nextafter(p + distance, 2.0), 1.0)


def _complement_up(p: Floats) -> Floats:
    return np.minimum(np.nextafter(1.0 - p, 2.0), 1.0)
