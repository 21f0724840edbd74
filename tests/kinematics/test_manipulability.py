"""Yoshikawa's measure."""

from __future__ import annotations

import numpy as np
import torch

import diffkin as dk


def test_planar_arm_closed_form():
    robot = dk.load_robot("planar_2r")
    q = robot.sample(20)
    reach = robot.forward_kinematics(torch.zeros(2, dtype=torch.float64))[0, 3]
    l1 = robot.tree.origins[1, 0, 3]
    l2 = reach - l1
    J = robot.jacobian(q)
    # the two rotation rows add (1, 1): det(J^T J) of the whole Jacobian, here by hand
    planar = J[:, :2]
    expected = torch.linalg.det(planar.mT @ planar + torch.ones(2, 2, dtype=torch.float64)).sqrt()
    torch.testing.assert_close(robot.manipulability(q), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(torch.linalg.det(planar).abs(), (l1 * l2 * q[:, 1].sin()).abs(), rtol=0, atol=1e-14)


def test_product_of_singular_values(iiwa, panda):
    for robot in (iiwa, panda):
        q = robot.sample(10)
        values = np.linalg.svd(robot.jacobian(q).numpy(), compute_uv=False)
        np.testing.assert_allclose(robot.manipulability(q).numpy(), values.prod(-1), rtol=1e-9)


def test_gradient_and_second_gradient(iiwa):
    q = iiwa.sample(2).requires_grad_()
    assert torch.autograd.gradcheck(iiwa.manipulability, (q,))
    assert torch.autograd.gradgradcheck(iiwa.manipulability, (q,))


def test_singular_arm_gives_zero_and_a_finite_gradient(iiwa):
    q = torch.zeros(7, dtype=torch.float64, requires_grad=True)
    w = iiwa.manipulability(q)
    w.backward()
    assert w.item() < 1e-7
    assert torch.isfinite(q.grad).all()


def test_batches_and_vmap(iiwa):
    q = iiwa.sample(6).reshape(2, 3, 7)
    w = iiwa.manipulability(q)
    assert w.shape == (2, 3)
    torch.testing.assert_close(torch.func.vmap(torch.func.vmap(iiwa.manipulability))(q), w, rtol=1e-9, atol=1e-12)
