"""Rendered pictures: the robot fills them, is nowhere cut off, and targets are red, green and blue."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import diffkin as dk
from diffkin import simulation
from diffkin.errors import OptionError, ShapeError

DH = dk.Robot.from_dh(
    [[0, 1.5, 0.3, 0], [0.4, 0, 0, 0], [0.1, -1.5, 0, 0]], kinds="RRP", lower=[-3, -3, 0], upper=[3, 3, 0.2]
)


def colourful(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the picture is not white, grey or black: there is neither floor nor shadow."""
    return np.asarray(picture.max(2).astype(int) - picture.min(2) > 30)


@pytest.mark.skipif(not simulation.is_installed(), reason="needs pybullet")
@pytest.mark.parametrize(
    "robot", [dk.load_robot("kuka_iiwa"), dk.load_robot("planar_2r"), DH], ids=lambda robot: robot.name
)
def test_a_robot_fills_its_picture_and_is_not_cut_off(robot: dk.Robot) -> None:
    picture = dk.render(robot, robot.sample(1, seed=3)[0].tolist(), width=240, height=180)
    assert picture.shape == (180, 240, 3) and picture.dtype == np.uint8
    seen = np.abs(picture.astype(int) - 248).max(2) > 60
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    assert max((rows[-1] - rows[0]) / 180, (columns[-1] - columns[0]) / 240) > 0.7
    assert not (seen[0].any() or seen[-1].any() or seen[:, 0].any() or seen[:, -1].any())
    assert colourful(picture).mean() > 0.02


@pytest.mark.skipif(not simulation.is_installed(), reason="needs pybullet")
def test_targets_are_red_green_and_blue() -> None:
    robot = dk.load_robot("franka_panda")
    q = robot.sample(1, seed=3)[0]
    target = robot.forward_kinematics(q)
    target[:3, 3] += torch.tensor([0.1, 0.3, 0.2])
    without, with_target = (dk.render(robot, q, 240, 180, target=each).astype(int) for each in (None, target))
    for k in range(3):
        others = [with_target[..., j] for j in range(3) if j != k]
        pure = (
            (with_target[..., k] > 80)
            & (others[0] < 0.55 * with_target[..., k])
            & (others[1] < 0.55 * with_target[..., k])
        )
        assert pure.sum() > 20, "xyz"[k]
    assert colourful(with_target).sum() > colourful(without).sum() + 60


@pytest.mark.skipif(not simulation.is_installed(), reason="needs pybullet")
def test_airframes_turn_with_their_attitude() -> None:
    airframe = dk.aircraft.load_airframe("fixed_wing")
    roll = dk.rotations.euler_to_matrix(torch.tensor([0.0, 0.0, 0.8], dtype=torch.float64), "ZYX")
    level, banked = (dk.render(airframe, width=160, height=120, R_ned_body=each) for each in (torch.eye(3), roll))
    assert np.abs(level.astype(int) - banked).mean() > 2


def test_without_pybullet_it_is_the_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "is_installed", lambda: False)
    picture = dk.render(DH, width=320, height=240)
    assert picture.shape == (240, 320, 3)
    np.testing.assert_array_equal(picture, next(dk.animate(DH, DH.sample(1) * 0, width=320, height=240).frames()))


def test_mistakes_say_what_to_do() -> None:
    with pytest.raises(ShapeError, match="one configuration"):
        dk.render(DH, DH.sample(2))
    with pytest.raises(OptionError, match="height"):
        dk.render(DH, height=-1)
    with pytest.raises(OptionError, match="width"):
        dk.render(DH, width=10.5)  # type: ignore[arg-type]
