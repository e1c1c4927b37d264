"""Bounds of nodes, each number once, as trade-offs are asked about them again and again.

It repeats the idea of `graphcert.certificates.distinct_bounds` on purpose: what checks a certificate shares no code with
what made it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Pairs(NamedTuple):
    """Bounds of N nodes, each number once: many nodes have few different ones.

    Attributes:
        labels: (P,) the different lower bounds of labels, ascending.
        label_at: (N,) which of them each node has.
        others: (Q,) the different upper bounds of other classes, ascending; None for the binary rule.
        other_at: (N,) likewise.
    """

    labels: Floats
    label_at: NDArray[np.int64]
    others: Floats | None
    other_at: NDArray[np.int64]

    @classmethod
    def of(cls, label: Floats, other: Floats | None) -> "Pairs":
        """The bounds (N,) of nodes."""
        labels, label_at = np.unique(label, return_inverse=True)
        if other is None:
            return cls(labels, label_at, None, np.zeros_like(label_at))
        return cls(labels, label_at, *np.unique(other, return_inverse=True))
