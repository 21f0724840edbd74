"""Point an aircraft: attitude and gimbal angles by inverse kinematics, checked and flown in PyBullet.

python scripts/point_aircraft.py aircraft=fixed_wing target=ground_point
python scripts/point_aircraft.py aircraft=quadrotor target=direction target.count=10000 check.pybullet=false


The run folder holds results.json, pointing_error.png, attitudes.png, flight.png and, in .hydra, the configuration.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from aircraft_common import (
    AircraftConfig,
    ControllerConfig,
    choose,
    controller_of,
    integrator_checks,
    torque_limit,
)
from common import SCHEMA, check_positive, require, run_folder, run_main, write_json
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING
from rich.console import Console
from rich.table import Table
from torch import Tensor

from diffkin import aircraft, rotations
from diffkin.aircraft import Airframe, KeepOut, Pointing, RayTarget
from diffkin.plotting import convergence_figure, picture_grid, save_figure
from diffkin.plotting.aircraft import attitude_figure
from diffkin.simulation.world import is_installed

KINDS = ("ground_point", "direction")
console = Console()


# -- the configuration and its types --------------------------------------------------------------------------------


@dataclass
class TargetConfig:
    """Which way to turn which ray."""

    kind: str = MISSING
    count: int = MISSING
    ray: str = "boresight"
    height_m: Optional[float] = None
    radius_m: Optional[float] = None
    max_elevation_deg: Optional[float] = None


@dataclass
class SunConfig:
    """A cone that the ray stays out of."""

    azimuth_deg: float = 0.0
    elevation_deg: float = 0.0
    half_angle_deg: float = 0.0


@dataclass
class CheckConfig:
    """What is done in PyBullet."""

    pybullet: bool = True
    jacobians: int = 3
    flights: int = 40
    seconds: float = 3.0
    pictures: int = 6


@dataclass
class PointAircraftConfig:
    """The whole configuration."""

    aircraft: AircraftConfig = field(default_factory=AircraftConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    seed: int = 0
    roll: str = "level"
    tolerance_rad: float = 1e-6
    locked: Optional[list[str]] = None
    sun: SunConfig = field(default_factory=SunConfig)
    check: CheckConfig = field(default_factory=CheckConfig)


ConfigStore.instance().store(name=f"{SCHEMA}point_aircraft", node=PointAircraftConfig)


def check_config(cfg: Any) -> None:
    """Raise for values out of range."""
    choose(cfg.target.kind, KINDS, "kind of target for an aircraft")
    positive = ["target.count", "target.height_m", "target.radius_m", "target.max_elevation_deg", "tolerance_rad"]
    check_positive(cfg, *positive, "check.seconds", "aircraft.max_bank_deg", "aircraft.max_pitch_deg")
    needed = ("height_m", "radius_m") if cfg.target.kind == "ground_point" else ("max_elevation_deg",)
    for name in needed:
        require(cfg.target[name] is not None, f"target.{name}", None, "a number above zero")
    for name in ("jacobians", "flights", "pictures"):
        require(cfg.check[name] >= 0, f"check.{name}", cfg.check[name], "a whole number from 0 on")
    require(0 <= cfg.sun.half_angle_deg < 180, "sun.half_angle_deg", cfg.sun.half_angle_deg, "from 0 to below 180")


# -- the job --------------------------------------------------------------------------------------------------------


def main(cfg: Any) -> None:
    check_config(cfg)
    torch.set_default_dtype(torch.float64)
    airframe = aircraft.load_airframe(cfg.aircraft.robot)
    target, position = make_targets(cfg.target, cfg.seed)
    max_bank, max_pitch = _radians(cfg.aircraft.max_bank_deg), _radians(cfg.aircraft.max_pitch_deg)
    sun = make_sun(cfg.sun, target.ray)
    start = time.perf_counter()
    found = aircraft.point(
        airframe,
        target,
        position=position,
        locked=None if cfg.locked is None else list(cfg.locked),
        roll=cfg.roll,
        keep_out=sun or (),
        max_bank=max_bank,
        max_pitch=max_pitch,
        tolerance=cfg.tolerance_rad,
        seed=cfg.seed,
        history=True,
    )
    seconds = time.perf_counter() - start
    solved = found.success
    results: dict[str, Any] = {
        "aircraft": airframe.robot.name,
        "target": cfg.target.kind,
        "ray": target.ray,
        "seed": cfg.seed,
        "targets": solved.numel(),
        "solved": int(solved.sum()),
        "worst_pointing_error_rad": float(found.pointing_error[solved].max()) if bool(solved.any()) else None,
        "limit_violations": count_violations(airframe, found, max_bank, max_pitch, sun),
        "iterations_mean": float(found.ik.iterations.double().mean()),
        "seconds": seconds,
        "microseconds_per_target": 1e6 * seconds / max(solved.numel(), 1),
        "pybullet": None,
    }
    show_answers(airframe, found, results)
    results["jacobian_difference"] = show_jacobian(airframe, found, position)
    folder = run_folder()
    if found.ik.history is not None:
        figure = convergence_figure(found.ik.history, cfg.tolerance_rad, "Pointing error over the iterations")
        save_figure(figure, folder / "pointing_error.png")
    if cfg.check.pybullet and not is_installed():
        console.print("PyBullet is not installed (pip install pybullet), so nothing is checked or flown there.")
    elif cfg.check.pybullet:
        results["pybullet"] = check_in_bullet(cfg, airframe, target, position, found)
    write_json(folder / "results.json", results)
    console.print(f"Results: {folder / 'results.json'}")


def _radians(degrees: float | None) -> float | None:
    return None if degrees is None else math.radians(degrees)


# -- targets --------------------------------------------------------------------------------------------------------


def make_targets(cfg: Any, seed: int) -> tuple[RayTarget, Tensor]:
    """Targets of the group ``target`` and where the aircraft are (NED)."""
    count = cfg.count
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    turn = 2.0 * math.pi * unit[:, 0]
    if cfg.kind == "ground_point":
        away = cfg.radius_m * unit[:, 1].sqrt()
        point = torch.stack((away * turn.cos(), away * turn.sin(), torch.zeros_like(away)), dim=-1)
        point[0] = 0.0  # straight below: the gimbal's singular point
        return RayTarget(cfg.ray, point=point), torch.tensor([0.0, 0.0, -cfg.height_m], dtype=torch.float64)
    highest = math.radians(cfg.max_elevation_deg)
    elevation = torch.asin((2.0 * unit[:, 1] - 1.0) * math.sin(min(highest, 0.5 * math.pi)))
    along = aircraft.azimuth_elevation_to_direction(turn, elevation)
    return RayTarget(cfg.ray, direction=along), torch.zeros(3, dtype=torch.float64)


def make_sun(cfg: SunConfig, ray: str) -> KeepOut | None:
    """The cone to keep out of, or None."""
    if cfg.half_angle_deg == 0:
        return None
    azimuth, elevation = (
        torch.tensor(math.radians(angle), dtype=torch.float64) for angle in (cfg.azimuth_deg, cfg.elevation_deg)
    )
    direction = aircraft.azimuth_elevation_to_direction(azimuth, elevation)
    return KeepOut(ray, direction, math.radians(cfg.half_angle_deg))


def count_violations(
    airframe: Airframe, found: Pointing, max_bank: float | None, max_pitch: float | None, sun: KeepOut | None
) -> int:
    """How many answers that count as solved are outside a limit, measured from the answers alone."""
    bank, pitch = aircraft.bank_pitch(found.R_ned_body)
    outside = (bank.abs() > (max_bank or math.inf)) | (pitch.abs() > (max_pitch or math.inf))
    outside |= ((found.q < airframe.robot.lower) | (found.q > airframe.robot.upper)).any(-1)
    if sun is not None:
        _, axes = airframe.rays_ned(found.R_ned_body, None, found.q, [sun.ray])
        axis = axes[..., 0, :]
        outside |= aircraft.turn_to(sun.direction.expand_as(axis), axis).norm(dim=-1) < sun.half_angle
    return int((outside & found.success).sum())


# -- showing --------------------------------------------------------------------------------------------------------


def show_answers(airframe: Airframe, found: Pointing, results: dict[str, Any]) -> None:
    """The first answers and the figures of all."""
    moved = [k for k in range(airframe.dof) if bool((found.q[:, k] != airframe.neutral()[k]).any())]
    table = Table(title=f"{results['aircraft']}: {results['solved']} of {results['targets']} targets pointed at [deg]")
    for column in ("yaw", "pitch", "roll", *(airframe.robot.joint_names[k] for k in moved), "error [rad]", "solved"):
        table.add_column(column, justify="right", overflow="fold")
    angles = torch.rad2deg(torch.cat((rotations.matrix_to_euler(found.R_ned_body, "ZYX"), found.q[:, moved]), dim=-1))
    for row, error, success in list(zip(angles.tolist(), found.pointing_error.tolist(), found.success.tolist()))[:8]:
        table.add_row(*(f"{angle:.1f}" for angle in row), f"{error:.0e}", "yes" if success else "no")
    console.print(table)
    console.print(
        f"worst error of the solved {results['worst_pointing_error_rad']} rad, outside a limit "
        f"{results['limit_violations']}, {results['microseconds_per_target']:.0f} microseconds a target"
    )


def show_jacobian(airframe: Airframe, found: Pointing, position: Tensor) -> float:
    """A wingtip's Jacobian by backward seeds beside the closed form, at the first answer; their largest difference."""
    name = "right_wingtip" if "right_wingtip" in airframe.points else next(iter(airframe.points))
    at = (airframe, name, found.R_ned_body[0], position, found.q[0])
    closed = aircraft.point_jacobian(*at)
    seeds = aircraft.point_jacobian(*at, method="backward_seeds")
    table = Table(title=f"Jacobian of {name}: backward seeds, and the closed form in brackets")
    for column in ("", "north", "east", "down"):
        table.add_column(column, justify="right")
    columns = ("turn about x", "turn about y", "turn about z", "north", "east", "down", *airframe.robot.joint_names)
    for column, ours, theirs in zip(columns, seeds.T.tolist(), closed.T.tolist()):
        table.add_row(column, *(f"{a:.4f} ({b:.4f})" for a, b in zip(ours, theirs)))
    console.print(table)
    difference = float((closed - seeds).abs().max())
    console.print(f"largest difference {difference:.1e}")
    return difference


