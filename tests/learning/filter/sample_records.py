"""Records for tests: of sensors without errors, and short ones with the usual errors."""

import torch

from diffkin.learning.filter import Records, SimulationSettings, simulate_records

PERFECT = SimulationSettings(
    seconds=3.0, bias=0.0, gyro_noise=0.0, accel_noise=0.0, mag_noise=0.0, burst=0.0, settle=0.5
)


def records(count: int = 3, seconds: float = 2.0, seed: int = 0, settle: float = 0.5) -> Records:
    """Short records with the usual errors."""
    return simulate_records(count, SimulationSettings(seconds=seconds, settle=settle), seed, torch.float64)
