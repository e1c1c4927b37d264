"""Plots as inline SVG: small functions of values, without state of matplotlib's own."""

from graphcert.report.plots.attack import attack_plot
from graphcert.report.plots.clusters import cluster_plot
from graphcert.report.plots.curve import curve_plot
from graphcert.report.plots.heat_map import has_border, has_numbers, heat_map_plot
from graphcert.report.plots.ladder import ladder_plot
from graphcert.report.plots.margins import margin_plot
from graphcert.report.plots.ranks import rank_plot

__all__ = [
    "attack_plot", "cluster_plot", "curve_plot", "has_border", "has_numbers", "heat_map_plot", "ladder_plot", "margin_plot",
    "rank_plot",
]  # fmt: skip
