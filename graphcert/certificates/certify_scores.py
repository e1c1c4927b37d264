"""`certify_scores`: from the scores that votes carry to a certificate of the mean-score classifier."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates.certify import target_mask
from graphcert.certificates.score_certificate import ScoreCertificate
from graphcert.errors import InputError
from graphcert.scores import UNIT, Scores
from graphcert.statistics import (
    bernstein_mean_variance,
    check_level,
    dkw_mean_variance,
    tail_band,
    tail_mean_variance,
)
from graphcert.votes import Votes

Floats = NDArray[np.float64]

BOUNDS = ("band", "bernstein", "dkw")
"""What is bounded of a score: its distribution function, or mean and variance by two methods."""


def certify_scores(
    votes: Votes,
    alpha: float = 0.01,
    simultaneous: bool = True,
    *,
    bounds: str = "band",
    targets: ArrayLike | None = None,
) -> ScoreCertificate:
    """Bound the distribution of the target nodes' scores; the result answers for any budget.

    It speaks about the mean-score classifier, whose labels the pilot scores chose, not about the majority vote of
    `certify`. From a band around the distribution function the exact trade-off proves what can be proved; from mean and
    variance alone it is the certificate of localized smoothing as published (Schuchardt et al. 2023).

    Args:
        votes: votes of N nodes with scores, as `sample_votes(…, scores=True)` takes them.
        alpha: error rate in (0, 1) of all claims together (or of each one, see `simultaneous`).
        simultaneous: True makes all claims hold at once with probability ≥ 1 − alpha, by spending alpha/M on each of
            the M targets. False spends alpha on each node and makes claims about single nodes only.
        bounds: "band", a band around the distribution function and the exact trade-off. Or mean and variance only, for
            comparison: "bernstein" (Maurer & Pontil 2009), for scores of small variance, or "dkw" (from one uniform
            band), for the others; "band" certifies whatever "dkw" does. Choose without looking at the final scores.
        targets: the nodes about which claims are made, as a mask (N,) or as indices; all by default. Choose them
            without looking at the final samples: by a data split or by the pilot.

    Raises:
        InputError: if the votes have no scores, or an argument is outside its domain.
    """
    level = check_level(alpha)
    if votes.scores is None:
        raise InputError("these votes have no scores; take them with sample_votes(…, scores=True)")
    if bounds not in BOUNDS:
        raise InputError(f"the bounds must be one of {', '.join(BOUNDS)}; got {bounds!r}")
    mask = target_mask(targets, votes.nodes)
    share = level / (int(mask.sum()) if simultaneous else 1)
    tails = None
    if bounds == "band":
        tails = np.where(mask[:, None], _reduced(tail_band(votes.scores.histogram, share), votes.total_variation), 0.0)
        mean, variance = tail_mean_variance(tails)
    else:
        mean, variance = _charged(*_sampled(votes.scores, bounds, share), votes.total_variation)
    return ScoreCertificate(
        labels=votes.scores.labels,
        # The level covers the targets only, so nothing at all is said about the others.
        mean_lower=np.where(mask, mean, 0.0),
        variance_upper=np.where(mask, variance, 0.25),
        targets=mask,
        alpha=level,
        simultaneous=bool(simultaneous),
        bounds=bounds,
        tails=tails,
        smoothing=votes.smoothing,
        samples=votes.samples,
    )


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
