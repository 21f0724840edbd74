"""``python -m benchmarks.servo``: diffkin's servo step beside pink and mink, along paths at the arms' own speed limits.

All minimise the same: ``|J x + r|^2 + damping |r|^2 |x|^2`` over one tick, costs of 1 for metres and radians, gain 1, the
same damping, within the limits of position (gain 1) and of velocity; pink and mink by the solver daqp. diffkin moves the
joints towards the middles of their ranges besides, where the target leaves them free; with centring=0 it does not. They
follow the same targets from the same state, one after the other in one thread, each from its own last state. Pinocchio
judges.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import math
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.models import Model, load_model
from diffkin.motion import servo_step

__all__ = ["FOLLOWERS", "NoAnswer", "follow_paths", "main", "motion", "show"]

Floats = NDArray[np.float64]
Tick = Callable[[Floats, Floats], Floats]
"""From coordinates (dof,) and the target (4, 4) to the coordinates after the tick."""

ROBOTS = ("kuka_iiwa", "franka_panda", "xarm6")
TICKS = 500
SHARE = 0.9  # of the velocity limits that the motions behind the paths use at their fastest
DAMPING = 0.5  # diffkin's default
FAR = 1e-3  # [m] a path that is ever farther away counts as left
LOST = 1e-2  # [m] one that ends farther away, as lost
SLACK = 1e-6  # [rad, relative for speeds] broken limits are counted from here; daqp's own tolerance is of that size


class NoAnswer(Exception):
    """A follower's solver found no motion for a tick."""


def motion(lower: Floats, upper: Floats, seed: int) -> Floats:
    """(TICKS, dof) a smooth closed motion of all joints within limits, of three waves each."""
    rng = np.random.default_rng(seed)
    low, high = np.maximum(lower, -math.pi), np.minimum(upper, math.pi)
    middle = low + rng.uniform(0.3, 0.7, len(low)) * (high - low)
    room = 0.9 * np.minimum(middle - low, high - middle) * rng.uniform(size=len(low))
    size, phase = rng.uniform(-0.5, 0.5, (3, len(low))), rng.uniform(0.0, 2.0 * math.pi, (3, len(low)))
    size *= room / np.abs(size).sum(0)
    at = np.linspace(0.0, 2.0 * math.pi, TICKS)[:, None, None]
    waves = size * np.sin(np.arange(1, 4)[:, None] * at + phase)
    return middle + waves.sum(1)


# -- the followers --------------------------------------------------------------------------------------------------


def diffkin_tick(model: Model, fastest: Floats, dt: float, damping: float, centring: float = 1.0) -> Tick:
    """diffkin's, with the arrays made tensors in the measured time."""
    robot = model.robot.replace(max_velocity=torch.from_numpy(fastest))
    still = torch.zeros(model.dof, dtype=torch.float64)

    def tick(q: Floats, target: Floats) -> Floats:
        state, pose = torch.from_numpy(q), torch.from_numpy(target)
        return servo_step(robot, state, still, pose, dt, damping=damping, centring=centring).q.numpy()

    return tick


def pink_tick(model: Model, fastest: Floats, dt: float, damping: float) -> Tick:
    """pink's, with a configuration that is updated in place."""
    import pink
    from pink.exceptions import NoSolutionFound
    from pink.limits import ConfigurationLimit, VelocityLimit
    from pink.tasks import FrameTask
    from qpsolvers.exceptions import SolverError

    arm = model.pin_model
    task = FrameTask(model.tip, 1.0, 1.0, lm_damping=damping, gain=1.0)
    limits = [ConfigurationLimit(arm, config_limit_gain=1.0), VelocityLimit(arm, fastest)]
    configuration = pink.Configuration(arm, arm.createData(), pin.neutral(arm), copy_data=False)

    def tick(q: Floats, target: Floats) -> Floats:
        configuration.update(q)
        task.set_target(pin.SE3(target))
        try:
            speed = pink.solve_ik(configuration, [task], dt, "daqp", limits=limits, safety_break=False)
        except (NoSolutionFound, SolverError) as error:
            raise NoAnswer(f"pink: {error}") from error
        return pin.integrate(arm, q, speed * dt)

    return tick


def mink_tick(model: Model, fastest: Floats, dt: float, damping: float) -> Tick:
    """mink's, likewise, on MuJoCo's model of the same text."""
    import mink
    import mujoco
    from mink.exceptions import NoSolutionFound
    from qpsolvers.exceptions import SolverError

    arm = mujoco.MjModel.from_xml_string(_without_fingers(model))
    names = [arm.joint(joint).name for joint in range(arm.njnt)]
    if names != list(model.robot.joint_names):
        raise ValueError(f"{model.name}: MuJoCo orders the joints {names}")
    configuration = mink.Configuration(arm)
    task = mink.FrameTask(model.tip, "body", 1.0, 1.0, gain=1.0, lm_damping=damping)
    velocities = dict(zip(names, fastest, strict=True))
    limits = [mink.ConfigurationLimit(arm, gain=1.0), mink.VelocityLimit(arm, velocities)]

    def tick(q: Floats, target: Floats) -> Floats:
        configuration.update(q)
        task.set_target(mink.SE3.from_matrix(target))
        try:
            speed = mink.solve_ik(configuration, [task], dt, "daqp", limits=limits)
        except (NoSolutionFound, SolverError) as error:
            raise NoAnswer(f"mink: {error}") from error
        return configuration.integrate(speed, dt)

    return tick


