"""What is kept of a sample: its votes, and its scores where they are asked for.

Everything is a sum of whole numbers, so it comes out the same in whatever order samples are taken.

A score is q = ⌊unit · softmax⌋ with unit = 2^16 (`graphcert.votes.UNIT`). Exponentials are float32; their sum, the
quotient and the product are float64, node by node and class by class: the same bits whatever the batch and the thread.

Proof that the scores of a node sum to at most 2^16, rounding included. Let e_k be the computed exponentials and
u = 2^−53. Their computed sum is at least (1 − K u) Σ e_k, and every quotient at most (1 + u) times its exact value.
Products with 2^16 are exact and floors only lose. So Σ q ≤ 2^16 (1 + u) / (1 − K u) < 2^16 + 1 for K < 2^35, and Σ q
is a whole number. ∎
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Integers
from graphcert.core.compiled import kernel
from graphcert.models.base import Floats
from graphcert.votes import BINS, UNIT


@kernel
def cast_votes(logits, classes, members, counts):  # type: ignore[no-untyped-def]
    """Add one vote of each of the nodes `members` (M,) to `counts` (N, K): the largest of its logits (M, ≥ K), ties to the
    smaller class.

    Returns False, having voted for nobody further, as soon as a logit is not a number.
    """
    for r in range(members.size):
        best = logits[r, 0]
        label = 0
        # A NaN never equals itself, and it would never win a comparison: so it has to be looked for.
        sane = best == best
        for k in range(1, classes):
            value = logits[r, k]
            sane &= value == value
            if value > best:
                best = value
                label = k
        if not sane:
            return False
        counts[members[r], label] += 1
    return True


@kernel
def quantised(value, total, unit):  # type: ignore[no-untyped-def]
    """⌊unit · value / total⌋, an integer from 0 to `unit`."""
    return np.int64(np.float64(value) / total * unit)


@kernel
def exponentials(logits, r, out):  # type: ignore[no-untyped-def]
    """out[k] = exp(logits[r, k] − largest) and their sum; infinite logits share everything, as in the limit.

    Logits must not be NaN.
    """
    top = logits[r, 0]
    for k in range(1, out.size):
        top = max(top, logits[r, k])
    total = np.float64(0)
    for k in range(out.size):
        value = logits[r, k]
        # ∞ − ∞ is not a number, but the largest logit needs no subtraction.
        out[k] = np.float32(1) if value == top else np.exp(value - top)
        total += np.float64(out[k])
    return total


@kernel
def add_class_scores(logits, members, unit, sums):  # type: ignore[no-untyped-def]
    """Add the scores of all classes of the nodes `members` (M,), by their logits (M, ≥ K), to `sums` (N, K)."""
    out = np.empty(sums.shape[1], np.float32)
    for r in range(members.size):
        total = exponentials(logits, r, out)
        for k in range(out.size):
            sums[members[r], k] += quantised(out[k], total, unit)


_WIDTH = UNIT // BINS


@kernel
def margin_bin(q, other):  # type: ignore[no-untyped-def]
    """The bin of the margin (UNIT + q − other) / 2 of two scores."""
    return min((UNIT + q - other) // (2 * _WIDTH), BINS - 1)


@kernel
def add_label_scores(logits, members, labels, slots, sums, squares, histogram, margins):  # type: ignore[no-untyped-def]
    """Add the score q of each member's label (N,), its square, and one count in the bin of q, `histogram` being (N, B).

    Of each of the J slots of other classes (see `graphcert.votes.rival_slots`), with r the largest of their scores, one
    count in the bin of the margin (UNIT + q − r) / 2, `margins` being (N, B, J): small scores have margins close together.

    Logits (M, ≥ K) float32, a row per member, must not be NaN in the first K columns, those of `slots` (N, K). Only the
    last slot is shared.
    """
    out, last = np.empty(slots.shape[1], np.float32), margins.shape[2] - 1
    for r in range(members.size):
        i, total = members[r], exponentials(logits, r, out)
        q = quantised(out[labels[i]], total, UNIT)
        sums[i] += q
        squares[i] += q * q
        histogram[i, min(q // _WIDTH, BINS - 1)] += 1
        shared = np.float32(0)
        for k in range(out.size):
            j = slots[i, k]
            if j == last:
                # The score of the largest exponential is the largest score: quotient, product and floor never fall.
                shared = max(shared, out[k])
            elif j >= 0:
                margins[i, margin_bin(q, quantised(out[k], total, UNIT)), j] += 1
        margins[i, margin_bin(q, quantised(shared, total, UNIT)), last] += 1


Sums = dict[str, NDArray[np.signedinteger[Any]]]


def added(one: Sums, other: Sums) -> Sums:
    """Sums over the samples of both."""
    return {name: array + other[name] for name, array in one.items()}


class VoteTally:
    """Sums over samples by name, one object per thread: votes alone, added to `counts` (N, K)."""

    def __init__(self, counts: Integers) -> None:
        self.sums: Sums = {"counts": counts}

    def add(self, logits: Floats, members: Integers) -> bool:
        """Add one vote of each of the nodes `members`, with logits (M, ≥ K) float32; False if one is not a number."""
        counts = self.sums["counts"]
        return bool(cast_votes(logits, counts.shape[1], members, counts))


def no_votes(nodes: int, classes: int) -> VoteTally:
    """A tally of votes alone that has none yet."""
    return VoteTally(np.zeros((nodes, classes), np.int64))


class ClassScoreTally(VoteTally):
    """Votes, and the sums (N, K) of the scores of all classes, which choose a label."""

    def __init__(self, nodes: int, classes: int) -> None:
        super().__init__(np.zeros((nodes, classes), np.int64))
        self.sums["class_sums"] = np.zeros((nodes, classes), np.int64)

    def add(self, logits: Floats, members: Integers) -> bool:
        """Add one vote and the scores of every member."""
        sane = super().add(logits, members)
        if sane:
            add_class_scores(logits, members, UNIT, self.sums["class_sums"])
        return sane


class LabelScoreTally(VoteTally):
    """Votes; sum and sum of squares (N,) of the score of one label per node, histograms of it (N, BINS) and of its margins
    (N, BINS, J)."""

    def __init__(self, nodes: int, classes: int, labels: Integers, slots: Integers) -> None:
        super().__init__(np.zeros((nodes, classes), np.int64))
        self._labels, self._slots = labels, slots
        self.sums |= {"sums": np.zeros(nodes, np.int64), "squares": np.zeros(nodes, np.int64)}
        self.sums["histogram"] = np.zeros((nodes, BINS), np.int64)
        # The largest array by far; no count exceeds the number of samples, at most 2^30.
        self.sums["margins"] = np.zeros((nodes, BINS, int(slots.max()) + 1), np.int32)

    def add(self, logits: Floats, members: Integers) -> bool:
        """Add one vote, the score and the margins of every member."""
        sane = super().add(logits, members)
        if sane:
            _, *rest = self.sums.values()
            add_label_scores(logits, members, self._labels, self._slots, *rest)
        return sane
