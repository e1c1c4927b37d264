"""Mean scores: how far a change can lower a mean, and the least divergence that takes one down to 1/2 (theory, section 4).

A score s ∈ [0, 1] with E[s] > 1/2 under the clean law P must have E'[s] ≤ 1/2 under the perturbed law P' before the class
of largest mean can change. With h = P'/P this takes a divergence of at least η. Let φ be one of the functions below; by
Hölder's inequality, for *every* value of the free number a,

    D_α(P'‖P), α > 1:      η = q ln(a − 1/2) − ln E[(a − s)₊^q]        q = α/(α − 1), a > 1/2; q = 1 for α = ∞
    D_1(P'‖P):             η = −a/2 − ln E[e^(−a s)]                   a > 0 (Donsker & Varadhan)
    D_α(P'‖P), α < 1:      η = −q ln(a + 1/2) − ln E[(a + s)^(−q)]     q = α/(1 − α), a > 0
    D_α(P‖P'), α > 1:      η = q ln E[(a + s)^(1/q)] − ln(a + 1/2)     q = α/(α − 1), a > 0
    D_1(P‖P'):             η = E[ln(a + s)] − ln(a + 1/2)              a > 0
    D_α(P‖P'), α < 1:      α/(1 − α) times the η of D_{1−α}(P'‖P)

*Proof of the first.* (a − 1/2)⁺ ≤ a − E'[s] ≤ E[h (a − s)₊] ≤ E[h^α]^(1/α) E[(a − s)₊^q]^(1/q), and D_α = ln E[h^α]/(α − 1).
*Of the third.* E[h^α] = E[(h(a + s))^α (a + s)^(−α)] ≤ (a + 1/2)^α E[(a + s)^(−q)]^(1−α), and α − 1 < 0 turns the sign. *Of
the fourth.* E[(a + s)^(1/q)] = E[(h(a + s))^(1/q) h^(−1/q)] ≤ (a + 1/2)^(1/q) E[h^(1−α)]^(1/α). The second and the fifth are
Jensen's inequality. ∎ For order 2 and a so large that nothing is cut off, the best a gives ln(1 + (μ − 1/2)²/σ²).

Each φ rises or falls in s, so lower bounds of the tails bound its mean on the side that is needed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError
from graphcert.tradeoff.base import Floats, TradeOff, probabilities
from graphcert.tradeoff.half_spaces import checked_order

_FREE = 2.0 ** (np.arange(-160, 161) / 16)
"""Values that are tried for a (from 1/2 on, or from 0 on), about 4 % apart; all of them are valid."""

_ROUNDING = 2.0**-50

_TINY = 1e-280
"""Means of φ are raised to it before their logarithm is taken, so that what vanishes in floats proves no infinity."""


class _Family(NamedTuple):
    """η = finish(E[φ]) + offset for all a at once; `phi` (B + 1, a) holds φ at the ends of the bins.

    `steepness` says how often an error of one rounding is magnified, in φ or afterwards.
    """

    phi: Floats
    finish: Callable[[Floats], Floats]
    offset: Floats
    steepness: float


def score_eta(tails: ArrayLike, order: float, mirrored: bool = False) -> Floats:
    """The least divergence that takes the mean of a score down to 1/2, rounded down; use with `order_weight`.

    Args:
        tails: (N, B) lower bounds of P(s ≥ (b + 1)/B), falling in b.
        order, mirrored: as in `order_weight`.

    Returns:
        (N,) finite η ≥ 0: 0 where the mean is not known to exceed 1/2. Sound side: never above the exact value, which is
        the largest over all a; some values of a are tried.
    """
    alpha, array = checked_order(order), probabilities(tails)
    if array.ndim != 2 or (np.diff(array, axis=1) > 0).any():
        raise InputError("tails of scores must have the shape (nodes, bins) and fall along the bins")
    if mirrored and alpha < 1:
        return score_eta(array, 1 - alpha) * (alpha / (1 - alpha) * (1 - 4 * _ROUNDING))
    bins = array.shape[1]
    ends = (np.arange(bins + 1) / bins)[:, None]
    # The worst score that the tails allow; a difference of two floats has a relative error of one rounding only.
    mass = -np.diff(array, axis=1, prepend=1.0, append=0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        family = _mirrored(alpha, ends) if mirrored else _straight(alpha, ends)
        values = family.finish(mass @ family.phi) + family.offset
        slack = _ROUNDING * (bins + 16 + 8 * np.abs(family.offset)) * (1 + family.steepness)
        best = np.fmax.reduce(values - slack, axis=1)  # what overflows proves nothing
    return np.where(best > 0, best, 0.0)


def _minus_log(mean: Floats) -> Floats:
    return -np.log(np.maximum(mean, _TINY))


def _straight(alpha: float, ends: Floats) -> _Family:
    """The divergence of the perturbed law from the clean one."""
    if alpha == 1:
        return _Family(np.exp(-_FREE * ends), _minus_log, -_FREE / 2, _FREE[-1])
    if alpha < 1:
        q = alpha / (1 - alpha)
        return _Family((_FREE + ends) ** -q, _minus_log, -q * np.log(_FREE + 0.5), q)
    q, a = _conjugate(alpha), _FREE + 0.5
    return _Family(np.maximum(a - ends, 0.0) ** q, _minus_log, q * np.log(a - 0.5), q)


def _mirrored(alpha: float, ends: Floats) -> _Family:
    """The divergence of the clean law from the perturbed one, for orders from 1 on."""
    offset = -np.log(_FREE + 0.5)
    if alpha == 1:
        return _Family(np.log(_FREE + ends), lambda mean: mean, offset, 8.0)
    q = _conjugate(alpha)
    return _Family((_FREE + ends) ** (1 / q), lambda mean: -q * _minus_log(mean), offset, q)


def _conjugate(alpha: float) -> float:
    """α/(α − 1)."""
    return 1.0 if math.isinf(alpha) else alpha / (alpha - 1)


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

    `values` (V,) are the distinct tails, at which a trade-off is evaluated once, `place` (N, B) which of them stands where.
    """

    values: Floats
    place: NDArray[np.int64]

    @classmethod
    def of(cls, tails: ArrayLike) -> "ScoreTails":
        """Find the distinct tails of (N, B) probabilities, B ≤ 1,024."""
        array = probabilities(tails)
        if array.ndim != 2 or not 1 <= array.shape[1] <= _MOST_BINS:
            shape = f"the shape (nodes, bins) with up to {_MOST_BINS} bins"
            raise InputError(f"tails of scores need {shape}, got {array.shape}")
        values, place = np.unique(array, return_inverse=True)
        return cls(values, place.reshape(array.shape).astype(np.int64))

    def of_nodes(self, nodes: NDArray[np.bool_] | NDArray[np.int64]) -> "ScoreTails":
        """The tails of some of the nodes, given by a mask or by their numbers."""
        return ScoreTails(self.values, self.place[nodes])

    def perturbed_mean(self, trade_off: TradeOff) -> Floats:
        """(N,) lower bounds of the perturbed mean: at most 2⁻⁴¹ below the exact sum, and what `trade_off.lower` loses."""
        return self.mean_of(trade_off.lower(self.values))

    def mean_of(self, lower: Floats) -> Floats:
        """The same from the trade-off's values (V,) at `values`."""
        bound: Floats = np.maximum(lower[self.place].mean(axis=1) - _GUARD, 0.0)
        return bound
