"""Plots as inline SVG: small functions of values, without state of matplotlib's own."""

from graphcert.report.plots.curve import curve_plot
from graphcert.report.plots.heat_map import heat_map_plot
from graphcert.report.plots.margins import margin_plot

__all__ = ["curve_plot", "heat_map_plot", "margin_plot"]
