"""Solve inverse kinematics for a batch of targets and hold the solutions against PyBullet.

    python scripts/solve_ik.py robot=franka_panda solver=adam target.count=500 seed=3
    python scripts/solve_ik.py robot.path=my_arm.urdf robot.tip=hand
    python scripts/solve_ik.py --multirun robot=kuka_iiwa,franka_panda,xarm6 solver=levenberg_marquardt,lbfgs

The run folder holds results.json, results.csv (a row a target), convergence.png, targets.png and, in .hydra, the
configuration.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import time
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import torch
from common import SCHEMA, as_dict, check_positive, require, run_folder, run_main, write_json
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from torch import Tensor

import diffkin as dk
from diffkin import plotting, rotations
from diffkin.ik import SOLVERS, IKResult
from diffkin.simulation.checks import BulletIK, BulletReport, check_solutions
from diffkin.simulation.pictures import render_solutions
from diffkin.simulation.window import show_solutions
from diffkin.simulation.world import is_installed

# -- the configuration and its types --------------------------------------------------------------------------------


@dataclass
class RobotConfig:
    """A named robot, or the file of one."""

    name: str = MISSING
    path: Optional[str] = None
    base: Optional[str] = None
    tip: Optional[str] = None


@dataclass
class TargetConfig:
    """What the tip is to reach."""

    kind: str = MISSING
    count: int = MISSING


@dataclass
class CheckConfig:
    """The comparison with PyBullet."""

    enabled: bool = MISSING
    gui: bool = False
    configurations: int = 50
    driven: int = 5
    compared: int = 200
    position_tolerance: float = 1e-3
    rotation_tolerance: float = 1e-3


@dataclass
class SolveIKConfig:
    """All there is to choose."""

    robot: RobotConfig = field(default_factory=RobotConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    solver: Any = MISSING
    check: CheckConfig = field(default_factory=CheckConfig)
    seed: int = 0
    pictured: int = 6
    plotted: int = 100


def solver_schema(name: str) -> type:
    """The typed fields of a solver's group file: tolerances, budget, and the solver's own settings."""
    types = typing.get_type_hints(SOLVERS[name])
    own = [(f.name, types[f.name], f) for f in dataclasses.fields(SOLVERS[name]) if f.name not in _BUDGET]
    shared: list[Any] = [("name", str, field(default=MISSING))]
    shared += [(key, float, field(default=1e-6)) for key in ("position_tolerance", "rotation_tolerance")]
    shared += [(key, Optional[int], field(default=None)) for key in _BUDGET]  # noqa: UP007
    return dataclasses.make_dataclass(
        f"{SOLVERS[name].__name__}Config",
        [*shared, *((key, kind, field(default=f.default)) for key, kind, f in own)],
    )


_BUDGET = ("max_iterations", "max_restarts")
_STORE = ConfigStore.instance()
_STORE.store(name=f"{SCHEMA}solve_ik", node=SolveIKConfig)
for _name in SOLVERS:
    _STORE.store(group="solver", name=f"{SCHEMA}{_name}", node=solver_schema(_name))


def check_config(config: Any) -> None:
    """Raise for values out of range."""
    check_positive(
        config, "target.count", "solver.position_tolerance", "solver.rotation_tolerance", "check.configurations"
    )
    check_positive(config, "solver.max_iterations", "solver.learning_rate", "solver.damping", "solver.max_step")
    check_positive(config, "check.position_tolerance", "check.rotation_tolerance")
    kinds = ("reachable", "unreachable")
    require(config.target.kind in kinds, "target.kind", config.target.kind, " or ".join(kinds))
    require(config.solver.name in SOLVERS, "solver.name", config.solver.name, " or ".join(SOLVERS))
    for key in ("seed", "pictured", "plotted", "check.driven", "check.compared", "solver.max_restarts"):
        value = OmegaConf.select(config, key)
        require(value is None or value >= 0, key, value, "a whole number of at least 0")


# -- the job --------------------------------------------------------------------------------------------------------


def main(config: Any) -> float:
    """Load, differentiate, solve, check, save; the share solved is what a sweep would maximise."""
    check_config(config)
    console = Console()
    folder = run_folder()
    robot = dk.load_robot(config.robot.path or config.robot.name, base=config.robot.base, tip=config.robot.tip)
    robot.link_index(None)  # no tip: an error that names the leaves, before anything else
    show_jacobian(console, robot, config.seed)
    targets = make_targets(robot, config)

    solver, options = make_solver(config.solver)
    began = time.perf_counter()
    with progress_bar(console) as bar:
        task = bar.add_task(f"{robot.name}, {config.solver.name}", total=len(targets))
        result = dk.solve_ik(
            robot, targets, solver=solver, seed=config.seed, **options,
            progress=lambda finished, total: bar.update(task, completed=finished, total=total),
        )  # fmt: skip
        bar.update(task, completed=len(targets), total=len(targets))
    seconds = time.perf_counter() - began

    report, own, note = (None, None, "The PyBullet check is off (check.enabled=false).")
    if config.check.enabled:
        report, own, note = check(robot, targets, result, config)
    results = summary(robot, config, result, seconds, report)
    write_json(folder / "results.json", results)
    write_csv(folder / "results.csv", robot, targets, result, own)
    show_results(console, results, note)
    save_figures(folder, robot, config, targets, result, drawn=report is not None)
    if config.check.gui:
        solved = result.success.nonzero().flatten()[: max(config.check.driven, 1)]
        said = show_solutions(robot, result.q[solved], targets[solved])
        if said != "shown":
            console.print(said)
    console.print(
        f"Saved in [bold]{folder}[/bold]: " + ", ".join(sorted(p.name for p in folder.iterdir() if p.is_file()))
    )
    return results["solved"] / results["targets"]


def make_targets(robot: dk.Robot, config: Any) -> Tensor:
    """(count, 4, 4) poses of the tip: at random coordinates, or moved out beyond what the arm can reach."""
    poses = robot.forward_kinematics(robot.sample(config.target.count, seed=config.seed))
    if config.target.kind == "reachable":
        return poses
    reach = float(
        robot.tree.origins[:, :3, 3].norm(dim=-1).sum() + robot.tree.link_offsets[:, :3, 3].norm(dim=-1).max()
    )
    slides = torch.maximum(robot.lower.abs(), robot.upper.abs())[torch.tensor(sliding(robot), dtype=torch.long)]
    require(
        bool(torch.isfinite(slides).all()), "target", "unreachable", "reachable for an arm that slides without limit"
    )
    distance = 1.2 * (reach + float(slides.sum())) + 0.1
    position = poses[:, :3, 3]
    outward = position / position.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    poses = poses.clone()
    poses[:, :3, 3] = outward * distance
    return poses


def sliding(robot: dk.Robot) -> list[int]:
    """Coordinates of prismatic joints."""
    kinds, coordinate = robot.tree.kinds, robot.tree.coordinate
    return sorted({c for kind, c in zip(kinds, coordinate) if kind == dk.kinematics.PRISMATIC})


def make_solver(config: Any) -> tuple[Any, dict[str, Any]]:
    """The solver, and the keyword arguments of ``solve_ik`` that go with it."""
    values = as_dict(config)
    name = values.pop("name")
    tolerances = {key: values.pop(key) for key in ("position_tolerance", "rotation_tolerance")}
    budget = {key: value for key in _BUDGET if (value := values.pop(key)) is not None}
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    solver = SOLVERS[name]
    # By its name it takes the fastest way there is; with settings of its own it is an object that holds them.
    plain = solver(**settings) == solver() and name == "levenberg_marquardt"
    return name if plain else solver(**settings, **budget), {**tolerances, **budget}


def check(
    robot: dk.Robot, targets: Tensor, result: IKResult, config: Any
) -> tuple[BulletReport | None, BulletIK | None, str]:
    """The comparison with PyBullet, or why there is none."""
    if not is_installed():
        return None, None, (
            "No PyBullet check: pybullet is not installed. `pip install pybullet` on Python 3.10 or 3.11 installs it."
        )  # fmt: skip
    options = {key: value for key, value in as_dict(config.check).items() if key not in ("enabled", "gui")}
    report, own = check_solutions(robot, targets, result.q, result.success, seed=config.seed, **options)
    return report, own, ""


# -- what is shown and saved ----------------------------------------------------------------------------------------


def show_jacobian(console: Console, robot: dk.Robot, seed: int) -> None:
    """The Jacobian at one configuration twice: by backward seeds, one a row, and in closed form."""
    q = robot.sample(1, seed=seed)[0]
    seeds = robot.jacobian(q, method="backward_seeds")
    closed = robot.jacobian(q, method="geometric")
    tip = robot.link_names[robot.link_index(None)]
    table = Table(title=f"Jacobian of {robot.name}, {tip}: by one backward pass a row, below it in closed form")
    for name in ("row", *(f"q{k + 1}" for k in range(robot.dof)), "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, row, other in zip(("vx", "vy", "vz", "wx", "wy", "wz"), seeds, closed):
        cells = [f"{a:+.3f}\n[dim]{b:+.3f}[/dim]" for a, b in zip(row.tolist(), other.tolist())]
        table.add_row(name, *cells, f"{float((row - other).abs().max()):.0e}")
    console.print(table)


def progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


def summary(
    robot: dk.Robot, config: Any, result: IKResult, seconds: float, report: BulletReport | None
) -> dict[str, Any]:
    """What results.json holds. The worst errors are over the solved targets; null where there are none."""
    solved = result.success
    outside = ((result.q < robot.lower) | (result.q > robot.upper)).any(-1)
    worst = {
        "worst_position_error_m": float(result.position_error[solved].max()) if bool(solved.any()) else None,
        "worst_rotation_error_rad": float(result.rotation_error[solved].max()) if bool(solved.any()) else None,
    }
    return {
        "robot": robot.name,
        "solver": config.solver.name,
        "seed": config.seed,
        "targets": len(solved),
        "solved": int(solved.sum()),
        "limit_violations": int(outside.sum()),
        **worst,
        "worst_position_error_of_all_m": float(result.position_error.max()),
        "worst_rotation_error_of_all_rad": float(result.rotation_error.max()),
        "iterations_mean": float(result.iterations.double().mean()),
        "seconds": seconds,
        "pybullet": None if report is None else report.to_dict(),
    }


def show_results(console: Console, results: dict[str, Any], note: str) -> None:
    """The figures as a table."""
    table = Table(title="Result", show_header=False)
    table.add_row(
        "solved", f"{results['solved']} of {results['targets']}, {results['limit_violations']} outside limits"
    )
    if results["solved"]:
        position, rotation = results["worst_position_error_m"], results["worst_rotation_error_rad"]
        table.add_row("worst error of the solved", f"{position:.2e} m, {rotation:.2e} rad")
    table.add_row("iterations", f"{results['iterations_mean']:.1f} a target")
    table.add_row("time", f"{results['seconds']:.2f} s, first-use compilation and start table included")
    bullet = results["pybullet"]
    if bullet is not None:
        p, r, j = (
            bullet[f"{key}"]
            for key in ("fk_position_difference_m", "fk_rotation_difference_rad", "jacobian_difference")
        )
        table.add_section()
        table.add_row("PyBullet: poses of all links differ by", f"{p:.1e} m, {r:.1e} rad")
        table.add_row("PyBullet: Jacobians differ by", f"{j:.1e}")
        if bullet["solution_position_error_m"] is not None:
            p, r = bullet["solution_position_error_m"], bullet["solution_rotation_error_rad"]
            table.add_row("PyBullet: solutions set, farthest from target", f"{p:.2e} m, {r:.2e} rad")
        if bullet["simulated_targets"]:
            p, r = bullet["simulated_position_error_m"], bullet["simulated_rotation_error_rad"]
            table.add_row(f"PyBullet: {bullet['simulated_targets']} driven to by motors", f"{p:.2e} m, {r:.2e} rad")
        within = f"{bullet['bullet_ik_position_tolerance_m']:g} m, {bullet['bullet_ik_rotation_tolerance_rad']:g} rad"
        table.add_row(
            f"PyBullet's own IK solves, to {within}",
            f"{bullet['bullet_ik_solved']} of {bullet['bullet_ik_targets']}, "
            f"{bullet['bullet_ik_limit_violations']} outside limits",
        )
    console.print(table)
    if note:
        console.print(note)


def write_csv(path: Path, robot: dk.Robot, targets: Tensor, result: IKResult, own: BulletIK | None) -> None:
    """One row for each target: the target, the solution, its errors, and Bullet's own answer beside it."""
    header = ["target", "x_m", "y_m", "z_m", "quat_x", "quat_y", "quat_z", "quat_w"]
    header += ["solved", "position_error_m", "rotation_error_rad", "iterations", *(f"q_{n}" for n in robot.joint_names)]
    header += ["bullet_position_error_m", "bullet_rotation_error_rad", "bullet_within_limits"]
    quats = rotations.matrix_to_quat_xyzw(targets[:, :3, :3])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for k in range(len(targets)):
            row: list[Any] = [k, *targets[k, :3, 3].tolist(), *quats[k].tolist(), bool(result.success[k])]
            row += [float(result.position_error[k]), float(result.rotation_error[k]), int(result.iterations[k])]
            row += result.q[k].tolist()
            if own is not None and k < len(own.q):
                row += [float(own.position_error[k]), float(own.rotation_error[k]), bool(own.within_limits[k])]
            else:
                row += ["", "", ""]
            writer.writerow(row)


