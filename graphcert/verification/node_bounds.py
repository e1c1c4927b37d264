"""Labels and bounds of class probabilities from votes, anew and proved (theory, section 10)."""

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError
from graphcert.verification import stated
from graphcert.verification.binomials import Tails, lower_bounds, upper_bounds
from graphcert.verification.run_files import StoredVotes

Floats = NDArray[np.float64]

CERTIFICATE = "certificate.json"
_SHARE = 0.5
"""The label's share of the level in certificates that name none."""


class Levels(NamedTuple):
    """The error rates that a certificate spends on one target, as exact fractions.

    Attributes:
        method: "binary" or "multiclass".
        targets: (N,) the nodes that claims are about.
        label: the level of the label's lower bound.
        other: the level of the upper bound of every other class; 0 under the binary rule.
    """

    method: str
    targets: NDArray[np.bool_]
    label: Fraction
    other: Fraction


class NodeBounds(NamedTuple):
    """What votes prove of N nodes, at the levels of a certificate.

    Attributes:
        labels: (N,) the class with most pilot votes, the smallest among equals.
        targets: (N,) the nodes that claims are about.
        p_lower: (N,) lower bounds of the label's probability; 0 for other nodes.
        p_other: (N,) upper bounds of every other class's probability; 1 for other nodes.
        method: "binary" or "multiclass".
    """

    labels: NDArray[np.int64]
    targets: NDArray[np.bool_]
    p_lower: Floats
    p_other: Floats
    method: str

    @property
    def rivals(self) -> Floats | None:
        """`p_other` where the rule looks at other classes, None under the binary rule."""
        return None if self.method == "binary" else self.p_other


def read_levels(certificate: Any, nodes: int) -> Levels:
    """How the error rate of a certificate is spent: α/M per target, of which the label gets a share by the multi-class rule.

    Raises:
        DataError: if a number is outside its domain, or there is no target.
    """
    alpha = stated.number(stated.member(certificate, "alpha", CERTIFICATE), "alpha", 0.0, 0.5)
    simultaneous = stated.member(certificate, "simultaneous", CERTIFICATE)
    method = stated.member(certificate, "method", CERTIFICATE)
    share = certificate.get("label_share", None if method == "binary" else _SHARE)
    if alpha in (0.0, 0.5) or not isinstance(simultaneous, bool) or method not in ("binary", "multiclass"):
        raise DataError("alpha must lie between 0 and 0.5, simultaneous be true or false, and method be a known one")
    if (share is None) != (method == "binary"):
        raise DataError("label_share belongs to the multi-class rule; certify again")
    named = stated.member(certificate, "nodes", CERTIFICATE)
    targets = stated.mask(stated.member(named, "target", CERTIFICATE), "nodes.target", (nodes,))
    if not targets.any():
        raise DataError(f"{CERTIFICATE} has no target; certify again")
    level = Fraction(alpha) / (int(targets.sum()) if simultaneous else 1)
    if share is None:
        return Levels(method, targets, level, Fraction(0))
    part = Fraction(stated.number(share, "label_share", 0.0, 1.0))
    if part in (0, 1):
        raise DataError("label_share must lie strictly between 0 and 1; certify again")
    return Levels(method, targets, level * part, level * (1 - part))


def node_bounds(certificate: dict[str, Any], votes: StoredVotes) -> NodeBounds:
    """The bounds of a certificate's targets, at the levels that it states.

    Raises:
        DataError: if the certificate states no levels, or the votes are none.
    """
    return bounds_at(read_levels(certificate, len(votes.counts)), votes)


def bounds_at(levels: Levels, votes: StoredVotes) -> NodeBounds:
    """Clopper–Pearson bounds of the label, and of the strongest other class at its own level; total variation is charged.

    A bound grows with the count, so that the largest count among the other classes gives the largest bound; and no class has
    more than 1 − p_lower.
    """
    at, samples = np.arange(len(votes.counts)), votes.counts.sum(axis=1)
    if not np.isin(samples, [end for end, _ in looks_of(votes)]).all():
        raise DataError(
            "a node has not as many votes as the run took, nor as at one of its looks; take the votes again"
        )
    labels = votes.pilot_counts.argmax(axis=1).astype(np.int64)
    mine, distance = votes.counts[at, labels], votes.total_variation
    rest = votes.counts.copy()
    rest[at, labels] = 0
    rivals = rest.max(axis=1)
    lower, other = np.zeros(len(at)), np.ones(len(at))
    for end, weight in looks_of(votes):
        some = levels.targets & (samples == end)
        lower[some] = _charged(lower_bounds(mine[some], end, levels.label * weight), -distance)
        if levels.method == "multiclass":
            other[some] = _charged(upper_bounds(rivals[some], end, levels.other * weight), distance)
    some = levels.targets
    other = np.minimum(other, np.nextafter(1.0 - lower, 2.0))
    return NodeBounds(labels, some, lower, np.where(some, np.minimum(other, 1.0), 1.0), levels.method)


def looks_of(votes: StoredVotes) -> tuple[tuple[int, Fraction], ...]:
    """Numbers of samples at which nodes could stop, and what each has of a level; one with all of it without looks."""
    return ((max(votes.samples, 1), Fraction(1)),) if votes.looks is None else votes.looks


def _charged(bounds: Floats, distance: float) -> Floats:
    """Bounds moved by the total variation, and once more by a rounding in the same direction."""
    if not distance:
        return bounds
    return np.asarray(np.nextafter(bounds + distance, 2.0 if distance > 0 else -1.0).clip(0.0, 1.0))


def lower_is_proved(p: float, count: int, samples: int, votes: StoredVotes, level: Fraction) -> bool:
    """Whether a stated lower bound is at most the exact Clopper–Pearson bound at a level, less the total variation.

    `count` of the `samples` of a node are for its label; `level` is the one before it is divided over looks.
    """
    if p == 0:
        return True
    sampled, weight = Fraction(p) + Fraction(votes.total_variation), dict(looks_of(votes))[samples]
    return sampled < 1 and Tails(samples, [count]).at_most(count, sampled, level * weight)
