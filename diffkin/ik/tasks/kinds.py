"""Kinds of targets: what each looks like, how it is checked and made exact, and where it lies as seen from a base."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from diffkin import rotations, transforms
from diffkin._algebra import apply, check_nonzero
from diffkin._checks import ROTATION_TOLERANCE, check_finite, check_last, check_pose, check_rotation
from diffkin._gate import is_plain
from diffkin.errors import ShapeError

__all__ = ["DIRECTION", "NUMBER", "NUMBERS", "POINT", "POSE", "ROTATION", "Kind"]


@dataclass(frozen=True)
class Kind:
    """A kind of target.

    Attributes:
        axes: Axes of one target: 0 for a number, 1 for a vector, 2 for a matrix.
        check: Called with a tensor (*batch, ...) and its name; raises unless it holds such targets.
        exact: The targets (n, ...) that rounded ones stand for.
        seen_from: Targets (n, ...) in the world as seen from bases (n, 4, 4).
    """

    axes: int
    check: Callable[[Tensor, str], None]
    exact: Callable[[Tensor], Tensor]
    seen_from: Callable[[Tensor, Tensor], Tensor]


def _check_point(target: Tensor, name: str) -> None:
    check_last(target, (3,), name)
    check_finite(target, name)


def _check_direction(target: Tensor, name: str) -> None:
    _check_point(target, name)
    check_nonzero(target, name)


def _check_numbers(target: Tensor, name: str) -> None:
    check_finite(target, name)
    if not target.ndim:
        raise ShapeError(f"{name} must be (*batch, numbers), got the single number {float(target):g}.")


def _nearest_rotation(target: Tensor) -> Tensor:
    return rotations.nearest_rotation(target) if len(target) else target


def _nearest_pose(target: Tensor) -> Tensor:
    return transforms.pose(_nearest_rotation(target[:, :3, :3]), target[:, :3, 3])


def _turned_back(target: Tensor, base: Tensor) -> Tensor:
    return apply(base[:, :3, :3].mT, target)


def _is_one_rotation(rows: list[list[float]]) -> bool:
    """Whether a single 3x3 matrix is clearly a rotation: a look at nine numbers, sooner done than torch is called."""
    (a, b, c), (d, e, f), (g, h, i) = rows
    gaps = (
        a * a + b * b + c * c - 1.0, d * d + e * e + f * f - 1.0, g * g + h * h + i * i - 1.0,
        a * d + b * e + c * f, a * g + b * h + c * i, d * g + e * h + f * i,
    )  # fmt: skip
    volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return volume > 0.0 and all(abs(gap) < 0.5 * ROTATION_TOLERANCE for gap in gaps)


def _check_pose(target: Tensor, name: str) -> None:
    if target.shape == (4, 4) and is_plain(target):
        rows = target.tolist()
        rigid = rows[3] == [0.0, 0.0, 0.0, 1.0] and all(math.isfinite(row[3]) for row in rows)
        if rigid and _is_one_rotation([row[:3] for row in rows[:3]]):
            return
    check_pose(target, name)


def _check_rotation(target: Tensor, name: str) -> None:
    if target.shape == (3, 3) and is_plain(target) and _is_one_rotation(target.tolist()):
        return
    check_rotation(target, name)


POSE = Kind(2, _check_pose, _nearest_pose, lambda target, base: transforms.inverse(base) @ target)
"""(*batch, 4, 4) poses; one within 1e-5 of rigid stands for the pose with the nearest rotation."""

ROTATION = Kind(2, _check_rotation, _nearest_rotation, lambda target, base: base[:, :3, :3].mT @ target)
"""(*batch, 3, 3) rotations; one within 1e-5 of a rotation stands for the nearest."""

POINT = Kind(1, _check_point, lambda target: target, lambda target, base: _turned_back(target - base[:, :3, 3], base))
"""(*batch, 3) points [m]."""

DIRECTION = Kind(1, _check_direction, lambda target: target, _turned_back)
"""(*batch, 3) directions of any non-zero length."""

NUMBERS = Kind(1, _check_numbers, lambda target: target, lambda target, base: target)
"""(*batch, k) numbers that are the same as seen from any base, such as joint angles."""

NUMBER = Kind(0, check_finite, lambda target: target, lambda target, base: target)
"""(*batch,) one number a problem, likewise."""
