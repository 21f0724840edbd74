"""The derivative of the Jacobian: automatic differentiation, Pinocchio, finite differences, and its structure."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
import torch

import diffkin as dk


def a_base() -> torch.Tensor:
    return dk.transforms.pose(
        dk.rotations.random_rotation((), seed=4, dtype=torch.float64), torch.tensor([0.5, -1.0, 2.0]).double()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_hessian_against_autograd(mixed, iiwa, dtype):
    for robot, link in ((mixed, "hand"), (mixed, "e"), (iiwa, None)):
        robot, point = robot.to(dtype), torch.tensor([0.1, 0.2, -0.3], dtype=dtype)
        q, base = robot.sample(3), a_base().to(dtype)
        H = robot.hessian(q, link, point, base)
        expected = torch.func.vmap(
            torch.func.jacrev(
                lambda q, robot=robot, link=link, point=point, base=base: robot.jacobian(q, link, point, base=base)
            )
        )(q)
        assert H.dtype == dtype
        torch.testing.assert_close(H, expected, rtol=0, atol=1e-12 if dtype == torch.float64 else 1e-5)


def test_hessian_against_pinocchio(iiwa):
    model = pin.buildModelFromUrdf(iiwa.source)
    data = model.createData()
    q = iiwa.sample(1)[0].numpy()
    H = iiwa.hessian(torch.as_tensor(q)).numpy()
    for k in range(7):
        rate = np.zeros(7)
        rate[k] = 1.0
        pin.computeJointJacobiansTimeVariation(model, data, q, rate)
        pin.updateFramePlacements(model, data)
        dJ = pin.getFrameJacobianTimeVariation(model, data, model.getFrameId(iiwa.tip), pin.LOCAL_WORLD_ALIGNED)
        np.testing.assert_allclose(H[:, :, k], dJ, rtol=0, atol=1e-12)


@pytest.mark.parametrize("link", ["hand", "e", "b", "root"])
def test_finite_differences(mixed, link):
    q, h = mixed.sample(1)[0], 1e-6
    H = mixed.hessian(q, link)
    assert H.shape == (6, mixed.dof, mixed.dof)
    for k, step in enumerate(h * torch.eye(mixed.dof, dtype=torch.float64)):
        slope = (mixed.jacobian(q + step, link) - mixed.jacobian(q - step, link)) / (2 * h)
        torch.testing.assert_close(H[:, :, k], slope, rtol=0, atol=1e-8)


def test_linear_rows_are_second_derivatives_of_a_position_and_so_symmetric(mixed):
    point = torch.tensor([0.1, 0.2, -0.3], dtype=torch.float64)
    q = mixed.sample(5)
    linear = mixed.hessian(q, "hand", point)[..., :3, :, :]
    torch.testing.assert_close(linear, linear.mT, rtol=0, atol=1e-14)
    one = torch.cat((point, torch.ones(1)))
    twice = torch.func.hessian(lambda at: (mixed.forward_kinematics(at, ["hand"])[0] @ one)[:3])
    torch.testing.assert_close(linear, torch.func.vmap(twice)(q), rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [(), (0,), (2, 3)])
def test_leading_axes(mixed, batch):
    q = mixed.sample(torch.Size(batch).numel()).reshape(*batch, mixed.dof)
    base = a_base().expand(4, *[1] * len(batch), 4, 4)
    H = mixed.hessian(q, "hand", base=base)
    assert H.shape == (4, *batch, 6, mixed.dof, mixed.dof)
    torch.testing.assert_close(H[2], mixed.hessian(q, "hand", base=a_base()), rtol=0, atol=1e-14)


def test_gradients_flow_on(mixed):
    q = mixed.sample(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda at: mixed.hessian(at, "hand"), (q,))
