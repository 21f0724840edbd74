"""Problems as least squares: derivatives along the moves, limits, weights, errors."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import diffkin as dk
from diffkin import ik
from diffkin.errors import GradientError, ShapeError
from diffkin.ik.problem import FREE_BASE, Problem, State, make_problem


def problem_of(robot: dk.Robot, tasks: list[ik.Task], count: int, free_base: str | None = None) -> Problem:
    movable = torch.ones(robot.dof, dtype=torch.bool)
    return make_problem(robot, tasks, torch.Size((count,)), movable, free_base, 1e-6, 1e-6)


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


@pytest.mark.parametrize("free_base", list(FREE_BASE))
def test_jacobians_against_finite_differences_along_the_moves(mixed, free_base):
    problem = problem_of(mixed, some_tasks(mixed), 4, free_base)
    columns = mixed.dof + FREE_BASE[free_base]
    base = dk.transforms.pose(dk.rotations.random_rotation(4, seed=2, dtype=torch.float64), torch.rand(4, 3).double())
    wide = problem_of(mixed.replace(lower=mixed.lower - 1, upper=mixed.upper + 1), some_tasks(mixed), 4, free_base)
    state = State(mixed.sample(4), base if free_base else None, torch.arange(4))
    residual, derivative = problem.linearize(state)
    torch.testing.assert_close(residual, problem.residual(state), rtol=0, atol=1e-13)
    assert derivative.shape == (4, residual.shape[1], columns)
    h = 1e-6
    for k in range(columns):
        step = torch.zeros(4, columns, dtype=torch.float64)
        step[:, k] = h
        ahead, behind = (wide.residual(wide.move(state, s)) for s in (step, -step))
        torch.testing.assert_close(derivative[..., k], (ahead - behind) / (2 * h), rtol=0, atol=2e-8)


def test_moves_stop_at_limits_and_only_inward_ones_are_free(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(2))
    problem = problem_of(iiwa, [ik.PoseTask(None, T)], 2)
    state = State(torch.stack((iiwa.lower, iiwa.upper)), None, torch.arange(2))
    for sign in (-1.0, 1.0):
        step = torch.full((2, 7), sign, dtype=torch.float64)
        moved = problem.move(state, step)
        assert ((moved.q >= iiwa.lower) & (moved.q <= iiwa.upper)).all()
        free = problem.free(state, -step)  # downhill is along the step
        assert torch.equal(free, torch.tensor([[sign > 0], [sign < 0]]).expand(2, 7))


def test_errors_are_the_largest_of_the_first_priority(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(1))[0]
    q = iiwa.sample(3, seed=5)
    reached = iiwa.forward_kinematics(q)
    tasks = [
        ik.PoseTask(None, T),
        ik.PositionTask(None, T[:3, 3] + 1.0),
        ik.PositionTask(None, T[:3, 3] + 9, priority=1),
    ]
    position, rotation = problem_of(iiwa, tasks, 3).errors(State(q, None, torch.arange(3)))
    gaps = torch.stack([(reached[:, :3, 3] - point).norm(dim=-1) for point in (T[:3, 3], T[:3, 3] + 1.0)])
    torch.testing.assert_close(position, gaps.amax(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(rotation, dk.rotations.angle_between(reached[:, :3, :3], T[:3, :3]), rtol=1e-9, atol=0)


def test_priorities_are_told_apart(mixed):
    problem = problem_of(mixed, some_tasks(mixed), 4)
    assert problem.has_second
    assert len(problem.only(0).tasks) == 3
    assert len(problem.only(1).tasks) == 1
    assert not problem.only(0).has_second


def test_weights_must_fit_the_residual(mixed):
    state = State(mixed.sample(4), None, torch.arange(4))
    point = torch.zeros(3, dtype=torch.float64)
    for weight, fits in ((torch.ones(4), True), (2.0, True), (torch.ones(3), False), (torch.ones(1), False)):
        problem = problem_of(mixed, [Between(point, weight=weight)], 4)
        if fits:
            problem.tried(state, len(state.q))
        else:
            with pytest.raises(ShapeError, match=r"weight of Between must be one number or \(4,\)"):
                problem.tried(state, len(state.q))


@dataclass(frozen=True, eq=False, kw_only=True)
class Detached(ik.Task):
    """A user's task that loses its graph, or parts of it."""

    way: str
    links = (None,)

    def residual(self, poses, q, problem):
        height = poses[:, 0, 2, 3:] - 0.5
        if self.way == "all":
            return height.detach()
        if self.way == "numpy":
            return torch.from_numpy(height.detach().numpy() + 0.0)
        with torch.set_grad_enabled(self.way != "no_grad"):
            rows = height * 1.0
        return torch.cat((rows, torch.zeros_like(rows)), dim=-1)


