"""Jacobians of a link: the geometric one in closed form, and the same by three routes of automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from diffkin import autograd
from diffkin._algebra import apply, matmul, product
from diffkin._checks import as_tensor, broadcast, ordinary, outside_inference
from diffkin._gate import is_transformed
from diffkin.errors import ShapeError, closest
from diffkin.kinematics import dispatch
from diffkin.kinematics.batched import joint_frames, link_frame, stack_poses
from diffkin.kinematics.poses import check_dense, checked, forward, in_dtype_of
from diffkin.kinematics.tree import PRISMATIC, KinematicTree
from diffkin.rotations import hat, vee

__all__ = ["FRAMES", "METHODS", "geometric", "jacobian", "jacobian_of_checked", "poses_and_jacobians"]

METHODS = ("geometric", *autograd.METHODS)
FRAMES = ("world", "local")


def jacobian(
    tree: KinematicTree,
    q: Tensor,
    link: int,
    point: Tensor | None = None,
    frame: str = "world",
    method: str = "geometric",
    base: Tensor | None = None,
    backend: str | None = None,
) -> Tensor:
    """Jacobian (*batch, 6, dof) of a link, linear rows first; see ``Robot.jacobian`` for the arguments."""
    return jacobian_of_checked(tree, *checked(tree, q, base), link, point, frame, method, backend)


def jacobian_of_checked(
    tree: KinematicTree,
    q: Tensor,
    base: Tensor | None,
    link: int,
    point: Tensor | None,
    frame: str,
    method: str,
    backend: str | None,
) -> Tensor:
    """As ``jacobian``, of coordinates and a base whose shapes are known to be right."""
    if frame not in FRAMES:
        raise closest(frame, FRAMES, "frame")
    if method not in METHODS:
        raise closest(method, METHODS, "method")
    if point is None and base is None and method == "geometric" and not (q.requires_grad and torch.is_grad_enabled()):
        tree, q, _ = in_dtype_of(tree, q, None)
        if dispatch.kernel_applies(backend, tree, q):  # the common case, with nothing to broadcast
            return dispatch.jacobian(tree, q, link, None, frame == "local", None, q.shape[:-1])
    tree, q, base = in_dtype_of(tree, q, base)
    leading = {"q": q.shape[:-1]}
    if point is not None:
        point = as_tensor(point, "point", q.dtype, q.device)
        if point.shape[-1:] != (3,):
            raise ShapeError(f"point must have shape (*batch, 3), got {tuple(point.shape)}.")
        leading["point"] = point.shape[:-1]
    if base is not None:
        leading["base"] = base.shape[:-2]
    batch = broadcast(**leading)
    wanted = [tensor for tensor in (q, point, base) if tensor is not None]
    needs_graph = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in wanted)
    if method == "geometric" and not needs_graph and dispatch.kernel_applies(backend, tree, q, base, point):
        return dispatch.jacobian(tree, q, link, point, frame == "local", base, batch)
    check_dense(tree, q=q, point=point, base=base)
    q = q.expand(*batch, tree.dof)
    if method == "geometric":
        rows, rotation = geometric(tree, q.reshape(batch.numel(), tree.dof), link, _flat(point, batch, q))
        rows, rotation = rows.reshape(*batch, 6, tree.dof), rotation.reshape(*batch, 3, 3)
        if base is not None and frame == "world":
            rows = _turn(base[..., :3, :3], rows)
    else:
        with outside_inference():
            point, base = (None if tensor is None else ordinary(tensor) for tensor in (point, base))
            rows, rotation = _by_autograd(tree, ordinary(q), link, point, base, method, backend)
        if not torch.is_grad_enabled():
            rows, rotation = rows.detach(), rotation.detach()
    return _turn(rotation.mT, rows) if frame == "local" else rows


def geometric(tree: KinematicTree, q: Tensor, link: int, point: Tensor | None) -> tuple[Tensor, Tensor]:
    """Closed form: ``(z x (p - o), z)`` for a revolute joint, ``(z, 0)`` for a prismatic one.

    Args:
        tree: The mechanism, in the dtype of ``q``.
        q: (count, dof) coordinates.
        link: Index of the link.
        point: (count, 3) point in link axes, or None for its origin.

    Returns:
        (count, 6, dof) Jacobian in base axes, and (count, 3, 3) rotation of the link.
    """
    frames = joint_frames(tree, q, [tree.link_joint[link]])
    rotation, where = link_frame(tree, frames, link).expand(4, 3, q.shape[0]).split((3, 1))
    where = where[0]
    if point is not None:
        where = where + (rotation * point.transpose(0, 1).unsqueeze(1)).sum(0)
    return _columns(tree, frames, link, where), rotation.permute(2, 1, 0)


def poses_and_jacobians(tree: KinematicTree, q: Tensor, links: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Poses (count, links, 4, 4) and geometric Jacobians (count, links, 6, dof) of several links in one pass."""
    if not links:
        return q.new_zeros(q.shape[0], 0, 4, 4), q.new_zeros(q.shape[0], 0, 6, tree.dof)
    frames = joint_frames(tree, q, [tree.link_joint[link] for link in links])
    places = [link_frame(tree, frames, link) for link in links]
    origins = [place[3].expand(3, q.shape[0]) for place in places]
    jacobians = [_columns(tree, frames, link, origin) for link, origin in zip(links, origins, strict=True)]
    return stack_poses(places, q.shape[0]), torch.stack(jacobians, dim=1)


