"""`certify`: from votes to a certificate."""

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.arguments import check_votes, note_claims, target_mask
from graphcert.certificates.bounds import RULES
from graphcert.certificates.certificate import Certificate
from graphcert.errors import InputError
from graphcert.statistics import check_level
from graphcert.votes import Votes

METHODS = tuple(RULES)
"""The rules by which a node is certified."""


def certify(
    votes: Votes,
    alpha: float = 0.01,
    simultaneous: bool = True,
    *,
    method: str = "binary",
    targets: ArrayLike | None = None,
) -> Certificate:
    """Bound the class probabilities of the target nodes; the result answers for any budget.

    Args:
        votes: votes of N nodes over K classes, as `sample_votes` takes them.
        alpha: error rate below 1/2 of all claims together (or of each one, see `simultaneous`).
        simultaneous: True makes all claims hold at once with probability ≥ 1 − alpha, by spending alpha/M on each of
            the M targets. False spends alpha on each node and makes claims about single nodes only.
        method: "binary" bounds the label's probability against 1/2; "multiclass" against its strongest competitor.
        targets: the nodes about which claims are made, as a mask (N,) of booleans or as node numbers, each once; all by
            default. Choose them without looking at `votes.counts`: by a data split or by the pilot votes.

    Raises:
        InputError: if an argument is outside its domain.

    Warns:
        RepeatedClaimsWarning: if other claims were made from the same `Votes` object: the error rates add up.
    """
    check_votes(votes, "certify")
    level = check_level(alpha)
    if method not in RULES:
        raise InputError(f"the certificate method must be one of {', '.join(METHODS)}; got {method!r}")
    mask = target_mask(targets, votes.nodes)
    note_claims(votes, level, "certify", bool(simultaneous), method, mask)
    claims = int(mask.sum()) if simultaneous else 1
    p_lower, p_other_upper = RULES[method](votes, level / claims)
    return Certificate(
        labels=votes.labels,
        # The level covers the targets only, so nothing at all is said about the others.
        p_lower=np.where(mask, p_lower, 0.0),
        p_other_upper=np.where(mask, p_other_upper, 1.0),
        targets=mask,
        alpha=level,
        simultaneous=bool(simultaneous),
        method=method,
        smoothing=votes.smoothing,
        samples=votes.samples,
        classes=votes.classes,
        total_variation=votes.total_variation,
        data_fingerprint=votes.data_fingerprint,
    )
