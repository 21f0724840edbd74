"""Tumble rigid bodies with an aircraft's inertia beside PyBullet, and show where the paths part.

python scripts/simulate_attitude.py aircraft=quadrotor integrator=rk4
python scripts/simulate_attitude.py aircraft=fixed_wing integrator=bullet damping=0.04 seconds=30


The run folder holds results.json, attitude.png, difference.png and, in .hydra, the configuration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from aircraft_common import AircraftConfig, IntegratorConfig, choose, integrator_checks
from common import SCHEMA, check_positive, require, run_folder, run_main, write_json
from hydra.core.config_store import ConfigStore
from rich.console import Console
from rich.table import Table

from diffkin import aircraft, rotations
from diffkin.aircraft.dynamics.integrators import INTEGRATORS
from diffkin.plotting import save_figure
from diffkin.plotting.aircraft import attitude_figure, difference_figure
from diffkin.simulation.world import is_installed

console = Console()


# -- the configuration and its types --------------------------------------------------------------------------------


@dataclass
class CheckConfig:
    """Whether Bullet steps the same bodies."""

    pybullet: bool = True


@dataclass
class SimulateAttitudeConfig:
    """The whole configuration."""

    aircraft: AircraftConfig = field(default_factory=AircraftConfig)
    integrator: IntegratorConfig = field(default_factory=IntegratorConfig)
    seed: int = 0
    bodies: int = 4
    seconds: float = 10.0
    dt: float = 1.0 / 240.0
    rate_deg_s: list[float] = field(default_factory=lambda: [60.0, 20.0, 90.0])
    damping: float = 0.0
    check: CheckConfig = field(default_factory=CheckConfig)


ConfigStore.instance().store(name=f"{SCHEMA}simulate_attitude", node=SimulateAttitudeConfig)


def check_config(cfg: Any) -> None:
    """Raise for values out of range."""
    choose(cfg.integrator.name, tuple(INTEGRATORS), "integrator")
    check_positive(cfg, "bodies", "seconds", "dt")
    require(cfg.seconds >= cfg.dt, "seconds", cfg.seconds, f"at least one step of {cfg.dt:g} s")
    require(len(cfg.rate_deg_s) == 3, "rate_deg_s", list(cfg.rate_deg_s), "three numbers")


# -- the job --------------------------------------------------------------------------------------------------------


def main(cfg: Any) -> None:
    check_config(cfg)
    torch.set_default_dtype(torch.float64)
    airframe = aircraft.load_airframe(cfg.aircraft.robot)
    inertia = airframe.mass_properties().inertia
    integrator, dt, count = cfg.integrator.name, cfg.dt, cfg.bodies
    steps = round(cfg.seconds / dt)
    generator = torch.Generator().manual_seed(cfg.seed)
    first = torch.deg2rad(torch.tensor(list(cfg.rate_deg_s), dtype=torch.float64))
    others = torch.randn(count - 1, 3, generator=generator, dtype=torch.float64)
    rate = torch.cat((first[None], others))
    start = rotations.random_rotation(count, seed=generator)
    settings: dict[str, Any] = {"dt": dt, "steps": steps, "damping": cfg.damping}
    R, omega = aircraft.simulate_attitude(start, rate, inertia, integrator=integrator, **settings)
    time = torch.arange(steps + 1, dtype=torch.float64) * dt
    identity = torch.eye(3, dtype=torch.float64)
    results: dict[str, Any] = {
        "aircraft": airframe.robot.name,
        "integrator": integrator,
        "seed": cfg.seed,
        "bodies": count,
        "steps": steps,
        "dt_s": dt,
        "rotation_error": float((R.mT @ R - identity).abs().max()),
        "energy_error": None,
        "momentum_error": None,
        "pybullet": None,
    }
    if cfg.damping == 0:  # nothing else acts, so both are constant
        energy = aircraft.rotational_energy(omega, inertia)
        momentum = aircraft.angular_momentum(R, omega, inertia)
        drift = (momentum - momentum[:, :1]).norm(dim=-1) / momentum[:, :1].norm(dim=-1)
        results["energy_error"] = float((energy / energy[:, :1] - 1.0).abs().max())
        results["momentum_error"] = float(drift.max())
    paths = {integrator: (R[0], omega[0])}
    folder = run_folder()
    if cfg.check.pybullet and not is_installed():
        console.print("PyBullet is not installed (pip install pybullet), so there is nothing to compare with.")
    elif cfg.check.pybullet:
        from diffkin.simulation.free_bodies import step_free_bodies

        theirs, their_rate = step_free_bodies(start, rate, inertia, None, **settings)
        apart = rotations.angle_between(R, theirs)
        results["pybullet"] = {
            "difference_rad": float(apart.max()),
            "difference_at_end_rad": float(apart[:, -1].max()),
            **integrator_checks(inertia, cfg.seed),
        }
        paths["PyBullet"] = (theirs[0], their_rate[0])
        lines = {f"body {k}": apart[k] for k in range(min(count, 6))}
        title = f"{integrator} and PyBullet at dt = {1e3 * dt:.3g} ms"
        save_figure(difference_figure(time, lines, title), folder / "difference.png")
    title = f"Tumbling with the inertia of {airframe.robot.name}"
    save_figure(attitude_figure(time, paths, title=title), folder / "attitude.png")
    table = Table("", "", show_header=False, title=f"{count} bodies, {steps} steps of {1e3 * dt:.4g} ms")
    for name, value in {**results, **(results["pybullet"] or {})}.items():
        if not isinstance(value, dict):
            table.add_row(name, f"{value:.3g}" if isinstance(value, float) and math.isfinite(value) else str(value))
    console.print(table)
    write_json(folder / "results.json", results)
    console.print(f"Results: {folder / 'results.json'}")


if __name__ == "__main__":
    run_main(main, "simulate_attitude")