# -- PyBullet -------------------------------------------------------------------------------------------------------


def check_in_bullet(
    cfg: Any, airframe: Airframe, target: RayTarget, position: Tensor, found: Pointing
) -> dict[str, Any]:
    """Set every answer in PyBullet and measure it there, fly to some of them, and take pictures."""
    from diffkin.simulation.airframes import compare_airframe, open_airframe, picture
    from diffkin.simulation.free_bodies import fly

    kept = found.success.nonzero().flatten()
    if len(kept) == 0:
        console.print("No target is solved, so there is nothing to set in PyBullet. Loosen limits or targets.")
        return {}
    rotation, q = found.R_ned_body[kept], found.q[kept]
    place = torch.zeros(len(kept), 3, dtype=torch.float64)  # far from the origin Bullet's digits would be lost
    with open_airframe(airframe) as flying:
        report = compare_airframe(flying, rotation, place, q, jacobians=cfg.check.jacobians)
        worst = 0.0
        for k, index in enumerate(kept.tolist()):
            flying.reset(rotation[k], None, q[k])
            origin, axis = flying.ray(target.ray)
            goal = target.toward(origin + position)
            goal = goal[index] if goal.ndim == 2 else goal
            worst = max(worst, float(aircraft.turn_to(goal / goal.norm(), axis).norm()))
        shown = range(min(cfg.check.pictures, len(kept)))
        pictures = [picture(flying, rotation[k], q[k], ray=target.ray) for k in shown]
    angles = torch.rad2deg(rotations.matrix_to_euler(rotation, "ZYX"))
    labels = ["yaw {:.0f}, pitch {:.0f}, roll {:.0f} deg".format(*angles[k].tolist()) for k in shown]
    folder = run_folder()
    if pictures:
        save_figure(picture_grid(pictures, labels, title="The aircraft pointing"), folder / "attitudes.png")

    inertia = airframe.mass_properties().inertia
    limit = torque_limit(cfg.aircraft)
    count = min(cfg.check.flights, len(kept))
    results: dict[str, Any] = {
        "point_difference_m": report.point_difference_m,
        "ray_difference_rad": report.ray_difference_rad,
        "jacobian_difference": report.jacobian_difference,
        "worst_pointing_error_rad": worst,
        **integrator_checks(inertia, cfg.seed),
        "flights": count,
        "controlled_within_half_degree": None,
    }
    if count:
        goals = rotation[:count]
        level = torch.eye(3, dtype=torch.float64).expand(count, 3, 3)
        control = controller_of(cfg.controller, inertia, limit, goals)
        flight = fly(airframe, control, level, q=q[:count], seconds=cfg.check.seconds)
        error = flight.error(goals)
        results["controlled_within_half_degree"] = float((error[:, -1] <= math.radians(0.5)).double().mean())
        results["worst_controlled_error_rad"] = float(error[:, -1].max())
        last = count - 1
        path = {"PyBullet": (flight.R_ned_body[last], flight.omega_body[last])}
        title = f"{airframe.robot.name} flown to an answer by {cfg.controller.kind}"
        figure = attitude_figure(flight.time, path, flight.torque[last], goals[last], title)
        save_figure(figure, folder / "flight.png")
    table = Table("", "", title="PyBullet", show_header=False)
    for name, value in results.items():
        table.add_row(name, f"{value:.3g}" if isinstance(value, float) else str(value))
    console.print(table)
    return results


if __name__ == "__main__":
    run_main(main, "point_aircraft")
