"""Trade-off functions: how much a perturbation can change the probability of an event (theory sections 1 to 3).

A new law brings one file that registers itself with `trade_off`; importing it here makes it known.
"""

from graphcert.tradeoff import flip
from graphcert.tradeoff.allocation import allocation_trade_offs
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.budgets import budget_trade_offs
from graphcert.tradeoff.discrete import DiscreteTradeOff
from graphcert.tradeoff.dispatch import trade_off

__all__ = ["DiscreteTradeOff", "TradeOff", "allocation_trade_offs", "budget_trade_offs", "flip", "trade_off"]
