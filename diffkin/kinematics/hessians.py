"""The derivative of the geometric Jacobian, in closed form."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from diffkin._algebra import matmul
from diffkin.kinematics.jacobians import jacobian
from diffkin.kinematics.poses import check_dense, checked, in_dtype_of
from diffkin.kinematics.tree import KinematicTree

__all__ = ["hessian"]


def hessian(
    tree: KinematicTree, q: Tensor, link: int, point: Tensor | None = None, base: Tensor | None = None
) -> Tensor:
    """Derivative (*batch, 6, dof, dof) of the Jacobian; see ``Robot.hessian`` for the arguments.

    With the columns ``(v_j, w_j)`` of the Jacobian of a chain, joint k before or at joint j: ``dw_j/dq_k = w_k x w_j``,
    ``dv_j/dq_k = w_k x v_j``; for k after j: ``dw_j/dq_k = 0``, ``dv_j/dq_k = w_j x v_k`` (Haviland & Corke 2023). The
    sum runs over joints, so that mimic joints add up in their coordinate.
    """
    tree, q, base = in_dtype_of(tree, *checked(tree, q, base))
    check_dense(tree, q=q, base=base)
    way = tree.path(tree.link_joint[link])
    # one column a joint: the Jacobian of the same tree where every joint has a coordinate of its own
    apart, values = _one_coordinate_a_joint(tree, q)
    rows = jacobian(apart, values, link, point=point, base=base, backend="reference")
    rows = rows[..., list(way)]
    linear, angular = rows[..., :3, :], rows[..., 3:, :]
    count = len(way)
    order = torch.arange(count, device=rows.device)
    not_after = (order[None, :] <= order[:, None]).to(rows.dtype)  # [j, k]: k before or at j
    w_k = angular.unsqueeze(-2).expand(*angular.shape[:-1], count, count)
    w_j = angular.unsqueeze(-1).expand_as(w_k)
    v_k = linear.unsqueeze(-2).expand_as(w_k)
    v_j = linear.unsqueeze(-1).expand_as(w_k)
    spin = torch.linalg.cross(w_k, w_j, dim=-3) * not_after
    move = torch.linalg.cross(w_k, v_j, dim=-3) * not_after + torch.linalg.cross(w_j, v_k, dim=-3) * (1.0 - not_after)
    by_joint = torch.cat((move, spin), dim=-3)
    gather = rows.new_zeros(count, tree.dof)
    for row, joint in enumerate(way):
        gather[row, tree.coordinate[joint]] = tree.multiplier[joint]
    return matmul(gather.mT, matmul(by_joint, gather))


def _one_coordinate_a_joint(tree: KinematicTree, q: Tensor) -> tuple[KinematicTree, Tensor]:
    tree.check_unchanged()
    multiplier = torch.tensor(tree.multiplier, dtype=q.dtype, device=q.device)
    offset = torch.tensor(tree.offset, dtype=q.dtype, device=q.device)
    values = q[..., list(tree.coordinate)] * multiplier + offset
    ones, zeros = (1.0,) * tree.joints, (0.0,) * tree.joints
    apart = dataclasses.replace(
        tree, coordinate=tuple(range(tree.joints)), multiplier=ones, offset=zeros, dof=tree.joints
    )
    return apart, values
