"""Tumble rigid bodies with an aircraft's inertia beside PyBullet, and show where the paths part.

python scripts/simulate_attitude.py aircraft=quadrotor integrator=rk4
python scripts/simulate_attitude.py aircraft=fixed_wing integrator=bullet damping=0.04 seconds=30
python scripts/simulate_attitude.py aircraft.path=my_aircraft.urdf

The run folder holds results.json, attitude.png, difference.png and, in .hydra, the configuration.
"""

from dataclasses import dataclass
from typing import Any

import torch
from common.aircraft import AircraftConfig, IntegratorConfig, check_body_alone, load_airframe
from common.folders import run_folder
from common.results import save_results
from common.run import run_main
from common.settings import check_positive, choose, require, typed
from common.tables import say, show_pairs
from omegaconf import DictConfig
from torch import Tensor

from diffkin import aircraft, plotting, rotations, simulation
from diffkin._given import steps_in
from diffkin.aircraft.dynamics.integrators import INTEGRATORS


@dataclass(frozen=True)
class CheckConfig:
    """Whether Bullet steps the same bodies."""

    pybullet: bool


@dataclass(frozen=True)
class SimulateAttitudeConfig:
    """All there is to choose."""

    aircraft: AircraftConfig
    integrator: IntegratorConfig
    seed: int
    bodies: int
    seconds: float
    dt: float
    rate_deg_s: list[float]
    damping: float
    check: CheckConfig


def check_config(config: SimulateAttitudeConfig) -> None:
    """Raise for values out of range."""
    choose(config.integrator.name, INTEGRATORS, "integrator")
    check_positive(config, "bodies", "seconds", "dt")
    require(config.seconds >= config.dt, "seconds", config.seconds, f"at least one step of {config.dt:g} s")
    require(len(config.rate_deg_s) == 3, "rate_deg_s", config.rate_deg_s, "three numbers")
    check_body_alone(config.aircraft, "bodies tumble freely here")


def main(cfg: DictConfig) -> None:
    """Tumble, compare, draw, save."""
    config = typed(SimulateAttitudeConfig, cfg)
    check_config(config)
    torch.set_default_dtype(torch.float64)
    airframe = load_airframe(config.aircraft)
    inertia = airframe.mass_properties().inertia
    steps = steps_in(config.seconds, config.dt)
    start, rate = make_starts(config)
    settings: dict[str, Any] = {"dt": config.dt, "steps": steps, "damping": config.damping}
    name = config.integrator.name
    R, omega = aircraft.simulate_attitude(start, rate, inertia, integrator=name, **settings)
    results: dict[str, Any] = {
        "aircraft": airframe.robot.name,
        "integrator": name,
        "seed": config.seed,
        "bodies": config.bodies,
        "steps": steps,
        "dt_s": config.dt,
        "rotation_error": float((R.mT @ R - torch.eye(3)).abs().max()),
        "energy_error": None,
        "momentum_error": None,
        "pybullet": None,
    }
    if config.damping == 0:  # nothing else acts, so both are constant
        results |= drift(R, omega, inertia)
    time = torch.arange(steps + 1, dtype=torch.float64) * config.dt
    paths = {name: (R[0], omega[0])}
    folder = run_folder()
    if config.check.pybullet and not simulation.is_installed():
        say("PyBullet is not installed (pip install pybullet), so there is nothing to compare with.")
    elif config.check.pybullet:
        theirs, their_rate = simulation.step_free_bodies(start, rate, inertia, None, **settings)
        apart = rotations.angle_between(R, theirs)
        results["pybullet"] = {
            "difference_rad": float(apart.max()),
            "difference_at_end_rad": float(apart[:, -1].max()),
            **simulation.compare_integrators(inertia, config.seed),
        }
        paths["PyBullet"] = (theirs[0], their_rate[0])
        lines = {f"body {k}": apart[k] for k in range(min(config.bodies, 6))}
        title = f"{name} and PyBullet at dt = {1e3 * config.dt:.3g} ms"
        plotting.save_figure(plotting.difference_figure(time, lines, title), folder / "difference.png")
    title = f"Tumbling with the inertia of {airframe.robot.name}"
    plotting.save_figure(plotting.attitude_figure(time, paths, title=title), folder / "attitude.png")
    rows = [pair for pair in results.items() if pair[0] != "pybullet"] + list((results["pybullet"] or {}).items())
    show_pairs(f"{config.bodies} bodies, {steps} steps of {1e3 * config.dt:.4g} ms", rows)
    save_results(folder, results)


def make_starts(config: SimulateAttitudeConfig) -> tuple[Tensor, Tensor]:
    """(bodies, 3, 3) attitudes and (bodies, 3) rates in body axes; the first rate is the one of the configuration."""
    generator = torch.Generator().manual_seed(config.seed)
    first = torch.deg2rad(torch.tensor(config.rate_deg_s, dtype=torch.float64))
    others = torch.randn(config.bodies - 1, 3, generator=generator, dtype=torch.float64)
    return rotations.random_rotation(config.bodies, seed=generator), torch.cat((first[None], others))


def drift(R: Tensor, omega: Tensor, inertia: Tensor) -> dict[str, float]:
    """The largest change of energy and of angular momentum, as a share of what they are at the start."""
    energy = aircraft.rotational_energy(omega, inertia)
    momentum = aircraft.angular_momentum(R, omega, inertia)
    change = (momentum - momentum[:, :1]).norm(dim=-1) / momentum[:, :1].norm(dim=-1)
    return {"energy_error": float((energy / energy[:, :1] - 1.0).abs().max()), "momentum_error": float(change.max())}


if __name__ == "__main__":
    run_main(main, "simulate_attitude")
