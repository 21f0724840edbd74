"""Filters over whole records, and how far their attitudes are from the truth."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin._checks import check_floating
from diffkin.errors import OptionError, ShapeError
from diffkin.learning.filter.records import Records
from diffkin.learning.filter.steps import filter_named

__all__ = ["check_records", "rms_deg", "run_records"]


def run_records(name: str, gains: Tensor, records: Records) -> Tensor:
    """Run a filter over whole records, each from the attitude of its first measurements, bias zero.

    Args:
        name: One of ``FILTERS``.
        gains: (count,) gains, or (count, many) to run as many settings beside each other; gradients flow to them.
        records: The measurements.

    Returns:
        (steps, 4, [many,] n) quaternions body to NED, xyzw, after each sample; the first is the attitude to begin with.

    Raises:
        diffkin.errors.UnknownNameError: There is no such filter.
        diffkin.errors.OptionError: The filter has another number of gains.
    """
    step, names = filter_named(name)
    check_records(records)
    check_floating(gains, "gains")
    if gains.ndim not in (1, 2):
        raise ShapeError(f"gains must have shape (count,) or (count, many), got {tuple(gains.shape)}.")
    if gains.shape[0] != len(names):
        raise OptionError(f"{name} has {len(names)} gains ({', '.join(names)}), got {gains.shape[0]}.")
    many = gains.ndim == 2
    gains = gains.unsqueeze(-1)
    gyro, down, field = (part.unsqueeze(2) if many else part for part in (records.gyro, records.down, records.field))
    quat = records.first.unsqueeze(1).expand(-1, gains.shape[1], -1) if many else records.first
    bias = torch.zeros_like(quat[:3])
    history = [quat]
    with torch.autocast(quat.device.type, enabled=False):  # an attitude in half precision drifts
        for rate, vertical, north in zip(gyro[1:], down[1:], field[1:], strict=True):
            quat, bias = step(quat, bias, rate, vertical, north, records.dt, gains)
            history.append(quat)
    return torch.stack(history)


def rms_deg(quat_xyzw: Tensor, records: Records) -> Tensor:
    """Root mean square of the angle to the truth over the samples that count.

    Args:
        quat_xyzw: (steps, 4, [many,] n) estimates.
        records: With the truth.

    Returns:
        A scalar, or (many,) [deg].
    """
    check_records(records)
    check_floating(quat_xyzw, "quat_xyzw")
    truth, counts = records.truth, records.counts
    shape = tuple(quat_xyzw.shape)
    if quat_xyzw.ndim not in (3, 4) or (*shape[:2], shape[-1]) != tuple(truth.shape):
        raise ShapeError(f"quat_xyzw must have shape (steps, 4, [many,] n) as {tuple(truth.shape)}, got {shape}.")
    if quat_xyzw.ndim == 4:
        truth, counts = truth.unsqueeze(2), counts.unsqueeze(1)
    square = _squared_angle(quat_xyzw, truth) * counts
    axes = (0, -1)
    mean = square.sum(axes) / counts.sum(axes).squeeze()
    return (mean + 1e-20).sqrt().rad2deg()


def check_records(records: object) -> None:
    """Raise unless these are records."""
    if not isinstance(records, Records):
        raise OptionError(f"Filters run over Records, got a {type(records).__name__}.")
    if records.count == 0 or records.gyro.shape[0] == 0:
        raise OptionError("There are no records to run a filter over.")


def _squared_angle(a: Tensor, b: Tensor) -> Tensor:
    """Squared angle between unit quaternions: ``4 atan2(|a - b|, |a + b|)^2`` of the nearer twins, doubled."""
    inner = (a * b).sum(1)
    nearer = torch.where((inner < 0).unsqueeze(1), -a, a)
    apart = ((nearer - b).square().sum(1) + 1e-20).sqrt()
    along = ((nearer + b).square().sum(1)).sqrt()
    return (4.0 * torch.atan2(apart, along)).square()
