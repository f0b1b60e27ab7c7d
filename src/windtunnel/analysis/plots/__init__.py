"""Plots of runs and sweeps: each draws on a figure in a theme, which becomes SVG for a page or PNG elsewhere."""

from windtunnel.analysis.plots.distribution import Line, plot_distribution
from windtunnel.analysis.plots.drawing import draw_png, draw_svg
from windtunnel.analysis.plots.timeline import plot_timeline
from windtunnel.analysis.plots.usage import plot_usage
from windtunnel.analysis.plots.values import plot_values

__all__ = ["Line", "draw_png", "draw_svg", "plot_distribution", "plot_timeline", "plot_usage", "plot_values"]
