"""Records of ideal sensors with white noise, for the tests of filters."""

import math

import torch

from diffkin import rotations

F = torch.float64
GRAVITY = torch.tensor([0.0, 0.0, 9.80665], dtype=F)
FIELD = torch.tensor([0.5, 0.0, 0.8], dtype=F)
DT = 0.02


def records(count: int, steps: int, *, gyro=0.0, bias=0.0, accel=0.0, mag=0.0, seed=0):
    """True attitudes and what ideal sensors plus white noise report on smooth turning flights."""
    draw = torch.Generator().manual_seed(seed)
    R0 = rotations.random_rotation((count,), draw)
    phase = torch.rand(count, 1, 3, generator=draw, dtype=F) * 6.28
    rate = 0.5 + torch.rand(count, 1, 3, generator=draw, dtype=F)
    t = torch.arange(steps, dtype=F)[None, :, None] * DT
    omega = torch.sin(rate * t + phase)
    R, truth = R0, []
    for k in range(steps):
        R = R @ rotations.rotvec_to_matrix(DT * omega[:, k])
        truth.append(R)
    R = torch.stack(truth, 1)
    noise = torch.randn(3, count, steps, 3, generator=draw, dtype=F)
    offset = bias * torch.randn(count, 1, 3, generator=draw, dtype=F)
    return (
        R0,
        R,
        offset.squeeze(1),
        omega + offset + gyro / math.sqrt(DT) * noise[0],
        -(R.mT @ GRAVITY) + accel * noise[1],
        R.mT @ FIELD + mag * noise[2],
    )
