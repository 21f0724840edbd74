"""Simulated records of inertial sensors on bodies that tumble."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin._given import generator_of, real, steps_in, whole
from diffkin.errors import OptionError
from diffkin.learning.filter.records import Records, from_samples
from diffkin.learning.sizes import check_memory
from diffkin.rotations import (
    matrix_to_quat_xyzw,
    quat_xyzw_multiply,
    quat_xyzw_to_matrix,
    random_rotation,
    rotvec_to_quat_xyzw,
)

__all__ = ["SimulationSettings", "simulate_records"]

_GRAVITY = 9.81  # [m/s^2]


@dataclass(frozen=True)
class SimulationSettings:
    """How inertial records are simulated.

    Attributes:
        seconds: Length of a record.
        rate_hz: Samples a second.
        turn: Standard deviation of each component of the angular velocity [rad/s].
        bias: Standard deviation of each component of the gyroscope's bias [rad/s].
        gyro_noise: Of each sample [rad/s].
        accel_noise: Of each sample [m/s^2].
        mag_noise: Of each sample, in units of the field.
        burst: Largest acceleration of a burst [m/s^2]; each has a random size up to it.
        bursts: Bursts in a record.
        burst_s: Length of a burst (two standard deviations of a bell).
        settle: Time at the start that does not count [s].
    """

    seconds: float = 12.0
    rate_hz: float = 50.0
    turn: float = 1.0
    bias: float = 0.03
    gyro_noise: float = 0.01
    accel_noise: float = 0.1
    mag_noise: float = 0.02
    burst: float = 3.0
    bursts: int = 6
    burst_s: float = 1.0
    settle: float = 2.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "bursts":
                taken: float = whole(value, "bursts", 0, 10_000)
            elif field.name in ("seconds", "rate_hz", "burst_s"):
                taken = real(value, field.name, above=0.0)
            else:
                taken = real(value, field.name, least=0.0)
            object.__setattr__(self, field.name, taken)
        for name in ("seconds", "settle"):
            steps_in(getattr(self, name), 1.0 / self.rate_hz, name)
        if round(self.seconds * self.rate_hz) <= round(self.settle * self.rate_hz):
            raise OptionError(f"Records need seconds > settle, got {self.seconds} and {self.settle}.")


def simulate_records(
    count: int,
    settings: SimulationSettings | None = None,
    seed: int | torch.Generator = 0,
    dtype: torch.dtype = torch.float32,
) -> Records:
    """Records of bodies that tumble smoothly while their accelerations disturb the vertical.

    Args:
        count: How many.
        settings: How.
        seed: Of everything random.
        dtype: Of the records.

    Returns:
        The records.
    """
    s = SimulationSettings() if settings is None else settings
    if not isinstance(s, SimulationSettings):
        raise OptionError(f"settings must be SimulationSettings(...), got a {type(s).__name__}.")
    count = whole(count, "count", 1)
    steps = round(s.seconds * s.rate_hz)
    check_memory(8 * 60 * count * steps, f"{count} records of {steps} samples", "Simulate fewer or shorter ones.")
    generator = generator_of(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, device="cpu")

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64, device="cpu")

    dt = 1.0 / s.rate_hz
    time = dt * torch.arange(steps, dtype=torch.float64, device="cpu")
    waves = 4  # angular velocity: a few slow sines for each axis
    phase = 2.0 * math.pi * (uniform(count, 3, waves, 1) + (0.05 + 0.75 * uniform(count, 3, waves, 1)) * time)
    omega = (s.turn * math.sqrt(2.0 / waves) * torch.sin(phase)).sum(2).mT
    quat = matrix_to_quat_xyzw(random_rotation(count, seed=generator))
    turns = rotvec_to_quat_xyzw(dt * omega)
    attitudes = [quat]
    for k in range(1, steps):
        attitudes.append(quat_xyzw_multiply(attitudes[-1], turns[:, k]))
    truth = torch.stack(attitudes, 1)
    truth = truth / truth.norm(dim=-1, keepdim=True)
    R = quat_xyzw_to_matrix(truth)
    centre = s.seconds * uniform(count, s.bursts, 1)
    bell = torch.exp(-0.5 * ((time - centre) / (0.5 * s.burst_s)).square())
    way = torch.nn.functional.normalize(normal(count, s.bursts, 3), dim=-1) * s.burst * uniform(count, s.bursts, 1)
    acceleration = bell.mT @ way
    force = acceleration - time.new_tensor([0.0, 0.0, _GRAVITY])
    north = time.new_tensor([0.5, 0.0, math.sqrt(0.75)])  # dips by 60 degrees
    gyro = omega + s.bias * normal(count, 1, 3) + s.gyro_noise * normal(count, steps, 3)
    accel = (R.mT @ force.unsqueeze(-1)).squeeze(-1) + s.accel_noise * normal(count, steps, 3)
    mag = R.mT @ north + s.mag_noise * normal(count, steps, 3)
    counts = (time >= s.settle).expand(count, steps)
    return from_samples((gyro, accel, mag, truth, counts), dt, dtype)
