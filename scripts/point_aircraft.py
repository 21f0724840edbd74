"""Point an aircraft: attitude and gimbal angles by inverse kinematics, checked and flown in PyBullet.

python scripts/point_aircraft.py aircraft=fixed_wing target=ground_point
python scripts/point_aircraft.py aircraft=quadrotor target=direction target.count=10000 check.pybullet=false
python scripts/point_aircraft.py aircraft.path=my_aircraft.urdf target.ray=my_camera

The run folder holds results.json, pointing_error.png, attitudes.png, flight.png and, in .hydra, the configuration.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import torch
from common.aircraft import AircraftConfig, ControllerConfig, check_unflown, controller_of, load_airframe, torque_limit
from common.aircraft_targets import SunConfig, TargetConfig, make_sun, make_targets
from common.folders import run_folder
from common.results import save_results
from common.run import run_main
from common.settings import A_DAY, check_not_negative, check_positive, typed
from common.tables import cell, say, show_jacobian, show_pairs, show_table
from omegaconf import DictConfig
from torch import Tensor

from diffkin import aircraft, plotting, rotations, simulation
from diffkin.aircraft import Airframe, KeepOut, Pointing, RayTarget


@dataclass(frozen=True)
class CheckConfig:
    """What is done in PyBullet."""

    pybullet: bool
    jacobians: int
    flights: int
    seconds: float
    pictures: int


@dataclass(frozen=True)
class PointAircraftConfig:
    """All there is to choose."""

    aircraft: AircraftConfig
    target: TargetConfig
    controller: ControllerConfig
    seed: int
    roll: str
    tolerance_rad: float
    locked: Optional[list[str]]
    sun: SunConfig
    check: CheckConfig


def check_config(config: PointAircraftConfig) -> None:
    """Raise for values out of range."""
    check_positive(config, "target.count", "tolerance_rad")
    check_positive(config, "check.seconds", most=A_DAY)
    config.aircraft.check()
    check_not_negative(config, "check.jacobians", "check.flights", "check.pictures")
    check_unflown(config.check.pybullet, config.check.flights)


def main(cfg: DictConfig) -> None:
    """Point, judge, draw, set in PyBullet and fly there, save."""
    config = typed(PointAircraftConfig, cfg)
    check_config(config)
    torch.set_default_dtype(torch.float64)
    airframe = load_airframe(config.aircraft)
    target, position = make_targets(config.target, config.seed)
    bank, pitch = config.aircraft.max_bank(), config.aircraft.max_pitch()
    sun = make_sun(config.sun, target.ray)
    start = time.perf_counter()
    found = aircraft.point(
        airframe, target, position=position, locked=config.locked, roll=config.roll, keep_out=sun or (),
        max_bank=bank, max_pitch=pitch, tolerance=config.tolerance_rad, seed=config.seed, history=True,
    )  # fmt: skip
    seconds, solved = time.perf_counter() - start, found.success
    results: dict[str, Any] = {
        "aircraft": airframe.robot.name,
        "target": config.target.kind,
        "ray": target.ray,
        "seed": config.seed,
        "targets": solved.numel(),
        "solved": int(solved.sum()),
        "worst_pointing_error_rad": float(found.pointing_error[solved].max()) if bool(solved.any()) else None,
        "limit_violations": count_violations(airframe, found, bank, pitch, sun),
        "iterations_mean": float(found.ik.iterations.double().mean()),
        "seconds": seconds,
        "microseconds_per_target": 1e6 * seconds / max(solved.numel(), 1),
        "pybullet": None,
    }
    show_answers(airframe, found, results)
    results["jacobian_difference"] = compare_jacobian(airframe, found, position)
    folder = run_folder()
    assert found.ik.history is not None  # asked for
    figure = plotting.convergence_figure(found.ik.history, config.tolerance_rad, "Pointing error", "angle [rad]")
    plotting.save_figure(figure, folder / "pointing_error.png")
    if config.check.pybullet and not simulation.is_installed():
        say("PyBullet is not installed (pip install pybullet), so nothing is checked or flown there.")
    elif config.check.pybullet and not bool(solved.any()):
        say("No target is solved, so there is nothing to set in PyBullet. Loosen limits or targets.")
        results["pybullet"] = {}
    elif config.check.pybullet:
        measured = set_in_bullet(folder, config.check, airframe, target, position, found)
        results["pybullet"] = measured | fly_to_answers(folder, config, airframe, found)
        show_pairs("PyBullet", results["pybullet"].items())
    save_results(folder, results)


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


def show_answers(airframe: Airframe, found: Pointing, results: dict[str, Any]) -> None:
    """The first answers and the figures of all."""
    moved = [k for k in range(airframe.dof) if bool((found.q[:, k] != airframe.neutral()[k]).any())]
    joints = [airframe.robot.joint_names[k] for k in moved]
    angles = torch.rad2deg(torch.cat((rotations.matrix_to_euler(found.R_ned_body, "ZYX"), found.q[:, moved]), dim=-1))
    answers = zip((angles.round(decimals=1) + 0.0).tolist(), found.pointing_error.tolist(), found.success.tolist())
    rows = [
        [str(k), *(f"{angle:.1f}" for angle in row), f"{error:.0e}", "yes" if success else "no"]
        for k, (row, error, success) in enumerate(list(answers)[:8])
    ]
    title = f"{results['aircraft']}: {results['solved']} of {results['targets']} targets pointed at [deg]"
    show_table(title, ["target", "yaw", "pitch", "roll", *joints, "error [rad]", "solved"], rows)
    say(
        f"worst error of the solved {cell(results['worst_pointing_error_rad'])} rad, outside a limit "
        f"{results['limit_violations']}, {results['microseconds_per_target']:.0f} microseconds a target"
    )


def compare_jacobian(airframe: Airframe, found: Pointing, position: Tensor) -> float:
    """A wingtip's Jacobian by backward seeds beside the closed form, at the first answer; their largest difference."""
    name = "right_wingtip" if "right_wingtip" in airframe.points else next(iter(airframe.points))
    at = (airframe, name, found.R_ned_body[0], position, found.q[0])
    closed, seeds = aircraft.point_jacobian(*at), aircraft.point_jacobian(*at, method="backward_seeds")
    turns = ("turn x", "turn y", "turn z", "north", "east", "down", *airframe.robot.joint_names)
    return show_jacobian(f"Jacobian of {name}", turns, ("north", "east", "down"), seeds.mT, closed.mT)


