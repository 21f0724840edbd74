"""Readings of inertial sensors and their times: what filters take, what is absent, what is refused.

A magnetometer is often slower than the other sensors; where it has nothing to say its reading is NaN, and the filters go
without it there. Every other number must be finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from diffkin._checks import broadcast, check_floating, check_last, has_values
from diffkin.aircraft._inputs import check_rows, check_same_device, first_place, number, numbers_of
from diffkin.errors import NonFiniteError, OptionError, RotationError, ShapeError

__all__ = ["Gain", "check_readings", "check_records", "check_rows_or_absent", "check_state", "present", "time_step"]

Gain = Tensor | float


def check_state(state: Any, kind: Any) -> None:
    """Raise unless this is a state of that kind, finite, with a quaternion that is not zero.

    Args:
        state: What was given.
        kind: ``FilterState``, ``MEKFState`` or another named tuple of that kind.

    Raises:
        diffkin.errors.OptionError: It is no such state.
        diffkin.errors.ShapeError: A tensor of it has another shape, or its leading axes do not broadcast.
        diffkin.errors.NonFiniteError: It holds NaN or infinity.
        diffkin.errors.RotationError: A quaternion is zero, or its length beyond what can be squared.
    """
    names: tuple[str, ...] = getattr(kind, "_fields", ())
    if not isinstance(state, (tuple, list)) or len(names) < 2 or len(state) != len(names):
        wanted = f"a {kind.__name__} ({', '.join(names)})" if names else "aircraft.FilterState or aircraft.MEKFState"
        raise OptionError(f"state must be {wanted}, got {type(state).__name__}.")
    parts = {f"state.{name}": part for name, part in zip(names, state, strict=True)}
    ranks = [1, 1, *[2] * (len(parts) - 2)]
    for (name, part), rank in zip(parts.items(), ranks, strict=True):
        check_floating(part, name)
        if part.ndim < rank:
            raise ShapeError(f"{name} must have {rank} axes or more, got {tuple(part.shape)}.")
        check_rows(part.flatten(-2) if rank == 2 else part, name, steps=False)
    check_last(state[0], (4,), "state.quat_xyzw")
    check_last(state[1], (3,), "state.bias")
    if len(state) > 2 and names[2] == "covariance":
        check_last(state[2], (6, 6), "state.covariance")
    square = (state[0] * state[0]).sum(-1)
    if has_values(square) and not bool(((square > 0) & torch.isfinite(square)).all()):
        raise RotationError(
            "state.quat_xyzw holds a quaternion that is zero or too long to be one. Give unit quaternions."
        )
    check_same_device(**parts)
    broadcast(**{name: part.shape[: part.ndim - rank] for (name, part), rank in zip(parts.items(), ranks, strict=True)})


def check_readings(gyro: Tensor, accel: Tensor, mag: Tensor | None, like: Tensor) -> torch.Size:
    """Raise unless these are readings (*batch, 3) of one time, finite but for a magnetometer that is absent.

    Their leading axes and those of the state, broadcast, come back.

    Args:
        gyro: (*batch, 3).
        accel: (*batch, 3).
        mag: (*batch, 3), NaN where it is absent, or None.
        like: A tensor on the device where they shall lie: the quaternions (*batch, 4) of the state.
    """
    readings = _readings(gyro, accel, mag)
    for name, reading in readings.items():
        check_last(reading, (3,), name)
    check_same_device(**readings, state=like)
    batch = broadcast(**{name: reading.shape[:-1] for name, reading in readings.items()}, state=like.shape[:-1])
    _check_values(readings, steps=False)
    return batch


def check_records(gyro: Tensor, accel: Tensor, mag: Tensor | None, like: Tensor) -> int:
    """Raise unless these are sequences (*batch, steps, 3) of such readings, of one length, which comes back."""
    records = _readings(gyro, accel, mag)
    for name, record in records.items():
        check_last(record, (3,), name)
    count = gyro.shape[-2] if gyro.ndim > 1 else 0
    for name, record in records.items():
        if record.ndim < 2 or record.shape[-2] != count:
            raise ShapeError(f"{name} must have shape (*batch, {count}, 3), got {tuple(record.shape)}.")
    check_same_device(**records, state=like)
    _check_values(records, steps=True)
    return count


def _readings(gyro: Tensor, accel: Tensor, mag: Tensor | None) -> dict[str, Tensor]:
    return {"gyro": gyro, "accel": accel} | ({} if mag is None else {"mag": mag})


def _check_values(readings: dict[str, Tensor], steps: bool) -> None:
    for name, reading in readings.items():
        (check_rows_or_absent if name == "mag" else check_rows)(reading, name, steps=steps)


def check_rows_or_absent(reading: Tensor, name: str, *, steps: bool) -> None:
    """Raise if a reading (*batch, 3), or (*batch, steps, 3), holds infinity; NaN says that it is absent."""
    if has_values(reading):
        wild = reading.detach().isinf().any(-1)
        if bool(wild.any()):
            place = first_place(wild, steps=steps)
            raise NonFiniteError(f"{name} holds infinity{place}. Give NaN where the sensor is absent.")


def present(reading: Tensor) -> tuple[Tensor, Tensor]:
    """A reading (*batch, 3) with zero in place of one that is absent (NaN), and whether it is there (*batch, 1).

    What is absent has no derivative and leaves none of its NaN behind.
    """
    there = ~torch.isnan(reading).any(-1, keepdim=True)
    return torch.where(there, reading, 0.0), there


def time_step(dt: object, like: Tensor, batch: Sequence[int], steps: int | None = None) -> float | Tensor:
    """The time between readings, checked to be positive and finite.

    Args:
        dt: A number, or a tensor, array or list: (*batch,), with one axis of steps more where there are steps.
        like: A tensor with the dtype and device to have it in.
        batch: Leading axes of what it belongs to.
        steps: How many steps there are; None for one, without an axis.

    Returns:
        A number; or a tensor (*batch,) or (*batch, steps), each axis possibly 1 or left out in front.

    Raises:
        diffkin.errors.OptionError: It is not positive and finite everywhere; the message names the place.
        diffkin.errors.ShapeError: It has another shape.
    """
    if not isinstance(dt, (Tensor, list, tuple)) and getattr(dt, "ndim", 0) == 0:
        return number(dt, "dt", sign="positive", unit="in seconds")
    time = numbers_of(dt, "dt", like)
    if steps is not None and time.ndim and time.shape[-1] not in (1, steps):
        raise ShapeError(
            f"dt must be a number, or have shape ({steps},) or (*batch, {steps}), got {tuple(time.shape)}."
        )
    leading = time.shape if steps is None else time.shape[:-1]
    broadcast(dt=leading, readings=batch)
    if has_values(time):
        bad = ~((time.detach() > 0) & torch.isfinite(time.detach()))
        if bool(bad.any()):
            place = first_place(bad, steps=steps is not None and bad.ndim > 0)
            raise OptionError(f"dt must be positive and finite [s], got {float(time.detach()[bad][0]):g}{place}.")
    return time if steps is None or time.ndim == 0 else time.expand(*leading, steps)
