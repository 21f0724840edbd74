"""Euler-rate maps against the derivative of the rotation itself and against published formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.func import jvp

from diffkin import rotations
from diffkin.rotations import EULER_SEQUENCES


def sample(count: int = 100, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    angles = 6.0 * torch.rand(count, 3, generator=generator, dtype=torch.float64) - 3.0
    return angles, torch.randn(count, 3, generator=generator, dtype=torch.float64)


def is_proper(sequence: str) -> bool:
    return sequence[0] == sequence[2]


@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_body_rate_is_the_derivative_of_the_matrix(sequence: str) -> None:
    """dR/dt = R hat(omega_body), upper and lower case."""
    angles, rate = sample()
    matrix, slope = jvp(lambda a: rotations.euler_to_matrix(a, sequence), (angles,), (rate,))
    omega = (rotations.body_rate_matrix(angles, sequence) @ rate.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(matrix.mT @ slope, rotations.hat(omega), rtol=0, atol=1e-14)


@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_rate_maps_are_inverse(sequence: str) -> None:
    angles, _ = sample(seed=1)
    steady = rotations.euler_rate_condition(angles, sequence) < 1e3
    angles = angles[steady]
    eye = torch.eye(3, dtype=torch.float64).expand(len(angles), 3, 3)
    product = rotations.euler_rate_matrix(angles, sequence) @ rotations.body_rate_matrix(angles, sequence)
    torch.testing.assert_close(product, eye, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        rotations.euler_rate_matrix(angles, sequence),
        torch.linalg.inv(rotations.body_rate_matrix(angles, sequence)),
        rtol=1e-12,
        atol=1e-12,
    )


def published(sequence: str, b: float, c: float) -> list[list[float]]:
    """B with d(angles)/dt = B omega, Schaub and Junkins, "Analytical Mechanics of Space Systems", appendix B.

    Written out for the 3-2-1, 3-1-3 and 1-2-3 sequences; rows in the order of the angles.
    """
    sb, cb, sc, cc = math.sin(b), math.cos(b), math.sin(c), math.cos(c)
    return {
        "ZYX": [[0, sc / cb, cc / cb], [0, cc, -sc], [1, sc * sb / cb, cc * sb / cb]],
        "ZXZ": [[sc / sb, cc / sb, 0], [cc, -sc, 0], [-sc * cb / sb, -cc * cb / sb, 1]],
        "XYZ": [[cc / cb, -sc / cb, 0], [sc, cc, 0], [-cc * sb / cb, sc * sb / cb, 1]],
    }[sequence]


@pytest.mark.parametrize("sequence", ["ZYX", "ZXZ", "XYZ"])
def test_matches_published_formulas(sequence: str) -> None:
    for angles in ((0.3, 0.8, -1.1), (2.0, 0.2, 0.9), (-1.0, 1.2, 2.5)):
        expected = torch.tensor(published(sequence, *angles[1:]), dtype=torch.float64)
        found = rotations.euler_rate_matrix(torch.tensor(angles, dtype=torch.float64), sequence)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


def test_f16_coordinated_turn() -> None:
    """Stevens, Lewis and Johnson, "Aircraft Control and Simulation", 3rd ed., example 3.6-2: turn rate 0.3 rad/s."""
    yaw_pitch_roll = torch.tensor([0.2340769, 0.05000808, 1.366289], dtype=torch.float64)
    omega_body = torch.tensor([-0.01499617, 0.2933811, 0.06084932], dtype=torch.float64)
    rates = rotations.euler_rate_matrix(yaw_pitch_roll, "ZYX") @ omega_body
    torch.testing.assert_close(rates, torch.tensor([0.3, 0.0, 0.0], dtype=torch.float64), rtol=0, atol=1e-6)
    roll_pitch_yaw = yaw_pitch_roll.flip(-1)
    rates = rotations.euler_rate_matrix(roll_pitch_yaw, "xyz") @ omega_body
    torch.testing.assert_close(rates, torch.tensor([0.0, 0.0, 0.3], dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_condition_number(sequence: str) -> None:
    angles, _ = sample(seed=2)
    expected = torch.linalg.cond(rotations.body_rate_matrix(angles, sequence))
    torch.testing.assert_close(rotations.euler_rate_condition(angles, sequence), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_at_the_pole_large_but_finite(sequence: str) -> None:
    pole = 0.0 if is_proper(sequence) else math.pi / 2
    angles = torch.tensor([0.3, pole, 0.2], dtype=torch.float64, requires_grad=True)
    matrix = rotations.euler_rate_matrix(angles, sequence)
    assert bool(matrix.isfinite().all()) and float(matrix.detach().abs().max()) > 1e15
    matrix.sum().backward()
    assert angles.grad is not None and bool(angles.grad.isfinite().all())
    assert 1e15 < float(rotations.euler_rate_condition(angles.detach(), sequence)) < math.inf
    assert bool(rotations.body_rate_matrix(angles, sequence).isfinite().all())


@pytest.mark.parametrize("sequence", ["ZYX", "YXY", "xzy", "zxz"])
def test_gradcheck(sequence: str) -> None:
    angles = torch.tensor([0.3, 0.7, -0.5], dtype=torch.float64, requires_grad=True)
    for function in (rotations.euler_rate_matrix, rotations.body_rate_matrix, rotations.euler_rate_condition):
        assert torch.autograd.gradcheck(lambda a, f=function: f(a, sequence), (angles,))
        assert torch.autograd.gradgradcheck(lambda a, f=function: f(a, sequence), (angles,))
