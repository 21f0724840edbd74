"""Gradients of a solution."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.ik.gradients import without_gradient


def test_along_the_target_against_solving_again():
    robot = dk.load_robot("xarm6")  # six joints: the solution near q is unique
    q = robot.sample(30, seed=2)
    T = robot.forward_kinematics(q).requires_grad_()
    result = dk.solve_ik(robot, T, q0=q, differentiable=True, position_tolerance=1e-12, rotation_tolerance=1e-12)
    inside = ((result.q > robot.lower + 1e-3) & (result.q < robot.upper - 1e-3)).all(-1) & result.success
    well = inside & (robot.manipulability(result.q.detach()) > 0.01)
    assert well.sum() > 5
    weight = torch.rand(6, dtype=torch.float64)
    (grad,) = torch.autograd.grad((result.q * weight).sum(), T)
    h = 1e-5
    for k in range(6):
        xi = torch.zeros(6, dtype=torch.float64)
        xi[k] = h
        ahead, behind = (
            dk.solve_ik(
                robot, T.detach() @ dk.transforms.exp(s), q0=result.q.detach(),
                position_tolerance=1e-12, rotation_tolerance=1e-12, max_restarts=0, max_iterations=50,
            ).q
            for s in (xi, -xi)
        )  # fmt: skip
        expected = (((ahead - behind) / (2 * h)) * weight).sum(-1)
        direction = (T.detach() @ dk.transforms.exp(xi) - T.detach() @ dk.transforms.exp(-xi)) / (2 * h)
        actual = (grad * direction).sum((-1, -2))
        torch.testing.assert_close(actual[well], expected[well], rtol=1e-4, atol=1e-4)


def test_gradient_on_raw_entries_is_tangent(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(5)).requires_grad_()
    result = dk.solve_ik(iiwa, T, differentiable=True)
    (grad,) = torch.autograd.grad(result.q.square().sum(), T)
    assert torch.isfinite(grad).all()
    assert (grad[:, 3] == 0).all()
    R, G = T.detach()[:, :3, :3], grad[:, :3, :3]
    normal = R.mT @ G + G.mT @ R  # stretching the rotation would change nothing
    assert normal.abs().max() < 1e-6 * max(1.0, float(grad.abs().max()))


def test_least_motion_of_a_redundant_arm(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(5)).requires_grad_()
    result = dk.solve_ik(iiwa, T, differentiable=True)
    J = iiwa.jacobian(result.q.detach(), frame="local")
    inside = ((result.q > iiwa.lower) & (result.q < iiwa.upper)).all(-1)
    assert inside.sum() >= 3
    for j in range(7):
        (grad,) = torch.autograd.grad(result.q[:, j].sum(), T, retain_graph=True)
        shift = (T.detach()[:, :3, :3].mT @ grad[:, :3, 3:]).squeeze(-1)
        expected = torch.linalg.pinv(J)[:, j, :3]
        torch.testing.assert_close(shift[inside], expected[inside], rtol=1e-4, atol=1e-4)


def test_coordinates_on_a_limit_do_not_move(iiwa):
    q = iiwa.sample(4)
    q[:, 1] = iiwa.upper[1]
    tight = iiwa.replace(upper=iiwa.upper.clone())
    T = tight.forward_kinematics(q).requires_grad_()
    result = dk.solve_ik(tight, T, q0=q, differentiable=True)
    on = result.q[:, 1] >= tight.upper[1]
    assert on.all()
    (grad,) = torch.autograd.grad(result.q[:, 1].sum(), T)
    assert (grad == 0).all()


def test_unsolved_problems_have_gradient_zero(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(2))
    T[0, :3, 3] *= 5
    T.requires_grad_()
    result = dk.solve_ik(iiwa, T, differentiable=True, max_restarts=2)
    assert result.success.tolist() == [False, True]
    (grad,) = torch.autograd.grad(result.q.sum(), T)
    assert (grad[0] == 0).all()
    assert (grad[1] != 0).any()


def test_gradients_reach_geometry_and_base():
    robot = dk.load_robot("xarm6")
    q = robot.sample(6, seed=3)
    T = robot.forward_kinematics(q)
    origins = robot.tree.origins.clone().requires_grad_()
    base = torch.eye(4, dtype=torch.float64, requires_grad=True)
    moved = robot.replace(origins=origins)
    result = dk.solve_ik(moved, T, q0=q, base=base, differentiable=True)
    assert result.success.all()
    by_origins, by_base = torch.autograd.grad(result.q.sum(), (origins, base))
    h = 1e-6
    shift = torch.zeros_like(origins)
    shift[2, 0, 3] = h

    def solved(sign: float) -> torch.Tensor:
        near = robot.replace(origins=robot.tree.origins + sign * shift)
        tight = {"position_tolerance": 1e-12, "rotation_tolerance": 1e-12, "max_restarts": 0}
        return dk.solve_ik(near, T, q0=q, **tight).q

    expected = ((solved(1) - solved(-1)) / (2 * h)).sum()
    torch.testing.assert_close(by_origins[2, 0, 3], expected, rtol=1e-3, atol=1e-3)
    assert torch.isfinite(by_base).all()
    assert by_base.abs().max() > 0


def test_tasks_carry_gradients_too(iiwa):
    p = iiwa.forward_kinematics(iiwa.sample(3))[:, :3, 3].requires_grad_()
    result = dk.solve_ik(iiwa, ik.PositionTask(None, p), differentiable=True)
    reached = iiwa.forward_kinematics(result.q)[:, :3, 3]
    inside = ((result.q > iiwa.lower) & (result.q < iiwa.upper)).all(-1)
    assert inside.any()
    for k in range(3):
        (row,) = torch.autograd.grad(reached[:, k].sum(), p, retain_graph=True)
        expected = torch.zeros(3, 3, dtype=torch.float64)
        expected[:, k] = 1.0
        torch.testing.assert_close(row[inside], expected[inside], rtol=0, atol=1e-5)


def test_no_graph_unless_asked(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(2)).requires_grad_()
    assert not dk.solve_ik(iiwa, T).q.requires_grad
    with torch.no_grad():
        assert not dk.solve_ik(iiwa, T, differentiable=True).q.requires_grad


def test_a_robot_that_is_learned_is_solved_like_any_other(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(20))
    origins = iiwa.tree.origins.clone().requires_grad_()
    learned = iiwa.replace(origins=origins)
    plain, result = dk.solve_ik(iiwa, T), dk.solve_ik(learned, T)
    assert torch.equal(plain.q, result.q)
    assert not result.q.requires_grad
    kept = without_gradient(learned)
    assert kept is without_gradient(learned)
    assert not kept.tree.has_gradient
    assert without_gradient(iiwa) is iiwa
    assert learned.tree.has_gradient
    with torch.no_grad():  # a step of an optimiser
        origins[2, :3, 3] += 0.01
    stepped = without_gradient(learned)
    assert torch.equal(stepped.tree.origins, origins)
    assert torch.equal(dk.solve_ik(learned, T).q, dk.solve_ik(iiwa.replace(origins=origins.detach()), T).q)


@pytest.mark.parametrize("what", ["rows", "frame", "upper"])
def test_whatever_a_robot_is_made_from(what):
    rows = torch.tensor([[0.3, 0.0, 0.1, 0.0], [0.25, 0.0, 0.0, 0.0], [0.1, 0.0, 0.0, 0.0]], dtype=torch.float64)
    q = torch.tensor([0.3, 0.7, -0.4], dtype=torch.float64)
    x = torch.zeros(4, dtype=torch.float64, requires_grad=True)

    def robot(x: torch.Tensor) -> dk.Robot:
        made = dk.Robot.from_dh(
            rows + x if what == "rows" else rows, lower=[-3.0] * 3, upper=[0.3 if what == "upper" else 3.0, 3.0, 3.0]
        )
        if what == "frame":
            made = made.with_frame("tcp", "link3", dk.transforms.exp(torch.cat((x, x[:2]))), tip=True)
        if what == "upper":
            made = made.replace(upper=made.upper + x[:3])
        return made

    p = robot(x.detach()).forward_kinematics(q)[:3, 3]
    weight = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)

    def solved(x: torch.Tensor, differentiable: bool = False) -> torch.Tensor:
        task = ik.PositionTask(None, p, weight=weight)
        tight = {"position_tolerance": 1e-12, "rotation_tolerance": 1e-12}
        return dk.solve_ik(robot(x), task, q0=q, differentiable=differentiable, **tight).q

    result = solved(x, differentiable=True)
    (by,) = torch.autograd.grad(result @ torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), x)
    h = 1e-4
    along = torch.tensor([1.0, 0.0, 0.5, 0.2], dtype=torch.float64)
    ahead, behind = (solved(s * h * along) for s in (1, -1))
    if what == "upper":  # a joint that stands on its limit follows it as far as that goes inward
        assert by.tolist()[1:] == [0.0, 0.0, 0.0]
        (first,) = torch.autograd.grad(solved(x, differentiable=True)[0], x)
        assert first.tolist() == [1.0, 0.0, 0.0, 0.0]
        return
    expected = ((ahead - behind) / (2 * h)) @ torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(by @ along, expected, rtol=1e-5, atol=1e-5)


def test_a_link_that_no_joint_moves_has_gradient_zero_to_every_order(iiwa):
    T = torch.eye(4, dtype=torch.float64, requires_grad=True)
    result = dk.solve_ik(iiwa, ik.PoseTask(iiwa.base, T), differentiable=True)
    (first,) = torch.autograd.grad(result.q.sum(), T, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), T)
    assert (first == 0).all()
    assert (second == 0).all()


def test_gradcheck_to_second_order():
    robot = dk.load_robot("planar_2r")
    q = torch.tensor([0.5, 0.8], dtype=torch.float64)
    p = robot.forward_kinematics(q)[:3, 3]

    def solved(x: torch.Tensor) -> torch.Tensor:
        task = ik.PositionTask(None, torch.cat((x, p[2:])), weight=torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64))
        tight = {"position_tolerance": 1e-12, "rotation_tolerance": 1e-12}
        return dk.solve_ik(robot, task, q0=q, differentiable=True, **tight).q

    x = p[:2].clone().requires_grad_()
    assert torch.autograd.gradcheck(solved, x, eps=1e-5, atol=1e-5)
    assert torch.autograd.gradgradcheck(solved, x, eps=1e-5, atol=1e-4)
