"""Scores: exact integer statistics of the class scores under noise, for the mean-score classifier."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from graphcert.core.arrays import Integers as Counts
from graphcert.core.arrays import read_only, seal
from graphcert.errors import VotesError

UNIT = 2**16
"""The whole number that stands for a score of 1."""

BINS = 128
"""Equal bins of [0, 1] in the histogram; a score of exactly 1 belongs to the last."""

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

    Attributes:
        pilot_sums: (N, K) sums, over the pilot samples, of the scores of all classes; they choose the labels.
        sums: (N,) sums, over the final samples, of the score of the label.
        squares: (N,) sums of its squares.
        histogram: (N, BINS) final samples whose score of the label lies in each bin; every row sums to the samples.

    Raises:
        VotesError: if the arrays contradict each other.
    """

    pilot_sums: Counts
    sums: Counts
    squares: Counts
    histogram: Counts

    def __post_init__(self) -> None:
        for name, dimensions, largest in (
            ("pilot_sums", 2, UNIT), ("sums", 1, UNIT), ("squares", 1, UNIT**2), ("histogram", 2, 1),
        ):  # fmt: skip
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
        """The four arrays by name."""
        return {name: getattr(self, name) for name in ("pilot_sums", "sums", "squares", "histogram")}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scores) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def mean_score_labels(pilot_sums: Counts) -> Counts:
    """(N,) class of largest sum; the smallest class among equals."""
    return read_only(pilot_sums.argmax(axis=1).astype(np.int64))


def _read_only(name: str, values: ArrayLike, dimensions: int, largest: int) -> Counts:
    """Copy and check one array."""
    array = np.asarray(values)
    if array.ndim != dimensions or not np.issubdtype(array.dtype, np.integer):
        found = f"{array.dtype} of {array.shape}"
        raise VotesError(f"{name} of scores must be {dimensions}-dimensional integers, got {found}")
    if array.size and (array.min() < 0 or array.max() > largest):
        raise VotesError(f"{name} of scores holds impossible values, from {array.min()} to {array.max()}")
    return read_only(np.array(array, dtype=np.int64, order="C"))
