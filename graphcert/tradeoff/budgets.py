"""The trade-off of a whole budget under a smoothing scheme: the product of its channels."""

from functools import lru_cache

from graphcert.noise import BernoulliFlip, Budget, Smoothing
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.dispatch import trade_off

_SILENT = BernoulliFlip(0.0, 0.0)
"""The law of a channel that is not perturbed: it shows every change, so it certifies nothing but the zero budget."""


@lru_cache(maxsize=2048)
def budget_trade_off(smoothing: Smoothing, budget: Budget) -> TradeOff:
    """The exact trade-off of `budget` under isotropic `smoothing`: features and edges together.

    Raises:
        UnsupportedError: if the budget is too large for exact arithmetic.
    """
    features = trade_off(smoothing.law("features") or _SILENT, budget.feature_add, budget.feature_delete)
    edges = trade_off(smoothing.law("edges") or _SILENT, budget.edge_add, budget.edge_delete)
    return features * edges
