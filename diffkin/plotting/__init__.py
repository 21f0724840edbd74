"""Matplotlib figures. They are made without pyplot, so no display is needed and nothing global changes."""

from diffkin.plotting.aircraft import attitude_figure, difference_figure
from diffkin.plotting.figures import convergence_figure, new_figure, picture_grid, save_figure

__all__ = ["attitude_figure", "convergence_figure", "difference_figure", "new_figure", "picture_grid", "save_figure"]
