"""What is kept of a sample: its votes, and its scores where they are asked for.

Everything is a sum of whole numbers, so it comes out the same in whatever order samples are taken.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from graphcert.models.base import Floats
from graphcert.models.kernels import cast_votes
from graphcert.models.score_kernels import add_class_scores, add_label_scores
from graphcert.votes import BINS, UNIT

Integers = NDArray[np.int64]
Sums = dict[str, Integers]


def added(one: Sums, other: Sums) -> Sums:
    """Sums over the samples of both."""
    return {name: array + other[name] for name, array in one.items()}


class Tally(ABC):
    """Sums over samples; one object per thread.

    Attributes:
        sums: integer arrays by name, the votes (N, K) being `counts`.
    """

    sums: Sums

    @abstractmethod
    def add(self, logits: Floats, members: Integers) -> bool:
        """Add what the nodes `members` say in one sample; False as soon as a logit of theirs is not a number.

        Args:
            logits: (N, ≥ K) float32; columns from K on are padding.
        """


class VoteTally(Tally):
    """Votes alone, added to `counts` (N, K)."""

    def __init__(self, counts: Integers) -> None:
        self.sums = {"counts": counts}

    def add(self, logits: Floats, members: Integers) -> bool:
        """Add one vote of every member."""
        counts = self.sums["counts"]
        return bool(cast_votes(logits, counts.shape[1], members, counts))


class ClassScoreTally(VoteTally):
    """Votes, and the sums (N, K) of the scores of all classes, which choose a label."""

    def __init__(self, nodes: int, classes: int) -> None:
        super().__init__(np.zeros((nodes, classes), np.int64))
        self.sums["class_sums"] = np.zeros((nodes, classes), np.int64)

    def add(self, logits: Floats, members: Integers) -> bool:
        """Add one vote and the scores of every member."""
        if not super().add(logits, members):
            return False
        add_class_scores(logits, members, UNIT, self.sums["class_sums"])
        return True


class LabelScoreTally(VoteTally):
    """Votes, and sum (N,), sum of squares (N,) and histogram (N, BINS) of the score of one label per node (N,)."""

    def __init__(self, nodes: int, classes: int, labels: Integers) -> None:
        super().__init__(np.zeros((nodes, classes), np.int64))
        self._labels = labels
        self.sums |= {
            "sums": np.zeros(nodes, np.int64),
            "squares": np.zeros(nodes, np.int64),
            "histogram": np.zeros((nodes, BINS), np.int64),
        }

    def add(self, logits: Floats, members: Integers) -> bool:
        """Add one vote and the score of every member."""
        if not super().add(logits, members):
            return False
        counts, *rest = self.sums.values()
        add_label_scores(logits, counts.shape[1], members, UNIT, self._labels, *rest)
        return True
