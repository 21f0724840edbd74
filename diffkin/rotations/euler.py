"""Euler angles: all 12 sequences, upper case intrinsic, lower case extrinsic, the angles in the order of the letters.

Every sequence is one of two canonical ones, XYZ or XYX, in permuted axes: with the permutation odd, all angles change
sign; an extrinsic sequence is the transpose of the intrinsic one with all angles negated.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import ROTATION_TOLERANCE, as_tensor, check_last, has_values, take_rotation
from diffkin.errors import RotationError, closest

__all__ = ["EULER_SEQUENCES", "EulerSequence", "euler_to_matrix", "matrix_to_euler", "parse_sequence"]

_INTRINSIC = ("XYZ", "YZX", "ZXY", "XZY", "YXZ", "ZYX", "XYX", "YZY", "ZXZ", "XZX", "YXY", "ZYZ")
EULER_SEQUENCES: tuple[str, ...] = _INTRINSIC + tuple(name.lower() for name in _INTRINSIC)
"""The 24 spellings: 12 sequences, intrinsic (upper case) and extrinsic (lower case)."""

_SHORT_INTRINSIC = ("X", "Y", "Z", "XY", "YZ", "ZX", "XZ", "YX", "ZY")
_SHORT_SEQUENCES = _SHORT_INTRINSIC + tuple(name.lower() for name in _SHORT_INTRINSIC)


class EulerSequence(NamedTuple):
    """What a spelling says: the axes in canonical order, the sign of the permutation, and the two kinds."""

    axes: tuple[int, int, int]
    sign: int
    proper: bool
    extrinsic: bool


def parse_sequence(sequence: str) -> EulerSequence:
    """Read a spelling such as ``"ZYX"``.

    Args:
        sequence: One of ``EULER_SEQUENCES``.

    Returns:
        Its axes (first, second, the remaining one), sign and kinds.

    Raises:
        UnknownNameError: There is no such sequence; the message names the closest ones.
    """
    if not isinstance(sequence, str) or sequence not in EULER_SEQUENCES:
        raise closest(sequence, EULER_SEQUENCES, "Euler sequence of three letters:")
    first, second, third = ("XYZ".index(letter) for letter in sequence.upper())
    proper = first == third
    axes = (first, second, 3 - first - second)
    return EulerSequence(axes, 1 if (second - first) % 3 == 1 else -1, proper, sequence.islower())


def _check_sequence(sequence: str) -> None:
    """Raise unless this is a spelling of one, two or three letters."""
    if not isinstance(sequence, str) or sequence not in EULER_SEQUENCES + _SHORT_SEQUENCES:
        raise closest(sequence, EULER_SEQUENCES + _SHORT_SEQUENCES, "Euler sequence")


def euler_to_matrix(
    angles: Float[Tensor, "*batch letters"], sequence: str, *, degrees: bool = False
) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of Euler angles; ``"ZYX"`` gives ``Rz(a0) Ry(a1) Rx(a2)``, ``"xyz"`` ``Rz(a2) Ry(a1) Rx(a0)``.

    Smooth everywhere. PyBullet's Euler triple is ``"xyz"``.

    Args:
        angles: (*batch, 3) [rad], in the order of the letters; as many as there are letters. One number alone will do
            for one letter.
        sequence: One of ``EULER_SEQUENCES``, or one or two different letters, as in SciPy: upper case intrinsic, lower
            case extrinsic.
        degrees: Whether the angles are in degrees.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not as long as the sequence.
        UnknownNameError: There is no such sequence.
    """
    _check_sequence(sequence)
    angles = as_tensor(angles, "angles")
    if len(sequence) == 1 and angles.ndim == 0:
        angles = angles.unsqueeze(-1)
    check_last(angles, (len(sequence),), "angles")
    if degrees:
        angles = torch.deg2rad(angles)
    if len(sequence) < 3:  # by angles of 0 for the axes that are left
        angles = torch.cat([angles, *[torch.zeros_like(angles[..., :1])] * (3 - len(sequence))], -1)
        sequence += "".join(sorted(set("XYZ" if sequence.isupper() else "xyz") - set(sequence)))
    axes, sign, proper, extrinsic = parse_sequence(sequence)
    sa, sb, sc = torch.sin(angles).unbind(-1)
    ca, cb, cc = torch.cos(angles).unbind(-1)
    if (sign < 0) != extrinsic:
        sa, sb, sc = -sa, -sb, -sc
    if proper:
        cbsa, cbca = cb * sa, cb * ca
        m = [
            [cb, sb * sc, sb * cc],
            [sa * sb, ca * cc - cbsa * sc, -ca * sc - cbsa * cc],
            [-ca * sb, sa * cc + cbca * sc, cbca * cc - sa * sc],
        ]
    else:
        sbsa, sbca = sb * sa, sb * ca
        m = [
            [cb * cc, -cb * sc, sb],
            [ca * sc + sbsa * cc, ca * cc - sbsa * sc, -sa * cb],
            [sa * sc - sbca * cc, sa * cc + sbca * sc, ca * cb],
        ]
    place = [axes.index(axis) for axis in range(3)]
    entries = [m[q][p] if extrinsic else m[p][q] for p in place for q in place]
    return torch.stack(entries, -1).unflatten(-1, (3, 3))


