"""Kernels of scores: from logits to whole numbers that are summed exactly.

A score is q = ⌊unit · softmax⌋ with unit = 2^16 (`graphcert.votes.UNIT`). Exponentials are float32; their sum, the
quotient and the product are float64, node by node and class by class: the same bits whatever the batch and the thread.

Proof that the scores of a node sum to at most 2^16, rounding included. Let e_k be the computed exponentials and u = 2^−53.
Their computed sum is at least (1 − K u) Σ e_k, and every quotient at most (1 + u) times its exact value. Products with 2^16
are exact and floors only lose. So Σ q ≤ 2^16 (1 + u) / (1 − K u) < 2^16 + 1 for K < 2^35, and Σ q is a whole number. ∎
"""

import numpy as np

from graphcert.core.compiled import kernel


@kernel
def quantised(value, total, unit):  # type: ignore[no-untyped-def]
    """⌊unit · value / total⌋, an integer from 0 to `unit`."""
    return np.int64(np.float64(value) / total * unit)


@kernel
def exponentials(logits, i, out):  # type: ignore[no-untyped-def]
    """out[k] = exp(logits[i, k] − largest) and their sum; infinite logits share everything, as in the limit.

    Logits must not be NaN.
    """
    top = logits[i, 0]
    for k in range(1, out.size):
        top = max(top, logits[i, k])
    total = np.float64(0)
    for k in range(out.size):
        value = logits[i, k]
        # ∞ − ∞ is not a number, but the largest logit needs no subtraction.
        out[k] = np.float32(1) if value == top else np.exp(value - top)
        total += np.float64(out[k])
    return total


@kernel
def add_class_scores(logits, members, unit, sums):  # type: ignore[no-untyped-def]
    """Add the scores of all classes of the nodes `members` to `sums` (N, K)."""
    out = np.empty(sums.shape[1], np.float32)
    for i in members:
        total = exponentials(logits, i, out)
        for k in range(out.size):
            sums[i, k] += quantised(out[k], total, unit)


@kernel
def add_label_scores(logits, classes, members, unit, labels, sums, squares, histogram):  # type: ignore[no-untyped-def]
    """Add the score q of each member's label, its square, and one count in the bin of q.

    Args:
        logits: (N, ≥ K) float32 without NaN in the first K = `classes` columns.
        labels: (N,) classes; sums, squares: (N,); histogram: (N, B), B a divisor of `unit`.
    """
    bins = histogram.shape[1]
    width = unit // bins
    out = np.empty(classes, np.float32)
    for i in members:
        total = exponentials(logits, i, out)
        q = quantised(out[labels[i]], total, unit)
        sums[i] += q
        squares[i] += q * q
        histogram[i, min(q // width, bins - 1)] += 1
