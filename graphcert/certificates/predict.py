"""`predict`: the label of the smoothed classifier, without a claim of robustness (Cohen et al. 2019, PREDICT)."""

import warnings
from dataclasses import dataclass

import numpy as np

from graphcert.certificates.confidence_bounds import check_votes, note_claims
from graphcert.certificates.guarantee import describe_noise
from graphcert.certificates.stored import Stored
from graphcert.core.arguments import whole
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, OutOfReachWarning, UnsupportedError
from graphcert.noise import Scheme
from graphcert.statistics import binomial_tail, check_level, confidence_words
from graphcert.votes import Votes, checked_rows

_MOST_VOTES = 1100
"""So many unanimous votes have a p-value below the smallest float."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Prediction(Stored):
    """Labels of the smoothed classifier on the input as it is; made by `predict`. Arrays are read-only.

    Attributes:
        labels: (N,) the class with most votes, the smallest among equals; a claim where `abstained` is False.
        abstained: (N,) nodes about which nothing is said.
        p_values: (N,) of the two-sided test between the two classes with most votes, rounded up.
        alpha: error rate of all labels together if `simultaneous`, of each one otherwise.
        simultaneous: whether all labels are right at once with probability ≥ 1 − alpha.
        smoothing: the scheme that makes the smoothed classifier.
        samples: the number of samples behind every label.
        rows: (N,) how many rows each of N inputs has, see `Votes.rows`; None if the outputs are the nodes of one graph.
    """

    labels: Integers
    abstained: Mask
    p_values: Floats
    alpha: float
    simultaneous: bool
    smoothing: Scheme
    samples: int
    rows: Integers | None = None

    _LATER_FIELDS = ("rows",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.alpha)
        whole("the number of samples", self.samples, 1)
        self.smoothing.check_outputs(
            self.labels.size, None if self.rows is None else checked_rows(self.rows, self.labels.size)
        )
        self._check_labels(self.labels, self.abstained, self.p_values)
        share = self.alpha / (self.labels.size if self.simultaneous else 1)
        if not (self.abstained | ((self.p_values >= 0) & (self.p_values <= share))).all():
            raise InputError("a label is claimed whose p-value exceeds the level")

    @property
    def _output(self) -> str:
        """What has a label: a "node", or an "input"."""
        return "node" if self.rows is None else "input"

    def summary(self) -> str:
        """Two lines: how many nodes have a label, under which noise, at which level."""
        silent = int(self.abstained.sum())
        scope = "all labels together" if self.simultaneous else "each label"
        return (
            f"Prediction of {self.labels.size:,} {self._output}s: {self.labels.size - silent:,} labels, {silent:,} abstain\n"
            f"  {self.samples:,} samples when {describe_noise(self.smoothing, self._output)}; "
            f"alpha = {self.alpha:g} for {scope}"
        )

    def guarantee(self) -> str:
        """What is guaranteed, about what and with which probability, in plain words."""
        scope = "all labels that are returned are" if self.simultaneous else "each single label, if it is returned, is"
        return (
            f"With probability at least {confidence_words(self.alpha)} over the {self.samples:,} independent samples, "
            f"{scope} the class that the base classifier returns most often when "
            f"{describe_noise(self.smoothing, self._output)}. Nothing is claimed about changed inputs, nor about the "
            f"{int(self.abstained.sum()):,} of {self.labels.size:,} {self._output}s that abstain."
        )


def predict(votes: Votes, alpha: float = 0.01, simultaneous: bool = True) -> Prediction:
    """The label of the smoothed classifier at every node, or no label where the votes do not settle it.

    With a and b votes for the two most frequent classes, the label is returned if the two-sided binomial test of "both are
    equally likely" has a p-value of at most the level (Cohen et al. 2019, after Hung & Fithian 2019: choosing the two
    classes by the same votes costs nothing). Only `votes.counts` are used. With `simultaneous=False` and one node this is
    PREDICT of Cohen et al. The distance between the sampled law and the stated one is charged to the level: n samples
    tell the two apart with probability n · total_variation at most.

    Args:
        votes: votes of N nodes over K classes.
        alpha: error rate below 1/2 of all labels together (or of each one, see `simultaneous`).
        simultaneous: True tests every node at alpha/N, so that all labels hold at once with probability ≥ 1 − alpha;
            False tests each at alpha and speaks about single nodes only.

    Raises:
        InputError: if `votes` are no `Votes`, or `alpha` is not a level.
        UnsupportedError: for votes of which nodes have different numbers of samples.

    Warns:
        OutOfReachWarning: if so few votes settle no label, however they fall; it says how many would.
        RepeatedClaimsWarning: if other claims were made from the same `Votes` object: the error rates add up.
    """
    check_votes(votes, "predict")
    if votes.looks is not None:
        raise UnsupportedError("predict needs the same samples for every node; take votes without until=…")
    level = check_level(alpha)
    note_claims(votes, level, "predict", bool(simultaneous))
    share = level / (votes.nodes if simultaneous else 1)
    per_node = _charged(share, votes.samples, votes.total_variation)
    if not _decides(votes.samples, share, votes.total_variation):
        warnings.warn(_too_few(votes, share), OutOfReachWarning, stacklevel=2)
    top = np.partition(votes.counts, votes.classes - 2, axis=1)[:, -2:]
    second, first = top[:, 0], top[:, 1]
    # A node without any vote for its two classes does not exist: every node has at least one vote.
    p_values = np.minimum(2 * binomial_tail(first, first + second, 0.5), 1.0)
    return Prediction(
        labels=votes.counts.argmax(axis=1).astype(np.int64), abstained=~(p_values <= per_node), p_values=p_values,
        alpha=level, simultaneous=bool(simultaneous), smoothing=votes.smoothing, samples=votes.samples,
        rows=votes.rows,
    )  # fmt: skip


def _charged(share: float, samples: int, total_variation: float) -> float:
    """What the level of one node leaves to the test."""
    return share - samples * total_variation * (1 + 2.0**-50)


def _decides(samples: int, share: float, total_variation: float) -> bool:
    """Whether unanimous votes settle a label."""
    return bool(2 * binomial_tail(samples, samples, 0.5) <= _charged(share, samples, total_variation))


def _too_few(votes: Votes, share: float) -> str:
    """Why no label can be settled, and how many votes would do."""
    # With a charge for every sample, more of them are not always better: the first number that does is the least.
    enough = next((n for n in range(1, _MOST_VOTES) if _decides(n, share, votes.total_variation)), None)
    advice = (
        "the distance between the sampled and the stated law is too large for any number of votes"
        if enough is None or enough < votes.samples
        else f"take at least {enough:,}, and more as votes are seldom unanimous"
    )
    return f"{votes.samples:,} votes settle no label at a level of {share:.3g} per node, however they fall; {advice}"
