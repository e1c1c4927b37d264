"""`certify_scores`: from the scores that votes carry to a certificate of the mean-score classifier."""

from numpy.typing import ArrayLike

from graphcert.certificates.arguments import check_votes, note_claims, target_mask
from graphcert.certificates.score_bounds import BOUNDS, checked_scores, score_bounds
from graphcert.certificates.score_certificate import ScoreCertificate
from graphcert.errors import InputError
from graphcert.statistics import check_level
from graphcert.votes import Votes


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
        alpha: error rate below 1/2 of all claims together (or of each one, see `simultaneous`).
        simultaneous: True makes all claims hold at once with probability ≥ 1 − alpha, by spending alpha/M on each of
            the M targets. False spends alpha on each node and makes claims about single nodes only.
        bounds: "band", a band around the distribution function and the exact trade-off. Or mean and variance only, for
            comparison: "bernstein" (Maurer & Pontil 2009), for scores of small variance, or "dkw" (from one uniform
            band), for the others; "band" certifies whatever "dkw" does. Choose without looking at the final scores.
        targets: the nodes about which claims are made, as a mask (N,) of booleans or as node numbers, each once; all by
            default. Choose them without looking at the final samples: by a data split or by the pilot.

    Raises:
        InputError: if the votes have no scores, or an argument is outside its domain.

    Warns:
        RepeatedClaimsWarning: if other claims were made from the same `Votes` object: the error rates add up.
    """
    check_votes(votes, "certify_scores")
    level = check_level(alpha)
    if bounds not in BOUNDS:
        raise InputError(f"the bounds must be one of {', '.join(BOUNDS)}; got {bounds!r}")
    mask = target_mask(targets, votes.nodes)
    # The level covers the targets only, so nothing at all is said about the others.
    tails, mean, variance = score_bounds(votes, bounds, level / (int(mask.sum()) if simultaneous else 1), mask)
    note_claims(votes, level, "certify_scores", bool(simultaneous), bounds, mask)
    return ScoreCertificate(
        labels=checked_scores(votes).labels,
        mean_lower=mean,
        variance_upper=variance,
        targets=mask,
        alpha=level,
        simultaneous=bool(simultaneous),
        bounds=bounds,
        tails=tails,
        smoothing=votes.smoothing,
        samples=votes.samples,
        total_variation=votes.total_variation,
        data_fingerprint=votes.data_fingerprint,
    )
