"""Residuals and derivatives of the pointing tasks."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch.autograd import gradcheck

import diffkin as dk
from diffkin import rotations, transforms
from diffkin.aircraft import (
    BankPitchLimitTask,
    KeepOutConeTask,
    RayAtPointTask,
    RayDirectionTask,
    WingsLevelTask,
    turn_to,
)
from diffkin.errors import OptionError, RotationError, ShapeError
from diffkin.ik import PositionTask, Task
from diffkin.ik.problem import Problem, State, make_problem

COUNT = 40


def vectors(seed: int, count: int = COUNT) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(robot: dk.Robot, task: Task) -> Problem:
    free = torch.ones(robot.dof, dtype=torch.bool)
    far = torch.full((robot.dof,), 10.0, dtype=torch.float64)  # so that differences are not cut at a limit
    made = make_problem(robot, [task], torch.Size((COUNT,)), free, "pose", 1e-6, 1e-6)
    return dataclasses.replace(made, lower=-far, upper=far)


TASKS = [
    RayDirectionTask("camera", (1.0, 0.2, 0.1), vectors(1)),
    RayAtPointTask("camera", (1.0, 0.2, 0.1), 3.0 * vectors(2), offset=(0.1, 0.2, 0.3)),
    KeepOutConeTask("camera", (1.0, 0.0, 0.0), vectors(3), half_angle=1.5),
    RayDirectionTask("camera", (1.0, 0.2, 0.1), vectors(1), within=1.2),
    RayAtPointTask("camera", (1.0, 0.2, 0.1), 3.0 * vectors(2), offset=(0.1, 0.2, 0.3), within=1.2),
    WingsLevelTask("body"),
    BankPitchLimitTask("body", max_bank=0.5, max_pitch=0.3),
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_derivatives_against_differences_and_autograd(task: Task) -> None:
    robot = dk.load_robot("fixed_wing")
    state = State(
        robot.sample(COUNT, seed=1),
        transforms.pose(rotations.random_rotation(COUNT, seed=2), vectors(3)),
        torch.arange(COUNT),
    )
    whole = problem(robot, task)
    residual, derivative = whole.linearize(state)
    assert bool((residual != 0).any())
    step = 1e-6
    for column in range(robot.dof + 6):
        move = torch.zeros(COUNT, robot.dof + 6, dtype=torch.float64)
        move[:, column] = step
        change = whole.residual(whole.move(state, move)) - whole.residual(whole.move(state, -move))
        torch.testing.assert_close(derivative[..., column], change / (2.0 * step), rtol=1e-7, atol=1e-8)

    class ByAutograd(type(task)):  # type: ignore[misc]
        def jacobian(self, *args: torch.Tensor) -> None:
            return None

    given = {each.name: getattr(task, each.name) for each in dataclasses.fields(task) if each.init}
    same = ByAutograd(**{name: value for name, value in given.items() if name != "links"})
    torch.testing.assert_close(problem(robot, same).linearize(state)[1], derivative, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("within", [0.0, 0.2])
@pytest.mark.parametrize("backend", [None, "reference"])
def test_a_cone_is_entered_and_no_farther(iiwa: dk.Robot, within: float, backend: str | None) -> None:
    place = torch.tensor([0.4, 0.2, 0.6], dtype=torch.float64)
    direction, axis = vectors(7, 12), torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    tasks = [
        PositionTask(None, place),
        RayDirectionTask(None, (0.0, 0.0, 1.0), direction, within=within),
    ]
    result = dk.solve_ik(iiwa, tasks, backend=backend)
    T = iiwa.forward_kinematics(result.q)
    angle = turn_to(T[:, :3, :3] @ axis, direction / direction.norm(dim=-1, keepdim=True)).norm(dim=-1)
    assert int(result.success.sum()) >= 10
    assert float(angle[result.success].max()) <= within + 1e-6 * (within == 0.0)
    if within:
        assert float(angle.max()) > 0.1  # brought to the cone, not to its axis
        away = dk.solve_ik(iiwa, tasks[1], q0=result.q)
        assert torch.equal(away.q[result.success], result.q[result.success])  # in the cone there is nothing to do


def test_looking_away_is_no_success() -> None:
    robot = dk.load_robot("planar_3r")  # its z axis never leaves the vertical
    q0 = torch.full((3,), 0.3, dtype=torch.float64)
    for within in (0.0, 0.5):
        for sign in (1.0, -1.0):
            point = torch.tensor([0.0, 0.0, 5000.0 * sign], dtype=torch.float64)
            look = RayAtPointTask(None, (0.0, 0.0, 1.0), point, within=within)
            direction = RayDirectionTask(None, (0.0, 0.0, 1.0), point, within=within)
            for task in (look, direction):
                result = dk.solve_ik(robot, task, q0=q0, max_restarts=3, rotation_tolerance=1e-3)
                assert bool(result.success) == (sign > 0)
                if sign < 0:
                    assert float(result.rotation_error) == pytest.approx(math.pi - within, abs=1e-3)


def test_turn_to_is_the_logarithm_of_the_least_turn() -> None:
    a, b = (vectors(seed) / vectors(seed).norm(dim=-1, keepdim=True) for seed in (1, 2))
    turn = turn_to(a, b)
    torch.testing.assert_close((rotations.rotvec_to_matrix(turn) @ a.unsqueeze(-1)).squeeze(-1), b)
    torch.testing.assert_close((turn * a).sum(-1), torch.zeros(COUNT, dtype=torch.float64))
    near = rotations.rotvec_to_matrix(1e-5 * vectors(3)) @ a.unsqueeze(-1)
    torch.testing.assert_close(
        (rotations.rotvec_to_matrix(turn_to(a, near.squeeze(-1))) @ a.unsqueeze(-1)), near, rtol=0, atol=1e-15
    )
    assert turn_to(a, -a).norm(dim=-1).allclose(torch.tensor(math.pi, dtype=torch.float64))
    assert gradcheck(turn_to, (a[:3].clone().requires_grad_(), b[:3].clone().requires_grad_()))
    assert gradcheck(turn_to, (a[:3].clone().requires_grad_(), a[:3].clone().requires_grad_()))
    for end in (a[0], -a[0]):
        assert bool(torch.isfinite(torch.func.jacrev(turn_to, argnums=1)(a[0], end)).all())


def test_limits_are_met_exactly_where_the_residual_is_below_the_margin() -> None:
    bank = torch.linspace(-3.1, 3.1, 63, dtype=torch.float64)[:, None]
    pitch = torch.linspace(-1.5, 1.5, 31, dtype=torch.float64)
    bank, pitch = torch.broadcast_tensors(bank, pitch)
    # FLU body in ENU: x forward and up is positive pitch, y (left) up is positive bank.
    angles = torch.stack((torch.full_like(bank, 0.4), -pitch, bank), dim=-1)
    poses = transforms.pose(rotations.euler_to_matrix(angles, "ZYX")).reshape(-1, 1, 4, 4)
    task = BankPitchLimitTask("body", max_bank=0.7, max_pitch=0.45)
    met = task.residual(poses, torch.zeros(len(poses), 0), torch.arange(len(poses))).norm(dim=-1) <= 1e-6
    inside = ((bank.abs() < 0.7) & (pitch.abs() < 0.45)).flatten()
    assert torch.equal(met, inside)


def test_level_wings_have_no_residual() -> None:
    angles = torch.tensor([[0.3, -0.6, 0.0], [2.0, 0.5, 0.0]], dtype=torch.float64)
    poses = transforms.pose(rotations.euler_to_matrix(angles, "ZYX")).unsqueeze(1)
    residual = WingsLevelTask("body").residual(poses, torch.zeros(2, 0), torch.arange(2))
    torch.testing.assert_close(residual, torch.zeros(2, 1, dtype=torch.float64), rtol=0, atol=1e-15)


def test_the_bank_of_level_flight_is_the_residual() -> None:
    bank = torch.linspace(-3.1, 3.1, 21, dtype=torch.float64)
    angles = torch.stack((torch.full_like(bank, 0.3), torch.zeros_like(bank), bank), dim=-1)
    poses = transforms.pose(rotations.euler_to_matrix(angles, "ZYX")).unsqueeze(1)
    residual = WingsLevelTask("body").residual(poses, torch.zeros(21, 0), torch.arange(21))
    torch.testing.assert_close(residual[:, 0], bank, rtol=0, atol=1e-14)
    straight_up = rotations.euler_to_matrix(torch.tensor([0.3, -0.5 * math.pi, 0.8], dtype=torch.float64), "ZYX")
    poses = transforms.pose(straight_up)[None, None]
    residual = WingsLevelTask("body").residual(poses, torch.zeros(1, 0), torch.arange(1))
    assert float(residual.abs().max()) < 1e-10


def test_bad_input() -> None:
    with pytest.raises(RotationError, match="axis"):
        RayDirectionTask("camera", (0.0, 0.0, 0.0), vectors(1))
    with pytest.raises(RotationError, match="zero vector"):
        RayDirectionTask("camera", (1.0, 0.0, 0.0), torch.zeros(3))
    with pytest.raises(ShapeError, match="target"):
        RayAtPointTask("camera", (1.0, 0.0, 0.0), torch.zeros(2))
    with pytest.raises(OptionError, match="half_angle"):
        KeepOutConeTask("camera", (1.0, 0.0, 0.0), vectors(1), half_angle=4.0)
    with pytest.raises(OptionError, match="max_bank, max_pitch"):
        BankPitchLimitTask("body")
    with pytest.raises(OptionError, match="max_pitch must be a finite number above 0"):
        BankPitchLimitTask("body", max_pitch=-0.1)
    for within in (-0.1, 3.2, math.nan):
        with pytest.raises(OptionError, match="within"):
            RayDirectionTask("camera", (1.0, 0.0, 0.0), vectors(1), within=within)


@pytest.mark.parametrize("margin", [float("nan"), -0.1, "a", None])
def test_a_margin_that_means_nothing_is_refused(margin):
    for make in (
        lambda: BankPitchLimitTask("a", max_bank=0.3, margin=margin),
        lambda: KeepOutConeTask("a", (1.0, 0.0, 0.0), torch.ones(3), 0.3, margin=margin),
    ):
        with pytest.raises(OptionError, match="margin must be a finite number"):
            make()
