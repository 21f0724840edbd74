"""Tasks: Jacobians against autograd, weights, several at once, a task of one's own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import diffkin as dk
from diffkin import ik
from diffkin.errors import NonFiniteError, OptionError, RotationError, ShapeError, UnknownNameError
from diffkin.ik.problem import Problem, State


def problem_of(robot: dk.Robot, tasks: list[ik.Task], count: int, free_base: int = 0) -> Problem:
    batch = torch.Size((count,))
    return Problem(
        tree=robot.tree,
        lower=robot.lower,
        upper=robot.upper,
        tasks=[task.for_batch(batch, torch.float64, robot.device) for task in tasks],
        links=[tuple(robot.link_index(link) for link in task.links) for task in tasks],
        movable=torch.ones(robot.dof, dtype=torch.bool),
        free_base=free_base,
        position_tolerance=1e-6,
        rotation_tolerance=1e-6,
    )


@dataclass(frozen=True, eq=False)
class Between(ik.Task):
    """A user's task: the midpoint of two links at a point, and joint values that add up."""

    point: Tensor
    links = ("hand", "b")

    def residual(self, poses, q, problem):
        middle = poses[:, :, :3, 3].mean(1) - self.point
        return torch.cat((middle, q.sum(-1, keepdim=True) - 0.1), dim=-1)


def some_tasks(robot: dk.Robot) -> list[ik.Task]:
    T = robot.forward_kinematics(robot.sample(4, seed=8), links=["hand", "e"])
    weight = torch.tensor([1.0, 0.5, 0.0, 2.0, 1.0, 0.3], dtype=torch.float64)
    return [
        ik.PoseTask("hand", T[:, 0], weight=weight),
        ik.PositionTask("e", T[0, 1, :3, 3], weight=0.5, priority=1),
        ik.OrientationTask("e", T[:, 1, :3, :3]),
        Between(torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)),
    ]


@pytest.mark.parametrize("free_base", [0, 3, 6])
def test_jacobians_against_finite_differences_along_the_moves(mixed, free_base):
    problem = problem_of(mixed, some_tasks(mixed), 4, free_base)
    base = dk.transforms.pose(dk.rotations.random_rotation(4, seed=2, dtype=torch.float64), torch.rand(4, 3).double())
    wide = problem_of(mixed.replace(lower=mixed.lower - 1, upper=mixed.upper + 1), some_tasks(mixed), 4, free_base)
    state = State(mixed.sample(4), base if free_base else None, torch.arange(4))
    residual, derivative = problem.linearize(state)
    torch.testing.assert_close(residual, problem.residual(state), rtol=0, atol=1e-13)
    assert derivative.shape == (4, residual.shape[1], mixed.dof + free_base)
    h = 1e-6
    for k in range(mixed.dof + free_base):
        step = torch.zeros(4, mixed.dof + free_base, dtype=torch.float64)
        step[:, k] = h
        ahead, behind = (wide.residual(wide.move(state, s)) for s in (step, -step))
        torch.testing.assert_close(derivative[..., k], (ahead - behind) / (2 * h), rtol=0, atol=2e-8)


def test_a_task_of_ones_own_in_a_few_lines(mixed):
    q = mixed.sample(6, seed=5)
    point = mixed.forward_kinematics(q, links=["hand", "b"])[..., :3, 3].mean(1)

    @dataclass(frozen=True, eq=False)
    class Middle(ik.Task):
        point: Tensor
        links = ("hand", "b")

        def residual(self, poses, q, problem):
            return poses[:, :, :3, 3].mean(1) - self.point[problem]

    result = dk.solve_ik(mixed, Middle(point), q0=mixed.sample(6))
    assert result.success.all()
    reached = mixed.forward_kinematics(result.q, links=["hand", "b"])[..., :3, 3].mean(1)
    torch.testing.assert_close(reached, point, rtol=0, atol=1e-6)
    assert (result.rotation_error == 0).all()


