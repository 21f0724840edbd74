"""Jacobians of the exponential: the derivative that they stand for, Pinocchio's, and whole turns."""

from __future__ import annotations

from math import pi

import numpy as np
import pinocchio
import pytest
import torch
from torch import Tensor
from torch.func import hessian, jacrev

from diffkin import rotations

ANGLES = [0.0, 1e-10, 1e-4, 1.0, pi - 1e-6]
AXIS = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0


@pytest.mark.parametrize("angle", [0.0, 1e-10, 1e-4, 0.49, 0.51, 1.0, pi - 1e-6, 4.0])
def test_jacobians_are_the_derivative_of_exp(angle: float) -> None:
    rotvec = angle * AXIS
    matrix = rotations.rotvec_to_matrix(rotvec)
    slope = jacrev(rotations.rotvec_to_matrix)(rotvec)
    left = torch.stack([rotations.vee(slope[..., i] @ matrix.T) for i in range(3)], -1)
    right = torch.stack([rotations.vee(matrix.T @ slope[..., i]) for i in range(3)], -1)
    torch.testing.assert_close(rotations.left_jacobian(rotvec), left, rtol=0, atol=1e-14)
    torch.testing.assert_close(rotations.right_jacobian(rotvec), right, rtol=0, atol=1e-14)
    eye = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(rotations.left_jacobian_inverse(rotvec) @ left, eye, rtol=0, atol=1e-14)
    torch.testing.assert_close(rotations.right_jacobian_inverse(rotvec) @ right, eye, rtol=0, atol=1e-14)


@pytest.mark.parametrize("angle", [*ANGLES, 0.49, 0.51])
def test_jacobian_times_inverse_is_constant_to_second_order(angle: float) -> None:
    rotvec = angle * AXIS

    def product(v: Tensor) -> Tensor:
        return rotations.left_jacobian(v) @ rotations.left_jacobian_inverse(v)

    assert float(jacrev(product)(rotvec).abs().max()) < 1e-13
    assert float(hessian(product)(rotvec).abs().max()) < 1e-12


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("function", [rotations.left_jacobian, rotations.left_jacobian_inverse])
def test_gradcheck(function: object, angle: float) -> None:
    rotvec = (angle * AXIS).requires_grad_()
    assert torch.autograd.gradcheck(function, (rotvec,))
    assert torch.autograd.gradgradcheck(function, (rotvec,))


def test_matches_pinocchio() -> None:
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    turn = 0.99 * pi * torch.rand(50, 1, generator=generator, dtype=torch.float64)  # Pinocchio's logarithm ends at pi
    for rotvec in turn * torch.nn.functional.normalize(direction, dim=-1):
        right = pinocchio.Jexp3(rotvec.numpy())
        np.testing.assert_allclose(rotations.right_jacobian(rotvec).numpy(), right, rtol=0, atol=1e-14)
        inverse = pinocchio.Jlog3(pinocchio.exp3(rotvec.numpy()))
        np.testing.assert_allclose(rotations.right_jacobian_inverse(rotvec).numpy(), inverse, rtol=0, atol=1e-12)


def test_left_and_right_are_transposes() -> None:
    rotvec = torch.randn(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(rotations.right_jacobian(rotvec), rotations.left_jacobian(-rotvec), rtol=0, atol=1e-15)
    right = rotations.right_jacobian_inverse(rotvec)
    torch.testing.assert_close(right, rotations.left_jacobian_inverse(-rotvec), rtol=0, atol=1e-15)


def test_whole_turns_have_no_inverse_and_give_no_nan() -> None:
    rotvec = 2.0 * pi * torch.eye(3, dtype=torch.float64)
    assert bool(rotations.left_jacobian_inverse(rotvec).isfinite().all())
    assert bool(torch.linalg.det(rotations.left_jacobian(rotvec)).abs().max() < 1e-12)