@pytest.mark.parametrize("way", ["all", "numpy", "no_grad"])
def test_a_residual_without_a_graph_is_a_mistake(iiwa, way):
    with pytest.raises(GradientError, match="Detached depends on neither poses nor q"):
        dk.solve_ik(iiwa, Detached(way=way))


def test_a_constant_row_is_meant(iiwa):
    assert dk.solve_ik(iiwa, Detached(way="none")).success


class WithJacobian(Detached):
    """One that knows its Jacobian needs no graph to be solved, but to be differentiated."""

    def jacobian(self, poses, jacobians, q, problem):
        return jacobians[:, 0, 2:3]


def test_a_task_with_a_jacobian_needs_a_graph_only_for_gradients(iiwa):
    weight = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    task = WithJacobian(way="numpy", weight=weight)
    assert dk.solve_ik(iiwa, task).success
    with pytest.raises(GradientError, match="WithJacobian depends on neither poses nor q"):
        dk.solve_ik(iiwa, task, differentiable=True)


def test_tasks_that_share_no_coordinate_are_told_apart(mixed):
    two = dk.Robot.from_urdf(TWO_ARMS)
    left, right = (ik.PositionTask(f"{side}3", torch.zeros(3)) for side in ("l", "r"))
    both = ik.DistanceTask("l1", "r2", 0.3)
    assert problem_of(two, [left, right], 1).groups() == [[0], [1]]
    assert problem_of(two, [left, right, ik.PositionTask("l1", torch.zeros(3))], 1).groups() == [[1], [0, 2]]
    assert problem_of(two, [left, right, both], 1).groups() == [[0, 1, 2]]
    assert problem_of(two, [left, right], 1, "planar").groups() == [[0, 1]]
    prefer = ik.PostureTask(torch.zeros(6))
    assert problem_of(two, [left, right, prefer], 1).groups() == [[0, 1, 2]]
    assert problem_of(
        mixed, [ik.PositionTask("hand", torch.zeros(3)), ik.PositionTask("e", torch.zeros(3))], 1
    ).groups() == [[0, 1]]


@pytest.mark.parametrize("backend", [None, "reference"])
def test_hands_apart_are_answered_as_each_alone(backend):
    two = dk.Robot.from_urdf(TWO_ARMS)
    q0, q = two.sample(10, seed=2), two.sample(10, seed=3)
    points = two.forward_kinematics(q, links=["l3", "r3"])[:, :, :3, 3]
    points[3, 0] += 9.0  # out of the left hand's reach
    tasks = [ik.PositionTask("l3", points[:, 0]), ik.PositionTask("r3", points[:, 1])]
    together = dk.solve_ik(two, tasks, q0=q0, backend=backend, max_restarts=20)
    alone = [dk.solve_ik(two, task, q0=q0, backend=backend, max_restarts=20) for task in tasks]
    assert torch.equal(together.success, alone[0].success & alone[1].success)
    assert together.success.sum() == 9
    lefts = torch.tensor([name.startswith("jl") for name in two.joint_names])
    assert torch.equal(together.q, torch.where(lefts, alone[0].q, alone[1].q))
    assert torch.equal(together.iterations, alone[0].iterations + alone[1].iterations)


def _arm(side: str, y: float) -> str:
    joints = "".join(
        f'<joint name="j{side}{k}" type="revolute"><parent link="{"root" if k == 1 else f"{side}{k - 1}"}"/>'
        f'<child link="{side}{k}"/><origin xyz="0.3 {y if k == 1 else 0} 0.05"/><axis xyz="{axis}"/>'
        '<limit lower="-2.5" upper="2.5" effort="1" velocity="1"/></joint>'
        for k, axis in ((1, "0 0 1"), (2, "0 1 0"), (3, "0 1 0"))
    )
    links = "".join(f'<link name="{side}{k}"/>' for k in (1, 2))
    hand = f'<link name="{side}3_"/><link name="{side}3"/><joint name="{side}f" type="fixed"><parent link="{side}3_"/>'
    hand += f'<child link="{side}3"/><origin xyz="0.3 0 0"/></joint>'
    return links + joints.replace(f'<child link="{side}3"/>', f'<child link="{side}3_"/>') + hand


TWO_ARMS = f'<robot name="two"><link name="root"/>{_arm("l", 0.2)}{_arm("r", -0.2)}</robot>'