@pytest.mark.parametrize("backend", [None, "reference"])
def test_position_only_and_orientation_only(iiwa, backend):
    T = iiwa.forward_kinematics(iiwa.sample(30))
    there = dk.solve_ik(iiwa, ik.PositionTask(None, T[:, :3, 3]), backend=backend)
    assert there.success.all()
    reached = iiwa.forward_kinematics(there.q)
    assert (reached - T)[:, :3, 3].norm(dim=-1).max() <= 1e-6
    turned = dk.solve_ik(iiwa, ik.OrientationTask("lbr_iiwa_link_7", T[:, :3, :3]), backend=backend)
    assert turned.success.all()
    reached = iiwa.forward_kinematics(turned.q)
    assert dk.rotations.angle_between(reached[:, :3, :3], T[:, :3, :3]).max() <= 1e-6


def test_a_free_axis_of_the_target(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(20))
    spun = T @ dk.transforms.pose(
        dk.rotations.rotvec_to_matrix(torch.tensor([0.0, 0.0, 2.0]).double()), torch.zeros(3).double()
    )
    weight = torch.tensor([1.0, 1, 1, 1, 1, 0])
    result = dk.solve_ik(iiwa, ik.PoseTask(None, spun, weight=weight))
    assert result.success.all()
    reached = iiwa.forward_kinematics(result.q)
    torch.testing.assert_close(reached[:, :3, 2:], T[:, :3, 2:], rtol=0, atol=2e-6)  # same place, same z axis


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (2.0, 0.1)])
@pytest.mark.parametrize("backend", [None, "reference"])
def test_weights_by_block(panda, weights, backend):
    T = panda.forward_kinematics(panda.sample(20))
    weight = torch.tensor([weights[0]] * 3 + [weights[1]] * 3)
    result = dk.solve_ik(panda, ik.PoseTask(None, T, weight=weight), backend=backend)
    assert result.success.all()
    reached = panda.forward_kinematics(result.q)
    if weights[0]:
        assert (reached - T)[:, :3, 3].norm(dim=-1).max() <= 1e-6
    if weights[1]:
        assert dk.rotations.angle_between(reached[:, :3, :3], T[:, :3, :3]).max() <= 1e-6


def test_two_hands(mixed):
    T = mixed.forward_kinematics(mixed.sample(20, seed=3), links=["hand", "e"])
    tasks = [ik.PoseTask("hand", T[:, 0]), ik.PositionTask("e", T[:, 1, :3, 3])]
    result = dk.solve_ik(mixed, tasks)
    assert result.success.all()
    torch.testing.assert_close(
        mixed.forward_kinematics(result.q, links=["hand", "e"])[:, 0], T[:, 0], rtol=0, atol=3e-6
    )


def test_second_priority_gives_way(iiwa):
    q = iiwa.sample(10, seed=1)
    T = iiwa.forward_kinematics(q)

    @dataclass(frozen=True, eq=False)
    class Rest(ik.Task):
        rest: Tensor
        unit = "rad"

        def residual(self, poses, q, problem):
            return q - self.rest

    rest = torch.zeros(7, dtype=torch.float64)
    both = dk.solve_ik(iiwa, [ik.PoseTask(None, T), Rest(rest, priority=1)], q0=q)
    assert both.success.all()
    # along the self-motion the distance to rest is stationary: its gradient has no part in the null space of J
    J = iiwa.jacobian(both.q)
    null = torch.linalg.svd(J).Vh[:, 6]
    free = ((both.q > iiwa.lower + 1e-6) & (both.q < iiwa.upper - 1e-6)).all(-1)
    assert free.any()
    slope = ((both.q - rest) * null).sum(-1).abs() / (both.q - rest).norm(dim=-1)
    assert slope[free].max() < 1e-3
    assert (both.q.norm(dim=-1) < q.norm(dim=-1)).double().mean() > 0.7


def test_bad_tasks(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(2))
    with pytest.raises(ShapeError, match="weight"):
        ik.PoseTask(None, T, weight=torch.ones(3))
    for weight in (-1.0, float("nan"), 0.0):
        with pytest.raises(OptionError, match="weight"):
            ik.PoseTask(None, T, weight=weight)
    with pytest.raises(RotationError):
        ik.OrientationTask(None, 2 * T[:, :3, :3])
    with pytest.raises(NonFiniteError):
        ik.PositionTask(None, torch.tensor([0.0, 0.0, float("inf")]))
    with pytest.raises(UnknownNameError, match="lbr_iiwa_link_7"):
        dk.solve_ik(iiwa, ik.PoseTask("link_7", T))
    with pytest.raises(NotImplementedError, match="residual"):
        ik.Task().residual(T, T, T)
