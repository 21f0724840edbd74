"""Checks of tensor input, shared by every public call.

Checks on shapes and dtypes always run. Checks on values need numbers, so they are skipped under ``torch.compile`` and
inside ``torch.func`` transforms, where a tensor has none.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from diffkin._gate import is_plain, is_transformed, is_watched, kernel
from diffkin.errors import DtypeError, NonFiniteError, OptionError, RotationError, ShapeError

__all__ = [
    "ROTATION_TOLERANCE",
    "broadcast",
    "check_broadcast",
    "check_finite",
    "check_floating",
    "check_last",
    "check_memory",
    "check_pose",
    "check_rotation",
    "has_values",
]

ROTATION_TOLERANCE = 1e-5
"""Largest entry of ``|R^T R - I|`` for which a matrix still counts as a rotation."""

_ROWS = 65536  # matrices looked at at a time


def has_values(*tensors: Tensor) -> bool:
    """Whether the numbers of these tensors can be looked at: not traced, not transformed, not on ``meta``."""
    if torch.compiler.is_compiling() or is_transformed():
        return False
    for tensor in tensors:  # noqa: SIM110 - a generator costs as much as the rest
        if tensor.is_meta:
            return False
    return True


def check_floating(tensor: Tensor, name: str) -> None:
    """Raise unless ``tensor`` is a real floating-point tensor."""
    if not isinstance(tensor, Tensor):
        raise DtypeError(
            f"{name} must be a torch.Tensor, got {type(tensor).__name__}. Wrap it in torch.as_tensor(...)."
        )
    if tensor.layout is not torch.strided:
        raise DtypeError(f"{name} must be dense, got the layout {tensor.layout}. Convert it with .to_dense().")
    if not tensor.is_floating_point():
        raise DtypeError(f"{name} must be floating point, got {tensor.dtype}. Convert it with .to(torch.float64).")


def check_last(tensor: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Raise unless ``tensor`` is floating point and its last axes are ``shape``."""
    check_floating(tensor, name)
    count = len(shape)
    if tensor.ndim < count or tuple(tensor.shape[tensor.ndim - count :]) != shape:
        wanted = "(*batch, " + ", ".join(str(length) for length in shape) + ")"
        raise ShapeError(f"{name} must have shape {wanted}, got {tuple(tensor.shape)}.")


def broadcast(**leading: Sequence[int]) -> torch.Size:
    """The shape that these leading axes broadcast to.

    Args:
        **leading: The leading axes of each tensor, by the name under which the user knows it.

    Returns:
        The common shape, as ``torch.broadcast_shapes`` gives it.

    Raises:
        diffkin.errors.ShapeError: They do not broadcast; the message names every tensor.
    """
    shapes = list(leading.values())
    if shapes and all(axes == shapes[0] for axes in shapes[1:]):
        return torch.Size(shapes[0])
    common = [1] * max([len(axes) for axes in shapes] or [0])
    for axes in shapes:
        for place in range(1, len(axes) + 1):
            if axes[-place] == 1 or axes[-place] == common[-place]:
                continue
            if common[-place] != 1:
                shown = ", ".join(f"{name} {tuple(given)}" for name, given in leading.items())
                raise ShapeError(f"Leading axes do not broadcast: {shown}. Make them equal, or 1 where they differ.")
            common[-place] = axes[-place]
    return torch.Size(common)


def check_broadcast(**leading: Sequence[int]) -> None:
    """Raise unless these leading axes, given by the names of their tensors, broadcast."""
    broadcast(**leading)


def check_finite(tensor: Tensor, name: str) -> None:
    """Raise if ``tensor`` holds NaN or infinity; skipped where values cannot be seen."""
    if has_values(tensor) and not _is_finite(tensor):
        bad = int((~torch.isfinite(tensor)).sum())
        raise NonFiniteError(f"{name} holds {bad} NaN or infinite numbers; every number must be finite.")


def _is_finite(tensor: Tensor) -> bool:
    if is_plain(tensor) and tensor.is_contiguous() and not is_watched():
        return bool(kernel("finite.all_finite")((tensor.detach() if tensor.requires_grad else tensor).numpy()))
    # a finite sum means finite numbers, and costs one pass; the other way round it may have overflowed
    return math.isfinite(tensor.detach().sum()) or bool(torch.isfinite(tensor).all())


def check_rotation(matrix: Tensor, name: str, tolerance: float = ROTATION_TOLERANCE, *, values: bool = True) -> None:
    """Raise unless ``matrix`` (*batch, 3, 3) holds rotations up to rounding; says how far off it is.

    With ``values=False`` the shape alone is checked.
    """
    check_last(matrix, (3, 3), name)
    if not values or not has_values(matrix) or matrix.numel() == 0:
        return
    with torch.no_grad():
        identity = torch.eye(3, dtype=torch.float64, device=matrix.device)
        found = []
        for part in matrix.detach().reshape(-1, 3, 3).split(_ROWS):  # in parts, so that a check needs little memory
            exact = part.double()
            worst = (exact.transpose(-1, -2) @ exact - identity).abs().max()
            x, y, z = exact.unbind(-2)
            found.append(torch.stack([worst, -(torch.linalg.cross(x, y) * z).sum(-1).min()]))
        gap, reflection = torch.stack(found).max(dim=0).values.tolist()  # one look at the values, for speed
        if not math.isfinite(gap):
            check_finite(matrix, name)
        if not gap <= tolerance:  # NaN too, which huge entries come to when they are squared
            raise RotationError(
                f"{name} is not a rotation: |R^T R - I| is {gap:.3g}, at most {tolerance:g} is allowed. "
                "Use diffkin.rotations.nearest_rotation(...) if the nearest rotation is meant."
            )
        if reflection > 0:
            raise RotationError(f"{name} is a reflection (determinant -1), not a rotation. Flip one of its axes.")


def check_pose(pose: Tensor, name: str) -> None:
    """Raise unless ``pose`` (*batch, 4, 4) holds rigid poses with last row (0, 0, 0, 1)."""
    check_last(pose, (4, 4), name)
    check_finite(pose, name)
    if has_values(pose) and pose.numel():
        row = pose.detach()[..., 3, :]
        last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=row.dtype, device=row.device)
        if bool((row - last).abs().max() > ROTATION_TOLERANCE):
            raise RotationError(f"{name} must have the last row (0, 0, 0, 1), got {row.reshape(-1, 4)[0].tolist()}.")
    check_rotation(pose[..., :3, :3], name)


def check_memory(count: int, like: Tensor, what: str) -> None:
    """Raise if so many numbers, of the dtype and on the device of ``like``, are more than its whole memory.

    Args:
        count: How many numbers.
        like: Any tensor of the dtype and on the device.
        what: What they are and what to change, a clause that goes before "would take", as the message begins.

    Raises:
        diffkin.errors.OptionError: They cannot fit; the message says how many bytes they take and how many there are.
    """
    if torch.compiler.is_compiling():
        return
    need, have = count * like.element_size(), _memory(like.device)
    if need > have:
        raise OptionError(
            f"{what} would take {need} bytes ({need / 1e9:.3g} GB); {like.device} has {have / 1e9:.3g} GB."
        )


@cache
def _memory(device: torch.device) -> float:
    """Bytes of memory of a device, infinity where that is not known."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[1])
    if device.type != "cpu":
        return math.inf
    try:
        known = [float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))]
    except (AttributeError, OSError, ValueError):  # not on Windows
        known = [math.inf]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):  # what a container has
        with contextlib.suppress(OSError, ValueError):
            known.append(float(Path(limit).read_text(encoding="ascii")))  # the word "max" where there is no limit
    return min(known)
