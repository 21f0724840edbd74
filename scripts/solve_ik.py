"""Solve inverse kinematics for a batch of targets and hold the solutions against PyBullet.

    python scripts/solve_ik.py robot=franka_panda solver=adam target.count=500 seed=3
    python scripts/solve_ik.py robot.path=my_arm.urdf robot.tip=hand
    python scripts/solve_ik.py --multirun robot=kuka_iiwa,franka_panda,xarm6 solver=levenberg_marquardt,lbfgs

The run folder holds results.json, results.csv (a row a target), convergence.png, targets.png and, in .hydra, the
configuration.
"""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.folders import run_folder
from common.given import unused
from common.results import save_results, write_csv
from common.robots import RobotConfig, load_robot
from common.run import run_main
from common.settings import check_not_negative, check_positive, choose, typed
from common.solvers import TOLERANCES, make_solver
from common.tables import progress_bar, say, show_jacobian, show_pairs
from common.targets import KINDS, TargetConfig, make_targets
from omegaconf import DictConfig
from torch import Tensor

import diffkin as dk
from diffkin import plotting, rotations, simulation
from diffkin.ik import SOLVERS, IKResult


@dataclass(frozen=True)
class CheckConfig:
    """The comparison with PyBullet."""

    enabled: bool
    gui: bool = False
    configurations: int = 50
    driven: int = 5
    compared: int = 200
    position_tolerance: float = 1e-3
    rotation_tolerance: float = 1e-3


@dataclass(frozen=True)
class SolveIKConfig:
    """All there is to choose; ``solver`` holds tolerances, budget and the settings of the solver's own class."""

    robot: RobotConfig
    target: TargetConfig
    solver: dict[str, Any]
    check: CheckConfig
    seed: int
    pictured: int
    plotted: int


def check_config(config: SolveIKConfig) -> None:
    """Raise for values out of range."""
    choose(config.target.kind, KINDS, "target.kind")
    choose(config.solver["name"], SOLVERS, "solver.name")
    check_positive(config, "target.count", *(f"solver.{name}" for name in TOLERANCES), "solver.max_iterations")
    check_positive(config, "solver.learning_rate", "solver.damping", "solver.max_step")
    check_positive(config, "check.configurations", *(f"check.{name}" for name in TOLERANCES))
    check_not_negative(config, "seed", "pictured", "plotted", "check.driven", "check.compared", "solver.max_restarts")
    if not config.check.enabled:
        shown = ("driven",) if config.check.gui else ()  # so many are shown in the window
        unused("check", "check.enabled is false", but=("enabled", "gui", "check", *shown))
        unused("pictured", "pictures are part of the check, and check.enabled is false", none=True)


def main(cfg: DictConfig) -> float:
    """Load, differentiate, solve, check, save; the share solved is what a sweep would maximise."""
    config = typed(SolveIKConfig, cfg)
    check_config(config)
    folder, robot = run_folder(), load_robot(config.robot)
    q = robot.sample(1, seed=config.seed)[0]
    seeds, closed = robot.jacobian(q, method="backward_seeds"), robot.jacobian(q, method="geometric")
    title = f"Jacobian of {robot.name}, {robot.link_names[robot.link_index(None)]}"
    show_jacobian(title, ("vx", "vy", "vz", "wx", "wy", "wz"), [f"q{k + 1}" for k in range(robot.dof)], seeds, closed)
    targets = make_targets(robot, config.target, config.seed)
    solver, options = make_solver(config.solver)
    began = time.perf_counter()
    with progress_bar() as bar:
        task = bar.add_task(f"{robot.name}, {config.solver['name']}", total=len(targets))
        result = dk.solve_ik(
            robot, targets, solver=solver, seed=config.seed, **options,
            progress=lambda finished, total: bar.update(task, completed=finished, total=total),
        )  # fmt: skip
        bar.update(task, completed=len(targets), total=len(targets))
    seconds = time.perf_counter() - began
    report = own = None
    if config.check.enabled and not simulation.is_installed():
        say("No PyBullet check: pybullet is not installed (`pip install pybullet`, on Python 3.10 or 3.11).")
    elif config.check.enabled:
        settings = {key: value for key, value in asdict(config.check).items() if key not in ("enabled", "gui")}
        answers = (targets, result.q, result.success)
        report, own = simulation.check_solutions(robot, *answers, seed=config.seed, **settings)
    else:
        say("The PyBullet check is off (check.enabled=false).")
    results = {**summary(robot, config, result, seconds), "pybullet": None if report is None else report.to_dict()}
    show_results(results, report)
    save_table(folder / "results.csv", robot, targets, result, own)
    save_results(folder, results)
    save_figures(folder, robot, config, targets, result, drawn=report is not None)
    if config.check.gui:
        solved = result.success.nonzero().flatten()[: max(config.check.driven, 1)]
        said = simulation.show_solutions(robot, result.q[solved], targets[solved])
        say("The window was shown." if said == "shown" else said)
    return float(results["solved"]) / float(results["targets"])


