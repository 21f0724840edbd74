"""Pictures show the robot, where it is and how it stands."""

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError, ShapeError
from diffkin.simulation import library, pictures, world

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


def test_each_solution_has_its_picture() -> None:
    robot = dk.load_robot("kuka_iiwa")
    q = robot.sample(2, seed=0)
    first, second = pictures.render_solutions(robot, q, robot.forward_kinematics(q), width=120, height=100)
    assert first.shape == second.shape == (100, 120, 3) and first.dtype == np.uint8
    orange = (first[..., 0].astype(int) - first[..., 2]) > 100  # the KUKA's links
    assert 0.005 < orange.mean() < 0.5
    assert np.abs(first.astype(int) - second).mean() > 1.0
    border = np.concatenate((first[0], first[:, 0], first[:, -1]))
    assert (border > 180).all()  # the arm is inside the picture


def share_of(seen: np.ndarray) -> float:
    """The larger of the shares of height and width that something takes; it must not reach the border."""
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    assert rows[0] > 0 and columns[0] > 0 and rows[-1] < seen.shape[0] - 1 and columns[-1] < seen.shape[1] - 1
    return float(max((rows[-1] + 1 - rows[0]) / seen.shape[0], (columns[-1] + 1 - columns[0]) / seen.shape[1]))


@pytest.mark.parametrize("name", ["xarm6", "kuka_iiwa", "franka_panda", "planar_3r"])
def test_a_robot_and_its_target_fill_the_picture(name: str) -> None:
    robot = dk.load_robot(name)
    q = robot.sample(1)
    picture = pictures.render_robot(robot, q[0], robot.forward_kinematics(q), width=160, height=120, floor=False)
    assert 0.8 < share_of((picture < 245).any(-1)) < 0.92


def test_solutions_fill_their_pictures_together() -> None:
    robot = dk.load_robot("scara")
    q = robot.sample(6)
    shown = np.stack(pictures.render_solutions(robot, q, robot.forward_kinematics(q), width=160, height=160))
    coloured = shown.max(-1).astype(int) - shown.min(-1) > 25  # the floor and its shades are grey
    assert 0.75 < share_of(coloured.any(0)) < 0.92


def test_frames_are_red_green_blue() -> None:
    with world.open_world() as client:
        pictures.add_frame(client, torch.eye(4, dtype=torch.float64), size=1.0)
        # from above, x to the right and y up
        camera = pictures.Camera((0.0, 0.0, 0.0), 3.0, yaw_deg=0.0, pitch_deg=-89.9)
        picture = pictures.render(client, camera, 100, 100, shadow=False).astype(int)
    red = np.argwhere(picture[..., 0] - picture[..., 1] > 80).mean(0)
    green = np.argwhere(picture[..., 1] - picture[..., 0] > 60).mean(0)
    assert red[1] > 60 and abs(red[0] - 50) < 5
    assert green[0] < 40 and abs(green[1] - 50) < 5


def test_bad_input() -> None:
    robot = dk.load_robot("planar_2r")
    with pytest.raises(ShapeError, match="targets"):
        pictures.render_solutions(robot, torch.zeros(2, 2), torch.eye(4)[None])
    with world.open_world() as client, pytest.raises(OptionError, match="pixel"):
        pictures.render(client, pictures.Camera((0, 0, 0), 1.0), 0, 10)
