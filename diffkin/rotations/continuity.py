"""Of the coordinates that mean the same rotation: the closest to a reference, and those continuous along time."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import dot, promote, rescale, safe_norm
from diffkin._checks import broadcast, check_devices, take
from diffkin.errors import ShapeError
from diffkin.rotations.euler import parse_sequence

__all__ = [
    "euler_closest_to",
    "euler_unwrap",
    "quat_xyzw_closest_to",
    "quat_xyzw_unwrap",
    "rotvec_closest_to",
    "rotvec_unwrap",
]


def _turns(angle: Tensor, turn: float = 2.0 * pi) -> Tensor:
    """Whole turns in an angle, to the nearest; no derivative."""
    return torch.round(angle.detach() / turn)


def _running(values: Tensor, start: float) -> Tensor:
    """``values`` along time (second last axis), with one step of ``start`` before them."""
    return torch.cat([torch.full_like(values[..., :1, :], start), values[..., 1:, :]], -2)


def _previous(values: Tensor) -> Tensor:
    """``values`` one step of time earlier; the first step stands in for its own."""
    return torch.cat([values[..., :1, :], values[..., :-1, :]], -2)


def _take_time(values: Tensor, width: int, name: str) -> Tensor:
    values = take(values, (width,), name)
    if values.ndim < 2:
        raise ShapeError(f"{name} must have shape (*batch, time, {width}), got {tuple(values.shape)}: no time axis.")
    return values


def _twin(angles: Tensor, sequence: str, half: float) -> Tensor:
    """The other Euler angles of the same rotation: first and third move by half a turn, the middle one is mirrored."""
    first, middle, third = angles.unbind(-1)
    mirrored = -middle if parse_sequence(sequence).proper else half - middle
    return torch.stack([first + half, mirrored, third + half], -1)


def quat_xyzw_closest_to(
    quat_xyzw: Float[Tensor, "*batch 4"], reference: Float[Tensor, "*batch 4"]
) -> Float[Tensor, "*batch 4"]:
    """Of q and -q the one closer to a reference quaternion (q when equally close).

    Args:
        quat_xyzw: (*batch, 4).
        reference: (*batch, 4); leading axes broadcast.

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: A last axis is not 4.
    """
    quat_xyzw = take(quat_xyzw, (4,), "quat_xyzw")
    reference = take(reference, (4,), "reference")
    check_devices(quat_xyzw=quat_xyzw, reference=reference)
    broadcast(quat_xyzw=quat_xyzw.shape[:-1], reference=reference.shape[:-1])
    quat_xyzw, reference = promote(quat_xyzw, reference)
    return torch.where(dot(rescale(quat_xyzw)[0], rescale(reference)[0]) < 0, -quat_xyzw, quat_xyzw)


def rotvec_closest_to(
    rotvec: Float[Tensor, "*batch 3"], reference: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    """Of the rotation vectors of one rotation, ``v + 2 pi k v/|v|``, the one closest to a reference.

    The zero rotation has whole turns about any axis; the reference's axis is taken. Derivatives are those of the chosen
    k; with k other than 0 they do not exist at zero, and are finite there.

    Args:
        rotvec: (*batch, 3) [rad].
        reference: (*batch, 3) [rad]; leading axes broadcast.

    Returns:
        (*batch, 3) [rad].

    Raises:
        ShapeError: A last axis is not 3.
    """
    rotvec = take(rotvec, (3,), "rotvec")
    reference = take(reference, (3,), "reference")
    check_devices(rotvec=rotvec, reference=reference)
    broadcast(rotvec=rotvec.shape[:-1], reference=reference.shape[:-1])
    angle, along = safe_norm(rotvec), safe_norm(reference)
    axis = torch.where(
        angle == 0,
        reference / torch.where(along == 0, 1.0, along),
        rotvec / torch.where(angle == 0, 1.0, angle),
    )
    return rotvec + 2.0 * pi * _turns(dot(axis, reference) - angle) * axis


def euler_closest_to(
    angles: Float[Tensor, "*batch 3"],
    reference: Float[Tensor, "*batch 3"],
    sequence: str,
    *,
    degrees: bool = False,
) -> Float[Tensor, "*batch 3"]:
    """Of the Euler angles of one rotation, the ones closest to a reference: whole turns, and the mirrored twin.

    The twin is ``(a + pi, pi - b, c + pi)`` for three different letters and ``(a + pi, -b, c + pi)`` when the first
    repeats.
    At the pole, where a whole line of angles means the same rotation, only these are looked at.

    Args:
        angles: (*batch, 3) [rad].
        reference: (*batch, 3) [rad]; leading axes broadcast.
        sequence: One of ``EULER_SEQUENCES``.
        degrees: Whether all angles are in degrees.

    Returns:
        (*batch, 3) [rad].

    Raises:
        ShapeError: A last axis is not 3.
        UnknownNameError: There is no such sequence.
    """
    angles = take(angles, (3,), "angles")
    reference = take(reference, (3,), "reference")
    check_devices(angles=angles, reference=reference)
    broadcast(angles=angles.shape[:-1], reference=reference.shape[:-1])
    turn = 360.0 if degrees else 2.0 * pi
    twin = _twin(angles, sequence, 0.5 * turn)
    same = angles + turn * _turns(reference - angles, turn)
    twin = twin + turn * _turns(reference - twin, turn)
    other, straight = twin - reference, same - reference
    return torch.where(dot(other, other) < dot(straight, straight), twin, same)


def quat_xyzw_unwrap(quat_xyzw: Float[Tensor, "*batch time 4"]) -> Float[Tensor, "*batch time 4"]:
    """Choose signs so that quaternions are continuous along time; the first keeps its sign.

    Args:
        quat_xyzw: (*batch, time, 4).

    Returns:
        (*batch, time, 4).

    Raises:
        ShapeError: There is no time axis, or the last axis is not 4.
    """
    quat_xyzw = _take_time(quat_xyzw, 4, "quat_xyzw")
    scaled, _ = rescale(quat_xyzw)
    flips = torch.where(dot(scaled, _previous(scaled)) < 0, -1.0, 1.0).to(quat_xyzw.dtype)
    return quat_xyzw * torch.cumprod(_running(flips, 1.0), -2)


def rotvec_unwrap(rotvec: Float[Tensor, "*batch time 3"]) -> Float[Tensor, "*batch time 3"]:
    """Add whole turns so that rotation vectors are continuous along time; the first stays as it is.

    Follows the axis up to sign and unwraps the angle about it. Where the rotation passes through zero after whole turns
    with an axis that jumps, no continuous rotation vector exists.

    Args:
        rotvec: (*batch, time, 3) [rad].

    Returns:
        (*batch, time, 3) [rad].

    Raises:
        ShapeError: There is no time axis, or the last axis is not 3.
    """
    rotvec = _take_time(rotvec, 3, "rotvec")
    angle = safe_norm(rotvec)
    axis = rotvec / torch.where(angle == 0, 1.0, angle)
    flips = torch.where(dot(axis, _previous(axis)) < 0, -1.0, 1.0).to(rotvec.dtype)
    sign = torch.cumprod(_running(flips, 1.0), -2)
    signed = sign * angle
    turns = -torch.cumsum(_running(_turns(signed - _previous(signed)), 0.0), -2)
    return rotvec + 2.0 * pi * turns * sign * axis


def euler_unwrap(
    angles: Float[Tensor, "*batch time 3"], sequence: str, *, degrees: bool = False
) -> Float[Tensor, "*batch time 3"]:
    """Choose whole turns and twins so that Euler angles are continuous along time; the first ones stay as they are.

    A motion through the pole goes on through it: the middle angle leaves its principal range instead of the other two
    jumping by pi (see ``euler_closest_to`` for the twin).

    Args:
        angles: (*batch, time, 3) [rad].
        sequence: One of ``EULER_SEQUENCES``.
        degrees: Whether all angles are in degrees.

    Returns:
        (*batch, time, 3) [rad].

    Raises:
        ShapeError: There is no time axis, or the last axis is not 3.
        UnknownNameError: There is no such sequence.
    """
    angles, turn = _take_time(angles, 3, "angles"), 360.0 if degrees else 2.0 * pi
    twin, before = _twin(angles, sequence, 0.5 * turn), _previous(angles)
    straight, other = angles - before, twin - before
    straight, other = straight - turn * _turns(straight, turn), other - turn * _turns(other, turn)
    flips = torch.where(dot(other, other) < dot(straight, straight), -1.0, 1.0).to(angles.dtype)
    chosen = torch.where(torch.cumprod(_running(flips, 1.0), -2) < 0, twin, angles)
    return chosen - turn * torch.cumsum(_running(_turns(chosen - _previous(chosen), turn), 0.0), -2)
