"""All solutions of a pose: how many branches, how they hang together, and what postures have in common.

    python scripts/explore_solutions.py
    python scripts/explore_solutions.py robot=franka_panda targets=3
    python scripts/explore_solutions.py --multirun robot=kuka_iiwa,franka_panda,xarm6

Random starts find solutions; scikit-learn groups them; tracing the null space of the Jacobian gives the truth to compare
with. The run folder holds results.json, solutions.csv (of the first target), branches.png, synergies.png and
solutions.png.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import torch
from common import SCHEMA, check_positive, require, run_folder, run_main, write_json
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

import diffkin as dk
from diffkin.ik.solutions import (
    SIGNS,
    Arc,
    all_solutions,
    cluster,
    local_dimension,
    null_directions,
    purity,
    sign_labels,
    synergies,
    trace_arcs,
)
from diffkin.plotting import new_figure, picture_grid, save_figure
from diffkin.simulation.checks import read_back
from diffkin.simulation.pictures import render_solutions
from diffkin.simulation.world import is_installed, load, open_world

_NEIGHBOURS = 10

# -- the configuration and its types --------------------------------------------------------------------------------


@dataclass
class RobotConfig:
    """A named robot, or the file of one."""

    name: str = MISSING
    path: Optional[str] = None
    base: Optional[str] = None
    tip: Optional[str] = None


@dataclass
class ExploreConfig:
    """All there is to choose."""

    robot: RobotConfig = field(default_factory=RobotConfig)
    seed: int = 0
    targets: int = 10
    starts: int = 20000
    spacing: float = 0.01
    radius: float = 0.12
    step: float = 0.03
    postures: int = 2000
    pictured: int = 6
    pybullet: bool = True


ConfigStore.instance().store(name=f"{SCHEMA}explore_solutions", node=ExploreConfig)


def check_config(config: Any) -> None:
    """Raise for values out of range."""
    check_positive(config, "targets", "starts", "spacing", "radius", "step")
    require(config.postures >= 50, "postures", config.postures, "at least 50")
    require(config.pictured >= 0, "pictured", config.pictured, "a whole number of at least 0")
    require(config.seed >= 0, "seed", config.seed, "a whole number of at least 0")


@dataclass(frozen=True, eq=False)
class Explored:
    """What was found for one target."""

    T_target: Tensor
    q: Tensor
    clusters: Tensor
    arcs: tuple[Arc, ...]
    labels: Tensor
    figures: dict[str, Any]


# -- the job --------------------------------------------------------------------------------------------------------


def main(config: Any) -> float:
    """Solve, group, trace, compare, draw; the purity is what a sweep would maximise."""
    check_config(config)
    console = Console()
    folder = run_folder()
    robot = dk.load_robot(config.robot.path or config.robot.name, base=config.robot.base, tip=config.robot.tip)
    robot = robot.to(dtype=torch.float64)
    targets = robot.forward_kinematics(robot.sample(config.targets, seed=config.seed))
    found = [
        explore(robot, T_target, config, index)
        for index, T_target in enumerate(track(targets, description=f"exploring {robot.name}", console=console))
    ]
    results = summary(robot, config, found)
    results["synergies"] = postures(robot, config, folder)
    results["pybullet"] = check(robot, found) if config.pybullet and is_installed() else None
    write_json(folder / "results.json", results)
    write_csv(folder / "solutions.csv", robot, found[0])
    draw_branches(folder, robot, found[0])
    if is_installed() and config.pictured:
        draw_arm(folder, robot, found[0], config.pictured)
    show(console, results)
    if config.pybullet and not is_installed():
        console.print("No PyBullet check: pybullet is not installed (pip install pybullet).")
    console.print(f"Saved in [bold]{folder}[/bold]: " + ", ".join(sorted(p.name for p in folder.iterdir())))
    return float(results["purity"])


def explore(robot: dk.Robot, T_target: Tensor, config: Any, index: int) -> Explored:
    """All about one target."""
    q = all_solutions(robot, T_target, config.starts, config.spacing, seed=config.seed + 1000 + index)
    require(len(q) > 0, "starts", config.starts, "large enough to find a solution")
    nullity, _ = null_directions(robot, q)
    clusters = cluster(robot, q, config.radius)
    arcs, labels = trace_arcs(robot, T_target, q, clusters, config.step)
    curved = nullity > 0 and len(q) > _NEIGHBOURS
    dimension = local_dimension(robot, q, _NEIGHBOURS) if curved else torch.zeros(len(q), dtype=torch.long)
    signs = SIGNS.get(robot.name)
    figures = {
        "solutions": len(q),
        "clusters": int(clusters.max()) + 1,
        "arcs": len(arcs),
        "closed_arcs": sum(arc.closed for arc in arcs),
        "purity": min(purity(clusters, labels), purity(clusters, sign_labels(q, signs)) if signs else 1.0),
        "nullity": nullity,
        "local_dimension_one_share": float((dimension == 1).double().mean()),
        "sign_branches": len(sign_labels(q, signs).unique()) if signs else None,
    }
    return Explored(T_target, q, clusters, arcs, labels, figures)


def summary(robot: dk.Robot, config: Any, found: list[Explored]) -> dict[str, Any]:
    """Figures over all targets: the least purity, totals of clusters and arcs, the median number of sign branches."""
    each = [one.figures for one in found]
    count = sum(row["solutions"] for row in each)
    known = SIGNS.get(robot.name)
    branches = sorted(row["sign_branches"] for row in each) if known else []
    return {
        "robot": robot.name,
        "seed": config.seed,
        "purity": min(row["purity"] for row in each),
        "clusters": sum(row["clusters"] for row in each),
        "arcs": sum(row["arcs"] for row in each),
        "local_dimension_one_share": sum(row["local_dimension_one_share"] * row["solutions"] for row in each) / count,
        "sign_branches_found": branches[len(branches) // 2] if known else None,
        "all_sign_branches_share": sum(b == 2 ** len(known) for b in branches) / len(branches) if known else None,
        "clusters_equal_arcs_share": sum(row["clusters"] == row["arcs"] for row in each) / len(each),
        "solutions": count,
        "targets": each,
    }


def postures(robot: dk.Robot, config: Any, folder: Path) -> dict[str, Any]:
    """Principal components of the postures nearest to mid-range that reach random poses."""
    T = robot.forward_kinematics(robot.sample(config.postures, seed=config.seed + 1))
    lower, upper = robot.lower, robot.upper
    middle = torch.where(torch.isfinite(lower + upper), 0.5 * (lower + upper), 0.0)
    result = dk.solve_ik(robot, T, q0=middle.expand(len(T), robot.dof), nearest_of=8, seed=config.seed)
    shares, components = synergies(result.q[result.success])
    figure = new_figure(9.0, 3.6)
    left, right = figure.subplots(1, 2)
    left.bar(range(1, len(shares) + 1), 100.0 * shares.numpy())
    left.set(xlabel="component", ylabel="share of the variance [%]")
    right.imshow(components[:3].numpy(), vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
    right.set(xticks=range(robot.dof), xticklabels=[f"q{k + 1}" for k in range(robot.dof)])
    right.set(yticks=range(min(3, robot.dof)), ylabel="component")
    save_figure(figure, folder / "synergies.png")
    return {"postures": int(result.success.sum()), "variance_shares": shares.tolist()}


def check(robot: dk.Robot, found: list[Explored]) -> dict[str, float]:
    """Solutions and points of traced arcs, set in PyBullet: the farthest its tip is from the target."""
    positions, angles, count = [], [], 0
    with open_world() as client:
        arm = load(client, robot)
        for one in found:
            points = torch.cat(
                [one.q[:: max(1, len(one.q) // 20)], *(arc.q[len(arc.q) // 2][None] for arc in one.arcs)]
            )
            distance, angle = read_back(arm, points, one.T_target.expand(len(points), 4, 4))
            positions.append(float(distance.max()))
            angles.append(float(angle.max()))
            count += len(points)
    return {"solutions": count, "position_error_m_max": max(positions), "rotation_error_rad_max": max(angles)}


# -- what is shown and saved ----------------------------------------------------------------------------------------


def show(console: Console, results: dict[str, Any]) -> None:
    """One line a target, and the figures over all."""
    table = Table(title=f"Solutions of {len(results['targets'])} poses of {results['robot']}")
    for name in ("solutions", "clusters", "arcs", "purity", "nullity", "dimension 1", "sign branches"):
        table.add_column(name, justify="right")
    keys = ("solutions", "clusters", "arcs", "purity", "nullity", "local_dimension_one_share", "sign_branches")
    for row in results["targets"]:
        values = [row[key] for key in keys]
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else "-" if v is None else str(v) for v in values))
    console.print(table)
    if results["pybullet"] is not None:
        told = results["pybullet"]
        errors = f"{told['position_error_m_max']:.1e} m, {told['rotation_error_rad_max']:.1e} rad"
        console.print(f"PyBullet: {told['solutions']} of them set, farthest from the target {errors}")
    shares = ", ".join(f"{100 * share:.0f}" for share in results["synergies"]["variance_shares"])
    console.print(f"Synergies: the components hold {shares} % of the variance of reachable postures")


def write_csv(path: Path, robot: dk.Robot, one: Explored) -> None:
    """One row a solution: its cluster, its arc, its coordinates."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["cluster", "arc", *robot.joint_names])
        for group, arc, q in zip(one.clusters.tolist(), one.labels.tolist(), one.q.tolist()):
            writer.writerow([group, arc, *q])


