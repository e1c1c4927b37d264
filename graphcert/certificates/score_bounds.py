"""Confidence bounds of scores that a certificate of the mean-score classifier stands on (theory section 10)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates.bounds import unanimous_votes
from graphcert.errors import InputError
from graphcert.scores import BINS, UNIT, Scores
from graphcert.statistics import bernstein_mean_variance, dkw_mean_variance, tail_band, tail_mean_variance
from graphcert.votes import Votes

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BOUNDS = ("band", "bernstein", "dkw")
"""What is bounded of a score: its distribution function, or mean and variance by two methods."""


def score_bounds(votes: Votes, bounds: str, level: float, targets: Mask) -> tuple[Floats | None, Floats, Floats]:
    """Bounds of the label's score under the law that is claimed.

    Args:
        votes: with scores of N nodes.
        bounds: one of `BOUNDS`.
        level: error rate of one node's claim.
        targets: (N,) the nodes about which something is said; of the others, what holds for every score.

    Returns:
        Lower bounds of the tails (N, B), or None without a band; mean (N,), rounded down; variance (N,), rounded up.

    Raises:
        InputError: if the votes have no scores.
    """
    scores = checked_scores(votes)
    tails = None
    if bounds == "band":
        tails = np.where(targets[:, None], _reduced(tail_band(scores.histogram, level), votes.total_variation), 0.0)
        mean, variance = tail_mean_variance(tails)
    else:
        mean, variance = _charged(*_sampled(scores, bounds, level), votes.total_variation)
    return tails, np.where(targets, mean, 0.0), np.where(targets, variance, 0.25)


def checked_scores(votes: Votes) -> Scores:
    """The scores of votes, or `InputError` if there are none."""
    if votes.scores is None:
        raise InputError("these votes have no scores; take them with sample_votes(…, scores=True)")
    return votes.scores


def unanimous_scores(samples: int, total_variation: float) -> Votes:
    """Made-up votes of one node whose label has the score 1 in every sample."""
    histogram = np.zeros((1, BINS), dtype=np.int64)
    histogram[0, -1] = samples
    sums = np.array([samples * UNIT])
    scores = Scores(np.array([[UNIT, 0]]), sums, sums * UNIT, histogram)
    return replace(unanimous_votes(samples, 2, total_variation), scores=scores)


def _sampled(scores: Scores, bounds: str, level: float) -> tuple[Floats, Floats]:
    """Bounds (N,) of mean and variance under the law that was sampled."""
    if bounds == "dkw":
        return dkw_mean_variance(scores.histogram, level)
    return bernstein_mean_variance(scores.sums, scores.squares, scores.samples, UNIT, level)


def _reduced(tails: Floats, distance: float) -> Floats:
    """Tails under the law that is claimed: every event's probability differs by at most the distance."""
    return tails if distance == 0 else np.maximum(np.nextafter(tails - distance, -1.0), 0.0)


def _charged(mean: Floats, variance: Floats, distance: float) -> tuple[Floats, Floats]:
    """The same bounds under the law that is claimed, at a total-variation distance from the sampled one.

    For f with values in [0, 1] the expectations of the two laws differ by at most the distance. With f = s this is the
    mean; with f = (s − μ)², μ the mean under the sampled law, var(s) ≤ E(s − μ)² ≤ sampled variance + distance.
    """
    if distance == 0:
        return mean, variance
    lower = np.maximum(np.nextafter(mean - distance, -1.0), 0.0)
    return lower, np.minimum(np.nextafter(variance + distance, 2.0), 0.25)