def matrix_to_euler(
    matrix: Float[Tensor, "*batch 3 3"], sequence: str, *, check: bool = True, degrees: bool = False
) -> Float[Tensor, "*batch letters"]:
    """Euler angles of a rotation matrix, the inverse of ``euler_to_matrix``.

    The third angle is one atan2; its rotation is then undone and the first two are read off what remains, so the angles
    give back the same rotation to rounding at any distance from the pole. The middle angle lies in [-pi/2, pi/2] for
    three different letters, in [0, pi] when the first repeats; the others in (-pi, pi]. Smooth off the pole. There
    (middle angle +-pi/2, or 0 and pi) the first and third angle turn about one axis: nearer than the dtype's epsilon,
    the third comes back as 0 with zero derivatives. Derivatives grow as one over the distance but stay finite.

    Fewer letters describe few rotations: a matrix that is none of them is an error (SciPy takes three letters only).
    Their angles lie in (-pi, pi] and are smooth but for the jump there.

    Args:
        matrix: (*batch, 3, 3) rotations.
        sequence: One of ``EULER_SEQUENCES``, or one or two different letters: upper case intrinsic, lower case
            extrinsic.
        check: Whether to check that they are rotations, and such as the letters describe; ``False`` spares time in a
            loop.
        degrees: Whether to give the angles in degrees.

    Returns:
        (*batch, 3) [rad], in the order of the letters; as many as there are letters.

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: The matrix is no rotation, or none of those that one or two letters describe; the message says how
            far off it is.
        UnknownNameError: There is no such sequence.
    """
    _check_sequence(sequence)
    matrix = take_rotation(matrix, "matrix", values=check)
    angles = _all_angles(matrix, sequence) if len(sequence) == 3 else _few_angles(matrix, sequence, check)
    return torch.rad2deg(angles) if degrees else angles


def _few_angles(matrix: Tensor, sequence: str, check: bool) -> Tensor:
    """The angles (*batch, 1) or (*batch, 2) of turns about one or two axes."""
    letters = sequence.upper() if sequence.isupper() else sequence.upper()[::-1]  # as an intrinsic sequence
    i = "XYZ".index(letters[0])
    if len(letters) == 1:
        j, k = (i + 1) % 3, (i + 2) % 3
        y, x = matrix[..., k, j] - matrix[..., j, k], matrix[..., j, j] + matrix[..., k, k]
        angles = torch.atan2(y, x).unsqueeze(-1)
    else:  # the second axis is turned by the first angle alone, and so is the first axis, seen from behind, by the second
        j = "XYZ".index(letters[1])
        k, sign = 3 - i - j, 1.0 if (j - i) % 3 == 1 else -1.0
        first = torch.atan2(sign * matrix[..., k, j], matrix[..., j, j])
        second = torch.atan2(sign * matrix[..., i, k], matrix[..., i, i])
        angles = torch.stack([first, second] if sequence.isupper() else [second, first], -1)
    if check and has_values(matrix) and matrix.numel():
        gap = float((euler_to_matrix(angles.detach(), sequence) - matrix.detach()).abs().max())
        if gap > ROTATION_TOLERANCE:
            raise RotationError(
                f"matrix is no turn {sequence!r}: the nearest found is off by {gap:.3g}. Three letters describe any "
                "rotation."
            )
    return angles


def _all_angles(matrix: Tensor, sequence: str) -> Tensor:
    axes, sign, proper, extrinsic = parse_sequence(sequence)
    canonical = matrix.mT if extrinsic else matrix
    m = [[canonical[..., p, q] for q in axes] for p in axes]
    flip = (sign < 0) != extrinsic
    if proper:
        # With all signs flipped, the third angle moves by pi so that the middle one ends in [0, pi].
        y, x = (-m[0][1], -m[0][2]) if flip else (m[0][1], m[0][2])
    else:
        y, x = -m[0][1], m[0][0]
    pole = x * x + y * y <= torch.finfo(matrix.dtype).eps ** 2
    third = torch.atan2(torch.where(pole, 0.0, y), torch.where(pole, 1.0, x))
    s, c = torch.sin(third), torch.cos(third)
    if proper:
        middle = torch.atan2(s * m[0][1] + c * m[0][2], m[0][0])
        first = torch.atan2(c * m[2][1] - s * m[2][2], c * m[1][1] - s * m[1][2])
    else:
        middle = torch.atan2(m[0][2], c * m[0][0] - s * m[0][1])
        first = torch.atan2(s * m[2][0] + c * m[2][1], s * m[1][0] + c * m[1][1])
    angles = torch.stack([first, middle, third], -1)
    return -angles if flip else angles
