"""How far a perturbation can lower the mean of a score, by the exact trade-off (theory section 4)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError
from graphcert.tradeoff.base import Floats, TradeOff, probabilities

_GUARD = 2.0**-42
"""More than the mean of up to 1,024 numbers in [0, 1] can lose, in whatever order they are added."""

_MOST_BINS = 1024


@dataclass(frozen=True, eq=False)
class ScoreTails:
    """Lower bounds of the tails of N scores in [0, 1], and the least means that a perturbation can leave them.

    Bin b of B is [b/B, (b + 1)/B), and tails[n, b] ≤ P(s_n ≥ (b + 1)/B). As P(s > t) ≥ tails[n, b] everywhere in bin b,
    and the trade-off `lower` of the two laws never falls,

        E'[s] = ∫₀¹ P'(s > t) dt ≥ ∫₀¹ lower(P(s > t)) dt ≥ (1/B) Σ_b lower(tails[n, b]).

    *Nothing is lost:* the events of Neyman and Pearson with masses tails[n, b] are nested; the score that reaches (b + 1)/B
    on the b-th has these tails, and its perturbed mean is the right-hand side.

    *Never worse than order 2:* let s be that worst score, with mean μ and variance σ². By Cauchy and Schwarz its perturbed
    mean is at least μ − σ√χ², χ² the divergence of the two laws: so wherever μ − σ√χ² > 1/2, the sum exceeds 1/2. The same
    holds for every other divergence, whose bounds hold for this score too.

    Attributes:
        values: (V,) the distinct tails; a trade-off is evaluated at each of them once.
        place: (N, B) which of them stands where.
    """

    values: Floats
    place: NDArray[np.int64]

    @classmethod
    def of(cls, tails: ArrayLike) -> "ScoreTails":
        """Find the distinct tails.

        Raises:
            InputError: if `tails` is no (N, B) array of probabilities, B ≤ 1,024.
        """
        array = probabilities(tails)
        if array.ndim != 2 or not 1 <= array.shape[1] <= _MOST_BINS:
            raise InputError(
                f"tails of scores need the shape (nodes, bins) with up to {_MOST_BINS} bins, got {array.shape}"
            )
        values, place = np.unique(array, return_inverse=True)
        return cls(values, place.reshape(array.shape).astype(np.int64))

    def of_nodes(self, nodes: NDArray[np.bool_] | NDArray[np.int64]) -> "ScoreTails":
        """The tails of some of the nodes, given by a mask or by their numbers."""
        return ScoreTails(self.values, self.place[nodes])

    def perturbed_mean(self, trade_off: TradeOff) -> Floats:
        """(N,) lower bounds of the mean score under the perturbed law.

        Sound side: never above the exact value of the sum; at most 2⁻⁴¹ below it, and what `trade_off.lower` loses.
        """
        return self.mean_of(trade_off.lower(self.values))

    def mean_of(self, lower: Floats) -> Floats:
        """The same from the trade-off's values (V,) at `values`."""
        bound: Floats = np.maximum(lower[self.place].mean(axis=1) - _GUARD, 0.0)
        return bound
