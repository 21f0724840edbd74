"""What the two aircraft scripts share: configuration, results, and the comparison of integrators with PyBullet."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from diffkin import aircraft, rotations
from diffkin.errors import DiffkinError, OptionError, closest

__all__ = ["choose", "controller_of", "integrator_checks", "output_folder", "positive", "run", "write_results"]


def run(job: Callable[[DictConfig], None], cfg: DictConfig) -> None:
    """Run a job; a mistake of the user ends in its message and exit code 2, without a traceback."""
    try:
        torch.set_default_dtype(torch.float64)
        job(cfg)
    except DiffkinError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def output_folder() -> Path:
    """Hydra's folder of this run."""
    from hydra.core.hydra_config import HydraConfig

    return Path(HydraConfig.get().runtime.output_dir)


def write_results(results: dict[str, Any]) -> Path:
    """Write ``results.json`` into the run's folder."""
    path = output_folder() / "results.json"
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return path


def choose(value: Any, choices: tuple[str, ...], what: str) -> str:
    """A choice from the configuration, or an error that names the valid ones."""
    if value not in choices:
        raise closest(value, choices, what)
    return str(value)


def positive(value: Any, name: str, least: float = 0.0) -> float:
    """A number above ``least`` from the configuration."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (least < value < math.inf):
        raise OptionError(f"{name} must be a number above {least:g}, got {value!r}.")
    return float(value)


def controller_of(
    cfg: DictConfig, inertia: Tensor, limit: Tensor, desired: Tensor
) -> Callable[[int, Tensor, Tensor], Tensor]:
    """The controller of the group ``controller``, saturated, for a batch of attitudes to reach."""
    kind = choose(cfg.kind, ("geometric_pd", "log_pd", "sqrt_cascade"), "controller")
    law = getattr(aircraft, kind)
    k_attitude, k_rate = positive(cfg.k_attitude, "k_attitude"), positive(cfg.k_rate, "k_rate")
    moments = inertia.diagonal()
    if kind == "sqrt_cascade":
        gains = {"k_attitude": k_attitude, "k_rate": k_rate, "acceleration": 0.5 * limit / moments}
    else:
        gains = {"k_attitude": k_attitude * moments, "k_rate": k_rate * moments}
    return lambda k, R, omega: aircraft.saturate(law(R, omega, desired, inertia, **gains), limit)


def integrator_checks(inertia: Tensor, seed: int) -> dict[str, float]:
    """Our integrators beside Bullet's own step, for bodies with this inertia.

    ``bullet_integrator_difference_rad``: over 2400 steps with torques and damping, the largest angle between the paths.
    ``rk4_difference_ratio`` and ``lie_difference_ratio``: how the difference from Bullet shrinks as the step is halved.
    """
    from diffkin.simulation.aircraft_dynamics import BULLET_DAMPING, compare_bullet_integrator, difference_ratio

    generator = torch.Generator().manual_seed(seed)
    start = rotations.random_rotation(4, seed=generator)
    rate = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    torque = torch.randn(4, 2400, 3, generator=generator, dtype=torch.float64) * inertia.diagonal()
    return {
        "bullet_integrator_difference_rad": compare_bullet_integrator(
            start, rate, inertia, torque, damping=BULLET_DAMPING
        ),
        "rk4_difference_ratio": difference_ratio(start, rate, inertia, integrator="rk4"),
        "lie_difference_ratio": difference_ratio(start, rate, inertia, integrator="lie_midpoint"),
    }


def plain(cfg: DictConfig) -> dict[str, Any]:
    """A configuration as plain Python, for the results."""
    return OmegaConf.to_container(cfg, resolve=True)  # type: ignore[return-value]
