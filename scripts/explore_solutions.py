"""All solutions of a pose: how many branches, how they hang together, and what postures have in common.

    python scripts/explore_solutions.py
    python scripts/explore_solutions.py robot=franka_panda targets=3
    python scripts/explore_solutions.py robot.path=my_arm.urdf robot.tip=hand
    python scripts/explore_solutions.py --multirun robot=kuka_iiwa,franka_panda,xarm6

Random starts find solutions; scikit-learn groups them; tracing the null space of the Jacobian gives the truth to compare
with. The run folder holds results.json, solutions.csv (of the first target), branches.png, synergies.png and
solutions.png.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common.folders import run_folder
from common.results import save_results, write_csv
from common.robots import RobotConfig, load_robot
from common.run import run_main
from common.settings import check_not_negative, check_positive, require, typed
from common.tables import cell, say, show_table, tracked
from omegaconf import DictConfig

import diffkin as dk
from diffkin import plotting, simulation
from diffkin.ik.solutions.explore import Explored, explore_pose, explore_postures, summarise


@dataclass(frozen=True)
class ExploreConfig:
    """All there is to choose."""

    robot: RobotConfig
    seed: int
    targets: int
    starts: int
    spacing: float
    radius: float
    step: float
    postures: int
    pictured: int
    pybullet: bool


def check_config(config: ExploreConfig) -> None:
    """Raise for values out of range."""
    check_positive(config, "starts", "spacing", "radius", "step")
    check_positive(config, "targets", most=1e6)
    check_not_negative(config, "pictured", "seed")
    require(config.postures >= 50, "postures", config.postures, "at least 50")


def main(cfg: DictConfig) -> float:
    """Solve, group, trace, compare, draw; the purity is what a sweep would maximise."""
    config = typed(ExploreConfig, cfg)
    check_config(config)
    folder = run_folder()
    robot = load_robot(config.robot).to(dtype=torch.float64)
    targets = robot.forward_kinematics(robot.sample(config.targets, seed=config.seed))
    settings = {"spacing": config.spacing, "radius": config.radius, "step": config.step}
    found = [
        explore_pose(robot, T_target, starts=config.starts, seed=config.seed + 1000 + index, **settings)
        for index, T_target in enumerate(tracked(targets, f"exploring {robot.name}", len(targets)))
    ]
    reached, shares, components = explore_postures(robot, config.postures, config.seed)
    installed = simulation.is_installed()
    results = {"robot": robot.name, "seed": config.seed, **summarise(robot, found)}
    results["synergies"] = {"postures": reached, "variance_shares": shares.tolist()}
    results["pybullet"] = check(robot, found) if config.pybullet and installed else None
    save_results(folder, results)
    rows = zip(found[0].clusters.tolist(), found[0].labels.tolist(), found[0].q.tolist())
    write_csv(folder / "solutions.csv", ["cluster", "arc", *robot.joint_names], ([a, b, *q] for a, b, q in rows))
    draw_branches(folder, robot, found[0])
    figure = plotting.synergies_figure(shares, components, robot.joint_names)
    plotting.save_figure(figure, folder / "synergies.png")
    if installed and config.pictured:
        draw_arm(folder, robot, found[0], config.pictured)
    show(results)
    if config.pybullet and not installed:
        say("No PyBullet check: pybullet is not installed (pip install pybullet).")
    return float(results["purity"])


def check(robot: dk.Robot, found: list[Explored]) -> dict[str, float]:
    """Solutions and points of traced arcs, set in PyBullet: the farthest its tip is from the target."""
    positions, angles, count = [], [], 0
    with simulation.open_world() as client:
        arm = simulation.load(client, robot)
        for one in found:
            middles = [arc.q[len(arc.q) // 2][None] for arc in one.arcs]
            points = torch.cat([one.q[:: max(1, len(one.q) // 20)], *middles])
            distance, angle = simulation.read_back(arm, points, one.T_target.expand(len(points), 4, 4))
            positions.append(float(distance.max()))
            angles.append(float(angle.max()))
            count += len(points)
    return {"solutions": count, "position_error_m_max": max(positions), "rotation_error_rad_max": max(angles)}


def show(results: dict[str, Any]) -> None:
    """One line a target, and the figures over all."""
    keys = ("solutions", "clusters", "arcs", "purity", "nullity", "local_dimension_one_share", "sign_branches")
    header = ["target", *keys[:5], "on curves", "signs"]
    rows = [[str(k), *(cell(row[key]) for key in keys)] for k, row in enumerate(results["targets"])]
    show_table(f"Solutions of {len(rows)} poses of {results['robot']}", header, rows)
    if results["pybullet"] is not None:
        told = results["pybullet"]
        errors = f"{told['position_error_m_max']:.1e} m, {told['rotation_error_rad_max']:.1e} rad"
        say(f"PyBullet: {told['solutions']} of them set, farthest from the target {errors}")
    shares = ", ".join(f"{100 * share:.0f}" for share in results["synergies"]["variance_shares"])
    say(f"Synergies: the components hold {shares} % of the variance of reachable postures")


def draw_branches(folder: Path, robot: dk.Robot, one: Explored) -> None:
    """Solutions of one target over pairs of joints."""
    slides = {c for kind, c in zip(robot.tree.kinds, robot.tree.coordinate) if kind == dk.kinematics.PRISMATIC}
    joints = [f"{name} [{'m' if k in slides else 'rad'}]" for k, name in enumerate(robot.joint_names)]
    clusters = int(one.clusters.max()) + 1
    title = f"{robot.name}: {clusters} clusters (colour), {len(one.arcs)} traced arcs (lines)"
    figure = plotting.branches_figure(one.q, one.clusters, [arc.q for arc in one.arcs], joints, title)
    plotting.save_figure(figure, folder / "branches.png")


def draw_arm(folder: Path, robot: dk.Robot, one: Explored, count: int) -> None:
    """The arm in the middle of its longest arcs."""
    longest = sorted(one.arcs, key=lambda arc: -len(arc.q))[:count]
    q = torch.stack([arc.q[len(arc.q) // 2] for arc in longest])
    pictures = simulation.render_solutions(robot, q, one.T_target.expand(len(q), 4, 4))
    labels = [f"arc of {len(arc.q)} steps" for arc in longest]
    figure = plotting.picture_grid(pictures, labels, title="One posture of each branch")
    plotting.save_figure(figure, folder / "solutions.png")


if __name__ == "__main__":
    run_main(main, "explore_solutions")
