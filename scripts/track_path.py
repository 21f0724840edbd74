"""Let an arm follow a path of poses, whole or tick by tick, and play it in PyBullet under motor control.

    python scripts/track_path.py robot=franka_panda path=lissajous path.size=0.3
    python scripts/track_path.py follower=servo path.seconds=3
    python scripts/track_path.py path=csv path.file=poses.csv robot.path=my_arm.urdf robot.tip=hand

The run folder holds results.json, path.csv (a row a tick), path.png and, in .hydra, the configuration.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import torch
from common.folders import run_folder
from common.paths import PATHS, PathConfig, check_follower, make_path
from common.results import save_results, write_csv
from common.robots import RobotConfig, load_robot
from common.run import run_main
from common.settings import A_DAY, check_not_negative, check_positive, choose, require, typed
from common.tables import say, show_pairs
from omegaconf import DictConfig
from torch import Tensor

import diffkin as dk
from diffkin import motion, plotting, simulation
from diffkin.ik import PositionTask

FOLLOWERS = ("path", "servo")
ROUNDING = 1e-9


@dataclass(frozen=True)
class FollowerConfig:
    """How the path is followed; what belongs to the other follower is null."""

    name: str
    tolerance: float
    acceleration_limit: Optional[float] = None
    damping: Optional[float] = None
    when_limited: Optional[str] = None
    allow_reconfigurations: Optional[bool] = None
    limit_weight: Optional[float] = None


@dataclass(frozen=True)
class TrackPathConfig:
    """All there is to choose."""

    robot: RobotConfig
    path: PathConfig
    follower: FollowerConfig
    seed: int
    orientation: bool
    play: bool
    gui: bool


@dataclass(frozen=True, eq=False)
class Tracked:
    """Coordinates (n, dof) along the path, errors (n,) and ticks of reconfigurations."""

    q: Tensor
    position_error: Tensor
    rotation_error: Tensor
    reconfigurations: tuple[int, ...]


def check_config(config: TrackPathConfig) -> None:
    """Raise for values out of range."""
    choose(config.path.kind, PATHS, "path.kind")
    check_follower(choose(config.follower.name, FOLLOWERS, "follower"))
    check_positive(config, "follower.tolerance")
    check_positive(config, "path.seconds", most=A_DAY)
    check_not_negative(config, "seed")
    if config.path.kind != "csv":
        check_positive(config, "path.size")
        require(config.path.ticks >= 2, "path.ticks", config.path.ticks, "at least 2")


def main(cfg: DictConfig) -> float:
    """Make the path, follow it, judge, play, draw, save; the share of ticks reached is what a sweep would maximise."""
    config = typed(TrackPathConfig, cfg)
    check_config(config)
    folder, robot = run_folder(), load_robot(config.robot).to(dtype=torch.float64)
    T, near, closed = make_path(robot, config.path, config.seed, config.orientation)
    dt = config.path.seconds / max(1, len(T) - 1)
    follow = follow_path if config.follower.name == "path" else follow_by_servo
    tracked = follow(robot, T, near, closed, dt, config)
    results: dict[str, Any] = {**summary(robot, config, tracked, dt), "pybullet": None}
    if config.play and simulation.is_installed():
        with simulation.open_world() as client:
            played = simulation.play_path(simulation.load(client, robot), tracked.q, dt)
        worst = {"worst_joint_error": played.joint_error.abs().max(), "worst_tip_error_m": played.tip_error.max()}
        results["pybullet"] = {name: float(value) for name, value in worst.items()}
    elif config.play:
        say("Not played: pybullet is not installed (`pip install pybullet`, on Python 3.10 or 3.11).")
    show_pairs(f"{robot.name} along a {config.path.kind}", [(name, str(value)) for name, value in results.items()])
    if results["reached"] < results["ticks"] and (config.path.kind != "csv", config.follower.name) == (True, "path"):
        say(
            f"{robot.name} does not reach all of this {config.path.kind} anywhere that was tried. Make it smaller, "
            "path.size=..."
            + ("" if not config.orientation else ", or follow its points alone, orientation=false")
            + "."
        )
    save_table(folder / "path.csv", robot, tracked, dt)
    save_results(folder, results)
    save_figure(folder / "path.png", robot, config, tracked, dt)
    if config.gui:
        said = simulation.show_path(robot, tracked.q, dt)
        say("The window was shown." if said == "shown" else said)
    return float(results["reached"]) / float(results["ticks"])


# -- following ------------------------------------------------------------------------------------------------------


def target_at(T: Tensor, orientation: bool) -> Any:
    """Poses as targets, or their points alone."""
    return T if orientation else PositionTask(None, T[..., :3, 3])


def follow_path(robot: dk.Robot, T: Tensor, near: Tensor, closed: bool, dt: float, config: TrackPathConfig) -> Tracked:
    """All ticks at once. A path from a file starts where it likes, a figure where it was drawn."""
    found = motion.solve_path(
        robot, target_at(T, config.orientation), q_start=None if config.path.kind == "csv" else near, closed=closed,
        allow_reconfigurations=bool(config.follower.allow_reconfigurations), seed=config.seed,
        limit_weight=config.follower.limit_weight or 0.0,
    )  # fmt: skip
    return Tracked(found.q, found.position_error, found.rotation_error, found.reconfigurations)


def follow_by_servo(
    robot: dk.Robot, T: Tensor, near: Tensor, closed: bool, dt: float, config: TrackPathConfig
) -> Tracked:
    """Tick by tick from rest at the first pose."""
    options = {"acceleration_limit": config.follower.acceleration_limit, "damping": config.follower.damping,
               "when_limited": config.follower.when_limited}  # fmt: skip
    start = dk.solve_ik(robot, target_at(T[0], config.orientation), q0=near, seed=config.seed)
    rows = [(start.q, start.position_error, start.rotation_error)]
    q, dq = start.q, torch.zeros_like(start.q)
    for pose in T[1:]:
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        step = motion.servo_step(robot, q, dq, target_at(pose, config.orientation), dt, **given)
        q, dq = step.q, step.dq
        rows.append((q, step.position_error, step.rotation_error))
    path, position, rotation = (torch.stack(column) for column in zip(*rows, strict=True))
    return Tracked(path, position, rotation, ())


# -- what is shown and saved ----------------------------------------------------------------------------------------


def speeds_of(q: Tensor, dt: float) -> Tensor:
    """(n, dof) speed on the way to every tick, zero at the first."""
    return torch.cat((torch.zeros_like(q[:1]), q.diff(dim=0) / dt))


def summary(robot: dk.Robot, config: TrackPathConfig, tracked: Tracked, dt: float) -> dict[str, Any]:
    """What results.json holds, but for PyBullet. Violations are counted in ticks."""
    q, tolerance = tracked.q, config.follower.tolerance
    reached = (tracked.position_error <= tolerance) & (tracked.rotation_error <= tolerance)
    fast = (speeds_of(q, dt).abs() > robot.max_velocity * (1.0 + ROUNDING) + ROUNDING).any(-1)
    return {
        "robot": robot.name,
        "path": config.path.kind,
        "follower": config.follower.name,
        "seed": config.seed,
        "ticks": len(q),
        "reached": int(reached.sum()),
        "largest_step_rad": float(q.diff(dim=0).abs().max()) if len(q) > 1 else 0.0,
        "limit_violations": int(((q < robot.lower) | (q > robot.upper)).any(-1).sum()),
        "velocity_violations": int(fast.sum()),
        "worst_position_error_m": float(tracked.position_error.max()),
        "worst_rotation_error_rad": float(tracked.rotation_error.max()),
        "reconfigurations": list(tracked.reconfigurations),
    }


def save_table(path: Path, robot: dk.Robot, tracked: Tracked, dt: float) -> None:
    """One row for each tick."""
    header = ["seconds", "position_error_m", "rotation_error_rad", *(f"q_{name}" for name in robot.joint_names)]
    errors = zip(tracked.position_error.tolist(), tracked.rotation_error.tolist(), tracked.q.tolist())
    write_csv(path, header, [[k * dt, position, rotation, *q] for k, (position, rotation, q) in enumerate(errors)])


def save_figure(path: Path, robot: dk.Robot, config: TrackPathConfig, tracked: Tracked, dt: float) -> None:
    """Errors, joint speeds and manipulability over time."""
    errors = {"position [m]": tracked.position_error, "rotation [rad]": tracked.rotation_error}
    least = torch.linalg.svdvals(robot.jacobian(tracked.q))[:, min(robot.dof, 6) - 1]
    time = dt * torch.arange(len(tracked.q), dtype=torch.float64)
    title = f"{robot.name}, {config.path.kind}, by {config.follower.name}"
    speeds = speeds_of(tracked.q, dt)
    figure = plotting.path_figure(time, errors, speeds, robot.max_velocity, robot.joint_names, least, title)
    plotting.save_figure(figure, path)


if __name__ == "__main__":
    run_main(main, "track_path")