def _without_fingers(model: Model) -> str:
    """The model's text with the joints fixed that are not the arm's, its links kept apart by MuJoCo."""
    root = ElementTree.fromstring(model.text)
    for joint in root.iter("joint"):
        if joint.get("name") not in model.robot.joint_names:
            joint.set("type", "fixed")
            for part in [*joint.findall("mimic"), *joint.findall("limit"), *joint.findall("axis")]:
                joint.remove(part)
    extension = ElementTree.SubElement(root, "mujoco")
    ElementTree.SubElement(extension, "compiler", {"fusestatic": "false", "balanceinertia": "true"})
    return ElementTree.tostring(root, encoding="unicode")


FOLLOWERS: dict[str, Callable[[Model, Floats, float, float], Tick]] = {
    "diffkin": diffkin_tick,
    "diffkin, centring=0": functools.partial(diffkin_tick, centring=0.0),
    "pink": pink_tick,
    "mink": mink_tick,
}


def package(follower: str) -> str:
    """The package that a follower is of."""
    return follower.partition(",")[0]


# -- following ------------------------------------------------------------------------------------------------------


def follow_paths(paths: int, robots: tuple[str, ...] = ROBOTS, damping: float = DAMPING) -> dict[str, dict[str, float]]:
    """Follow ``paths`` paths of each robot by every follower that is installed.

    Returns:
        By follower: ``paths``, ``left`` (paths that were more than FAR away at some tick), ``lost``, ``failed`` (a solver
        gave up), ticks that broke a ``position_limits`` or ``velocity_limits``, the worst of each [rad, rad/s], and
        ``p50_us`` and ``p99_us`` of a tick.
    """
    followers = {name: make for name, make in FOLLOWERS.items() if importlib.util.find_spec(package(name)) is not None}
    found: dict[str, dict[str, Any]] = {name: _nothing() for name in followers}
    for robot in robots:
        model = load_model(robot)
        fastest = model.robot.max_velocity.numpy().copy()
        for seed in range(paths):
            wanted = motion(model.lower, model.upper, seed)
            dt = float((np.abs(np.diff(wanted, axis=0)) / fastest).max() / SHARE)
            targets = model.poses(wanted)
            for name, make in followers.items():
                _follow(make(model, fastest, dt, damping), model, fastest, dt, wanted[0], targets, found[name])
    for values in found.values():
        seconds = np.concatenate(values.pop("seconds"))
        values["p50_us"], values["p99_us"] = (float(1e6 * np.percentile(seconds, part)) for part in (50, 99))
    return found


def _nothing() -> dict[str, Any]:
    counted = (
        "paths",
        "left",
        "lost",
        "failed",
        "position_limits",
        "velocity_limits",
        "worst_position",
        "worst_velocity",
    )
    return {**dict.fromkeys(counted, 0), "seconds": []}


def _follow(
    tick: Tick, model: Model, fastest: Floats, dt: float, start: Floats, targets: Floats, found: dict[str, Any]
) -> None:
    q, followed, seconds = start, [start], []
    for _ in range(20):  # caches and compiled code as in a loop that goes on
        tick(start, targets[1])
    for target in targets[1:]:
        begin = time.perf_counter()
        try:
            q = tick(q, target)
        except NoAnswer as error:
            print(f"No answer on a path of {model.name} by {error}", file=sys.stderr)
            found["failed"] += 1
            break
        seconds.append(time.perf_counter() - begin)
        followed.append(q)
    way = np.stack(followed)
    away = np.linalg.norm(model.poses(way)[:, :3, 3] - targets[: len(way), :3, 3], axis=1)
    beyond = np.maximum(model.lower - way, way - model.upper).max(1)
    over = (np.abs(np.diff(way, axis=0)) / dt - fastest).max(1, initial=-np.inf)
    found["paths"] += 1
    found["left"] += bool(away.max() > FAR or len(way) < len(targets))
    found["lost"] += bool(away[-1] > LOST or len(way) < len(targets))
    found["position_limits"] += int((beyond > SLACK).sum())
    found["velocity_limits"] += int((over > SLACK * fastest.max()).sum())
    found["worst_position"] = max(found["worst_position"], float(beyond.max()))
    found["worst_velocity"] = max(found["worst_velocity"], float(over.max(initial=0.0)))
    found["seconds"].append(np.array(seconds))


def show(found: dict[str, dict[str, float]], console: Console) -> None:
    """Print the table."""
    table = Table(title=f"Following paths of {TICKS} ticks at {SHARE:.0%} of the arms' velocity limits")
    heads = (
        "",
        "paths",
        f"over {1e3 * FAR:g} mm",
        "lost",
        "failed",
        "ticks beyond a joint limit",
        "above a speed limit",
    )
    for head in (*heads, "p50 [us]", "p99 [us]"):
        table.add_column(head, justify="left" if not head else "right", min_width=0 if head else 10)
    for name, values in found.items():
        counts = [f"{values[key]}" for key in ("paths", "left", "lost", "failed")]
        broken = [
            f"{values[f'{kind}_limits']} (by {values[f'worst_{kind}']:.0e})" if values[f"{kind}_limits"] else "0"
            for kind in ("position", "velocity")
        ]
        table.add_row(name, *counts, *broken, f"{values['p50_us']:.0f}", f"{values['p99_us']:.0f}")
    console.print(table)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", type=int, default=60, help="paths of each robot (60)")
    parser.add_argument("--robots", default=",".join(ROBOTS), help=f"comma-separated: {', '.join(ROBOTS)}")
    parser.add_argument("--damping", type=float, default=DAMPING, help=f"of all ({DAMPING})")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks"), help="folder of servo.json")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = follow_paths(given.paths, tuple(given.robots.split(",")), given.damping)
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "servo.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    console = Console()
    show(found, console)
    for name in FOLLOWERS.keys() - found.keys():
        console.print(f"{name} is not installed: pip install 'diffkin[bench]'")


if __name__ == "__main__":
    main()
