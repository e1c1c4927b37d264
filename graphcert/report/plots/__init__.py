"""Plots as inline SVG: small functions of values, without state of matplotlib's own."""

from graphcert.report.plots.budget_curves import counts_plot, curve_plot, shares_plot
from graphcert.report.plots.cluster_map import attack_plot, cluster_plot
from graphcert.report.plots.histogram import margin_plot
from graphcert.report.plots.matrices import Panel, has_border, has_numbers, heat_map_plot, rank_plot

__all__ = [
    "Panel", "attack_plot", "cluster_plot", "counts_plot", "curve_plot", "has_border", "has_numbers", "heat_map_plot",
    "margin_plot", "rank_plot", "shares_plot",
]  # fmt: skip
