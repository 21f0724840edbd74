"""Arms with errors like those of real ones, and noisy measurements of them."""

import math

import torch

from diffkin.calibration.measurements import Measurements

POSITION, ROTATION = 1e-4, math.radians(0.05)


def perturbed(model, generator):
    """Errors of a real arm: 0.5 deg in each offset, 1 mm and 0.3 deg in each origin and in the tool."""
    noise = torch.randn(model.size, generator=generator, dtype=torch.float64)
    sizes = []
    for name in model.names:
        sizes.append(math.radians(0.5) if name.startswith("offset") else 1e-3 if name[0] == "t" else math.radians(0.3))
    return noise * torch.tensor(sizes, dtype=torch.float64)


def measured(model, seed, count=50):
    generator = torch.Generator().manual_seed(seed)
    x = perturbed(model, generator)
    q = model.robot.sample(count, seed=generator)
    return x, Measurements.of_poses(q, model.poses(x, q), POSITION, ROTATION, seed=generator)