def set_in_bullet(
    folder: Path, check: CheckConfig, airframe: Airframe, target: RayTarget, position: Tensor, found: Pointing
) -> dict[str, Any]:
    """Set every answer in PyBullet, measure it there, and take pictures."""
    kept = found.success.nonzero().flatten()
    rotation, q, origin = found.R_ned_body[kept], found.q[kept], torch.zeros(len(kept), 3)
    with simulation.open_airframe(airframe) as flying:
        report = simulation.compare_airframe(flying, rotation, origin, q, jacobians=check.jacobians)
        errors = simulation.measure_pointing(flying, target, found.R_ned_body, position, found.q)
        shown = range(min(check.pictures, len(kept)))
        pictures = [simulation.picture(flying, rotation[k], q[k], ray=target.ray) for k in shown]
    angles = torch.rad2deg(rotations.matrix_to_euler(rotation, "ZYX")).round() + 0.0  # no -0
    labels = ["yaw {:.0f}, pitch {:.0f}, roll {:.0f} deg".format(*angles[k].tolist()) for k in shown]
    if pictures:
        figure = plotting.picture_grid(pictures, labels, title="The aircraft pointing")
        plotting.save_figure(figure, folder / "attitudes.png")
    return {
        "point_difference_m": report.point_difference_m,
        "ray_difference_rad": report.ray_difference_rad,
        "jacobian_difference": report.jacobian_difference,
        "worst_pointing_error_rad": float(errors[kept].max()),
    }


def fly_to_answers(folder: Path, config: PointAircraftConfig, airframe: Airframe, found: Pointing) -> dict[str, Any]:
    """Integrators beside Bullet's, and the controller that turns the aircraft to some of the answers."""
    inertia = airframe.mass_properties().inertia
    kept = found.success.nonzero().flatten()[: config.check.flights]
    results: dict[str, Any] = simulation.compare_integrators(inertia, config.seed)
    results |= {"flights": len(kept), "controlled_within_half_degree": None}
    if not len(kept):
        return results
    goals = found.R_ned_body[kept]
    level = torch.eye(3, dtype=torch.float64).expand(len(kept), 3, 3)
    control = controller_of(config.controller, inertia, torque_limit(config.aircraft), goals)
    flight = simulation.fly(airframe, control, level, q=found.q[kept], seconds=config.check.seconds)
    error = flight.error(goals)[:, -1]
    path = {"PyBullet": (flight.R_ned_body[-1], flight.omega_body[-1])}
    title = f"{airframe.robot.name} flown to an answer by {config.controller.kind}"
    figure = plotting.attitude_figure(flight.time, path, flight.torque[-1], goals[-1], title)
    plotting.save_figure(figure, folder / "flight.png")
    results["controlled_within_half_degree"] = float((error <= math.radians(0.5)).double().mean())
    return {**results, "worst_controlled_error_rad": float(error.max())}


if __name__ == "__main__":
    run_main(main, "point_aircraft")
