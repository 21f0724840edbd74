"""Figures of aircraft show the angles, rates and torques they were given."""

import numpy as np
import pytest
import torch

from diffkin import plotting, rotations
from diffkin.errors import ShapeError

TIME = torch.linspace(0, 2, 21, dtype=torch.float64)


def path(turns: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A steady yaw by so many turns."""
    yaw = 2 * torch.pi * turns * TIME / 2
    angles = torch.stack((yaw, 0 * yaw, 0 * yaw), -1)
    rate = torch.tensor([0.0, 0.0, torch.pi * turns], dtype=torch.float64).expand(21, 3)
    return rotations.euler_to_matrix(angles, "ZYX"), rate


def test_angles_are_unwrapped_rates_and_torques_drawn() -> None:
    torque = torch.arange(60.0).reshape(20, 3)
    goal = rotations.euler_to_matrix(torch.tensor([0.5, 0.0, 0.0], dtype=torch.float64), "ZYX")
    figure = plotting.attitude_figure(TIME, {"ours": path(1.5)}, torque, goal, "a turn and a half")
    angles, rates, torques = figure.axes
    np.testing.assert_allclose(angles.lines[0].get_ydata(), np.linspace(0, 540, 21), atol=1e-6)
    np.testing.assert_allclose(rates.lines[2].get_ydata(), 270.0)
    np.testing.assert_allclose(torques.lines[1].get_ydata(), torque[:, 1])
    # the goal is drawn at the turn that the path ends in
    assert float(np.ravel(angles.lines[3].get_ydata())[0]) == pytest.approx(np.degrees(0.5) + 360.0)
    names = [text.get_text() for text in angles.get_legend().get_texts()]
    assert names == ["yaw", "pitch", "roll", "yaw, target", "pitch, target", "roll, target"]


def test_several_paths_are_told_apart() -> None:
    figure = plotting.attitude_figure(TIME, {"ours": path(0.1), "Bullet": path(0.2)})
    assert len(figure.axes) == 2
    names = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}
    assert names >= {"yaw (ours)", "yaw (Bullet)"}


def test_differences_leave_zeros_out() -> None:
    figure = plotting.difference_figure(TIME, {"body 0": 1e-3 * TIME})
    drawn = figure.axes[0].lines[0].get_ydata()
    assert np.isnan(drawn[0])
    np.testing.assert_allclose(drawn[1:], 1e-3 * TIME[1:])


def test_another_number_of_steps_is_refused() -> None:
    with pytest.raises(ShapeError, match="ours"):
        plotting.attitude_figure(TIME[:-1], {"ours": path(0.1)})
