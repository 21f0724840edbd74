"""Tasks of the coordinates themselves: derivatives, what is reached, turns and limits."""

from __future__ import annotations

import math

import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.errors import OptionError, ShapeError
from tests.ik.arms import CONTINUOUS, arm
from tests.ik.tasks.differences import COUNT, check_derivatives, randn

WEIGHT = torch.tensor([1.0, 0.5, 2.0])


def test_derivatives(mixed):
    matrix = torch.tensor([[1.0, -2.0, 0.0], [0.0, 0.5, 1.0]])
    check_derivatives(mixed, ik.PostureTask(randn(COUNT, 3), weight=WEIGHT))
    check_derivatives(mixed, ik.PostureTask(torch.zeros(3), weight=0.3, priority=0))
    check_derivatives(mixed, ik.CouplingTask(matrix, randn(COUNT, 2), weight=WEIGHT[:2]))
    check_derivatives(mixed, ik.CouplingTask(matrix, torch.zeros(2)))
    check_derivatives(mixed, ik.LimitMarginTask(weight=WEIGHT))
    edge = mixed.sample(COUNT, seed=2)
    edge[:, 0], edge[:, 1] = mixed.upper[0] - 0.05, mixed.lower[1] + 0.07
    check_derivatives(mixed, ik.LimitMarginTask(margin=0.1, weight=WEIGHT, priority=0), edge)


def test_a_posture_that_must_be_met(mixed):
    q = mixed.sample(6, seed=2)
    result = dk.solve_ik(mixed, ik.PostureTask(q, priority=0))
    assert result.success.all()
    torch.testing.assert_close(result.q, q, rtol=0, atol=1e-6)
    # the slide's share is an error of position, that of the turning joints one of rotation
    away = dk.solve_ik(mixed, ik.PostureTask(mixed.upper.clamp(max=2.0) + 1.0, priority=0), max_restarts=3)
    assert not away.success
    assert float(away.position_error) == pytest.approx(1.0)
    assert float(away.rotation_error) == pytest.approx(1.0)


def test_a_preferred_posture_is_the_nearest_solution_to_it(iiwa):
    q = iiwa.sample(5, seed=1)
    posture = 0.5 * iiwa.sample(1, seed=9)[0]
    weight = torch.tensor([1.0, 1.0, 3.0, 1.0, 0.0, 1.0, 0.5], dtype=torch.float64)
    tasks = [ik.PoseTask(None, iiwa.forward_kinematics(q)), ik.PostureTask(posture, weight=weight)]
    result = dk.solve_ik(iiwa, tasks, q0=q)
    assert result.success.all()
    null = torch.linalg.svd(iiwa.jacobian(result.q)).Vh[:, 6]
    inside = ((result.q > iiwa.lower + 1e-6) & (result.q < iiwa.upper - 1e-6)).all(-1)
    assert inside.sum() >= 2
    slope = (weight**2 * (result.q - posture) * null).sum(-1)
    assert slope[inside].abs().max() < 1e-3


def test_a_posture_is_near_by_way_of_whole_turns():
    robot = arm(CONTINUOUS, CONTINUOUS, CONTINUOUS)
    posture = torch.tensor([-3.0, 0.3, 3.0], dtype=torch.float64)
    start = torch.tensor([3.1, 0.2, 2.9], dtype=torch.float64)
    result = dk.solve_ik(robot, ik.PostureTask(posture, priority=0), q0=start)
    assert result.success
    torch.testing.assert_close(result.q, posture + torch.tensor([2 * math.pi, 0.0, 0.0]), rtol=0, atol=1e-6)


def test_coupled_joints(iiwa):
    matrix = torch.zeros(2, 7)
    matrix[0, 1], matrix[0, 3] = 1.0, 1.0
    matrix[1, 5] = 2.0
    value = torch.tensor([[0.2, -0.4], [0.5, 0.6], [0.0, 0.1]], dtype=torch.float64)
    point = torch.tensor([0.4, 0.2, 0.5], dtype=torch.float64)
    result = dk.solve_ik(iiwa, [ik.PositionTask(None, point), ik.CouplingTask(matrix, value)])
    assert result.success.all()
    torch.testing.assert_close(result.q[:, 1] + result.q[:, 3], value[:, 0], rtol=0, atol=1e-6)
    torch.testing.assert_close(2.0 * result.q[:, 5], value[:, 1], rtol=0, atol=1e-6)


def test_coupled_joints_are_not_turned_apart_and_others_stay():
    robot = arm(CONTINUOUS, CONTINUOUS, CONTINUOUS)
    start = torch.tensor([5.0, 1.0, 6.0], dtype=torch.float64)
    task = ik.CouplingTask([[1.0, -1.0, 0.0]], [4.5])
    result = dk.solve_ik(robot, task, q0=start)
    assert result.success
    torch.testing.assert_close(result.q[0] - result.q[1], torch.tensor(4.5).double(), rtol=0, atol=1e-6)
    assert result.q[2] == start[2]
    assert dk.solve_ik(robot, task).success  # without q0, where other joints are brought into (-pi, pi]


