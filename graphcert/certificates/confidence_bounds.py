"""Confidence bounds of class probabilities and of scores, and the error rates they add up to (theory section 10)."""

import warnings
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graphcert.core.arguments import one_of, target_mask
from graphcert.core.arrays import Floats, Mask
from graphcert.errors import InputError, RepeatedClaimsWarning, UnsupportedError
from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.statistics import (
    bernstein_mean_variance,
    check_level,
    clopper_pearson_lower,
    clopper_pearson_upper,
    dkw_mean_variance,
    tail_band,
    tail_mean_variance,
)
from graphcert.votes import BINS, UNIT, Scores, Votes


def binary_bounds(votes: Votes, level: float) -> tuple[Floats, Floats]:
    """The pilot label against everything else: a lower bound (N,) of its probability at `level`, and 1 − it, rounded up."""
    p_lower = _reduced(clopper_pearson_lower(votes.successes, votes.samples, level), votes.total_variation)
    return p_lower, _complement_up(p_lower)


def multiclass_bounds(votes: Votes, level: float) -> tuple[Floats, Floats]:
    """The pilot label against its strongest competitor, bounding every other class and not only a runner-up.

    Half of `level` goes to the label, the rest in equal shares to the K − 1 others; then all bounds of a node hold
    together: pA_lower (N,) and pB_upper (N,), at most 1 − pA_lower. It grows with the count, so the largest one counts.
    """
    p_lower, _ = binary_bounds(votes, level / 2)
    others = votes.counts.copy()
    np.put_along_axis(others, votes.labels[:, None], 0, axis=1)
    share = level / (2 * (votes.classes - 1))
    p_other = _raised(clopper_pearson_upper(others.max(axis=1), votes.samples, share), votes.total_variation)
    return p_lower, np.minimum(p_other, _complement_up(p_lower))


RULES = {"binary": binary_bounds, "multiclass": multiclass_bounds}
"""What each rule needs to know of a node."""


def vote_bounds(votes: Votes, method: str, level: float, targets: Mask) -> tuple[Floats, Floats]:
    """The bounds of one of `RULES` for the targets (N,), about which alone the level speaks; 0 and 1 for the others.

    Votes of one node may stand for all.
    """
    p_lower, p_other_upper = RULES[method](votes, level)
    return np.where(targets, p_lower, 0.0), np.where(targets, p_other_upper, 1.0)


def unanimous_votes(samples: int, classes: int, total_variation: float) -> Votes:
    """Made-up votes of one node that is always given the same class; their bounds do not depend on the noise."""
    pilot = np.eye(1, classes, dtype=np.int64)
    noise = Smoothing(features=BernoulliFlip(0.5, 0.5))
    return Votes(pilot, pilot * samples, noise, total_variation=total_variation, independent=True)


def _reduced(p: Floats, distance: float) -> Floats:
    """Probabilities or means under the claimed law, rounded down; each differs from the sampled one by ≤ distance."""
    return p if distance == 0 else np.maximum(np.nextafter(p - distance, -1.0), 0.0)


def _raised(p: Floats, distance: float) -> Floats:
    return p if distance == 0 else np.minimum(np.nextafter(p + distance, 2.0), 1.0)


def _complement_up(p: Floats) -> Floats:
    return np.minimum(np.nextafter(1.0 - p, 2.0), 1.0)


BOUNDS = ("band", "bernstein", "dkw")
"""What is bounded of a score: its distribution function, or mean and variance by two methods."""


def score_rule(votes: Votes, bounds: str, method: str | None) -> str:
    """What the label's mean score is compared with: 1/2 ("binary") or the mean score of every other class ("multiclass").

    Args:
        votes: with scores.
        bounds: one of `BOUNDS`.
        method: one of `RULES`, or None for "multiclass" where there are three classes or more and it exists.

    Raises:
        InputError: if the votes have no scores, or not those that the rule needs.
        UnsupportedError: for mean and variance against every other class.
    """
    margins = checked_scores(votes).margins is not None
    if method is None:
        return "multiclass" if margins and bounds == "band" and votes.classes > 2 else "binary"
    if one_of("the certificate method", method, RULES) == "multiclass":
        if bounds != "band":
            raise UnsupportedError(
                "mean and variance are known of the label's score only; use bounds='band' or 'binary'"
            )
        if not margins:
            raise InputError(
                "of these scores only the label's was counted; take them anew with sample_votes(…, scores=True), or "
                "certify with method='binary'"
            )
    return method


