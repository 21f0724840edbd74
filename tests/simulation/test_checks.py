"""The comparison with PyBullet finds agreement where there is some, and disagreement where we make some."""

import dataclasses

import pytest
import torch

import diffkin as dk
from diffkin import transforms
from diffkin.errors import OptionError, ShapeError
from diffkin.simulation import bullet_robot, checks, library, world

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


def problem(name: str, count: int = 12) -> tuple:
    robot = dk.load_robot(name)
    q = robot.sample(count, seed=5)
    return robot, q, robot.forward_kinematics(q)


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6"])
def test_report(name: str) -> None:
    robot, q, targets = problem(name)
    success = torch.ones(12, dtype=torch.bool)
    success[0] = False
    report, own = checks.check_solutions(robot, targets, q, success, configurations=5, driven=2)
    assert report.fk_position_difference_m < 1e-12 and report.fk_rotation_difference_rad < 1e-12
    assert report.jacobian_difference < 1e-12
    assert report.solution_position_error_m < 1e-12 and report.solution_rotation_error_rad < 1e-12
    assert report.simulated_targets == 2 and 0 < report.simulated_position_error_m < 1e-3
    assert report.bullet_ik_targets == 12
    assert 0 < report.bullet_ik_solved <= report.bullet_ik_reached <= 12
    outside = ((own.q < robot.lower - 1e-9) | (own.q > robot.upper + 1e-9)).any(-1)
    assert report.bullet_ik_limit_violations == int(outside.sum())
    words = dict(report.rows())
    assert len(words) == 5 and words["2 driven to by motors"].startswith(f"{report.simulated_position_error_m:.2e} m")
    # its answers are judged by Bullet's forward kinematics; ours agrees
    distance, _ = checks.pose_difference(robot.forward_kinematics(own.q), targets)
    torch.testing.assert_close(distance, own.position_error, rtol=0, atol=1e-12)


def test_a_wrong_robot_is_found_out() -> None:
    robot, q, targets = problem("kuka_iiwa")
    origins = robot.tree.origins.clone()
    origins[3, 0, 3] += 1e-4
    wrong = robot.replace(origins=origins)
    with world.open_world() as client:
        arm = dataclasses.replace(bullet_robot.load(client, robot), robot=wrong)
        distance, _ = checks.compare_poses(arm, q)
        assert distance == pytest.approx(1e-4, rel=1e-6)
        assert checks.compare_jacobians(arm, q[:2]) > 1e-6


def test_a_wrong_solution_is_found_out() -> None:
    robot, q, targets = problem("xarm6")
    shifted = targets.clone()
    shifted[:, 0, 3] += 2e-3
    with world.open_world() as client:
        arm = bullet_robot.load(client, robot, transforms.exp(torch.full((6,), 0.3, dtype=torch.float64)))
        distance, angle = checks.read_back(arm, q, shifted)
    torch.testing.assert_close(distance, torch.full_like(distance, 2e-3), rtol=0, atol=1e-12)
    assert float(angle.max()) < 1e-12


def test_nothing_solved_is_reported_as_nothing() -> None:
    robot, q, targets = problem("scara", 3)
    report, _ = checks.check_solutions(robot, targets, q, torch.zeros(3, dtype=torch.bool), configurations=2)
    assert report.simulated_targets == 0
    assert report.simulated_position_error_m is None and report.solution_position_error_m is None
    assert len(report.rows()) == 3


def test_bad_input() -> None:
    robot, q, targets = problem("planar_2r", 2)
    success = torch.ones(2, dtype=torch.bool)
    with pytest.raises(OptionError, match="configurations"):
        checks.check_solutions(robot, targets, q, success, configurations=0)
    with world.open_world() as client, pytest.raises(ShapeError, match="n configurations"):
        checks.compare_poses(bullet_robot.load(client, robot), q[0])
