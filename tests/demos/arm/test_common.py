"""Starts, random targets, trails."""

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm import common


@pytest.mark.parametrize("name", ["franka_panda", "kuka_iiwa", "xarm6", "planar_2r"])
def test_arms_start_where_they_can_move(name: str) -> None:
    robot = dk.load_robot(name)
    home = common.home_of(robot)
    assert bool(((home >= robot.lower) & (home <= robot.upper)).all())
    assert float(robot.manipulability(home)) > 0.3 * float(robot.manipulability(robot.sample(200, seed=1)).median())


def test_a_trail_forgets_its_beginning() -> None:
    trail = common.Trail("t", common.TRAIL, 1.0)
    assert trail.lines() == ()
    for k in range(400):
        trail.add(torch.tensor([0.01 * k, 0.0, 0.0]))
        trail.add(torch.tensor([0.01 * k, 0.0, 0.0]))  # did not move
    (line,) = trail.lines()
    assert len(line.points) == 160 and float(line.points[-1, 0]) == pytest.approx(3.99)
    trail.clear()
    assert trail.lines() == ()


def test_random_targets_are_above_the_floor(iiwa: dk.Robot) -> None:
    generator = torch.Generator().manual_seed(0)
    heights = [float(common.reachable(iiwa, 0.0, generator)[2, 3]) for _ in range(20)]
    assert min(heights) > 0.0 and len(set(heights)) == 20


def test_whole_turns_do_not_count_where_a_joint_is_unlimited() -> None:
    from tests.conftest import MIXED_URDF

    robot = dk.Robot.from_urdf(MIXED_URDF)
    q = torch.zeros(robot.dof, dtype=torch.float64)
    turned = 2.0 * torch.pi * robot.periodic.double() + q
    assert bool(robot.periodic.any()) and float(common.turned_apart(robot, turned[None], q)[0]) < 1e-9


def test_a_tally_counts() -> None:
    from diffkin.demos.arm.answers import Answer

    tally = common.Tally()
    assert tally.figures()["solve_time_median_ms"] is None
    for success, seconds in ((True, 1e-3), (False, 3e-3), (True, 2e-3)):
        tally.add(Answer(torch.zeros(1), success, 1e-7 if success else 1.0, None, 3, seconds))
    assert tally.figures("x_") == {
        "x_solves": 3, "x_solved": 2, "x_worst_position_error_of_the_solved_m": 1e-7, "x_solve_time_median_ms": pytest.approx(2.0),
    }  # fmt: skip
