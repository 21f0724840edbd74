"""The exponential and the logarithm, above all at and near the singular points."""

from __future__ import annotations

from math import pi

import mpmath
import pytest
import roma
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.func import hessian, jacfwd, jacrev

from diffkin import rotations

ANGLES = [0.0, 1e-10, 1e-4, 1.0, pi - 1e-6]
AXIS = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0


def random_rotvec(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, generator=generator, dtype=torch.float64)


def exact_matrix(rotvec: list[mpmath.mpf]) -> mpmath.matrix:
    """Rodrigues' formula in 60 digits."""
    x, y, z = rotvec
    square = x * x + y * y + z * z
    k = mpmath.matrix([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    if square == 0:
        return mpmath.eye(3)
    angle = mpmath.sqrt(square)
    return mpmath.eye(3) + mpmath.sin(angle) / angle * k + (1 - mpmath.cos(angle)) / square * k * k


def exact_derivative(rotvec: Tensor, i: int, j: int) -> Tensor:
    """Second derivative of the exponential by central differences in 60 digits, where the step costs nothing."""
    with mpmath.workdps(60):
        step = mpmath.mpf(10) ** -18
        total = mpmath.zeros(3)
        for si in (1, -1):
            for sj in (1, -1):
                point = [mpmath.mpf(float(number)) for number in rotvec]
                point[i] += si * step
                point[j] += sj * step
                total += si * sj * exact_matrix(point)
        total /= 4 * step * step
        return torch.tensor([[float(total[r, c]) for c in range(3)] for r in range(3)], dtype=torch.float64)


def test_matches_scipy_and_roma() -> None:
    rotvec = 2.0 * random_rotvec(500)
    matrix = rotations.rotvec_to_matrix(rotvec)
    torch.testing.assert_close(
        matrix, torch.tensor(Rotation.from_rotvec(rotvec.numpy()).as_matrix()), rtol=0, atol=2e-15
    )
    torch.testing.assert_close(matrix, roma.rotvec_to_rotmat(rotvec), rtol=0, atol=2e-15)
    expected = torch.tensor(Rotation.from_matrix(matrix.numpy()).as_rotvec())
    torch.testing.assert_close(rotations.matrix_to_rotvec(matrix), expected, rtol=0, atol=1e-13)


def test_exponential_is_orthogonal_to_rounding() -> None:
    matrix = rotations.rotvec_to_matrix(3.0 * random_rotvec(1000, seed=1))
    assert float((matrix.mT @ matrix - torch.eye(3)).abs().max()) < 2e-15


@pytest.mark.parametrize("angle", ANGLES)
def test_second_derivative_of_exp_is_exact(angle: float) -> None:
    rotvec = angle * AXIS
    second = hessian(rotations.rotvec_to_matrix)(rotvec)
    for i in range(3):
        for j in range(3):
            torch.testing.assert_close(second[..., i, j], exact_derivative(rotvec, i, j), rtol=0, atol=2e-13)


def test_second_derivative_at_zero_is_the_closed_form() -> None:
    """exp(v) = I + hat(v) + hat(v)^2 / 2 + ..., so the second derivative is (E_i E_j + E_j E_i) / 2, exactly."""
    basis = rotations.hat(torch.eye(3, dtype=torch.float64))
    products = torch.einsum("iab,jbc->acij", basis, basis)
    expected = 0.5 * (products + products.transpose(-1, -2))
    zero = torch.zeros(3, dtype=torch.float64)
    for second in (hessian(rotations.rotvec_to_matrix), jacrev(jacrev(rotations.rotvec_to_matrix))):
        torch.testing.assert_close(second(zero), expected, rtol=0, atol=1e-16)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("function", [rotations.rotvec_to_matrix, rotations.rotvec_to_quat_xyzw])
def test_gradcheck_of_exp(function: object, angle: float) -> None:
    rotvec = (angle * AXIS).requires_grad_()
    assert torch.autograd.gradcheck(function, (rotvec,))
    assert torch.autograd.gradgradcheck(function, (rotvec,))


@pytest.mark.parametrize("angle", [*ANGLES, 0.2, 0.3, 0.5, 3.0])
def test_log_undoes_exp_to_second_order(angle: float) -> None:
    """log(exp(v)) = v: Jacobian the identity, Hessian zero; 0.2 to 0.5 straddle series and closed form."""
    rotvec = angle * AXIS
    for back in (
        lambda v: rotations.matrix_to_rotvec(rotations.rotvec_to_matrix(v)),
        lambda v: rotations.quat_xyzw_to_rotvec(rotations.rotvec_to_quat_xyzw(v)),
    ):
        torch.testing.assert_close(back(rotvec), rotvec, rtol=0, atol=1e-15)
        eye = torch.eye(3, dtype=torch.float64)
        torch.testing.assert_close(jacrev(back)(rotvec), eye, rtol=0, atol=1e-13)
        torch.testing.assert_close(jacfwd(back)(rotvec), eye, rtol=0, atol=1e-13)
        assert float(hessian(back)(rotvec).abs().max()) < 1e-12


@pytest.mark.parametrize("gap", [0.0, 1e-15, 1e-12, 1e-8, 1e-6, 1e-3])
def test_log_near_the_half_turn(gap: float) -> None:
    axes = torch.cat([torch.eye(3, dtype=torch.float64), torch.nn.functional.normalize(random_rotvec(200), dim=-1)])
    rotvec = (pi - gap) * axes
    back = rotations.matrix_to_rotvec(rotations.rotvec_to_matrix(rotvec))
    error = torch.minimum((back - rotvec).abs().amax(-1), (back + rotvec).abs().amax(-1))
    assert float(error.max()) < 1e-12
    if gap > 1e-12:
        torch.testing.assert_close(back, rotvec, rtol=0, atol=1e-12)
    assert float(back.norm(dim=-1).max()) <= pi + 1e-15
    assert bool(jacrev(rotations.matrix_to_rotvec)(rotations.rotvec_to_matrix(rotvec[0])).isfinite().all())


@pytest.mark.parametrize("angle", [1e-300, 1e-160, 1e-20, 1e-10, 1e-7])
def test_log_keeps_tiny_angles(angle: float) -> None:
    rotvec = angle * AXIS
    back = rotations.matrix_to_rotvec(rotations.rotvec_to_matrix(rotvec))
    torch.testing.assert_close(back, rotvec, rtol=1e-14, atol=0)


def test_angle_is_in_zero_to_pi_and_w_is_not_negative() -> None:
    rotvec = 6.0 * random_rotvec(500, seed=2)
    assert float(rotations.matrix_to_rotvec(rotations.rotvec_to_matrix(rotvec)).norm(dim=-1).max()) <= pi
    quat = rotations.rotvec_to_quat_xyzw(rotvec)
    assert float(quat[:, 3].min()) >= 0.0
    assert float(rotations.quat_xyzw_to_rotvec(-3.0 * quat).norm(dim=-1).max()) <= pi
    torch.testing.assert_close(rotations.quat_xyzw_to_matrix(quat), rotations.rotvec_to_matrix(rotvec))


def test_whole_turns_give_no_nan() -> None:
    rotvec = 2.0 * pi * torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(
        rotations.rotvec_to_matrix(rotvec), torch.eye(3).double().expand(3, 3, 3), atol=1e-15, rtol=0
    )
