"""Trade-off functions: how much a perturbation can change the probability of an event (theory sections 1 to 3, 5, 6).

The trade-off of a law stands in the file of its name, which registers it.
"""

from importlib import import_module

from graphcert.noise import LAWS
from graphcert.tradeoff.base import TradeOff, trade_off
from graphcert.tradeoff.budgets import (
    allocation_trade_offs,
    budget_trade_offs,
    rows_mass,
    rows_per_block,
    selected_trade_offs,
)
from graphcert.tradeoff.discrete import DiscreteTradeOff
from graphcert.tradeoff.disjoint_support import DisjointSupport, selection_mass, subset_mass, with_disjoint_support
from graphcert.tradeoff.gaussian import GaussianTradeOff, gaussian_radius, gaussian_radius_multiclass
from graphcert.tradeoff.input_dependent import input_dependent_radius, input_dependent_threshold
from graphcert.tradeoff.real_laws import certified_radius, radius_given
from graphcert.tradeoff.rotation import certified_turn, turn_shift
from graphcert.tradeoff.uniform import box_mass, uniform_radius

for _law in LAWS:
    if _law.element != "rows":
        import_module(f"graphcert.tradeoff.{_law.__module__.rpartition('.')[2]}")

__all__ = [
    "DiscreteTradeOff", "DisjointSupport", "GaussianTradeOff", "TradeOff", "allocation_trade_offs", "box_mass",
    "budget_trade_offs", "certified_radius", "certified_turn", "gaussian_radius", "gaussian_radius_multiclass",
    "input_dependent_radius", "input_dependent_threshold", "radius_given", "rows_mass", "rows_per_block",
    "selected_trade_offs", "selection_mass", "subset_mass", "trade_off", "turn_shift", "uniform_radius",
    "with_disjoint_support",
]  # fmt: skip
