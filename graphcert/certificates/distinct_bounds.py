"""The rules by which labels survive, asked once per distinct bound: a million nodes share a few thousand counts."""

from typing import NamedTuple

import numpy as np

from graphcert.core.arrays import Floats, Integers
from graphcert.tradeoff import TradeOff


class DistinctBounds(NamedTuple):
    """The bounds of N nodes, each value once.

    Attributes:
        p: (P,) the values of p_lower, ascending.
        p_place: (N,) the place of each node's value among them.
        other: (Q,) the values of p_other_upper, ascending; None under the binary rule, and Q is 1.
        other_place: (N,) likewise.
    """

    p: Floats
    p_place: Integers
    other: Floats | None
    other_place: Integers

    @classmethod
    def of(cls, p_lower: Floats, p_other_upper: Floats | None) -> "DistinctBounds":
        """The bounds (N,) of nodes; without bounds of other classes by the binary rule."""
        p, p_place = np.unique(p_lower, return_inverse=True)
        if p_other_upper is None:
            return cls(p, p_place, None, np.zeros_like(p_place))
        return cls(p, p_place, *np.unique(p_other_upper, return_inverse=True))

    def least(self, trade_off: TradeOff) -> Integers:
        """(Q,) per bound of the other classes the place in `p` from which on a label survives; P where none does.

        A majority that survives is enough for either rule. What is proved of a smaller p holds of a larger one, so it does
        no harm if `lower` falls by a rounding. Where a law says NaN nothing is proved.
        """
        majority = np.searchsorted(self.p, trade_off.critical, side="right")
        if self.other is None:
            return np.array([majority])
        lower = np.maximum.accumulate(np.nan_to_num(trade_off.lower(self.p), nan=0.0))
        return np.minimum(np.searchsorted(lower, trade_off.upper(self.other), side="right"), majority)
