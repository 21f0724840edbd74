"""Attitudes of an attitude profile matrix B: the rotation R that maximises ``tr(R^T B)``, by three methods.

``B = sum_i w_i v_reference_i v_body_i^T`` of unit vectors, with weights that add up to one. Newton's method on the
group polishes what the methods find, and carries the derivatives.
"""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin._algebra import apply, dot, matmul, solve3
from diffkin._checks import has_values
from diffkin.aircraft.estimation.observations import exceeds
from diffkin.rotations import quat_xyzw_to_matrix, rotvec_to_matrix, vee

__all__ = ["by_davenport", "by_quest", "by_svd", "davenport_matrix", "newton_step", "polish"]


def polish(rotation: Tensor, profile: Tensor) -> tuple[Tensor, Tensor]:
    """Two steps of Newton's method on the group, and the curvature ``tr(K) I - K`` at the last."""
    for _ in range(2):
        step, curvature = newton_step(rotation, profile)
        rotation = matmul(rotation, rotvec_to_matrix(step))
    return rotation, curvature


def newton_step(rotation: Tensor, profile: Tensor) -> tuple[Tensor, Tensor]:
    """Newton's step towards the maximum, a rotation vector in body axes, and the curvature ``tr(K) I - K`` there."""
    k = matmul(rotation.mT, profile)
    trace = k.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    eye = torch.eye(3, dtype=profile.dtype, device=profile.device)
    curvature = trace * eye - 0.5 * (k + k.mT)
    return solve3(curvature, 2.0 * vee(k)), curvature


def by_svd(profile: Tensor) -> Tensor:
    """``U diag(1, 1, det U det V) V^T`` (Markley, Attitude determination using vector observations, 1988)."""
    u, _, vh = torch.linalg.svd(profile)
    last = torch.linalg.det(u) * torch.linalg.det(vh)
    scale = torch.stack([torch.ones_like(last), torch.ones_like(last), last], -1)
    return matmul(u * scale.unsqueeze(-2), vh)


def by_davenport(profile: Tensor) -> Tensor:
    """The q-method: the quaternion is the eigenvector of ``davenport_matrix`` with the largest eigenvalue."""
    return quat_xyzw_to_matrix(torch.linalg.eigh(davenport_matrix(profile))[1][..., -1])


def davenport_matrix(profile: Tensor) -> Tensor:
    """The matrix K with ``q^T K q = tr(R(q)^T B)``, q in xyzw: (*batch, 4, 4)."""
    trace = profile.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    eye = torch.eye(3, dtype=profile.dtype, device=profile.device)
    z = 2.0 * vee(profile)
    top = torch.cat([profile + profile.mT - trace * eye, z.unsqueeze(-1)], -1)
    return torch.cat([top, torch.cat([z.unsqueeze(-2), trace], -1)], -2)


def by_quest(profile: Tensor) -> Tensor:
    """From the largest root of the characteristic polynomial of ``davenport_matrix`` (Shuster and Oh, 1981).

    Where the answer is ill-conditioned, or values cannot be seen, it is that of ``by_svd``.
    """
    if not has_values(profile):  # no choice by value can be made there
        return by_svd(profile)
    # Turn the reference frame by half a turn about an axis where that brings the answer nearer to the identity; the
    # quaternion below is 0/0 at the half turn (Shuster and Oh's sequential rotations).
    signs = profile.new_tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    best = matmul(profile.diagonal(dim1=-2, dim2=-1).unsqueeze(-2), signs.mT).squeeze(-2).argmax(-1)
    flip = signs[best].unsqueeze(-1)
    b = flip * profile
    # Largest root of det(K - l I) by Newton from above, where it is convex (Markley's form, 1993)
    square = b.square().sum((-2, -1))
    x, y, z = b.unbind(-2)
    minors = torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], -2)
    det = dot(x, minors[..., 0, :]).squeeze(-1)
    fourth = 4.0 * minors.square().sum((-2, -1))
    root = torch.ones_like(det)
    for _ in range(5):
        gap = root * root - square
        slope = 4.0 * root * gap - 8.0 * det
        root = root - (gap * gap - 8.0 * root * det - fourth) / torch.where(slope == 0, 1.0, slope)
    # q = ((alpha I + beta S + S^2) z, gamma)
    s = b + b.mT
    vector = 2.0 * vee(b)
    sigma = b.diagonal(dim1=-2, dim2=-1).sum(-1)
    kappa = 0.5 * ((2.0 * sigma).square() - s.square().sum((-2, -1)))
    s0, s1, s2 = s.unbind(-2)
    delta = dot(s0, torch.linalg.cross(s1, s2)).squeeze(-1)
    alpha = root * root - sigma * sigma + kappa
    sv = apply(s, vector)
    part = alpha.unsqueeze(-1) * vector + (root - sigma).unsqueeze(-1) * sv + apply(s, sv)
    quat = torch.cat([part, ((root + sigma) * alpha - delta).unsqueeze(-1)], -1)
    length = torch.sqrt(dot(quat, quat))
    quat = torch.where(length > 0, quat / torch.where(length > 0, length, 1.0), quat.new_tensor([0.0, 0.0, 0.0, 1.0]))
    rotation = flip * quat_xyzw_to_matrix(quat)
    step, curvature = newton_step(rotation, profile)
    poor = ~(exceeds(curvature, 0.0) & (step.abs().amax(-1) < 1e-4))
    if bool(poor.any()):
        rotation[poor] = by_svd(profile[poor])
    return rotation