def test_margins_before_limits(iiwa):
    q = iiwa.replace(lower=iiwa.lower + 0.2, upper=iiwa.upper - 0.2).sample(20, seed=3)
    point = iiwa.forward_kinematics(q)[:, :3, 3]
    tasks = [ik.PositionTask(None, point), ik.LimitMarginTask(margin=0.2, priority=0)]
    result = dk.solve_ik(iiwa, tasks)
    assert result.success.all()
    assert (result.q - iiwa.lower).min() >= 0.2 - 1e-6
    assert (iiwa.upper - result.q).min() >= 0.2 - 1e-6
    middle = dk.solve_ik(iiwa, [ik.PositionTask(None, point), ik.LimitMarginTask()], q0=q)
    assert middle.success.all()

    def strain(q: torch.Tensor) -> torch.Tensor:
        return (2 * (q - iiwa.lower) / (iiwa.upper - iiwa.lower) - 1).square().sum(-1)

    assert (strain(middle.q) < strain(q)).all()


def test_joints_without_limits_have_no_margin():
    robot = arm(CONTINUOUS, 'type="revolute"/<limit lower="-1" upper="3" effort="1" velocity="1"/>', CONTINUOUS)
    task = ik.LimitMarginTask().for_robot(robot)
    q = torch.tensor([[4.0, 2.0, -9.0]], dtype=torch.float64)
    none = q.new_zeros(1, 0, 4, 4)
    assert task.residual(none, q, torch.zeros(1)).tolist() == [[0.0, 0.5, 0.0]]
    assert task.taken(3).tolist() == [False, True, False]
    wide = ik.LimitMarginTask(margin=3.0).for_robot(robot)  # more than there is: the middle
    assert wide.residual(none, q, torch.zeros(1)).tolist() == [[0.0, 1.0, 0.0]]


def test_gradients_flow_to_matrix_value_and_limits(iiwa):
    q = iiwa.sample(50, seed=6)
    q = q[iiwa.manipulability(q).argmax()]
    T = iiwa.forward_kinematics(q)
    row = torch.tensor([[0.3, 0.1, 1.0, 0.2, 0.4, 0.0, 0.1]], dtype=torch.float64)
    tight = {"position_tolerance": 1e-11, "rotation_tolerance": 1e-11}

    def coupled(x: torch.Tensor, differentiable: bool = False) -> torch.Tensor:
        task = ik.CouplingTask(row * (1.0 + x), row @ q + 0.5 * x)
        return dk.solve_ik(iiwa, [ik.PoseTask(None, T), task], q0=q, differentiable=differentiable, **tight).q

    def middled(x: torch.Tensor, differentiable: bool = False) -> torch.Tensor:
        robot = iiwa.replace(upper=iiwa.upper + x)
        tasks = [ik.PoseTask(None, T), ik.LimitMarginTask()]
        return dk.solve_ik(robot, tasks, q0=start, differentiable=differentiable, **tight).q

    start = q
    start = middled(torch.zeros((), dtype=torch.float64))
    for solved in (coupled, middled):
        x = torch.zeros((), dtype=torch.float64, requires_grad=True)
        rows = torch.stack([torch.autograd.grad(each, x, retain_graph=True)[0] for each in solved(x, True)])
        step = torch.tensor(1e-3, dtype=torch.float64)
        near, far = ((solved(s * step) - solved(-s * step)) / (2e-3 * s) for s in (1, 2))
        torch.testing.assert_close(rows, (4 * near - far) / 3, rtol=2e-5, atol=2e-5)


def test_bad_input(iiwa):
    with pytest.raises(ShapeError, match=r"\(\*batch, 7\)"):
        dk.solve_ik(iiwa, ik.PostureTask(torch.zeros(6), priority=0))
    with pytest.raises(ShapeError, match="single number"):
        ik.PostureTask(torch.tensor(1.0))
    with pytest.raises(ShapeError, match="matrix"):
        ik.CouplingTask(torch.ones(2, 7), torch.zeros(3))
    with pytest.raises(ShapeError, match=r"\(rows, 7\)"):
        dk.solve_ik(iiwa, ik.CouplingTask(torch.ones(1, 3), torch.zeros(1)))
    with pytest.raises(OptionError, match="zeros"):
        ik.CouplingTask(torch.zeros(1, 7), torch.zeros(1))
    with pytest.raises(OptionError, match="margin"):
        ik.LimitMarginTask(margin=-0.1)
    with pytest.raises(OptionError, match="needs a margin"):
        ik.LimitMarginTask(priority=0)
