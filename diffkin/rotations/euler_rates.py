"""Euler rates and angular velocity in body axes (``dR/dt = R hat(omega_body)``), each as a matrix times the other."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import take
from diffkin.rotations.euler import EulerSequence, parse_sequence

__all__ = ["body_rate_matrix", "euler_rate_condition", "euler_rate_matrix"]


def _intrinsic(angles: Tensor, sequence: str) -> tuple[Tensor, EulerSequence]:
    """The same rotation read as an intrinsic sequence: the letters and the angles of an extrinsic one in reverse."""
    parsed = parse_sequence(sequence)
    angles = take(angles, (3,), "angles")
    if parsed.extrinsic:
        return angles.flip(-1), parse_sequence(sequence[::-1].upper())
    return angles, parsed


def _away_from_zero(value: Tensor) -> Tensor:
    """``value``, or the dtype's epsilon with its sign where it is smaller than that."""
    eps = torch.finfo(value.dtype).eps
    least = torch.full_like(value, eps)
    return torch.where(value.abs() < eps, torch.where(value < 0, -least, least), value)


def body_rate_matrix(angles: Float[Tensor, "*batch 3"], sequence: str) -> Float[Tensor, "*batch 3 3"]:
    """Matrix from Euler rates to angular velocity: ``omega_body = M d(angles)/dt``. Smooth everywhere.

    The columns are the three axes of turn in body axes (Schaub and Junkins, "Analytical Mechanics of Space Systems",
    appendix B), in the order of the letters, lower case too.

    Args:
        angles: (*batch, 3) [rad], in the order of the letters.
        sequence: One of ``EULER_SEQUENCES``.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
        UnknownNameError: There is no such sequence.
    """
    angles, (axes, sign, proper, _) = _intrinsic(angles, sequence)
    _, sb, sc = (sign * torch.sin(angles)).unbind(-1)
    _, cb, cc = torch.cos(angles).unbind(-1)
    o, i = torch.zeros_like(sb), torch.ones_like(sb)
    if proper:
        m = [[cb, o, i], [sb * sc, cc, o], [sb * cc, -sc, o]]
    else:
        m = [[cb * cc, sc, o], [-cb * sc, cc, o], [sb, o, i]]
    if sequence.islower():
        m = [row[::-1] for row in m]
    entries = [entry for axis in range(3) for entry in m[axes.index(axis)]]
    return torch.stack(entries, -1).unflatten(-1, (3, 3))


def euler_rate_matrix(angles: Float[Tensor, "*batch 3"], sequence: str) -> Float[Tensor, "*batch 3 3"]:
    """Matrix from angular velocity to Euler rates: ``d(angles)/dt = M omega_body``.

    The inverse of ``body_rate_matrix``, in closed form. Smooth off the pole (middle angle +-pi/2 for three different
    letters, 0 and pi when the first repeats), where it does not exist: the cosine (sine) of the middle angle divided by
    is kept no smaller than the dtype's epsilon, so large finite entries come back. See ``euler_rate_condition``.

    Args:
        angles: (*batch, 3) [rad], in the order of the letters.
        sequence: One of ``EULER_SEQUENCES``.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
        UnknownNameError: There is no such sequence.
    """
    angles, (axes, sign, proper, _) = _intrinsic(angles, sequence)
    _, sb, sc = (sign * torch.sin(angles)).unbind(-1)
    _, cb, cc = torch.cos(angles).unbind(-1)
    o, i = torch.zeros_like(sb), torch.ones_like(sb)
    if proper:
        divisor = _away_from_zero(sb)
        u, v = sc / divisor, cc / divisor
        m = [[o, u, v], [o, cc, -sc], [i, -cb * u, -cb * v]]
    else:
        divisor = _away_from_zero(cb)
        u, v = cc / divisor, sc / divisor
        m = [[u, -v, o], [sc, cc, o], [-sb * u, sb * v, i]]
    if sequence.islower():
        m = m[::-1]
    entries = [row[axes.index(axis)] for row in m for axis in range(3)]
    return torch.stack(entries, -1).unflatten(-1, (3, 3))


def euler_rate_condition(angles: Float[Tensor, "*batch 3"], sequence: str) -> Float[Tensor, "*batch"]:
    """Condition number (2-norm) of the Euler-rate map: how much it may amplify an error; 1 at best, grows to the pole.

    The squared singular values are 1, 1 + x and 1 - x with x the cosine between the first and third axis of turn, so
    the number is ``(1 + |x|) / sqrt(1 - x^2)``. With b the middle angle it is ``(1 + |sin b|) / |cos b|`` for three
    different letters and ``(1 + |cos b|) / |sin b|`` when the first repeats. At the pole 2 over the dtype's epsilon
    comes back.

    Args:
        angles: (*batch, 3) [rad], in the order of the letters.
        sequence: One of ``EULER_SEQUENCES``.

    Returns:
        (*batch,).

    Raises:
        ShapeError: The last axis is not 3.
        UnknownNameError: There is no such sequence.
    """
    parsed = parse_sequence(sequence)
    angles = take(angles, (3,), "angles")
    s, c = torch.sin(angles[..., 1]), torch.cos(angles[..., 1])
    along, across = (c, s) if parsed.proper else (s, c)
    return (1.0 + along.abs()) / _away_from_zero(across).abs()
