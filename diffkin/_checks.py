"""Checks of tensor input, shared by every public call.

Checks on shapes and dtypes always run. Checks on values need numbers, so they are skipped under ``torch.compile`` and
inside ``torch.func`` transforms, where a tensor has none.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffkin._gate import is_transformed, kernel, kernels_apply
from diffkin.errors import DeviceError, DtypeError, NonFiniteError, OptionError, RotationError, ShapeError

__all__ = [
    "ROTATION_TOLERANCE",
    "as_device",
    "as_double",
    "as_tensor",
    "broadcast",
    "check_broadcast",
    "check_devices",
    "check_dtype",
    "check_finite",
    "check_floating",
    "check_last",
    "check_memory",
    "check_pose",
    "check_rotation",
    "has_values",
    "is_inference",
    "ordinary",
    "outside_inference",
    "take",
    "take_rotation",
]

ROTATION_TOLERANCE = 1e-5
"""Largest entry of ``|R^T R - I|`` for which a matrix still counts as a rotation."""

_ROWS = 65536  # matrices looked at at a time
_ARRAY_DTYPES = (np.float16, np.float32, np.float64)
_MOST_AXES = 64  # of a nested list, as NumPy has it; one that holds itself would have no end


def as_tensor(
    value: Any, name: str, dtype: torch.dtype | None = None, device: torch.device | str | None = None
) -> Tensor:
    """The tensor that a user means: a tensor as it is, or the numbers of an array or of a (nested) list.

    Args:
        value: A tensor; a NumPy array, or whatever gives one; a number; lists and tuples of these, tensors with
            gradients among them.
        name: Under which the user knows it.
        dtype: Of Python's numbers, float64 if None. Tensors and arrays keep their own.
        device: Of all that is no tensor yet, the CPU if None.

    Returns:
        The tensor itself, an ordinary copy of one made under inference mode that is used outside of it, or a new one.

    Raises:
        diffkin.errors.DtypeError: It holds something other than real floating-point numbers (Python's integers count).
        diffkin.errors.ShapeError: Its lists have different lengths.
    """
    if isinstance(value, Tensor):
        if torch.compiler.is_compiling() or not value.is_inference() or torch.is_inference_mode_enabled():
            return value
        return ordinary(value)
    if isinstance(value, (list, tuple)):
        kinds = _kinds(value, name)
        if any(issubclass(kind, Tensor) for kind in kinds):
            return _stacked(value, name, dtype, device)
        own = any(issubclass(kind, (np.ndarray, np.generic)) and kind is not np.float64 for kind in kinds)
    else:
        kinds, own = {type(value)}, hasattr(value, "__array__") and not isinstance(value, float)
    numbers = (int, float, np.floating, np.ndarray)
    strange = sorted(
        kind.__name__ for kind in kinds if issubclass(kind, bool) or not (issubclass(kind, numbers) or own)
    )
    if strange:
        raise DtypeError(
            f"{name} must be a tensor, an array or a list of numbers, got {_shown_kind(value, strange[0])}."
        )
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise ShapeError(f"{name} must be a regular (nested) list of numbers: {error}.") from error
    if not own and array.dtype.kind in "iu":
        array = array.astype(np.float64)
    if array.dtype.type not in _ARRAY_DTYPES:
        raise DtypeError(
            f"{name} must hold real floating-point numbers, got an array of {array.dtype}. "
            "Convert it with .astype(float)."
        )
    made = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C", copy=True))
    return made.to(dtype=made.dtype if own else dtype or torch.float64, device=device)


def _kinds(value: Any, name: str, depth: int = 0) -> set[type]:
    """The types of what stands in nested lists."""
    if depth > _MOST_AXES:
        raise ShapeError(f"{name} is nested more than {_MOST_AXES} lists deep.")
    kinds = {type(each) for each in value}
    if any(issubclass(kind, (list, tuple)) for kind in kinds):
        inner = [_kinds(each, name, depth + 1) for each in value if isinstance(each, (list, tuple))]
        kinds = {kind for kind in kinds if not issubclass(kind, (list, tuple))}.union(*inner)
    return kinds


def _shown_kind(value: Any, strange: str) -> str:
    return f"{type(value).__name__} with {strange} in it" if isinstance(value, (list, tuple)) else strange


def _stacked(value: Any, name: str, dtype: torch.dtype | None, device: torch.device | str | None) -> Tensor:
    """Nested lists with tensors in them, whose dtype and device the numbers among them take."""
    tensors = [each for each in _leaves(value) if isinstance(each, Tensor)]
    for tensor in tensors:
        check_floating(tensor, name)
    shared = tensors[0].dtype
    for tensor in tensors[1:]:
        shared = torch.promote_types(shared, tensor.dtype)

    def build(part: Any) -> Tensor:
        if not isinstance(part, (list, tuple)):
            return as_tensor(part, name).to(shared)
        rows = [build(each) for each in part]
        shapes = {tuple(row.shape) for row in rows}
        if len(shapes) > 1:
            raise ShapeError(f"{name} is a list of tensors of different shapes: {sorted(shapes)}.")
        return torch.stack([row.to(tensors[0].device) for row in rows]) if rows else tensors[0].new_zeros(0)

    return build(value)


def _leaves(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        return [value]
    return [leaf for each in value for leaf in _leaves(each)]


def is_inference(tensor: Tensor) -> bool:
    """Whether a tensor was made under inference mode; no under ``torch.compile``, which cannot ask."""
    return not torch.compiler.is_compiling() and tensor.is_inference()


def ordinary(tensor: Tensor) -> Tensor:
    """The tensor itself, or an ordinary copy of one made under inference mode, which autograd would not take."""
    if not is_inference(tensor):
        return tensor
    with torch.inference_mode(False):
        return tensor.clone()


def outside_inference() -> AbstractContextManager[object]:
    """Inference mode switched off, gradients on; nothing where it is off already.

    Under inference mode torch records no graph, even where gradients are switched on, and gives zeros for derivatives.
    """
    off = torch.compiler.is_compiling() or not torch.is_inference_mode_enabled()
    return nullcontext() if off else torch.inference_mode(False)


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
    if tensor.is_nested or tensor.layout != torch.strided:
        kind = "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
        raise DtypeError(f"{name} must be a dense tensor, got a {kind} one. Convert it with .to_dense().")
    if not tensor.is_floating_point():
        raise DtypeError(f"{name} must be floating point, got {tensor.dtype}. Convert it with .to(torch.float64).")


def check_dtype(dtype: Any) -> None:
    """Raise unless this is one of torch's floating-point dtypes."""
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise DtypeError(f"dtype must be a floating-point dtype of torch, for instance torch.float64, got {dtype!r}.")


def as_device(device: Any) -> torch.device:
    """A device of torch by its name or number.

    Raises:
        diffkin.errors.DeviceError: There is none of that name.
    """
    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(f"device must be a device of torch, for instance 'cpu' or 'cuda', got {device!r}.") from error


def check_devices(**tensors: Tensor | None) -> None:
    """Raise unless these tensors, given by their names, lie on one device; numbers without axes may lie on the CPU."""
    places = {name: tensor.device for name, tensor in tensors.items() if tensor is not None and tensor.ndim}
    if len(set(places.values())) > 1:
        shown = ", ".join(f"{name} on {place}" for name, place in places.items())
        raise DeviceError(f"Tensors lie on different devices: {shown}. Move them to one with .to(device).")


def take(value: Any, shape: tuple[int, ...], name: str) -> Tensor:
    """What a user gave, as a floating-point tensor whose last axes are ``shape``; see ``as_tensor`` and ``check_last``."""
    tensor = as_tensor(value, name)
    check_last(tensor, shape, name)
    return tensor


def take_rotation(value: Any, name: str, *, values: bool = True) -> Tensor:
    """What a user gave, as rotations (*batch, 3, 3); see ``as_tensor`` and ``check_rotation``."""
    tensor = as_tensor(value, name)
    check_rotation(tensor, name, values=values)
    return tensor


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


def as_double(value: Any, name: str, device: torch.device | str | None = None) -> Tensor:
    """What a user gave, in float64 and without gradients; see ``as_tensor``. Whole numbers count, complex ones do not."""
    tensor = as_tensor(value, name, torch.float64, device)
    if tensor.is_complex() or tensor.dtype == torch.bool:
        check_floating(tensor, name)
    return tensor.detach().double()


def check_broadcast(**leading: Sequence[int]) -> None:
    """Raise unless these leading axes, given by the names of their tensors, broadcast."""
    broadcast(**leading)


def check_finite(tensor: Tensor, name: str) -> None:
    """Raise if ``tensor`` holds NaN or infinity; skipped where values cannot be seen."""
    if not _is_finite(tensor):
        bad = int((~torch.isfinite(tensor)).sum())
        raise NonFiniteError(f"{name} holds {bad} NaN or infinite numbers; every number must be finite.")


def _is_finite(tensor: Tensor) -> bool:
    """Whether all numbers are finite, as far as they can be seen."""
    if kernels_apply(tensor) and tensor.is_contiguous():
        return bool(kernel("finite.all_finite")((tensor.detach() if tensor.requires_grad else tensor).numpy()))
    if not has_values(tensor):
        return True
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
