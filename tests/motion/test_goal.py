"""What a path asks for, and how near coordinates are to limits, against closed forms."""

import pytest
import torch

import diffkin as dk
from diffkin.ik import PoseTask, PositionTask
from diffkin.ik.problem import make_problem
from diffkin.motion.goal import Goal, largest_step

DOUBLE = torch.float64


def goal_of(robot: dk.Robot, tasks: list[dk.ik.Task], poses: torch.Tensor | None, count: int) -> Goal:
    problem = make_problem(robot, tasks, torch.Size([count]), torch.ones(robot.dof, dtype=torch.bool))
    return Goal(robot, problem, poses, count, torch.ones(robot.dof, dtype=DOUBLE), 0.0, False, 0)


def test_what_is_asked_for_is_the_motion_itself_where_nothing_is_free() -> None:
    robot = dk.load_robot("xarm6")
    time = torch.linspace(0.0, 1.0, 101, dtype=DOUBLE)[:, None]
    q = torch.tensor([0.3, -0.4, -0.9, 0.2, 0.8, 0.1], dtype=DOUBLE) + 0.2 * time
    T = robot.forward_kinematics(q)
    goal = goal_of(robot, [PoseTask(None, T)], T, 101)
    assert goal.asked(q) == pytest.approx(0.002, rel=0.01)
    some = torch.arange(0, 101, 5)
    assert goal.asked(q[some], some) == pytest.approx(0.01, rel=0.05)
    assert goal.asked(q[:1]) == 0.0
    assert torch.equal(goal.targets(some), T[some])


def test_a_free_joint_is_not_asked_for() -> None:
    robot = dk.load_robot("planar_3r")
    q = torch.tensor([[0.3, 0.7, 0.5], [0.3, 0.7, 0.5]], dtype=DOUBLE)
    points = robot.forward_kinematics(q)[:, :3, 3]
    points[1, 0] += 1e-3
    goal = goal_of(robot, [PositionTask(None, points)], None, 2)
    jacobian = robot.jacobian(q[0])[:2]
    least = torch.linalg.lstsq(jacobian, torch.tensor([1e-3, 0.0], dtype=DOUBLE)).solution
    assert goal.asked(q) == pytest.approx(float(least.abs().max()), rel=1e-9)
    (task,) = goal.targets(torch.tensor([1]))
    assert torch.equal(task.target, points[1:])


def test_nearness_is_one_on_a_limit_and_knows_joints_without() -> None:
    panda, scara = dk.load_robot("franka_panda"), dk.load_robot("scara")
    goal = goal_of(panda, [PoseTask(None, torch.eye(4, dtype=DOUBLE)[None])], None, 1)
    middle = 0.5 * (panda.lower + panda.upper)
    rows = torch.stack((middle, middle, panda.lower))
    rows[1, 2] += 0.25 * (panda.upper - panda.lower)[2]
    torch.testing.assert_close(goal.nearness(rows), torch.tensor([0.0, 0.5, 1.0], dtype=DOUBLE))
    bounds = scara.lower.clone(), scara.upper.clone()
    bounds[0][0], bounds[1][0] = -torch.inf, torch.inf
    free = scara.replace(lower=bounds[0], upper=bounds[1])
    goal = goal_of(free, [PoseTask(None, torch.eye(4, dtype=DOUBLE)[None])], None, 1)
    middle = 0.5 * (scara.lower + scara.upper)
    middle[0] = 50.0
    assert float(goal.nearness(middle[None])) == 0.0


def test_the_largest_step_is_that_of_one_joint() -> None:
    q = torch.tensor([[0.0, 0.0], [1.0, -2.0], [1.5, 0.0]], dtype=DOUBLE)
    assert largest_step(q) == 2.0
    assert largest_step(q[:1]) == 0.0