def save_figures(folder: Path, robot: dk.Robot, config: Any, targets: Tensor, result: IKResult, drawn: bool) -> None:
    """The convergence plot, from a run that records the error of each iteration, and the picture of the arm."""
    if config.plotted:
        solver, options = make_solver(config.solver)
        some = targets[: config.plotted]
        history = dk.solve_ik(robot, some, solver=solver, seed=config.seed, history=True, **options).history
        assert history is not None  # asked for
        title = f"{robot.name}, {config.solver.name}: {len(some)} targets"
        tolerance = math.hypot(options["position_tolerance"], options["rotation_tolerance"])
        figure = plotting.convergence_figure(history, tolerance, title)
        plotting.save_figure(figure, folder / "convergence.png")
    chosen = result.success.nonzero().flatten()[: config.pictured]
    if drawn and len(chosen):
        pictures = render_solutions(robot, result.q[chosen], targets[chosen])
        errors = zip(chosen.tolist(), result.position_error[chosen].tolist(), result.rotation_error[chosen].tolist())
        labels = [f"target {k}: {p:.1e} m, {r:.1e} rad off" for k, p, r in errors]
        figure = plotting.picture_grid(pictures, labels, title=f"{robot.name} at its targets")
        plotting.save_figure(figure, folder / "targets.png", dpi=120)


if __name__ == "__main__":
    run_main(main, "solve_ik")
