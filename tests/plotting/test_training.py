"""Figures of trainings show scores, distributions, errors over time and flights as they were given."""

import math

import numpy as np
import torch

from diffkin import plotting


def test_curves_have_a_panel_for_each_score() -> None:
    rows = [
        {"step": 10.0 * k, "seconds": 1.0, "learning_rate": 1.0, "loss": 10.0**-k, "hand_error_m": 1.0 + k}
        for k in (1, 2, 3)
    ]
    figure = plotting.curves_figure(rows)
    assert [axes.get_title() for axes in figure.axes] == ["loss", "hand error [m]"]
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), [10, 20, 30])
    single = plotting.curves_figure(rows[:1])
    assert single.axes[0].lines[0].get_marker() == "."  # a line of one point would not show


def test_pose_errors_are_distributions_in_millimetres_and_degrees() -> None:
    position, rotation = torch.tensor([0.003, 0.001, 0.002]), torch.tensor([0.0, math.pi, math.pi / 2])
    left, right = plotting.pose_error_figure({"one answer": (position, rotation)}).axes
    np.testing.assert_allclose(left.lines[0].get_xdata(), [1.0, 2.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(left.lines[0].get_ydata(), [0.0, 50.0, 100.0])
    np.testing.assert_allclose(right.lines[0].get_xdata(), [1e-9, 90.0, 180.0], rtol=1e-6)


def test_filter_errors_are_means_over_the_records_that_have_a_truth() -> None:
    angles = torch.deg2rad(torch.tensor([[3.0, 4.0], [math.nan, 2.0], [math.nan, math.nan]]))
    (axes,) = plotting.filter_error_figure(0.1, {"start": angles}, "mahony").axes
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0.0, 0.1, 0.2], atol=1e-6)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [math.sqrt(12.5), 2.0, math.nan], rtol=1e-5)


def test_flights_show_median_and_95th_percentile_of_every_controller() -> None:
    angle = torch.deg2rad(torch.arange(1.0, 102.0)).expand(3, 101)
    figure = plotting.flights_figure(
        0.02, {"model": {"a": angle, "b": 2 * angle}, "Bullet": {"a": angle}}, near_deg=2.0
    )
    left, right = figure.axes
    assert left.get_title() == "model" and right.get_title() == "Bullet"
    heights = [np.ravel(line.get_ydata())[0] for line in left.lines]
    np.testing.assert_allclose(heights, [51.0, 96.0, 102.0, 192.0, 2.0], rtol=1e-6)
    written = {text.get_text() for text in figure.legends[0].get_texts()}
    assert written == {"a, median", "a, 95 %", "b, median", "b, 95 %", "2 deg"}
