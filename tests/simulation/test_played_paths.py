"""Paths under motor control: the arm stays near what is commanded, and what is read back is Bullet's own."""

import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError, ShapeError
from diffkin.simulation import library, load, open_world, play_path, show_path

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


@pytest.mark.parametrize("name", ["kuka_iiwa", "scara"])
def test_the_motors_stay_on_the_path(name: str) -> None:
    robot = dk.load_robot(name)
    time = torch.linspace(0.0, 2.0 * torch.pi, 120, dtype=torch.float64)[:, None]
    reach = 0.1 * torch.minimum(robot.upper - robot.lower, torch.full((robot.dof,), 2.0, dtype=torch.float64))
    q = 0.5 * (robot.lower + robot.upper) + reach * (1.0 - time.cos())
    with open_world() as client:
        played = play_path(load(client, robot), q, dt=0.02)
    assert played.q.shape == q.shape and played.T.shape == (120, 4, 4)
    assert float(played.joint_error.abs().max()) < 0.02 and float(played.tip_error.max()) < 0.02
    assert float((played.q[60] - q[0]).abs().max()) > 0.05  # it did move
    torch.testing.assert_close(played.T, robot.forward_kinematics(played.q), atol=1e-6, rtol=0.0)
    torch.testing.assert_close(played.joint_error, played.q - q)


def test_bad_inputs_and_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = dk.load_robot("scara")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "window" in show_path(robot, robot.sample(2), 0.01)
    with open_world() as client:
        arm = load(client, robot)
        with pytest.raises(ShapeError, match="q must be"):
            play_path(arm, robot.sample(2)[:, :3], 0.01)
        with pytest.raises(OptionError, match="dt"):
            play_path(arm, robot.sample(2), 0.0)