def score_bounds(
    votes: Votes, bounds: str, rule: str, level: float, targets: Mask
) -> tuple[Floats | None, Floats, Floats]:
    """Bounds of the label's score, or of all of its margins by the `rule` of `score_rule`, under the law that is claimed.

    They are made by one of `BOUNDS` at `level` per node: lower bounds of the tails (N, B), or None without a band; mean
    (N,), rounded down; variance (N,), rounded up. Of nodes outside `targets` (N,) they say what holds for every score.
    """
    scores, distance, tails = checked_scores(votes), votes.total_variation, None
    if bounds == "band":
        sampled = tail_band(scores.histogram, level, scores.margins if rule == "multiclass" else None)
        tails = np.where(targets[:, None], _reduced(sampled, distance), 0.0)
        mean, variance = tail_mean_variance(tails)
    elif bounds == "dkw":
        mean, variance = dkw_mean_variance(scores.histogram, level)
    else:
        mean, variance = bernstein_mean_variance(scores.sums, scores.squares, scores.samples, UNIT, level)
    if tails is None:
        mean, variance = _charged(mean, variance, distance)
    return tails, np.where(targets, mean, 0.0), np.where(targets, variance, 0.25)


def checked_scores(votes: Votes) -> Scores:
    """The scores of votes, or `InputError` if there are none."""
    if votes.scores is None:
        raise InputError("these votes have no scores; take them with sample_votes(…, scores=True)")
    return votes.scores


def unanimous_scores(samples: int, total_variation: float) -> Votes:
    """Made-up votes of one node whose label has the score 1, and the largest margins, in every sample."""
    histogram = np.zeros((1, BINS), dtype=np.int64)
    histogram[0, -1] = samples
    sums = np.array([samples * UNIT])
    scores = Scores(np.array([[UNIT, 0]]), sums, sums * UNIT, histogram, histogram)
    return replace(unanimous_votes(samples, 2, total_variation), scores=scores)


def _charged(mean: Floats, variance: Floats, distance: float) -> tuple[Floats, Floats]:
    """The same bounds under the law that is claimed, at a total-variation distance from the sampled one.

    For f with values in [0, 1] the expectations of the two laws differ by at most the distance. With f = s this is the
    mean; with f = (s − μ)², μ the mean under the sampled law, var(s) ≤ E(s − μ)² ≤ sampled variance + distance.
    """
    if distance == 0:
        return mean, variance
    return _reduced(mean, distance), np.minimum(np.nextafter(variance + distance, 2.0), 0.25)


def check_votes(votes: Any, function: str) -> None:
    """Raise `InputError` unless it is `Votes`, with the two lines that lead from a model to a certificate."""
    if not isinstance(votes, Votes):
        raise InputError(
            f"{function} takes Votes, got {type(votes).__name__}; take them first, votes = gc.sample_votes(model, data, "
            f"smoothing, samples), and then gc.{function}(votes)"
        )


def claimed(
    votes: Votes, function: str, alpha: float, simultaneous: bool, targets: ArrayLike | None
) -> tuple[float, dict[str, Any]]:
    """The error rate of one node's claim, and the fields of `NodeClaims` beside labels.

    Raises:
        InputError: if an argument of `function` is outside its domain.
    """
    check_votes(votes, function)
    level, mask = check_level(alpha), target_mask(targets, votes.nodes)
    return level / (int(mask.sum()) if simultaneous else 1), {
        "targets": mask, "alpha": level, "simultaneous": bool(simultaneous), "smoothing": votes.smoothing,
        "samples": votes.samples, "total_variation": votes.total_variation, "data_fingerprint": votes.data_fingerprint,
    }  # fmt: skip


def note_claims(votes: Votes, alpha: float, *claims: Any) -> None:
    """Remember which claims were made from these votes, and warn when others are: their error rates add up (section 10).

    What is remembered belongs to this object: equal votes, or votes loaded again, know nothing of it. `claims` are the
    function and its arguments; the same ones again cost nothing.
    """
    key = (alpha, *(sha256(part.tobytes()).hexdigest() if isinstance(part, np.ndarray) else part for part in claims))
    made = votes._claims_made
    if made and key not in made:
        total = min(sum(each[0] for each in made) + alpha, 1.0)
        warnings.warn(
            f"other claims were made from the same votes, and the error rates of several certificates add up, here to "
            f"alpha = {total:g} for all of them together; decide on one before looking at any, or divide alpha among them",
            RepeatedClaimsWarning,
            stacklevel=3,
        )
    made.add(key)