def _columns(tree: KinematicTree, frames: dict[int, Tensor], link: int, where: Tensor) -> Tensor:
    """The Jacobian (count, 6, dof) of a point (3, count) that rides on a link."""
    path = tree.path(tree.link_joint[link])
    if not path:
        return where.new_zeros(where.shape[1], 6, tree.dof)
    axes, origins = torch.stack([frames[joint][2] for joint in path]).unbind(1)  # (joints, 3, count) each
    columns = torch.cat((torch.linalg.cross(axes, where - origins, dim=1), axes), dim=1)
    if any(tree.kinds[joint] == PRISMATIC for joint in path):
        slides = torch.tensor([tree.kinds[joint] == PRISMATIC for joint in path], device=where.device)
        moved = torch.cat((axes, torch.zeros_like(axes)), dim=1)
        columns = torch.where(slides[:, None, None], moved, columns)
    if [tree.coordinate[joint] for joint in path] == list(range(tree.dof)) and all(
        tree.multiplier[joint] == 1.0 for joint in path
    ):
        return columns.permute(2, 1, 0)
    # coordinates that several joints follow, or none
    gather = where.new_zeros(tree.dof, len(path))
    for k, joint in enumerate(path):
        gather[tree.coordinate[joint], k] = tree.multiplier[joint]
    return product(gather, columns.flatten(1)).reshape(tree.dof, *columns.shape[1:]).permute(2, 1, 0)


def _by_autograd(
    tree: KinematicTree,
    q: Tensor,
    link: int,
    point: Tensor | None,
    base: Tensor | None,
    method: str,
    backend: str | None,
) -> tuple[Tensor, Tensor]:
    """The same rows by differentiating the pose; second result the link's rotation.

    With ``dR = hat(omega) R`` the seed ``hat(e_k) R / 2`` on the rotation gives the row of ``omega_k``, since
    ``tr((hat(e_k) R)^T hat(omega) R) = 2 omega_k``.
    """

    def pose(at: Tensor) -> tuple[Tensor, Tensor]:
        placed = forward(tree, at, [link], base, backend=backend).squeeze(-3)
        rotation, where = placed[..., :3, :3], placed[..., :3, 3]
        if point is not None:
            where = where + apply(rotation, point.to(rotation.dtype))
        return rotation, where

    hats = hat(torch.eye(3, dtype=q.dtype, device=q.device))
    if method == "forward":
        rotation, (turning, moving) = _push_forward(pose, q)  # (dof, *batch, 3, 3), (dof, *batch, 3)
        spin = matmul(turning, rotation.mT)  # hat(omega) of each
        return torch.cat((moving, vee(spin)), dim=-1).movedim(0, -1), rotation
    if method == "reverse" or is_transformed():
        (rotation, where), pull = torch.func.vjp(pose, q)  # type: ignore[misc]
        turn_seeds, move_seeds = _seeds(hats, rotation, where)
        if method == "reverse":
            rows = torch.func.vmap(lambda turn, move: pull((turn, move))[0])(turn_seeds, move_seeds)
        else:
            rows = torch.stack([pull((turn, move))[0] for turn, move in zip(turn_seeds, move_seeds, strict=True)])
        return rows.movedim(0, -2), rotation
    inputs = [q, tree.origins, tree.axes, tree.link_offsets, *(t for t in (point, base) if t is not None)]
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    with autograd.recording():
        start = q if q.requires_grad and keep else q.detach().requires_grad_()
        rotation, where = pose(start)
        turn_seeds, move_seeds = _seeds(hats, rotation, where)
        y = torch.cat((rotation.flatten(-2), where), dim=-1)
        seeds = torch.cat((turn_seeds.flatten(-2), move_seeds), dim=-1)
        rows = autograd.backward_seeds(y, start, seeds, create_graph=keep)
    return rows.movedim(0, -2), rotation if keep else rotation.detach()


def _push_forward(pose: Callable[[Tensor], tuple[Tensor, Tensor]], q: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Rotation of the link, and the derivatives of its pose along every coordinate, stacked first."""
    q = q.contiguous()  # forward mode takes no expanded tensor
    directions = torch.eye(q.shape[-1], dtype=q.dtype, device=q.device)
    directions = directions.reshape(q.shape[-1], *[1] * (q.ndim - 1), q.shape[-1]).expand(q.shape[-1], *q.shape)
    moved = torch.func.vmap(lambda along: torch.func.jvp(pose, (q,), (along,))[1])(directions)
    return pose(q)[0], moved


def _seeds(hats: Tensor, rotation: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """Seeds on rotation and position for the six rows: three linear ones, then three angular ones."""
    turn = 0.5 * matmul(hats.reshape(3, *[1] * (where.ndim - 1), 3, 3), rotation)
    unit = torch.eye(3, dtype=where.dtype, device=where.device)
    move = unit.reshape(3, *[1] * (where.ndim - 1), 3).expand(3, *where.shape)
    return torch.cat((torch.zeros_like(turn), turn)), torch.cat((move, torch.zeros_like(move)))


def _turn(rotation: Tensor, rows: Tensor) -> Tensor:
    """Express linear and angular rows (*batch, 6, n) in axes turned by ``rotation``."""
    return torch.cat((matmul(rotation, rows[..., :3, :]), matmul(rotation, rows[..., 3:, :])), dim=-2)


def _flat(point: Tensor | None, batch: torch.Size, like: Tensor) -> Tensor | None:
    return None if point is None else point.to(like.dtype).expand(*batch, 3).reshape(-1, 3)
