"""Matplotlib figures, made without pyplot, so that no display is needed and nothing global changes; and films."""

from diffkin.plotting.aircraft import attitude_figure, difference_figure
from diffkin.plotting.animation import Animation, animate
from diffkin.plotting.calibration import calibration_figure
from diffkin.plotting.figures import convergence_figure, new_figure, picture_grid, save_figure
from diffkin.plotting.film import Film, open_film
from diffkin.plotting.paths import path_figure
from diffkin.plotting.rendering import render
from diffkin.plotting.robots import plot
from diffkin.plotting.solutions import branches_figure, synergies_figure
from diffkin.plotting.training import curves_figure, filter_error_figure, flights_figure, pose_error_figure

__all__ = [
    "Animation",
    "Film",
    "animate",
    "attitude_figure",
    "branches_figure",
    "calibration_figure",
    "convergence_figure",
    "curves_figure",
    "difference_figure",
    "filter_error_figure",
    "flights_figure",
    "new_figure",
    "open_film",
    "path_figure",
    "picture_grid",
    "plot",
    "pose_error_figure",
    "render",
    "save_figure",
    "synergies_figure",
]
