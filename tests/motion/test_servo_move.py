"""The motion of one tick in torch: bounds, the straight way, and more than two priorities."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin.ik import OrientationTask, PositionTask, PostureTask
from diffkin.ik.problem import Problem, State, make_problem
from diffkin.motion import servo_move, servo_step
from diffkin.motion.servo_move import Bounds, bounds, move
from tests.motion.test_servo import DOUBLE, DT, random_states


def problem_of(robot: dk.Robot, q: torch.Tensor, tasks: list[dk.ik.Task]) -> tuple[Problem, State]:
    problem = make_problem(robot, tasks, q.shape[:1], torch.ones(robot.dof, dtype=torch.bool))
    return problem, State(q, None, torch.arange(len(q)))


def test_bounds_leave_room_to_brake_and_to_change() -> None:
    robot = dk.load_robot("franka_panda")
    q = robot.sample(50, seed=1)
    problem, _ = problem_of(robot, q, [PositionTask(None, torch.zeros(50, 3, dtype=DOUBLE))])
    dq, fastest, hardest = torch.zeros_like(q), robot.max_velocity, torch.full((7,), 4.0, dtype=DOUBLE)
    low, high = bounds(problem, q, dq, fastest, hardest, DT)
    assert bool((low <= 0.0).all()) and bool((high >= 0.0).all())
    assert float(high.max()) == 0.04 and float(low.min()) == -0.04  # from rest, one tick of acceleration
    free = torch.full((7,), torch.inf, dtype=DOUBLE)
    low, high = bounds(problem, q, dq, fastest, free, DT)
    torch.testing.assert_close(high, torch.minimum((robot.upper - q) / DT, fastest))
    torch.testing.assert_close(low, -torch.minimum((q - robot.lower) / DT, fastest))


def test_without_bounds_it_is_the_pseudo_inverse() -> None:
    robot = dk.load_robot("franka_panda")
    q = robot.sample(20, seed=2)
    T = robot.forward_kinematics(q + 0.002)  # so near that the way does not bend
    problem, state = problem_of(robot, q, [PositionTask(None, T[:, :3, 3])])
    wide = torch.full_like(q, torch.inf)
    change, scale = move(problem, state, Bounds(-wide, wide), torch.full((7,), torch.inf, dtype=DOUBLE), 0.0, False)
    residual, jacobian = problem.linearize(state)
    torch.testing.assert_close(change, -(torch.linalg.pinv(jacobian) @ residual[..., None])[..., 0], atol=1e-9, rtol=0)
    assert bool((scale == 1.0).all())


def test_three_priorities_one_below_the_other() -> None:
    """Each level moves as projections of the levels above would have it (Siciliano & Slotine, ICAR 1991)."""
    robot = dk.load_robot("franka_panda")
    q = 0.5 * (robot.lower + robot.upper)[None] + 0.1 * torch.arange(7, dtype=DOUBLE)
    T = robot.forward_kinematics(q + 0.0005)
    turned = robot.forward_kinematics(q - 0.001)
    tasks = [
        PositionTask(None, T[:, :3, 3]),
        OrientationTask(None, turned[:, :3, :3], priority=1, weight=(1.0, 1.0, 0.0)),
        PostureTask(q + 0.0004, priority=2),
    ]
    problem, state = problem_of(robot, q, tasks)
    wide = torch.full_like(q, torch.inf)
    none = torch.full((7,), torch.inf, dtype=DOUBLE)
    change, _ = move(problem, state, Bounds(-wide, wide), none, 0.0, False)
    expected, free = torch.zeros(7, dtype=DOUBLE), torch.eye(7, dtype=DOUBLE)
    for level in range(3):
        residual, jacobian = (part[0] for part in problem.only(level).linearize(state))
        inverse = torch.linalg.pinv(jacobian @ free, rtol=1e-9)
        expected = expected - inverse @ (residual + jacobian @ expected)
        free = free - inverse @ (jacobian @ free)
    torch.testing.assert_close(change[0], expected, atol=1e-6, rtol=0.0)
    assert float(expected.abs().max()) > 4e-4
    without, _ = move(problem.only(0, 1), state, Bounds(-wide, wide), none, 0.0, False)
    assert float((without - change).abs().max()) > 1e-4


def test_where_the_way_bends_it_is_corrected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = dk.load_robot("xarm6")
    q = 0.5 * (robot.lower + robot.upper) + 0.2 * torch.arange(6, dtype=DOUBLE)
    T = robot.forward_kinematics(q + 0.05)
    arguments = (robot, q, torch.zeros(6, dtype=DOUBLE), T, DT)
    errors = {}
    for least in (servo_move.CURVED, torch.inf):
        monkeypatch.setattr(servo_move, "CURVED", least)
        step = servo_step(*arguments, velocity_limit=100.0, damping=0.0, backend="reference")
        errors[least] = float(step.position_error), float(step.scale)
    corrected, tangent = errors[1e-4], errors[torch.inf]
    assert corrected[0] < 0.05 * tangent[0] > 1e-5
    assert corrected[1] == tangent[1] == 1.0


def test_a_correction_stays_within_all_bounds() -> None:
    robot = dk.load_robot("franka_panda")
    q, dq = random_states(robot, 300, torch.full((7,), 8.0, dtype=DOUBLE), seed=3)
    T = robot.forward_kinematics(q + 0.4)
    for backend in (None, "reference"):
        for how in ("nearest", "slow"):
            step = servo_step(robot, q, dq, T, 0.1, when_limited=how, backend=backend)
            assert bool((step.dq.abs() <= robot.max_velocity).all())
            assert bool(((step.q >= robot.lower) & (step.q <= robot.upper)).all())
            torch.testing.assert_close(step.q, q + 0.1 * step.dq, atol=1e-12, rtol=0.0)
