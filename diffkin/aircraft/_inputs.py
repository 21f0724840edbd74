"""What callers of ``aircraft`` hand over where no tensor of a fixed shape is wanted: numbers, gains, names, triples.

Each is taken as it is meant or refused by its name. Tensors of a fixed shape are checked by ``diffkin._checks``.
"""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffkin._checks import broadcast, check_finite, check_floating, has_values
from diffkin.errors import DtypeError, NonFiniteError, OptionError, ShapeError, closest

__all__ = [
    "check_choice",
    "check_gain",
    "check_kind",
    "check_rows",
    "check_same_device",
    "first_place",
    "number",
    "numbers_of",
    "table",
    "triple",
    "whole",
]

_BOUNDS = {"any": (-math.inf, False), "positive": (0.0, True), "not negative": (0.0, False)}


def number(value: object, name: str, *, sign: str = "any", unit: str = "") -> float:
    """A finite number: an int, a float, a NumPy scalar or a tensor of no axes; no text and no bool.

    Args:
        value: What was given.
        name: Under which the user knows it.
        sign: "any", "positive" or "not negative".
        unit: For the message: "in seconds", say.

    Returns:
        The number.

    Raises:
        diffkin.errors.OptionError: It is no number, not finite or of the wrong sign.
    """
    given, value = value, _scalar(value)
    least, above = _BOUNDS[sign]
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found) and (found > least if above else found >= least):
            return found
    wanted = "a finite number" if sign == "any" else f"a finite number that is {sign}"
    raise OptionError(f"{name} must be {wanted}{' ' if unit else ''}{unit}, got {given!r}.")


def whole(value: object, name: str, *, least: int = 0) -> int:
    """A whole number from ``least`` on: an int of Python or NumPy, or a tensor of no axes that holds one; no bool.

    Raises:
        diffkin.errors.OptionError: It is none.
    """
    given, value = value, _scalar(value)
    if isinstance(value, Integral) and not isinstance(value, bool) and operator.index(value) >= least:
        return operator.index(value)
    raise OptionError(f"{name} must be a whole number from {least} on, got {given!r}.")


def _scalar(value: object) -> object:
    """What an array or tensor of no axes holds; anything else as it is, a number that cannot be seen included."""
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim == 0:
        with contextlib.suppress(RuntimeError):  # on meta, or inside a torch.func transform
            return value.item()
    return value


def check_gain(value: object, name: str, *, batch: Sequence[int], device: torch.device) -> None:
    """Raise unless this is a number, or a tensor of finite numbers that multiplies vectors (*batch, 3) on a device.

    Raises:
        diffkin.errors.OptionError: It is neither.
        diffkin.errors.DtypeError: A tensor that is not floating point, or on another device.
        diffkin.errors.ShapeError: A shape that does not fit.
        diffkin.errors.NonFiniteError: NaN or infinity.
    """
    if not isinstance(value, Tensor):
        if isinstance(value, np.ndarray):
            raise OptionError(f"{name} must be a number or a tensor, got an array. Wrap it in torch.as_tensor(...).")
        number(value, name)
        return
    check_floating(value, name)
    if value.device != device and (value.ndim or value.is_meta):  # torch takes a lone number from the processor
        raise DtypeError(f"{name} lies on {value.device}, the rest on {device}. Move it with .to(...).")
    if value.ndim and value.shape[-1] not in (1, 3):
        raise ShapeError(f"{name} must be a number or have shape (3,) or (*batch, 3), got {tuple(value.shape)}.")
    broadcast(**{name: value.shape[:-1], "batch": batch})
    check_finite(value, name)


def numbers_of(value: object, name: str, like: Tensor) -> Tensor:
    """Numbers as a tensor with the dtype and on the device of another; a tensor keeps its gradient.

    Raises:
        diffkin.errors.DtypeError: They are no real numbers.
    """
    if isinstance(value, Tensor):
        if value.is_complex() or value.layout is not torch.strided or (value.is_meta and not like.is_meta):
            raise DtypeError(f"{name} must hold real numbers on {like.device}, got {value.dtype} on {value.device}.")
        return value.to(dtype=like.dtype, device=like.device)
    try:
        return torch.as_tensor(np.asarray(value, dtype=np.float64), device=like.device).to(like.dtype)
    except (TypeError, ValueError, OverflowError):
        raise DtypeError(f"{name} must be a number or a tensor of numbers, got {value!r}.") from None


def triple(value: Any, name: str) -> tuple[float, float, float]:
    """Three finite numbers, from a tuple, a list, an array or a tensor.

    Raises:
        diffkin.errors.ShapeError: They are not three.
        diffkin.errors.OptionError: One of them is no finite number.
    """
    if isinstance(value, (Tensor, np.ndarray)):
        value = None if getattr(value, "is_meta", False) else value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 3:
        raise ShapeError(f"The {name} must be three numbers, got {value!r}.")
    x, y, z = (number(part, f"each number of the {name}") for part in value)
    return x, y, z


def table(rows: Iterable[tuple[float, float, float]], like: Tensor) -> Tensor:
    """Triples as a tensor (n, 3) with the dtype and on the device of another."""
    return torch.tensor(list(rows), dtype=like.dtype, device=like.device).reshape(-1, 3)


def check_choice(value: object, choices: Iterable[str], kind: str) -> None:
    """Raise unless ``value`` is one of these names; the message names the closest."""
    known = tuple(choices)
    if not isinstance(value, str) or value not in known:
        raise closest(value, known, kind)


def check_kind(value: object, kind: type | tuple[type, ...], name: str, advice: str = "") -> None:
    """Raise unless ``value`` is of this kind."""
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(each.__name__ for each in kinds)
        raise OptionError(f"{name} must be of the kind {wanted}, got {type(value).__name__}. {advice}".rstrip())


def check_same_device(**tensors: Tensor | None) -> None:
    """Raise unless all these tensors, given by their names, lie on one device."""
    found = {name: tensor.device for name, tensor in tensors.items() if tensor is not None}
    if len(set(found.values())) > 1:
        shown = ", ".join(f"{name} on {device}" for name, device in found.items())
        raise DtypeError(f"All tensors must lie on one device, got {shown}. Move them with .to(...).")


def check_rows(rows: Tensor, name: str, *, steps: bool) -> None:
    """Raise if vectors (*batch, n) hold NaN or infinity; the message names the first place.

    Args:
        rows: (*batch, n), or (*batch, steps, n).
        name: Under which the user knows them.
        steps: Whether the last axis before the numbers is one of steps.

    Raises:
        diffkin.errors.NonFiniteError: Skipped where values cannot be seen.
    """
    if has_values(rows) and not bool(torch.isfinite(rows.detach()).all()):
        bad = ~torch.isfinite(rows.detach()).all(-1)
        place = first_place(bad, steps=steps)
        raise NonFiniteError(f"{name} holds NaN or infinity{place}, in {int(bad.sum())} of {bad.numel()} rows.")


def first_place(bad: Tensor, *, steps: bool) -> str:
    """Where a mask (*batch,) or (*batch, steps) is true first: " at step 3 of batch element (0, 2)", in time's order."""
    places = bad.nonzero()
    if steps:
        places = places[places[:, -1].argsort(stable=True)]
    place = places[0].tolist()
    step = f" at step {place.pop()}" if steps else ""
    if not place:
        return step
    index = str(place[0]) if len(place) == 1 else str(tuple(place))
    return f"{step} of batch element {index}" if steps else f" at batch element {index}"
