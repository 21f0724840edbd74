"""The nearest rotation and its derivatives where the singular value decomposition has none."""

from __future__ import annotations

import pytest
import roma
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.func import hessian, jacfwd, jacrev, vmap

from diffkin import rotations
from diffkin.errors import NonFiniteError


def matrices(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_matches_roma_on_any_matrix() -> None:
    matrix = matrices(300)
    assert bool((torch.linalg.det(matrix) < 0).any())
    found = rotations.nearest_rotation(matrix)
    torch.testing.assert_close(found, roma.special_procrustes(matrix), rtol=0, atol=1e-12)
    assert float((found.mT @ found - torch.eye(3)).abs().max()) < 1e-14
    assert float((torch.linalg.det(found) - 1).abs().max()) < 1e-14


def test_weighted_sum_is_scipys_mean() -> None:
    matrix = rotations.random_rotation(20, seed=1)
    weights = torch.rand(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = Rotation.from_matrix(matrix.numpy()).mean(weights.numpy()).as_matrix()
    found = rotations.nearest_rotation((weights[:, None, None] * matrix).sum(0))
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-13)


def test_gradcheck() -> None:
    matrix = matrices(3, seed=4).requires_grad_()
    assert torch.autograd.gradcheck(rotations.nearest_rotation, (matrix,))
    assert torch.autograd.gradgradcheck(rotations.nearest_rotation, (matrix,))


def test_derivatives_at_equal_singular_values() -> None:
    """At R diag(s, s, s): R exp(w) with w = vee of the skew part of R^T dM over s. gradcheck needs no decomposition."""
    start = rotations.random_rotation((), 2)
    for scale in (1.0, 2.5):
        slope = jacrev(rotations.nearest_rotation)(scale * start)
        step = matrices(1, seed=5)[0]
        moved = (slope * step).sum((-1, -2))
        expected = start @ rotations.hat(rotations.vee(start.T @ step)) / scale
        torch.testing.assert_close(moved, expected, rtol=0, atol=1e-14)
        torch.testing.assert_close(jacfwd(rotations.nearest_rotation)(scale * start), slope, rtol=0, atol=1e-14)
    double = (start @ torch.diag(torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64))).requires_grad_()
    for matrix in (start.clone().requires_grad_(), double):
        assert torch.autograd.gradcheck(rotations.nearest_rotation, (matrix,))
        assert torch.autograd.gradgradcheck(rotations.nearest_rotation, (matrix,))


def test_second_derivative_along_the_group() -> None:
    """nearest(2 exp(v)) = exp(v): the same first and second derivatives in v."""
    for place in (torch.zeros(3, dtype=torch.float64), torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64)):
        function = lambda v: rotations.nearest_rotation(2.0 * rotations.rotvec_to_matrix(v))  # noqa: E731
        expected = hessian(rotations.rotvec_to_matrix)(place)
        torch.testing.assert_close(hessian(function)(place), expected, rtol=0, atol=1e-13)
        torch.testing.assert_close(jacrev(jacrev(function))(place), expected, rtol=0, atol=1e-13)


def test_where_it_is_not_unique_there_is_no_nan() -> None:
    bad = torch.stack(
        [
            torch.zeros(3, 3),
            torch.diag(torch.tensor([1.0, 0.0, 0.0])),
            torch.diag(torch.tensor([1.0, 1.0, -1.0])),
            -torch.eye(3),
            torch.ones(3, 3),
        ]
    ).double()
    found = rotations.nearest_rotation(bad)
    assert float((found.mT @ found - torch.eye(3)).abs().max()) < 1e-14
    assert float((torch.linalg.det(found) - 1).abs().max()) < 1e-14
    assert bool(vmap(jacrev(rotations.nearest_rotation))(bad).isfinite().all())
    assert bool((jacrev(rotations.nearest_rotation)(bad[0]) == 0).all())


def test_values_must_be_finite() -> None:
    with pytest.raises(NonFiniteError):
        rotations.nearest_rotation(torch.full((3, 3), float("nan")))
