"""Position control: Bullet's motors carry the arms to within a millimetre against gravity."""

import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError
from diffkin.simulation import bullet_robot, library, world
from diffkin.simulation.motors import drive_to

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6", "scara"])
def test_arrives_within_a_millimetre(name: str) -> None:
    robot = dk.load_robot(name)
    with world.open_world() as client:
        arm = bullet_robot.load(client, robot)
        arm.reset((robot.lower + robot.upper) / 2)
        for q in robot.sample(3, seed=11):
            arrival = drive_to(arm, q)
            reached, asked = robot.forward_kinematics(arrival.q), robot.forward_kinematics(q)
            assert float((reached - asked)[:3, 3].norm()) < 1e-3
            assert float(arrival.joint_error.abs().max()) < 1e-3
            torch.testing.assert_close(arm.link_pose(robot.tip), reached, rtol=0, atol=1e-9)


def test_gravity_acts() -> None:
    """With the motors off the arm falls: what holds it above are the motors."""
    robot = dk.load_robot("kuka_iiwa")
    q = torch.full((7,), 0.5, dtype=torch.float64)
    with world.open_world() as client:
        arm = bullet_robot.load(client, robot)
        arm.reset(q)
        for _ in range(60):
            library.bullet().stepSimulation(physicsClientId=client)
        assert float((arm.coordinates() - q).abs().max()) > 0.05


def test_equal_runs_are_equal_to_the_bit() -> None:
    robot = dk.load_robot("xarm6")
    q = robot.sample(1, seed=4)[0]
    ends = []
    for _ in range(2):
        with world.open_world() as client:
            ends.append(drive_to(bullet_robot.load(client, robot), q).q)
    assert torch.equal(*ends)


def test_negative_time_is_refused() -> None:
    with world.open_world() as client:
        arm = bullet_robot.load(client, dk.load_robot("planar_2r"))
        with pytest.raises(OptionError, match="negative"):
            drive_to(arm, torch.zeros(2), settle_seconds=-1.0)
