"""Trade-off functions: how much a perturbation can change the probability of an event (theory sections 1 to 3, 5, 6).

A new law brings one file that registers itself with `trade_off`; importing it here makes it known.
"""

from graphcert.tradeoff import flip, gaussian, hierarchical, uniform
from graphcert.tradeoff.allocation import allocation_trade_offs, selected_trade_offs
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.budgets import budget_trade_offs
from graphcert.tradeoff.discrete import DiscreteTradeOff
from graphcert.tradeoff.dispatch import trade_off
from graphcert.tradeoff.escape import Escape, escape, selection_escape, subset_escape
from graphcert.tradeoff.gaussian import GaussianTradeOff
from graphcert.tradeoff.input_dependent import input_dependent_radius, input_dependent_threshold
from graphcert.tradeoff.radius import certified_radius, gaussian_radius, gaussian_radius_multiclass, uniform_radius
from graphcert.tradeoff.uniform import box_escape

__all__ = [
    "DiscreteTradeOff",
    "Escape",
    "GaussianTradeOff",
    "TradeOff",
    "allocation_trade_offs",
    "box_escape",
    "budget_trade_offs",
    "certified_radius",
    "escape",
    "flip",
    "gaussian",
    "gaussian_radius",
    "gaussian_radius_multiclass",
    "hierarchical",
    "input_dependent_radius",
    "input_dependent_threshold",
    "selected_trade_offs",
    "selection_escape",
    "subset_escape",
    "trade_off",
    "uniform",
    "uniform_radius",
]
