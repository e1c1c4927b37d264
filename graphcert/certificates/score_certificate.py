"""`certify_scores`: what scores prove about the mean-score classifier (theory section 4; Schuchardt et al. 2023)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.claims import Claims
from graphcert.certificates.confidence_bounds import (
    BOUNDS,
    RULES,
    checked_scores,
    claimed,
    note_claims,
    score_bounds,
    score_rule,
    unanimous_scores,
)
from graphcert.certificates.query import HalfSpaces
from graphcert.core.arguments import one_of
from graphcert.core.arrays import Floats, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import CHANNELS, Budget, Scheme, Views
from graphcert.noise.law import undominated
from graphcert.tradeoff import allocation_trade_offs, budget_trade_offs
from graphcert.tradeoff.base import rounded_up
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, mean_variance_eta, order_weight
from graphcert.tradeoff.mean_scores import ScoreTails, score_eta
from graphcert.votes import Votes

ORDER = Order(2.0)
"""The divergence behind a certificate of mean and variance."""

_KNOWN = {
    "band": "the distribution of the score is bounded by a band, and the perturbed mean by exact trade-offs",
    "bernstein": "mean and variance are bounded by empirical Bernstein bounds",
    "dkw": "mean and variance are bounded by a band around the distribution of the score",
}

_KNOWN_MARGINS = (
    "the distributions of its margins over all other classes are bounded by one band, and their perturbed means by exact "
    "trade-offs"
)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ScoreCertificate(Claims):
    """Bounds of the distribution of scores, and the robustness that follows from them; made by `certify_scores`.

    The classifier is the mean-score one: the class of largest expected score under the noise. It is not the majority vote
    that `Certificate` speaks about: labels and claims of the two must not be mixed. Scores are at least 0 and sum to at
    most 1, so a class whose mean stays above 1/2 stays the largest: that is the binary rule. The multi-class rule says
    the same of the margins (1 + score of the label − score of another class) / 2: where all of their means stay above 1/2,
    the label stays the largest. No margin lies below the label's score, so at the same error rate this rule never
    certifies less. In what follows "score" then stands for the smallest margin that the band allows (theory, section 4).
    Sound side: what is not proved is reported as not robust.

    With a band, a node is robust if its mean score stays above 1/2 by the exact trade-offs: ∫ lower(1 − F₊(t)) dt > 1/2 (see
    `ScoreTails`). With mean and variance, or where the budget is too large for exact arithmetic, if Σ w · ε < ln(1 +
    (μ − 1/2)²/σ²), the sum over the four numbers ε of the budget, w the largest weight of order 2 among the levels of noise
    of the channel: the adversary places changes where they hurt most. Without any change, if `mean_lower` > 1/2.

    Attributes beside those of all `Claims`:

    Attributes:
        mean_lower: (N,) lower bound of the label's mean score under the noise, or of its mean margins over all other
            classes; 0 for a node that is no target.
        variance_upper: (N,) upper bound of the variance of that score, holding jointly; with a band, the variance of the
            smallest score that the band allows, whose mean is `mean_lower`. 1/4 for a node that is no target.
        bounds: "band", "bernstein" or "dkw", where they come from.
        tails: (N, B) lower bounds of the probability that the score, or any margin, reaches (b + 1)/B, the band; None
            for the others.
        method: "binary" or "multiclass"; the latter with a band only.

    Raises:
        InputError: if `tails` are no probabilities that fall along the bins of every node, or belong to another `bounds` or
            `method`.
        UnsupportedError: without a band, if the smoothing has other laws than flips of bits and edges.
    """

    mean_lower: Floats
    variance_upper: Floats
    bounds: str
    tails: Floats | None = None
    method: str = "binary"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tails is None and not self.smoothing.flips_only:
            raise UnsupportedError(
                "mean and variance of scores certify flips of bits and edges only; use BernoulliFlip laws or bounds='band'"
            )
        one_of("the bounds", self.bounds, BOUNDS)
        self._check_bound("mean_lower")
        self._check_bound("variance_upper", most=0.25)
        tails = self.tails
        if (tails is not None) != (self.bounds == "band"):
            raise InputError("tails belong to bounds='band', and only to them")
        if one_of("the certificate method", self.method, RULES) == "multiclass" and tails is None:
            raise InputError("the multi-class rule of scores rests on a band; give tails, or method='binary'")
        if tails is None:
            return
        if tails.shape[:-1] != (self.nodes,) or np.diff(tails).max(initial=0) > 0:
            raise InputError(f"the tails of {self.nodes} scores need one row each, falling along the bins")
        if not ((tails >= 0) & (tails <= 1)).all():
            raise InputError("tails are probabilities from 0 to 1")

    def _check_read(self) -> None:
        super()._check_read()
        self._check_others("mean_lower", 0.0)
        self._check_others("variance_upper", 0.25)
        if self.tails is not None:
            self._check_others("tails", 0.0)

    @classmethod
    def _built(cls, description: Mapping[str, Any]) -> Self:
        # Older files know the binary rule only, and do not name it.
        return super()._built({"method": "binary", **description})

    def _kept(self, budget: Budget, shift: float = 0.0) -> Mask:
        if shift and self.smoothing.flips_only:
            raise InputError("a shift is no measure of changes under flips; give add, delete, edge_add or edge_delete")
        if not self.smoothing.flips_only:
            return self._keeps_its_mean(budget, shift)
        by_variance = np.asarray(worst_divergence(self.smoothing, budget) < self._eta())
        if self.tails is None or by_variance.all():
            return by_variance
        try:
            # Never weaker than order 2, but where the trade-offs cover more than the adversary has.
            return np.asarray(by_variance | self._keeps_its_mean(budget))
        except UnsupportedError:
            return by_variance

    def _unanimous(self, samples: int) -> "ScoreCertificate":
        votes = unanimous_scores(samples, self.total_variation)
        tails, mean, variance = score_bounds(votes, self.bounds, self.method, self._level, np.ones(1, dtype=np.bool_))
        return replace(
            self, samples=samples, mean_lower=np.where(self.targets, mean, 0.0),
            variance_upper=np.where(self.targets, variance, 0.25),
            tails=None if tails is None else np.where(self.targets[:, None], tails, 0.0),
        )  # fmt: skip

    def robust_at(
        self,
        feature_add: ArrayLike = 0,
        feature_delete: ArrayLike = 0,
        edge_add: ArrayLike = 0,
        edge_delete: ArrayLike = 0,
    ) -> Mask:
        """Which nodes keep their label under one allocation, as in `Certificate.robust_at`; from a band only.

        Raises:
            InputError: for arrays of another shape, or entries that are not whole numbers ≥ 0.
            UnsupportedError: without a band, under other noise than flips, or if the allocation is too large for exact
                arithmetic.
        """
        if self.tails is None:
            raise UnsupportedError("an allocation is judged by exact trade-offs; certify_scores with bounds='band'")
        views, kept = Views.of_flips(self.smoothing, self.nodes), np.zeros(self.nodes, dtype=np.bool_)
        changes = (feature_add, feature_delete, edge_add, edge_delete)
        for view, trade_off in enumerate(allocation_trade_offs(views, changes)):
            mine = views.of_node == view
            kept[mine] = self._band.of_nodes(mine).perturbed_mean(trade_off) > 0.5
        return kept

    def _keeps_its_mean(self, budget: Budget, distance: float = 0.0) -> Mask:
        """(N,) whether the mean score stays above 1/2 by the exact trade-offs of a budget."""
        if distance and budget.nodes is None:
            budget = replace(budget, nodes=self.smoothing.counted_rows(self.nodes))
        trade_offs = budget_trade_offs(self.smoothing, budget, distance, self.nodes)
        return np.asarray(np.logical_and.reduce([self._band.perturbed_mean(seen) > 0.5 for seen in trade_offs]))

    @cached_property
    def _band(self) -> ScoreTails:
        assert self.tails is not None  # only a band is asked for its tails
        return ScoreTails.of(self.tails)

    def _tails(self) -> ScoreTails | None:
        return None if self.tails is None else self._band

    def _eta(self) -> Floats:
        return mean_variance_eta(self.mean_lower, self.variance_upper)

    def _half_spaces(self, orders: Sequence[Order] | None) -> HalfSpaces:
        used = (*DEFAULT_ORDERS, ORDER) if orders is None and self.tails is not None else orders
        used = (ORDER,) if used is None else tuple(Order(*order) for order in used)
        if used == (ORDER,):
            return HalfSpaces(used, self._eta()[None])
        if self.tails is None:
            raise UnsupportedError("mean and variance of scores give the half-space of order 2 only; leave out orders")
        if not used:
            raise InputError("name at least one order of divergence in orders")
        return HalfSpaces(used, np.array([score_eta(self.tails, *order) for order in used]))

    def _basis(self) -> str:
        if self.method == "multiclass":
            return "a band around the margins of scores, the multi-class rule"
        return "a band around the scores" if self.bounds == "band" else f"mean and variance of scores ({self.bounds})"

    def _words(self) -> tuple[str, str, str]:
        rule, known = "one half, and scores sum to at most one", _KNOWN[self.bounds]
        if self.method == "multiclass":
            rule, known = "that of every other class", _KNOWN_MARGINS
        return (
            "The certified classifier is the mean-score classifier: for each node, the class whose score is largest on "
            "average when {noise}. It is not the majority vote, and its claims must not be mixed with claims about that.",
            f"the mean score of the label stays above {rule}",
            f"; {known}. The error rates of several certificates from the same votes, such as one about the majority vote, "
            f"add up",
        )


def certify_scores(
    votes: Votes,
    alpha: float = 0.01,
    simultaneous: bool = True,
    *,
    method: str | None = None,
    bounds: str = "band",
    targets: ArrayLike | None = None,
) -> ScoreCertificate:
    """Bound the distribution of the target nodes' scores; the result answers for any budget.

    It speaks about the mean-score classifier, whose labels the pilot scores chose, not about the majority vote of
    `certify`. From a band around the distribution function the exact trade-off proves what can be proved; from mean and
    variance alone it is the certificate of localized smoothing as published (Schuchardt et al. 2023).

    Args:
        votes: votes of N nodes with scores, as `sample_votes(…, scores=True)` takes them.
        alpha, simultaneous, targets: as in `certify`.
        method: "multiclass" compares the label's mean score with that of every other class; "binary" with 1/2, which at
            the same error rate never certifies more. By default "multiclass" where there are three classes or more, the
            margins were counted and `bounds` is "band", and "binary" elsewhere.
        bounds: "band", a band around the distribution function and the exact trade-off. Or mean and variance only, for
            comparison: "bernstein" (Maurer & Pontil 2009), for scores of small variance, or "dkw" (from one uniform
            band), for the others; "band" certifies whatever "dkw" does. Choose without looking at the final scores.

    Raises:
        InputError: if the votes have no scores, or an argument is outside its domain; for method="multiclass" if only the
            label's score was counted, as in files of older versions.
        UnsupportedError: for method="multiclass" with mean and variance only.

    Warns:
        RepeatedClaimsWarning: if other claims were made from the same `Votes` object: the error rates add up.
    """
    one_of("the bounds", bounds, BOUNDS)
    level, shared = claimed(votes, "certify_scores", alpha, simultaneous, targets)
    mask, rule = shared["targets"], score_rule(votes, bounds, method)
    tails, mean, variance = score_bounds(votes, bounds, rule, level, mask)
    # Both methods rest on one event: what the binary rule certifies, the multi-class rule certifies too.
    note_claims(votes, shared["alpha"], "certify_scores", shared["simultaneous"], bounds, mask)
    labels = checked_scores(votes).labels
    return ScoreCertificate(
        labels=labels, mean_lower=mean, variance_upper=variance, bounds=bounds, tails=tails, method=rule, **shared
    )


def worst_divergence(smoothing: Scheme, budget: Budget) -> float:
    """The largest divergence of order 2 that the changes of a budget can cause, wherever they are placed; rounded up.

    Infinite if a channel that is not perturbed, or shows every such change, is changed at all.
    """
    if smoothing.reweighted and budget.edge_delete:
        return math.inf  # the perturbed graph shows edges that the clean one never does
    smoothing = smoothing.as_added()
    worst: list[float] = []
    for channel in CHANNELS:
        # A dominated level causes less divergence; without any level, every change shows.
        weights = [order_weight(law, *ORDER) for law in undominated(smoothing.levels(channel))]
        worst += map(max, zip(*(weights or [(math.inf, math.inf)]), strict=True))
    # Here 0 · ∞ is 0.
    costs = [(count, weight) for count, weight in zip(budget.as_tuple(), worst, strict=True) if count]
    if any(math.isinf(weight) for _, weight in costs):
        return math.inf
    total = sum((count * Fraction(weight) for count, weight in costs), Fraction(0))
    return rounded_up(total.numerator, total.denominator)
