"""Matplotlib figures. They are made without pyplot, so no display is needed and nothing global changes."""

from diffkin.plotting.aircraft import attitude_figure, difference_figure
from diffkin.plotting.calibration import calibration_figure
from diffkin.plotting.figures import convergence_figure, new_figure, picture_grid, save_figure
from diffkin.plotting.paths import path_figure
from diffkin.plotting.solutions import branches_figure, synergies_figure
from diffkin.plotting.training import curves_figure, filter_error_figure, flights_figure, pose_error_figure

__all__ = [
    "attitude_figure",
    "branches_figure",
    "calibration_figure",
    "convergence_figure",
    "curves_figure",
    "difference_figure",
    "filter_error_figure",
    "flights_figure",
    "new_figure",
    "path_figure",
    "picture_grid",
    "pose_error_figure",
    "save_figure",
    "synergies_figure",
]
