"""The Karcher mean and its derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import hessian, jacfwd, jacrev, vmap

from diffkin import rotations
from diffkin.errors import OptionError, ShapeError


def cluster(count: int, spread: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    turns = spread * torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return rotations.random_rotation((), seed) @ rotations.rotvec_to_matrix(turns)


@pytest.mark.parametrize("spread", [0.0, 1e-8, 0.1, 0.7])
def test_the_weighted_turns_sum_to_zero(spread: float) -> None:
    matrix = cluster(12, spread)
    weights = torch.rand(12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mean = rotations.mean_rotation(matrix, weights)
    turns = rotations.matrix_to_rotvec(mean.T @ matrix)
    assert float((weights[:, None] * turns).sum(0).abs().max()) < 1e-14


def test_two_rotations_meet_on_the_way() -> None:
    """The mean of two with weights 1 - t and t is slerp at t."""
    start, end = rotations.random_rotation(2, seed=8)
    for t in (0.2, 0.5, 0.9):
        weights = torch.tensor([1 - t, t], dtype=torch.float64)
        found = rotations.mean_rotation(torch.stack([start, end]), 7.0 * weights)
        torch.testing.assert_close(found, rotations.slerp(start, end, t), rtol=0, atol=1e-14)


def test_derivatives_against_slerp() -> None:
    """The same in the weights and in one rotation, to second order."""
    start, end = rotations.random_rotation(2, seed=9)
    place = torch.tensor([0.1, -0.2, 0.3, 0.4], dtype=torch.float64)

    def by_mean(x: Tensor) -> Tensor:
        moved = end @ rotations.rotvec_to_matrix(x[:3])
        return rotations.mean_rotation(torch.stack([start, moved]), torch.stack([1 - x[3], x[3]]))

    def by_slerp(x: Tensor) -> Tensor:
        return rotations.slerp(start, end @ rotations.rotvec_to_matrix(x[:3]), x[3])

    expected = jacfwd(by_slerp)(place)
    torch.testing.assert_close(jacrev(by_mean)(place), expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(jacfwd(by_mean)(place), expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(hessian(by_mean)(place), hessian(by_slerp)(place), rtol=0, atol=1e-12)


def test_gradcheck_of_many() -> None:
    turns = 0.5 * torch.randn(5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    turns.requires_grad_()
    weights = torch.tensor([1.0, 2.0, 0.5, 0.3, 1.0], dtype=torch.float64, requires_grad=True)

    def function(v: Tensor, w: Tensor) -> Tensor:
        return rotations.mean_rotation(rotations.rotvec_to_matrix(v), w)

    assert torch.autograd.gradcheck(function, (turns, weights))
    assert torch.autograd.gradgradcheck(function, (turns, weights), fast_mode=True)


def test_equal_rotations_and_batches() -> None:
    same = rotations.random_rotation((), 3).expand(4, 3, 3)
    torch.testing.assert_close(rotations.mean_rotation(same), same[0], rtol=0, atol=1e-15)
    assert bool(jacrev(rotations.mean_rotation)(same).isfinite().all())
    batch = torch.stack([cluster(6, 0.5, seed) for seed in range(3)])
    each = torch.stack([rotations.mean_rotation(one) for one in batch])
    torch.testing.assert_close(rotations.mean_rotation(batch), each, rtol=0, atol=1e-14)
    torch.testing.assert_close(vmap(rotations.mean_rotation)(batch), each, rtol=0, atol=1e-14)
    assert rotations.mean_rotation(batch[0].float()).dtype == torch.float32


def test_bad_input() -> None:
    matrix = cluster(3, 0.1)
    with pytest.raises(OptionError, match="weights"):
        rotations.mean_rotation(matrix, torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64))
    with pytest.raises(OptionError, match="weights"):
        rotations.mean_rotation(matrix, torch.zeros(3, dtype=torch.float64))
    with pytest.raises(ShapeError, match="weights"):
        rotations.mean_rotation(matrix, torch.ones(4, dtype=torch.float64))
    with pytest.raises(ShapeError, match="at least 1"):
        rotations.mean_rotation(torch.zeros(0, 3, 3))
    with pytest.raises(ShapeError):
        rotations.mean_rotation(torch.eye(3))
