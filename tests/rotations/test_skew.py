"""Skew-symmetric matrices and the adjoint."""

from __future__ import annotations

import pytest
import torch

from diffkin import rotations
from diffkin.errors import DtypeError, RotationError, ShapeError


def test_hat_is_the_cross_product() -> None:
    a, b = torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.linalg.cross(a, b)
    torch.testing.assert_close((rotations.hat(a) @ b.unsqueeze(-1)).squeeze(-1), expected)
    torch.testing.assert_close(rotations.vee(rotations.hat(a)), a)


def test_vee_takes_the_skew_part() -> None:
    matrix = torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(rotations.hat(rotations.vee(matrix)), 0.5 * (matrix - matrix.T))


def test_adjoint_carries_angular_velocity() -> None:
    matrix = rotations.random_rotation(10)
    omega = torch.randn(10, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    carried = (rotations.adjoint(matrix) @ omega.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(matrix @ rotations.hat(omega) @ matrix.mT, rotations.hat(carried))
    with pytest.raises(RotationError):
        rotations.adjoint(torch.ones(3, 3))


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match=r"\(\*batch, 3\), got \(4,\)"):
        rotations.hat(torch.zeros(4))
    with pytest.raises(ShapeError):
        rotations.vee(torch.zeros(3))
    with pytest.raises(DtypeError):
        rotations.hat(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(DtypeError):
        rotations.hat("0, 0, 0")
