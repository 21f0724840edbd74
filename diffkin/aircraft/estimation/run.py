"""The run of any filter over sequences of measurements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from diffkin._checks import broadcast, has_values
from diffkin.aircraft._inputs import first_place
from diffkin.aircraft.dynamics.rollout import rollout
from diffkin.aircraft.estimation.filters import (
    FilterState,
    MadgwickGains,
    MahonyGains,
    check_gains,
    madgwick,
    madgwick_step,
    mahony,
    mahony_step,
)
from diffkin.aircraft.estimation.kalman import MEKFState, check_noise, mekf, mekf_step
from diffkin.aircraft.estimation.readings import Gain, check_records, check_state, time_step
from diffkin.errors import NonFiniteError, OptionError

__all__ = ["run_filter"]


def run_filter(
    step: Callable[..., Any],
    state: Any,
    gyro: Tensor,
    accel: Tensor,
    mag: Tensor | None,
    dt: Gain,
    gains: Any,
    *,
    checkpoint: bool | None = None,
) -> Any:
    """Run a filter over sequences of measurements.

    Args:
        step: ``madgwick_step``, ``mahony_step``, ``mekf_step`` or one of that kind: ``step(state, gyro, accel, mag, dt,
            gains) -> state``, with a reading each, and dt a number or (*batch,) as it is given here.
        state: Where to begin: a ``FilterState``, an ``MEKFState``, or a named tuple of the caller's own whose first two
            tensors are (*batch, 4) and (*batch, 3), others with two axes after the batch.
        gyro: (*batch, n, 3) [rad/s].
        accel: (*batch, n, 3).
        mag: (*batch, n, 3), or None; NaN in the samples in which a slower magnetometer has no reading.
        dt: Time between measurements [s], a number; or since the one before each, (n,) or (*batch, n).
        gains: Passed to each step.
        checkpoint: Whether a backward pass runs the steps again, segment by segment, to bound its memory. None: from
            256 steps on where a gradient is needed.

    Returns:
        A state of the same kind whose tensors have an axis of length n after the batch: (*batch, n, 4) and so on, the
        state after each measurement.

    Raises:
        ShapeError: The sequences differ in length, or leading axes do not broadcast.
        NonFiniteError: Anything but ``mag`` holds NaN, or it holds infinity, or the state left the range of numbers; the
            message names the step and the batch element.
        RotationError: A quaternion of ``state`` is zero.
        OptionError: ``dt`` is not positive and finite, or an argument is not of its kind.
    """
    if not callable(step):
        raise OptionError(f"step must be a function, aircraft.mahony_step for instance, got {step!r}.")
    kind = type(state)
    check_state(state, kind)
    count = check_records(gyro, accel, mag, state[0])
    records = {"gyro": gyro, "accel": accel} | ({} if mag is None else {"mag": mag})
    batch = broadcast(**{name: record.shape[:-2] for name, record in records.items()}, state=state[0].shape[:-1])
    time = time_step(dt, state[0], batch, count)
    bare, settings = _without_checks(step, gains, kind, state[0], batch)
    ranks = [1 if i < 2 else 2 for i in range(len(state))]
    start = tuple(p.expand(*batch, *p.shape[p.ndim - rank :]) for p, rank in zip(state, ranks, strict=True))
    each = isinstance(time, Tensor) and time.ndim > 0

    def advance(k: int, *parts: Tensor) -> tuple[Tensor, ...]:
        field = None if mag is None else mag[..., k, :]
        since = time[..., k] if each else time  # type: ignore[index]
        return tuple(bare(kind(*parts), gyro[..., k, :], accel[..., k, :], field, since, settings))

    states = rollout(advance, start, count, checkpoint)
    run = kind(*(part[1:].movedim(0, -1 - rank) for part, rank in zip(states, ranks, strict=True)))
    _check_run(run, count)
    return run


def _without_checks(
    step: Callable[..., Any], gains: Any, kind: type, like: Tensor, batch: torch.Size
) -> tuple[Callable[..., Any], Any]:
    """The step that does not check again at each time what has been checked for all, and its gains, checked."""
    own: dict[Callable[..., Any], tuple[Callable[..., Any], type]] = {
        madgwick_step: (madgwick, MadgwickGains),
        mahony_step: (mahony, MahonyGains),
    }
    if step in own:
        bare, wanted = own[step]
        check_gains(gains, wanted, batch, like.device)
        needed: type = FilterState
    elif step is mekf_step:
        bare, gains, needed = mekf, check_noise(gains, like, batch), MEKFState
    else:
        return step, gains
    if kind is not needed:
        raise OptionError(f"{step.__name__} needs a state of the kind {needed.__name__}, got {kind.__name__}.")
    return bare, gains


def _check_run(run: Any, count: int) -> None:
    """Raise if the state left the range of numbers, from which no filter comes back: its end tells."""
    if count == 0 or not has_values(*run):
        return
    good = torch.isfinite(run[0].detach()).all(-1) & torch.isfinite(run[1].detach()).all(-1)
    if not bool(good[..., -1].all()):
        place = first_place(~good, steps=True)
        raise NonFiniteError(
            f"The state of the filter left the range of numbers{place}, though all it was given is finite: a reading, a gain "
            "or dt is far too large."
        )
