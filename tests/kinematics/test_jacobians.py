"""Jacobians by four routes, against PyBullet-free oracles: Pinocchio, finite differences, closed forms."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
import torch

import diffkin as dk
from diffkin.errors import NonFiniteError, ShapeError, UnknownNameError
from diffkin.kinematics.jacobians import METHODS

ROBOTS = ["kuka_iiwa", "franka_panda", "xarm6", "scara", "planar_2r", "planar_3r"]


def a_base() -> torch.Tensor:
    return dk.transforms.pose(
        dk.rotations.random_rotation((), seed=4, dtype=torch.float64), torch.tensor([0.5, -1.0, 2.0]).double()
    )


@pytest.mark.parametrize("name", ROBOTS)
def test_against_pinocchio(name):
    robot = dk.load_robot(name)
    model = pin.buildModelFromUrdf(robot.source)
    data = model.createData()
    names = [model.names[k] for k in range(1, model.njoints)]
    columns = [model.joints[1 + names.index(joint)].idx_v for joint in robot.joint_names]
    frame = model.getFrameId(robot.tip)
    for q in robot.sample(5):
        full = pin.neutral(model)
        full[columns] = q.numpy()
        for axes, reference in (("world", pin.LOCAL_WORLD_ALIGNED), ("local", pin.LOCAL)):
            expected = pin.computeFrameJacobian(model, data, full, frame, reference)[:, columns]
            for method in METHODS:
                J = robot.jacobian(q, frame=axes, method=method)
                np.testing.assert_allclose(J.numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("frame", ["world", "local"])
@pytest.mark.parametrize("with_base", [False, True])
@pytest.mark.parametrize("batch", [(), (3,), (0,), (2, 2)])
def test_all_routes_agree_with_points_base_and_mimic(mixed, frame, with_base, batch):
    q = mixed.sample(int(np.prod(batch))).reshape(*batch, mixed.dof)
    base = a_base() if with_base else None
    point = torch.rand(*batch, 3, dtype=torch.float64)
    for link in ("hand", "e", "b", "root"):
        expected = mixed.jacobian(q, link, point, frame, base=base, backend="reference")
        assert expected.shape == (*batch, 6, mixed.dof)
        for method in METHODS:
            J = mixed.jacobian(q, link, point, frame, method, base)
            torch.testing.assert_close(J, expected, rtol=0, atol=1e-12)


def test_velocity_of_a_point_by_finite_differences(mixed):
    q, point = mixed.sample(1)[0], torch.tensor([0.1, -0.3, 0.2]).double()
    J = mixed.jacobian(q, "hand", point)
    h = 1e-6
    for k in range(mixed.dof):
        step = torch.zeros_like(q)
        step[k] = h
        ahead, behind = (mixed.forward_kinematics(q + s, ["hand"])[0] for s in (step, -step))
        velocity = ((ahead - behind) @ torch.cat((point, torch.ones(1)))) / (2 * h)
        turn = dk.rotations.matrix_to_rotvec(ahead[:3, :3] @ behind[:3, :3].T) / (2 * h)
        torch.testing.assert_close(J[:3, k], velocity[:3], rtol=0, atol=1e-8)
        torch.testing.assert_close(J[3:, k], turn, rtol=0, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_jacobian_is_itself_differentiable(mixed, method):
    q = mixed.sample(2).requires_grad_()
    point = torch.rand(3, dtype=torch.float64, requires_grad=True)

    def rows(q, point):
        return mixed.jacobian(q, "hand", point, "local", method, a_base())

    assert torch.autograd.gradcheck(rows, (q, point))
    if method == "geometric":
        assert torch.autograd.gradgradcheck(rows, (q, point))


@pytest.mark.parametrize("method", METHODS)
def test_transforms_and_compile(mixed, method):
    q = mixed.sample(3)

    def rows(q):
        return mixed.jacobian(q, "hand", method=method)

    expected = mixed.jacobian(q, "hand")
    torch.testing.assert_close(torch.func.vmap(rows)(q), expected, rtol=0, atol=1e-12)
    H = torch.func.vmap(torch.func.jacfwd(rows))(q)
    torch.testing.assert_close(H, mixed.hessian(q, "hand"), rtol=0, atol=1e-12)
    compiled = torch.compile(rows, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(q), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_without_gradients_nothing_is_kept(iiwa, method):
    J = iiwa.jacobian(iiwa.sample(2), method=method)
    assert not J.requires_grad
    q = iiwa.sample(2).requires_grad_()
    with torch.no_grad():
        assert not iiwa.jacobian(q, method=method).requires_grad
    assert q.grad is None


def test_stretched_arm_is_singular_and_finite(iiwa):
    q = torch.zeros(7, dtype=torch.float64, requires_grad=True)
    J = iiwa.jacobian(q)
    assert torch.linalg.matrix_rank(J) < 6
    for row in J.flatten()[:6]:
        (g,) = torch.autograd.grad(row, q, retain_graph=True)
        assert torch.isfinite(g).all()


def test_bad_input(iiwa):
    q = iiwa.sample(2)
    with pytest.raises(UnknownNameError, match="'world'"):
        iiwa.jacobian(q, frame="wold")
    with pytest.raises(UnknownNameError, match="geometric"):
        iiwa.jacobian(q, method="geometrical")
    with pytest.raises(UnknownNameError, match="lbr_iiwa_link_7"):
        iiwa.jacobian(q, link="lbr_iiwa_link_77")
    with pytest.raises(ShapeError, match="point"):
        iiwa.jacobian(q, point=torch.zeros(2))
    with pytest.raises(ShapeError, match="broadcast"):
        iiwa.jacobian(q, point=torch.zeros(3, 3))
    with pytest.raises(NonFiniteError, match="point"):
        iiwa.jacobian(q, point=torch.tensor([0.0, float("nan"), 0.0]))


def made_under(switch, robot):
    with switch():
        return dk.Robot.from_urdf(robot.source, base=robot.base, tip=robot.tip)


SWITCHES = [torch.no_grad, torch.inference_mode]


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("method", METHODS)
def test_where_gradients_are_switched_off(iiwa, switch, method):
    q, base, point = iiwa.sample(3), a_base(), torch.tensor([0.1, 0.2, 0.3]).double()
    expected = iiwa.jacobian(q, point=point, base=base)
    with switch():
        robot = made_under(switch, iiwa)
        found = [
            each.jacobian(at, point=1.0 * point, base=1.0 * base, method=method)
            for each in (iiwa, robot)
            for at in (q, 1.0 * q)
        ]
        late = 1.0 * q
    found.append(robot.jacobian(late, point=point, base=base, method=method))
    for each in found:
        assert not each.requires_grad
        torch.testing.assert_close(each, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_robot_made_where_gradients_are_switched_off_has_them_later(iiwa, switch, dtype):
    robot = made_under(switch, iiwa)
    with switch():
        robot, q = robot.to(dtype), iiwa.to(dtype).sample(2)
        robot.forward_kinematics(q.double())  # keeps the tree in float64
        other = q.double()
    leaf = other.clone().requires_grad_()
    plain = iiwa.to(dtype)
    for call in (
        lambda arm, at: arm.forward_kinematics(at),
        lambda arm, at: arm.forward_kinematics(at, backend="reference"),
        lambda arm, at: arm.manipulability(at),
        lambda arm, at: arm.hessian(at),
        lambda arm, at: arm.jacobian(at, method="backward_seeds"),
    ):
        slopes = [torch.autograd.grad(call(arm, leaf).sum(), leaf)[0] for arm in (robot, plain)]
        torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-12, atol=1e-12)
        assert slopes[0].any()
    origins = robot.tree.origins.clone().requires_grad_()
    moved = robot.replace(origins=origins)
    for method in METHODS:
        rows = moved.jacobian(q, method=method, base=torch.eye(4, dtype=dtype))
        assert torch.autograd.grad(rows.sum(), origins)[0].any()
