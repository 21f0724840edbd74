"""Reference attitudes to follow: from attitude to attitude along the shortest turn, smoothly in time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import matmul
from diffkin._checks import broadcast, check_floating, check_rotation, has_values
from diffkin.aircraft._inputs import check_same_device, numbers_of
from diffkin.errors import OptionError, ShapeError
from diffkin.rotations import matrix_to_rotvec, rotvec_to_matrix

__all__ = ["AttitudeReference", "attitude_reference", "minimum_jerk"]


class AttitudeReference(NamedTuple):
    """An attitude to follow and its motion.

    Attributes:
        R: (*batch, 3, 3) body to inertial.
        omega: (*batch, 3) angular velocity in the axes of R [rad/s].
        alpha: (*batch, 3) angular acceleration in the axes of R [rad/s^2].
    """

    R: Tensor
    omega: Tensor
    alpha: Tensor


def minimum_jerk(t: Float[Tensor, "*batch"], duration: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
    """The way from 0 to 1 with the least jerk, at rest at both ends, and its two derivatives in time.

    ``s = 10 x^3 - 15 x^4 + 6 x^5`` with ``x = t / duration`` held within [0, 1] (Flash and Hogan, 1985).

    Args:
        t: (*batch,) time [s].
        duration: Positive [s]; a number or a tensor that broadcasts.

    Returns:
        s, ds/dt [1/s] and d2s/dt2 [1/s^2], each (*batch,).

    Raises:
        OptionError: The duration is not positive.
    """
    check_floating(t, "t")
    length = numbers_of(duration, "duration", t)
    broadcast(t=t.shape, duration=length.shape)
    if has_values(length) and not bool((length.detach() > 0).all()):
        raise OptionError(f"duration must be positive, got {float(length.min()):.3g} s.")
    x = (t / length).clamp(0.0, 1.0)
    y = 1.0 - x
    s = x**3 * (10.0 - 15.0 * x + 6.0 * x * x)
    return s, 30.0 * (x * y) ** 2 / length, 60.0 * x * y * (y - x) / length**2


def attitude_reference(
    keys: Float[Tensor, "*batch n 3 3"], times: Float[Tensor, " n"], t: Float[Tensor, "*batch"]
) -> AttitudeReference:
    """A sequence of attitudes, each reached at its time and at rest, on the shortest turn with a minimum-jerk profile.

    On the way from ``A`` to ``B`` the axis is fixed: ``R = A exp(s v)``, ``v = log(A^T B)``, hence the angular velocity
    ``v ds/dt`` and acceleration ``v d2s/dt2`` in body axes. Before the first and after the last time it rests.

    Args:
        keys: (*batch, n, 3, 3) attitudes, n at least 2.
        times: (n,) rising times [s].
        t: (*batch,) when to give the reference [s]; leading axes broadcast.

    Returns:
        The attitude, angular velocity and angular acceleration to feed to a controller.

    Raises:
        ShapeError: ``keys`` and ``times`` do not fit, there are fewer than two, or leading axes do not broadcast.
        RotationError: A key is no rotation.
        OptionError: The times do not rise.
    """
    check_rotation(keys, "keys")
    check_floating(times, "times")
    check_floating(t, "t")
    check_same_device(keys=keys, times=times, t=t)
    if keys.ndim < 3 or keys.shape[-3] < 2 or times.shape != keys.shape[-3:-2]:
        raise ShapeError(
            f"keys must be (*batch, n, 3, 3) and times (n,) with n at least 2, got {tuple(keys.shape)} and "
            f"{tuple(times.shape)}."
        )
    if has_values(times) and not bool((times.detach().diff() > 0).all()):
        raise OptionError(f"times must rise, got {times.tolist()}.")
    index = (torch.bucketize(t.detach(), times.detach(), right=True) - 1).clamp(0, len(times) - 2)
    batch = broadcast(keys=keys.shape[:-3], t=t.shape)
    index = index.expand(batch)
    picked = keys.expand(*batch, *keys.shape[-3:])
    where = index[..., None, None, None].expand(*batch, 1, 3, 3)
    start, end = picked.gather(-3, where).squeeze(-3), picked.gather(-3, where + 1).squeeze(-3)
    ticks = times.expand(*batch, len(times))  # gather works under vmap where indexing does not
    begin = ticks.gather(-1, index.unsqueeze(-1)).squeeze(-1)
    s, speed, acceleration = minimum_jerk(t - begin, ticks.gather(-1, index.unsqueeze(-1) + 1).squeeze(-1) - begin)
    turn = matrix_to_rotvec(matmul(start.mT, end), check=False)
    R = matmul(start, rotvec_to_matrix(s.unsqueeze(-1) * turn))
    return AttitudeReference(R, speed.unsqueeze(-1) * turn, acceleration.unsqueeze(-1) * turn)
