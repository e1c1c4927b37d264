"""`certify`: from votes to a certificate."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates.bounds import binary_bounds, multiclass_bounds
from graphcert.certificates.certificate import Certificate
from graphcert.errors import InputError
from graphcert.statistics import check_level
from graphcert.votes import Votes

_BOUNDS = {"binary": binary_bounds, "multiclass": multiclass_bounds}

METHODS = tuple(_BOUNDS)
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
        votes: votes of N nodes over K classes.
        alpha: error rate in (0, 1) of all claims together (or of each one, see `simultaneous`).
        simultaneous: True makes all claims hold at once with probability ≥ 1 − alpha, by spending alpha/M on each of
            the M targets. False spends alpha on each node and makes claims about single nodes only.
        method: "binary" bounds the label's probability against 1/2; "multiclass" against its strongest competitor.
        targets: the nodes about which claims are made, as a mask (N,) or as indices; all by default. Choose them
            without looking at `votes.counts`: by a data split or by the pilot votes.

    Raises:
        InputError: if an argument is outside its domain.
    """
    level = check_level(alpha)
    if method not in _BOUNDS:
        raise InputError(f"the certificate method must be one of {', '.join(METHODS)}; got {method!r}")
    mask = target_mask(targets, votes.nodes)
    claims = int(mask.sum()) if simultaneous else 1
    p_lower, p_other_upper = _BOUNDS[method](votes, level / claims)
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
    )


def target_mask(targets: ArrayLike | None, nodes: int) -> NDArray[np.bool_]:
    """Targets as a mask (N,) with at least one node."""
    if targets is None:
        return np.ones(nodes, dtype=bool)
    chosen = np.asarray(targets)
    if chosen.dtype == np.bool_:
        if chosen.shape != (nodes,):
            raise InputError(f"a mask of targets needs the shape ({nodes},), got {chosen.shape}")
        mask = chosen.copy()
    else:
        if chosen.ndim != 1 or (chosen.size and not np.issubdtype(chosen.dtype, np.integer)):
            raise InputError("targets are given as a mask of booleans or as a list of node numbers")
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < nodes):
            raise InputError(f"target nodes are numbered from 0 to {nodes - 1}, got {chosen.min()} to {chosen.max()}")
        mask = np.zeros(nodes, dtype=bool)
        mask[chosen.astype(np.int64)] = True
    if not mask.any():
        raise InputError("there are no target nodes to certify; name at least one")
    return mask
