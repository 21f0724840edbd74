"""The 6D representation."""

from __future__ import annotations

import pytest
import roma
import torch
from torch.func import jacrev, vmap

from diffkin import rotations
from diffkin.errors import RotationError


def test_against_roma_and_round_trip() -> None:
    raw = torch.randn(100, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = roma.special_gramschmidt(torch.stack([raw[:, :3], raw[:, 3:]], -1))
    torch.testing.assert_close(rotations.rot6d_to_matrix(raw), expected, rtol=0, atol=1e-14)
    matrix = rotations.random_rotation(50)
    torch.testing.assert_close(rotations.rot6d_to_matrix(rotations.matrix_to_rot6d(matrix)), matrix, rtol=0, atol=1e-15)
    torch.testing.assert_close(rotations.matrix_to_rot6d(matrix)[:, 3:], matrix[:, :, 1])


def test_gradcheck() -> None:
    raw = torch.tensor([0.3, -1.0, 0.2, 0.5, 0.1, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotations.rot6d_to_matrix, (raw,))
    assert torch.autograd.gradgradcheck(rotations.rot6d_to_matrix, (raw,))


def test_parallel_and_zero_vectors() -> None:
    parallel = torch.tensor([0.1, 0.2, 0.3, -0.2, -0.4, -0.6], dtype=torch.float64)
    with pytest.raises(RotationError, match="parallel"):
        rotations.rot6d_to_matrix(parallel)
    for bad in (torch.tensor([0.0, 0, 0, 1, 0, 0]), torch.tensor([1.0, 0, 0, 0, 0, 0])):
        with pytest.raises(RotationError, match="zero"):
            rotations.rot6d_to_matrix(bad)
        assert bool(vmap(rotations.rot6d_to_matrix)(bad[None]).isfinite().all())
        assert bool(jacrev(rotations.rot6d_to_matrix)(bad).isfinite().all())
