"""Scores: exact integer statistics of the class scores under noise, for the mean-score classifier."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.core.arrays import Integers as Counts
from graphcert.core.arrays import read_only, seal
from graphcert.errors import VotesError

UNIT = 2**16
"""The whole number that stands for a score of 1."""

BINS = 128
"""Equal bins of [0, 1] in the histogram; a score of exactly 1 belongs to the last."""

SLOTS = 8
"""The most histograms of margins per node while samples are taken."""

_MOST_BYTES = 2**27
"""The most memory that they take per thread, if that leaves a node at least one."""

_WIDTH = UNIT // BINS
_MOST_SAMPLES = 2**30
"""Sums of squares of so many scores still fit into 64 bits."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What a mean-score certificate needs: sums of quantised scores, never the scores themselves.

    A score is a whole number q from 0 to `UNIT`, standing for q / UNIT; the scores of a node's classes sum to at most
    `UNIT`. Voting takes q = ⌊softmax · UNIT⌋, and that is the base classifier which is certified: nothing is rounded
    afterwards. The arrays are copied and read-only. The mean-score classifier, the class of largest expected score, is
    another classifier than the majority vote (theory section 0); its labels are those of this object.

    The *margin* over another class is (UNIT + score of the label − score of that class) / 2, from 0 to `UNIT` and never
    below the label's score. Its mean exceeds UNIT / 2 if and only if the label has the larger mean. What is kept of the
    margins over all other classes is a histogram whose upper tails are, edge by edge, the smallest of theirs (theory,
    section 4).

    Attributes:
        pilot_sums: (N, K) sums, over the pilot samples, of the scores of all classes; they choose the labels.
        sums: (N,) sums, over the final samples, of the score of the label.
        squares: (N,) sums of its squares.
        histogram: (N, BINS) final samples whose score of the label lies in each bin; every row sums to the samples.
        margins: (N, BINS) the histogram of the smallest tails of the margins over the other classes, whose rows sum to the
            samples too; None if only the label's score was counted, as in older files.

    Raises:
        VotesError: if the arrays contradict each other.
    """

    pilot_sums: Counts
    sums: Counts
    squares: Counts
    histogram: Counts
    margins: Counts | None = None

    def __post_init__(self) -> None:
        for name, dimensions, largest in (
            ("pilot_sums", 2, UNIT), ("sums", 1, UNIT), ("squares", 1, UNIT**2), ("histogram", 2, 1), ("margins", 2, 1),
        ):  # fmt: skip
            if name == "margins" and self.margins is None:
                continue
            object.__setattr__(self, name, _read_only(name, getattr(self, name), dimensions, largest * _MOST_SAMPLES))
        if self.classes < 2 or self.histogram.shape[1] != BINS:
            raise VotesError(
                f"scores need pilot_sums of at least 2 classes and a histogram of {BINS} bins, got the shapes "
                f"{self.pilot_sums.shape} and {self.histogram.shape}"
            )
        nodes = {name: len(array) for name, array in self.arrays().items()}
        if len(set(nodes.values())) != 1 or self.nodes < 1:
            raise VotesError(f"all arrays of scores need one row per node, got {nodes}")
        totals = self.histogram.sum(axis=1)
        if totals.min() != totals.max() or not 1 <= totals[0] <= _MOST_SAMPLES:
            needed = "every row of the histogram must hold the same number of samples, from 1 to 2^30"
            raise VotesError(f"{needed}, but the rows hold {totals.min()} to {totals.max()}")
        self._check_moments()
        self._check_margins()

    def _check_moments(self) -> None:
        """Sums and squares must be those of some scores that fill the histogram."""
        low = np.arange(BINS) * _WIDTH
        high = np.append(low[1:] - 1, UNIT)
        if (self.sums < self.histogram @ low).any() or (self.sums > self.histogram @ high).any():
            raise VotesError("the sums of scores lie outside what their histogram allows; they belong to other samples")
        if (self.squares < self.histogram @ low**2).any() or (self.squares > self.histogram @ high**2).any():
            raise VotesError("the squares of scores lie outside what their histogram allows; take the scores again")
        # Σ(q − m)² ≥ Σ(q − m) for whole numbers: n·squares ≥ sums² and a little more, without overflow.
        mean, rest = np.divmod(self.sums, self.samples)
        if (self.squares - mean * (self.sums + rest) < rest).any():
            raise VotesError("no scores have such sums and squares: their variance would be negative")

    def _check_margins(self) -> None:
        """No margin lies below the score of the label in the same sample."""
        if self.margins is None:
            return
        if self.margins.shape != self.histogram.shape or (self.margins.sum(axis=1) != self.samples).any():
            raise VotesError("margins must hold every sample once per node, in the bins of the histogram of scores")
        if (self.margins.cumsum(axis=1) > self.histogram.cumsum(axis=1)).any():
            raise VotesError(
                "margins lie below the scores of the label, which they cannot; they belong to other samples"
            )

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return int(self.pilot_sums.shape[0])

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return int(self.pilot_sums.shape[1])

    @property
    def samples(self) -> int:
        """Number of final samples."""
        return int(self.histogram[0].sum())

    @cached_property
    def labels(self) -> Counts:
        """(N,) class of largest pilot sum; the smallest class among equals."""
        return mean_score_labels(self.pilot_sums)

    @cached_property
    def digest(self) -> str:
        """Sha256 of all arrays."""
        return seal("scores", self.arrays())

    def arrays(self) -> dict[str, Counts]:
        """The arrays that there are, by name."""
        names = ("pilot_sums", "sums", "squares", "histogram", "margins")
        return {name: array for name in names if (array := getattr(self, name)) is not None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scores) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def mean_score_labels(pilot_sums: Counts) -> Counts:
    """(N,) class of largest sum; the smallest class among equals."""
    return read_only(pilot_sums.argmax(axis=1).astype(np.int64))


def number_of_slots(nodes: int, classes: int) -> int:
    """J: a histogram for each other class, at most `SLOTS`, or as many as a fixed memory allows, at least one."""
    return max(min(classes - 1, SLOTS, _MOST_BYTES // (nodes * BINS * np.dtype(np.int32).itemsize)), 1)


def rival_slots(pilot_sums: Counts, labels: Counts) -> Counts:
    """Which histogram of margins counts each class, so that every class but the label has one.

    J ≤ `SLOTS` of them, or as many as memory allows, whatever the number of classes. Where they suffice, each class has
    its own, in the order of classes. Else the J − 1 classes that the pilot scored highest have their own and all others
    share the last one: it counts the margin over the largest of their scores, which is no larger than that over any of them.

    Args:
        pilot_sums: (N, K) sums of the pilot scores.
        labels: (N,) the labels that they choose.

    Returns:
        (N, K) slots 0 … J − 1, and −1 for the label.
    """
    nodes, classes = pilot_sums.shape
    slots = number_of_slots(nodes, classes)
    others = np.arange(classes) != labels[:, None]
    if slots == classes - 1:
        place = others.cumsum(axis=1) - 1
    else:
        falling = np.where(others, -pilot_sums, 1).argsort(axis=1, kind="stable")  # the label comes last
        place = np.minimum(falling.argsort(axis=1), slots - 1)
    return np.where(others, place, -1).astype(np.int64)


def smallest_margins(margins: NDArray[np.signedinteger[Any]]) -> Counts:
    """(N, BINS) the histogram whose tails are the smallest of those of J histograms (N, BINS, J), edge by edge."""
    through = np.zeros(margins.shape[:2], np.int64)
    for slot in range(margins.shape[2]):
        np.maximum(through, margins[:, :, slot].cumsum(axis=1, dtype=np.int64), out=through)
    return np.diff(through, axis=1, prepend=0)


def _read_only(name: str, values: ArrayLike, dimensions: int, largest: int) -> Counts:
    """Copy and check one array."""
    array = np.asarray(values)
    if array.ndim != dimensions or not np.issubdtype(array.dtype, np.integer):
        found = f"{array.dtype} of {array.shape}"
        raise VotesError(f"{name} of scores must be {dimensions}-dimensional integers, got {found}")
    if array.size and (array.min() < 0 or array.max() > largest):
        raise VotesError(f"{name} of scores holds impossible values, from {array.min()} to {array.max()}")
    return read_only(np.array(array, dtype=np.int64, order="C"))
