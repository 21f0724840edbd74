"""From torques to the deflections of control surfaces, within their limits."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import broadcast, check_finite, check_floating, check_last
from diffkin.aircraft._inputs import check_same_device, number
from diffkin.aircraft.control.bounded_least_squares import bounded_least_squares
from diffkin.errors import ShapeError

__all__ = ["allocate_surfaces"]


def allocate_surfaces(
    effectiveness: Float[Tensor, "*batch 3 n"],
    torque: Float[Tensor, "*batch 3"],
    lower: Float[Tensor, "*batch n"],
    upper: Float[Tensor, "*batch n"],
    *,
    preferred: Tensor | None = None,
    torque_weights: Tensor | None = None,
    effort: float = 1e-3,
) -> Float[Tensor, "*batch n"]:
    """Deflections of control surfaces that give a torque best within their limits.

    Weighted least squares with bounds (Harkegard, "Efficient active set algorithms for solving constrained least
    squares problems in aircraft control allocation", 2002)::

        minimise |W (B u - t)|^2 + e^2 s^2 |u - u_p|^2    within limits

    with s the largest singular value of W B, so that ``effort`` e has no unit. It settles what several surfaces could
    share, and biases the torque by a part of about e^2.

    Args:
        effectiveness: (*batch, 3, n) torque per deflection B at this flight state [N m/rad].
        torque: (*batch, 3) in body axes [N m].
        lower: (*batch, n) limits [rad].
        upper: (*batch, n) limits [rad].
        preferred: (*batch, n) deflections u_p to stay near; zero if None [rad].
        torque_weights: (*batch, 3) importance of the axes; 1 if None.
        effort: e, positive.

    Returns:
        (*batch, n) deflections within limits [rad].

    Raises:
        ShapeError: Shapes do not fit.
        OptionError: ``effort`` is not positive, or a lower limit exceeds the upper one.
    """
    check_floating(effectiveness, "effectiveness")
    if effectiveness.ndim < 2 or effectiveness.shape[-2] != 3:
        raise ShapeError(f"effectiveness must have shape (*batch, 3, n), got {tuple(effectiveness.shape)}.")
    check_last(torque, (3,), "torque")
    effort = number(effort, "effort", sign="positive")
    check_finite(effectiveness, "effectiveness")
    for name, tensor, length in (
        ("preferred", preferred, effectiveness.shape[-1]),
        ("torque_weights", torque_weights, 3),
    ):
        if tensor is not None:
            check_last(tensor, (length,), name)
            check_finite(tensor, name)
    check_same_device(effectiveness=effectiveness, torque=torque, preferred=preferred, torque_weights=torque_weights)
    count = effectiveness.shape[-1]
    B, t = effectiveness, torque
    if torque_weights is not None:
        leading = {"effectiveness": B.shape[:-2], "torque": t.shape[:-1]}
        broadcast(**leading, torque_weights=torque_weights.shape[:-1])
        B, t = torque_weights.unsqueeze(-1) * B, torque_weights * t
    exact = torch.promote_types(B.dtype, torch.float32)  # half precision has no singular values
    size = torch.linalg.matrix_norm(B.detach().to(exact), 2).to(B.dtype)[..., None, None] * effort
    wish = torch.zeros(count, dtype=B.dtype, device=B.device) if preferred is None else preferred
    pull = size * torch.eye(count, dtype=B.dtype, device=B.device)
    wishes = size.squeeze(-1) * wish
    batch = broadcast(effectiveness=B.shape[:-2], torque=t.shape[:-1], preferred=wishes.shape[:-1])
    stacked = torch.cat([B.expand(*batch, 3, count), pull.expand(*batch, count, count)], -2)
    wanted = torch.cat([t.expand(*batch, 3), wishes.expand(*batch, count)], -1)
    return bounded_least_squares(stacked, wanted, lower, upper)
