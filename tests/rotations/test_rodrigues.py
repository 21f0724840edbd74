"""Gibbs and modified Rodrigues vectors."""

from __future__ import annotations

from math import pi

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.func import hessian, jacrev

from diffkin import rotations

AXIS = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0


def test_against_scipy_and_definition() -> None:
    matrix = rotations.random_rotation(300)
    theirs = Rotation.from_matrix(matrix.numpy())
    torch.testing.assert_close(rotations.matrix_to_mrp(matrix), torch.tensor(theirs.as_mrp()), rtol=0, atol=1e-14)
    assert float(rotations.matrix_to_mrp(matrix).norm(dim=-1).max()) <= 1.0
    torch.testing.assert_close(rotations.mrp_to_matrix(torch.tensor(theirs.as_mrp())), matrix, rtol=0, atol=2e-15)
    rotvec = torch.tensor(theirs.as_rotvec())
    angle = rotvec.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(
        rotations.matrix_to_gibbs(matrix), rotvec / angle * torch.tan(0.5 * angle), rtol=1e-11, atol=0
    )
    torch.testing.assert_close(rotations.gibbs_to_matrix(rotations.matrix_to_gibbs(matrix)), matrix, rtol=0, atol=1e-14)


def test_shadow_is_the_same_rotation() -> None:
    mrp = torch.randn(100, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shadow = rotations.mrp_shadow(mrp)
    torch.testing.assert_close(rotations.mrp_to_matrix(shadow), rotations.mrp_to_matrix(mrp), rtol=0, atol=2e-15)
    torch.testing.assert_close(rotations.mrp_shadow(shadow), mrp)
    torch.testing.assert_close(shadow.norm(dim=-1), 1.0 / mrp.norm(dim=-1))
    assert rotations.mrp_shadow(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert bool(jacrev(rotations.mrp_shadow)(torch.zeros(3)).isfinite().all())


@pytest.mark.parametrize("length", [0.0, 1e-10, 1e-4, 0.5, 0.999])
def test_second_order_round_trip(length: float) -> None:
    for there, back in (
        (rotations.mrp_to_matrix, rotations.matrix_to_mrp),
        (rotations.gibbs_to_matrix, rotations.matrix_to_gibbs),
    ):
        place = length * AXIS

        def both(v: Tensor, there=there, back=back) -> Tensor:
            return back(there(v))

        torch.testing.assert_close(both(place), place, rtol=1e-14, atol=0)
        torch.testing.assert_close(jacrev(both)(place), torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-14)
        assert float(hessian(both)(place).abs().max()) < 1e-13


def test_half_turn() -> None:
    matrix = rotations.rotvec_to_matrix(pi * torch.cat([AXIS[None], torch.eye(3, dtype=torch.float64)]))
    gibbs = rotations.matrix_to_gibbs(matrix)
    assert bool(gibbs.isfinite().all())
    torch.testing.assert_close(rotations.gibbs_to_matrix(gibbs), matrix, rtol=0, atol=2e-15)
    assert bool(jacrev(lambda m: rotations.matrix_to_gibbs(m).sum(0))(matrix).isfinite().all())
    mrp = rotations.matrix_to_mrp(matrix)
    torch.testing.assert_close(mrp.norm(dim=-1), torch.ones(4, dtype=torch.float64), rtol=0, atol=1e-15)
    torch.testing.assert_close(rotations.mrp_to_matrix(mrp), matrix, rtol=0, atol=2e-15)
