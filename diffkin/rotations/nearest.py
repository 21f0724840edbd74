"""The rotation nearest to any 3x3 matrix."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import matmul, rescale, solve3
from diffkin._checks import check_finite, take
from diffkin.rotations.exponential import rotvec_to_matrix
from diffkin.rotations.skew import vee

__all__ = ["nearest_rotation", "project_to_rotation"]


def project_to_rotation(matrix: Tensor) -> Tensor:
    """``U diag(1, 1, det(U V^T)) V^T``, without derivatives."""
    with torch.no_grad():
        u, _, vh = torch.linalg.svd(matrix.detach())
        last = torch.linalg.det(u) * torch.linalg.det(vh)
        scale = torch.stack([torch.ones_like(last), torch.ones_like(last), last], -1)
        return matmul(u * scale.unsqueeze(-2), vh)


def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation R nearest to any 3x3 matrix M in the Frobenius norm; the R that maximises ``tr(R^T M)``.

    The value is ``U diag(1, 1, det(U V^T)) V^T`` from the singular value decomposition (Kabsch, 1976). The derivatives
    do not pass through the decomposition, which has none at equal singular values: two Newton steps on the condition
    that ``K = R^T M`` be symmetric, ``R <- R exp((tr(K) I - K)^-1 (2 vee(K)))``, start at that value. They leave it
    where it is; as Newton's method squares the error at each step, first to third derivatives are the solution's.

    Where the two smallest singular values cancel (``s2 + s3 det(U V^T) = 0``: a zero matrix, rank one, a reflection
    with a double value) the nearest rotation is not unique: one of them comes back, and derivatives there mean nothing
    (zero for the zero matrix).

    Args:
        matrix: (*batch, 3, 3), any matrices.

    Returns:
        (*batch, 3, 3) rotations.

    Raises:
        ShapeError: The last axes are not (3, 3).
        NonFiniteError: The matrix holds NaN or infinity.
    """
    matrix = take(matrix, (3, 3), "matrix")
    check_finite(matrix, "matrix")
    matrix = rescale(matrix.flatten(-2))[0].unflatten(-1, (3, 3))
    rotation = project_to_rotation(matrix)
    for _ in range(2):
        k = matmul(rotation.mT, matrix)
        trace = k.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        eye = torch.eye(3, dtype=k.dtype, device=k.device)
        step = solve3(trace * eye - 0.5 * (k + k.mT), 2.0 * vee(k))
        rotation = matmul(rotation, rotvec_to_matrix(step))
    return rotation
