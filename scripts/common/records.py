"""Records that filters learn from and are judged by: simulated, or windows of files; the part ``records``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Optional, Union

import torch

from common.settings import check_finite, check_positive
from diffkin.errors import OptionError
from diffkin.learning.filter import (
    Records,
    SimulationSettings,
    cut,
    read_broad,
    read_csv,
    simulate_records,
    stack,
)

__all__ = ["RecordsConfig", "check_records", "read_files", "simulated", "split"]

HELD_OUT_SEED = 2_000_000_011  # far from the seeds that people give


@dataclass(frozen=True)
class RecordsConfig:
    """Records to learn from and to judge by."""

    training: int
    held_out: int
    seconds: float
    settle_s: float
    rate_hz: float
    turn_rad_s: float
    bias_rad_s: float
    gyro_noise_rad_s: float
    accel_noise_m_s2: float
    mag_noise: float
    burst_m_s2: float


def check_records(config: RecordsConfig) -> None:
    """Raise for values out of range."""
    check_positive(config, "training", "held_out", "seconds", "rate_hz", where="records")
    check_finite(config, *(field.name for field in fields(config)), where="records")


def simulated(config: RecordsConfig, seed: int) -> tuple[Records, Records]:
    """Records to learn from, and held-out ones."""
    settings = SimulationSettings(
        seconds=config.seconds, rate_hz=config.rate_hz, turn=config.turn_rad_s, bias=config.bias_rad_s,
        gyro_noise=config.gyro_noise_rad_s, accel_noise=config.accel_noise_m_s2, mag_noise=config.mag_noise,
        burst=config.burst_m_s2, settle=config.settle_s,
    )  # fmt: skip
    training = simulate_records(config.training, settings, seed)
    return training, simulate_records(config.held_out, settings, HELD_OUT_SEED + seed)


def read_files(broad: Optional[str], csv: Union[str, list[str], None]) -> dict[str, Records]:
    """Whole records of the files given; none for simulated ones."""
    if broad and csv:
        raise OptionError("Give broad=... or csv=..., not both.")
    if broad:
        return read_broad(broad)
    paths = [csv] if isinstance(csv, str) else list(csv or ())
    return {str(path): read_csv(path) for path in paths}


def split(config: RecordsConfig, seed: int, files: dict[str, Records]) -> tuple[Records, Records]:
    """Windows of every other file to learn from and of the rest; of a single file, of its two halves."""
    generator = torch.Generator().manual_seed(seed)
    windows = [cut(record, config.seconds, config.settle_s) for record in files.values()]
    if len(windows) == 1:
        half = windows[0].count // 2
        if half < 1:
            raise OptionError("One file must be long enough for two windows. Lower records.seconds, or give two files.")
        order = torch.arange(windows[0].count)
        sets = windows[0].chosen(order[:half]), windows[0].chosen(order[half:])
    else:
        sets = stack(windows[::2]), stack(windows[1::2])
    most = (config.training, config.held_out)
    picked = [torch.randperm(part.count, generator=generator)[:count] for part, count in zip(sets, most, strict=True)]
    return sets[0].chosen(picked[0]), sets[1].chosen(picked[1])