def draw_branches(folder: Path, robot: dk.Robot, one: Explored) -> None:
    """Solutions coloured by cluster over three pairs of joints, traced arcs as lines over them."""
    pairs = [(k, min(k + 2, robot.dof - 1)) for k in range(0, max(1, robot.dof - 2), 2)][:3]
    figure = new_figure(4.6 * len(pairs), 4.4)
    for axes, (a, b) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs):
        axes.scatter(one.q[:, a], one.q[:, b], c=one.clusters % 20, cmap="tab20", s=9)
        for arc in one.arcs:
            axes.plot(arc.q[:, a], arc.q[:, b], color="k", linewidth=0.6)
        axes.set(xlabel=f"{robot.joint_names[a]} [rad]", ylabel=f"{robot.joint_names[b]} [rad]")
    figure.suptitle(f"{robot.name}: {one.figures['clusters']} clusters (colour), {len(one.arcs)} traced arcs (lines)")
    save_figure(figure, folder / "branches.png")


def draw_arm(folder: Path, robot: dk.Robot, one: Explored, count: int) -> None:
    """The arm in the middle of its longest arcs."""
    longest = sorted(one.arcs, key=lambda arc: -len(arc.q))[:count]
    q = torch.stack([arc.q[len(arc.q) // 2] for arc in longest])
    pictures = render_solutions(robot, q, one.T_target.expand(len(q), 4, 4))
    labels = [f"arc of {len(arc.q)} steps" for arc in longest]
    save_figure(picture_grid(pictures, labels, title="One posture of each branch"), folder / "solutions.png")


if __name__ == "__main__":
    run_main(main, "explore_solutions")
