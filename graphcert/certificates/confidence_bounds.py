"""Confidence bounds of class probabilities and of scores, and the error rates they add up to (theory section 10)."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from typing import Any, NamedTuple, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from graphcert.core.arguments import one_of, positive, target_mask
from graphcert.core.arrays import Floats, Integers, Mask
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

RULES = ("binary", "multiclass")
"""The rules by which a node is certified."""

LABEL_SHARE = 0.5
"""What the multi-class rule spends of a node's level on the label, unless another share is asked for."""


class VoteBounds(NamedTuple):
    """Bounds of the class probabilities of N nodes, under the law that is claimed.

    Attributes:
        p_lower: (N,) lower bounds of the label's probability.
        p_other_upper: (N,) upper bounds of the probability of every other class, at most 1 − p_lower rounded up.
        p_class_upper: (N, K) upper bounds of each class alone, 1 for the label, under the multi-class rule; else None.
    """

    p_lower: Floats
    p_other_upper: Floats
    p_class_upper: Floats | None = None


def binary_bounds(votes: Votes, level: float) -> VoteBounds:
    """The pilot label against everything else: a lower bound of its probability at `level`, and 1 − it, rounded up."""
    p_lower = _reduced(_at_looks(clopper_pearson_lower, votes, votes.successes, level), votes.total_variation)
    return VoteBounds(p_lower, _complement_up(p_lower))


def multiclass_bounds(votes: Votes, level: float, label_share: float = LABEL_SHARE) -> VoteBounds:
    """The pilot label against its strongest competitor, bounding every other class and not only a runner-up.

    `label_share` of `level` goes to the label, and the *whole* rest to each of the K − 1 others: among them only the class
    that is truly the most likely one has to lie below the largest bound (theory section 10). A bound grows with the count,
    so the largest count gives the largest bound. `p_class_upper`, where each class is to lie below its own bound, shares the
    rest among the K − 1.
    """
    of_label, of_others = split_level(level, label_share)
    p_lower, left = binary_bounds(votes, of_label)[:2]
    others = votes.counts.copy()
    np.put_along_axis(others, votes.labels[:, None], 0, axis=1)
    p_other = _count_upper(votes, others.max(axis=1), of_others)
    p_class = np.minimum(_count_upper(votes, others, of_others / (votes.classes - 1)), left[:, None])
    np.put_along_axis(p_class, votes.labels[:, None], 1.0, axis=1)
    return VoteBounds(p_lower, np.minimum(p_other, left), p_class)


def check_label_share(label_share: SupportsFloat) -> float:
    """Return the label's share of the level as a float; raises `InputError` unless it lies strictly between 0 and 1."""
    share = positive("label_share", label_share)
    if share >= 1:
        raise InputError(f"label_share must lie strictly between 0 and 1, got {label_share!r}")
    return share


def split_level(level: float, label_share: float) -> tuple[float, float]:
    """The parts of `level` for the label and for every other class; their exact sum is never above it."""
    of_label = level * label_share
    of_others = level - of_label
    too_much = Fraction(of_label) + Fraction(of_others) > Fraction(level)
    return of_label, float(np.nextafter(of_others, 0.0)) if too_much else of_others


def _count_upper(votes: Votes, counts: Integers, level: float) -> Floats:
    return _raised(_at_looks(clopper_pearson_upper, votes, counts, level), votes.total_variation)


def _at_looks(bound: Callable[..., Floats], votes: Votes, counts: Integers, level: float) -> Floats:
    """Bounds from `counts` (N,) or (N, K), those of a node at what the look at which it stopped may spend of `level`.

    The one place where looks enter a certificate; `graphcert.statistics.looks` has the proof.
    """
    if votes.looks is None:
        return bound(counts, votes.samples, level)
    look, found = votes.looks.of(votes.node_samples), np.empty(counts.shape)
    for number in np.unique(look).tolist():
        mine = look == number
        found[mine] = bound(counts[mine], votes.looks.ends[number], votes.looks.level(level, number))
    return found


def vote_bounds(votes: Votes, method: str, level: float, targets: Mask, label_share: float | None = None) -> VoteBounds:
    """The bounds of one of `RULES` for the targets (N,), about which alone the level speaks; 0 and 1 for the others.

    Votes of one node may stand for all. `label_share` belongs to the multi-class rule; None for its default.
    """
    if method == "binary":
        found = binary_bounds(votes, level)
    else:
        found = multiclass_bounds(votes, level, LABEL_SHARE if label_share is None else label_share)
    p_class = found.p_class_upper
    return VoteBounds(
        np.where(targets, found.p_lower, 0.0), np.where(targets, found.p_other_upper, 1.0),
        None if p_class is None else np.where(targets[:, None], p_class, 1.0),
    )  # fmt: skip


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
