"""Jacobians of points and rays to attitude, position and hinges: closed form and three automatic routes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import autograd
from diffkin._algebra import matmul
from diffkin._gate import is_transformed
from diffkin.aircraft._inputs import check_choice, check_kind, table, triple
from diffkin.aircraft.airframe.airframe import Airframe
from diffkin.aircraft.frames.axes import flu_to_frd
from diffkin.rotations import hat, rotvec_to_matrix

__all__ = ["METHODS", "point_jacobian", "ray_jacobian"]

METHODS = ("geometric", *autograd.METHODS)


def point_jacobian(
    airframe: Airframe,
    name: str,
    R_ned_body: Float[Tensor, "*batch 3 3"],
    position: Float[Tensor, "*batch 3"] | None = None,
    q: Float[Tensor, "*batch dof"] | None = None,
    method: str = "geometric",
) -> Float[Tensor, "*batch 3 n"]:
    """Jacobian of a point's NED position.

    The columns are a turn of the body, ``R_ned_body exp(hat(t))`` (three, so ``omega_body``), the position of the base
    link's origin in NED axes (three) and the hinges (dof):
    ``[-R hat(p_body), 1, R dp_body/dq]``.

    Args:
        airframe: The airframe.
        name: The point.
        R_ned_body: (*batch, 3, 3) attitude.
        position: (*batch, 3) NED position [m]; zero if None.
        q: (*batch, dof) hinge and gimbal angles [rad]; neutral if None.
        method: "geometric" (closed form), "backward_seeds", "reverse" or "forward"; all agree.

    Returns:
        (*batch, 3, 6 + dof).

    Raises:
        diffkin.errors.UnknownNameError: There is no such point or method; the message names the closest.
        diffkin.errors.ShapeError: A wrong shape, or leading axes that do not broadcast.
        diffkin.errors.RotationError: ``R_ned_body`` is no rotation; the message says how far off it is.
    """
    check_kind(airframe, Airframe, "airframe", "Make one with aircraft.load_airframe(...).")
    check_choice(method, METHODS, "method")
    mark = airframe.point(name)
    rotation, position, q = airframe.place(R_ned_body, position, q)
    if method != "geometric":
        return _by_autograd(
            lambda r, p, a: airframe.points_ned(r, p, a, [name])[..., 0, :], rotation, position, q, method
        )
    in_body = airframe.points_body(q, [name])[..., 0, :]
    rows = airframe.robot.jacobian(q, mark.link, point=table([triple(mark.offset, "offset")], q)[0])
    return _assemble(rotation, in_body, _to_frd(rows[..., :3, :]), moves=True)


def ray_jacobian(
    airframe: Airframe,
    name: str,
    R_ned_body: Float[Tensor, "*batch 3 3"],
    position: Float[Tensor, "*batch 3"] | None = None,
    q: Float[Tensor, "*batch dof"] | None = None,
    method: str = "geometric",
) -> Float[Tensor, "*batch 6 n"]:
    """Jacobian of a ray in NED axes: three rows for its origin, three for its unit direction.

    Columns, arguments and errors as ``point_jacobian``. The rows of the direction d are
    ``[-R hat(d_body), 0, -hat(d) R J_omega]`` with J_omega the angular rows of the link's Jacobian in body axes.

    Returns:
        (*batch, 6, 6 + dof).
    """
    check_kind(airframe, Airframe, "airframe", "Make one with aircraft.load_airframe(...).")
    check_choice(method, METHODS, "method")
    mark = airframe.ray(name)
    rotation, position, q = airframe.place(R_ned_body, position, q)
    if method != "geometric":

        def both(r: Tensor, p: Tensor, a: Tensor) -> Tensor:
            origins, directions = airframe.rays_ned(r, p, a, [name])
            return torch.cat((origins[..., 0, :], directions[..., 0, :]), dim=-1)

        return _by_autograd(both, rotation, position, q, method)
    origins, directions = airframe.rays_body(q, [name])
    origin, direction = origins[..., 0, :], directions[..., 0, :]
    rows = airframe.robot.jacobian(q, mark.link, point=table([triple(mark.offset, "offset")], q)[0])
    turning = matmul(-hat(direction), _to_frd(rows[..., 3:, :]))
    return torch.cat(
        (
            _assemble(rotation, origin, _to_frd(rows[..., :3, :]), moves=True),
            _assemble(rotation, direction, turning, moves=False),
        ),
        dim=-2,
    )


def _to_frd(rows: Tensor) -> Tensor:
    """Three rows in FLU axes, in FRD axes."""
    return flu_to_frd(rows.mT).mT


def _assemble(rotation: Tensor, in_body: Tensor, hinges: Tensor, moves: bool) -> Tensor:
    """Rows ``[-R hat(v), moves, R dv/dq]`` of a point or direction v, ``in_body``; ``hinges`` is dv/dq."""
    identity = torch.eye(3, dtype=rotation.dtype, device=rotation.device) * float(moves)
    turns = matmul(-rotation, hat(in_body))
    return torch.cat((turns, identity.expand_as(rotation), matmul(rotation, hinges)), dim=-1)


def _by_autograd(
    f: Callable[[Tensor, Tensor, Tensor], Tensor], rotation: Tensor, position: Tensor, q: Tensor, method: str
) -> Tensor:
    """The Jacobian of ``f(rotation, position, q)`` to a turn of the body, the position and the hinges."""

    def moved(x: Tensor, rotation: Tensor) -> Tensor:
        return f(matmul(rotation, rotvec_to_matrix(x[..., :3])), x[..., 3:6], x[..., 6:])

    # Under inference mode torch records nothing to derive by.
    graded = torch.is_grad_enabled()
    recorded = torch.inference_mode(False) if torch.is_inference_mode_enabled() else nullcontext()
    with recorded, torch.set_grad_enabled(graded):
        x = torch.cat((torch.zeros_like(position), position, q), dim=-1)
        rotation = rotation.clone() if rotation.is_inference() else rotation
        if x.numel() == 0:  # an empty batch, which torch.func cannot map over
            y = moved(x, rotation)
            return y.new_zeros(*y.shape, x.shape[-1])
        if method == "backward_seeds" and not is_transformed():
            return _by_seeds(moved, x, rotation)
        # Inside torch.func a backward pass is torch.func's own.
        derive = torch.func.jacfwd if method == "forward" else torch.func.jacrev
        for _ in range(x.ndim - 1):
            derive = _over_batch(derive)
        return derive(moved)(x, rotation)


def _by_seeds(moved: Callable[[Tensor, Tensor], Tensor], x: Tensor, rotation: Tensor) -> Tensor:
    keep = torch.is_grad_enabled() and (x.requires_grad or rotation.requires_grad)
    with autograd.recording():
        start = x if keep and x.requires_grad else x.detach().requires_grad_()
        y = moved(start, rotation)
        # Aircraft of a batch do not touch one another, so one seed can serve them all.
        eye = torch.eye(y.shape[-1], dtype=y.dtype, device=y.device)
        seeds = eye.reshape(-1, *[1] * (y.ndim - 1), y.shape[-1]).expand(-1, *y.shape)
        return autograd.backward_seeds(y, start, seeds, create_graph=keep).movedim(0, -2)


def _over_batch(derive: Callable[..., Callable[..., Tensor]]) -> Callable[..., Callable[..., Tensor]]:
    return lambda g: torch.func.vmap(derive(g))
