"""What scores prove about the mean-score classifier, for every budget (theory section 4; Schuchardt et al. 2023)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from graphcert.certificates.certificate import as_budget
from graphcert.certificates.claims import Claims, Floats, Mask
from graphcert.certificates.score_guarantee import describe_mean_score
from graphcert.errors import UnsupportedError
from graphcert.noise import CHANNELS, BernoulliFlip, Budget, Smoothing
from graphcert.noise.dominance import undominated
from graphcert.tradeoff.half_spaces import Order, mean_variance_eta, order_weight

ORDER = Order(2.0)
"""The divergence behind a certificate of mean and variance."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreCertificate(Claims):
    """Bounds of mean and variance of scores, and the robustness that follows from them; made by `certify_scores`.

    The classifier is the mean-score one: the class of largest expected score under the noise. It is not the majority vote
    that `Certificate` speaks about: labels and claims of the two must not be mixed. Sound side: what is not proved is
    reported as not robust. Attributes beside those of all `Claims`:

    Attributes:
        mean_lower: (N,) lower bound of the label's mean score under the noise; 0 for a node that is no target.
        variance_upper: (N,) upper bound of the variance of that score, holding jointly; 1/4 for a node that is no target.
        bounds: "bernstein" or "dkw", where the two come from.

    Raises:
        UnsupportedError: if the smoothing has other laws than flips of bits and edges.
    """

    mean_lower: Floats
    variance_upper: Floats
    bounds: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(isinstance(law, BernoulliFlip) for channel in CHANNELS for law in self.smoothing.levels(channel)):
            raise UnsupportedError(
                "mean-score certificates are offered for flips of bits and edges; use BernoulliFlip laws"
            )

    def robust(self, add: int | Budget = 0, delete: int = 0, edge_add: int = 0, edge_delete: int = 0) -> Mask:
        """Which nodes provably keep their label under every perturbation within the budget.

        A node is robust if Σ w · ε < ln(1 + (μ − 1/2)²/σ²), the sum over the four numbers ε of the budget, w the largest
        weight of order 2 among the levels of noise of the channel: the adversary places changes where they hurt most.

        Args:
            add: feature bits set anywhere in the graph, or a whole `Budget` in place of the four numbers.
            delete: feature bits cleared.
            edge_add: undirected edges inserted.
            edge_delete: undirected edges removed.

        Returns:
            (N,) mask; False for abstaining nodes, for nodes that are no targets, and for all nodes if the budget
            changes a channel that the smoothing does not perturb. Without any change, whether `mean_lower` > 1/2.

        Raises:
            InputError: if a count is not a whole number ≥ 0.
        """
        cost = worst_divergence(self.smoothing, as_budget(add, delete, edge_add, edge_delete))
        return np.asarray(cost < self._eta())

    def _eta(self) -> Floats:
        return mean_variance_eta(self.mean_lower, self.variance_upper)

    def _half_spaces(self, orders: Sequence[Order] | None) -> tuple[tuple[Order, ...], Floats]:
        if orders is not None and [Order(*order) for order in orders] != [ORDER]:
            raise UnsupportedError("mean and variance of scores give the half-space of order 2 only; leave out orders")
        return (ORDER,), self._eta()[None]

    def guarantee(self) -> str:
        """What is guaranteed, about what, against whom and with which probability, in plain words."""
        return describe_mean_score(
            self.smoothing, self.claims, self.nodes, self.samples, self.alpha, self.simultaneous, self.bounds
        )


def worst_divergence(smoothing: Smoothing, budget: Budget) -> float:
    """The largest divergence of order 2 that the changes of a budget can cause, wherever they are placed; rounded up.

    Infinite if a channel that is not perturbed, or shows every such change, is changed at all.
    """
    costs = []
    for channel, *counts in (
        ("features", budget.feature_add, budget.feature_delete),
        ("edges", budget.edge_add, budget.edge_delete),
    ):
        # A dominated level causes less divergence; without any level, every change shows.
        weights = [order_weight(law, *ORDER) for law in undominated(smoothing.levels(channel))] or [
            (math.inf, math.inf)
        ]
        worst = map(max, zip(*weights, strict=True))
        costs += [(count, weight) for count, weight in zip(counts, worst, strict=True) if count]  # 0 · ∞ is 0 here
    if any(math.isinf(weight) for _, weight in costs):
        return math.inf
    return _up(sum((count * Fraction(weight) for count, weight in costs), Fraction(0)))


def _up(value: Fraction) -> float:
    """The smallest float that is not below `value`."""
    try:
        nearest = float(value)
    except OverflowError:
        return math.inf
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)