# -- what is shown and saved ----------------------------------------------------------------------------------------


def summary(robot: dk.Robot, config: SolveIKConfig, result: IKResult, seconds: float) -> dict[str, Any]:
    """What results.json holds. The worst errors are over the solved targets; null where there are none."""
    solved = result.success
    outside = ((result.q < robot.lower) | (result.q > robot.upper)).any(-1)
    errors = {"position_error": (result.position_error, "m"), "rotation_error": (result.rotation_error, "rad")}
    worst = {f"worst_{k}_{u}": float(e[solved].max()) if bool(solved.any()) else None for k, (e, u) in errors.items()}
    return {
        "robot": robot.name,
        "solver": config.solver["name"],
        "seed": config.seed,
        "targets": len(solved),
        "solved": int(solved.sum()),
        "limit_violations": int(outside.sum()),
        **worst,
        **{f"worst_{key}_of_all_{unit}": float(error.max()) for key, (error, unit) in errors.items()},
        "iterations_mean": float(result.iterations.double().mean()),
        "seconds": seconds,
    }


def show_results(results: dict[str, Any], report: simulation.BulletReport | None) -> None:
    """The figures as a table."""
    rows = [("solved", f"{results['solved']} of {results['targets']}, {results['limit_violations']} outside limits")]
    if results["solved"]:
        position, rotation = results["worst_position_error_m"], results["worst_rotation_error_rad"]
        rows.append(("worst error of the solved", f"{position:.2e} m, {rotation:.2e} rad"))
    took = f"{results['seconds']:.2f} s, first-use compilation and start table included"
    rows += [("iterations", f"{results['iterations_mean']:.1f} a target"), ("time", took)]
    if report is not None:
        rows += [(f"PyBullet: {name}", value) for name, value in report.rows()]
    show_pairs("Result", rows)


def save_table(path: Path, robot: dk.Robot, targets: Tensor, result: IKResult, own: simulation.BulletIK | None) -> None:
    """One row for each target: the target, the solution, its errors, and Bullet's own answer beside it."""
    header = ["target", "x_m", "y_m", "z_m", "quat_x", "quat_y", "quat_z", "quat_w"]
    header += ["solved", "position_error_m", "rotation_error_rad", "iterations", *(f"q_{n}" for n in robot.joint_names)]
    header += ["bullet_position_error_m", "bullet_rotation_error_rad", "bullet_within_limits"]
    quats = rotations.matrix_to_quat_xyzw(targets[:, :3, :3])
    rows = []
    for k in range(len(targets)):
        row: list[Any] = [k, *targets[k, :3, 3].tolist(), *quats[k].tolist(), bool(result.success[k])]
        row += [float(result.position_error[k]), float(result.rotation_error[k]), int(result.iterations[k])]
        told: list[Any] = ["", "", ""]
        if own is not None and k < len(own.q):
            told = [float(own.position_error[k]), float(own.rotation_error[k]), bool(own.within_limits[k])]
        rows.append([*row, *result.q[k].tolist(), *told])
    write_csv(path, header, rows)


def save_figures(
    folder: Path, robot: dk.Robot, config: SolveIKConfig, targets: Tensor, result: IKResult, drawn: bool
) -> None:
    """The convergence plot, from a run that records the error of each iteration, and the picture of the arm."""
    if config.plotted:
        solver, options = make_solver(config.solver)
        some = targets[: config.plotted]
        history = dk.solve_ik(robot, some, solver=solver, seed=config.seed, history=True, **options).history
        assert history is not None  # asked for
        tolerance = math.hypot(*(options[name] for name in TOLERANCES))
        title = f"{robot.name}, {config.solver['name']}: {len(some)} targets"
        plotting.save_figure(plotting.convergence_figure(history, tolerance, title), folder / "convergence.png")
    chosen = result.success.nonzero().flatten()[: config.pictured]
    if drawn and len(chosen):
        pictures = simulation.render_solutions(robot, result.q[chosen], targets[chosen])
        errors = zip(chosen.tolist(), result.position_error[chosen].tolist(), result.rotation_error[chosen].tolist())
        labels = [f"target {k}: {p:.1e} m, {r:.1e} rad off" for k, p, r in errors]
        grid = plotting.picture_grid(pictures, labels, title=f"{robot.name} at its targets")
        plotting.save_figure(grid, folder / "targets.png", dpi=120)


if __name__ == "__main__":
    run_main(main, "solve_ik")
