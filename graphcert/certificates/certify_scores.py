"""`certify_scores`: from the scores that votes carry to a certificate of the mean-score classifier."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates.certify import target_mask
from graphcert.certificates.score_certificate import ScoreCertificate
from graphcert.errors import InputError
from graphcert.scores import UNIT, Scores
from graphcert.statistics import bernstein_mean_variance, check_level, dkw_mean_variance
from graphcert.votes import Votes

Floats = NDArray[np.float64]

BOUNDS = ("bernstein", "dkw")
"""Where joint bounds of mean and variance come from."""


def certify_scores(
    votes: Votes,
    alpha: float = 0.01,
    simultaneous: bool = True,
    *,
    bounds: str = "bernstein",
    targets: ArrayLike | None = None,
) -> ScoreCertificate:
    """Bound mean and variance of the target nodes' scores; the result answers for any budget.

    The certificate is that of localized smoothing as published (Schuchardt et al. 2023). It speaks about the mean-score
    classifier, whose labels the pilot scores chose, not about the majority vote of `certify`.

    Args:
        votes: votes of N nodes with scores, as `sample_votes(…, scores=True)` takes them.
        alpha: error rate in (0, 1) of all claims together (or of each one, see `simultaneous`).
        simultaneous: True makes all claims hold at once with probability ≥ 1 − alpha, by spending alpha/M on each of
            the M targets. False spends alpha on each node and makes claims about single nodes only.
        bounds: "bernstein" (Maurer & Pontil 2009), for scores of small variance; "dkw" (one band around the distribution
            function), for the others. Choose it without looking at the final scores.
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
        smoothing=votes.smoothing,
        samples=votes.samples,
    )


def _sampled(scores: Scores, bounds: str, level: float) -> tuple[Floats, Floats]:
    """Bounds (N,) of mean and variance under the law that was sampled."""
    if bounds == "dkw":
        return dkw_mean_variance(scores.histogram, level)
    return bernstein_mean_variance(scores.sums, scores.squares, scores.samples, UNIT, level)


def _charged(mean: Floats, variance: Floats, distance: float) -> tuple[Floats, Floats]:
    """The same bounds under the law that is claimed, at a total-variation distance from the sampled one.

    For f with values in [0, 1] the expectations of the two laws differ by at most the distance. With f = s this is the
    mean; with f = (s − μ)², μ the mean under the sampled law, var(s) ≤ E(s − μ)² ≤ sampled variance + distance.
    """
    if distance == 0:
        return mean, variance
    lower = np.maximum(np.nextafter(mean - distance, -1.0), 0.0)
    return lower, np.minimum(np.nextafter(variance + distance, 2.0), 0.25)
