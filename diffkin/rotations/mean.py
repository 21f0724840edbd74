"""The weighted mean of rotations."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import matmul, rescale, solve3
from diffkin._checks import broadcast, check_devices, has_values, take, take_rotation
from diffkin.errors import OptionError, ShapeError
from diffkin.rotations.exponential import matrix_to_rotvec, rotvec_to_matrix
from diffkin.rotations.jacobians import left_jacobian_inverse
from diffkin.rotations.nearest import project_to_rotation

__all__ = ["mean_rotation"]


def _normalized(weights: Tensor | None, matrix: Tensor) -> Tensor:
    """Weights (*batch, n) of sum one."""
    count = matrix.shape[-3]
    if weights is None:
        return torch.full((count,), 1.0 / count, dtype=matrix.dtype, device=matrix.device)
    weights = take(weights, (count,), "weights")
    weights, _ = rescale(weights)
    total = weights.sum(-1, keepdim=True)
    if has_values(weights) and not bool((weights >= 0).all() and (total > 0).all()):
        raise OptionError("weights must be at least 0, finite, and not all 0 for any mean.")
    return weights / total


def _residual(mean: Tensor, matrix: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The turns (*batch, n, 3) from the mean to each rotation, and their weighted sum."""
    turns = matrix_to_rotvec(matmul(mean.unsqueeze(-3).mT, matrix), check=False)
    return turns, (weights.unsqueeze(-1) * turns).sum(-2)


def _newton(mean: Tensor, matrix: Tensor, weights: Tensor) -> Tensor:
    turns, residual = _residual(mean, matrix, weights)
    slope = (weights[..., None, None] * left_jacobian_inverse(turns)).sum(-3)
    return matmul(mean, rotvec_to_matrix(solve3(slope, residual)))


def mean_rotation(
    matrix: Float[Tensor, "*batch n 3 3"], weights: Float[Tensor, "*batch n"] | None = None
) -> Float[Tensor, "*batch 3 3"]:
    """Weighted Karcher mean: the M with least ``sum_i w_i angle(M, R_i)^2``, where ``sum_i w_i log(M^T R_i) = 0``.

    From the chordal mean, gradient steps and then Newton steps (Moakher, "Means and Averaging in the Group of
    Rotations", 2002), a fixed number of each, without derivatives; two more Newton steps carry the derivatives, which
    are those of the solution up to third order because Newton's method squares the error at each step.
    The mean is unique and smooth while all rotations lie within pi/2 of it; for wider sets a stationary point comes
    back. The chordal mean is ``nearest_rotation`` of the weighted sum of the matrices.

    Args:
        matrix: (*batch, n, 3, 3) rotations.
        weights: (*batch, n) at least 0, any sum but 0; equal when left out. Leading axes broadcast.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axes are not (n, 3, 3) with n at least 1, or the weights do not fit.
        RotationError: A matrix is no rotation; the message says how far off it is.
        OptionError: A weight is negative, or all are 0.
    """
    matrix = take_rotation(matrix, "matrix")
    if matrix.ndim < 3 or matrix.shape[-3] == 0:
        raise ShapeError(f"matrix must have shape (*batch, n, 3, 3) with n at least 1, got {tuple(matrix.shape)}.")
    weights = _normalized(weights, matrix)
    check_devices(matrix=matrix, weights=weights)
    broadcast(matrix=matrix.shape[:-3], weights=weights.shape[:-1])
    with torch.no_grad():
        data, share = matrix.detach(), weights.detach()
        mean = project_to_rotation((share[..., None, None] * data).sum(-3))
        for _ in range(5):
            mean = matmul(mean, rotvec_to_matrix(_residual(mean, data, share)[1]))
        for _ in range(3):
            mean = _newton(mean, data, share)
    for _ in range(2):
        mean = _newton(mean, matrix, weights)
    return mean
