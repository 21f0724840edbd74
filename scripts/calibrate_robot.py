"""Calibrate an arm: from simulated measurements of arms that PyBullet plays, or from a CSV file of a real one.

    python scripts/calibrate_robot.py
    python scripts/calibrate_robot.py measurement=position poses=30 arms=10
    python scripts/calibrate_robot.py measurement.outliers=0.05 loss=cauchy
    python scripts/calibrate_robot.py csv=measured.csv robot.path=my_arm.urdf robot.tip=flange
    python scripts/calibrate_robot.py --multirun measurement=pose,position,rotation

The run folder holds results.json, calibrated.urdf (of the first arm), unidentifiable.txt, measurements.csv (of the first
arm), calibration.png, and the simulated arms in arms/.
"""

from __future__ import annotations

import math
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
from simulated_arms import Arm, make_arm, spoil
from torch import Tensor

import diffkin as dk
from diffkin.calibration import (
    KINDS,
    LOSSES,
    TOOL_LINK,
    CalibrationModel,
    Measurements,
    calibration_model,
    choose_poses,
    fit_calibration,
    held_out_rms,
    identifiable,
    mean_variance,
    predicted_rms,
    read_measurements,
    system,
    unidentifiable,
    write_calibrated_urdf,
    write_measurements,
)
from diffkin.plotting import new_figure, save_figure
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
class MeasurementConfig:
    """What is measured, and how well."""

    kind: str = MISSING
    position_sigma_m: float = MISSING
    rotation_sigma_deg: float = MISSING
    outliers: float = 0.0
    missing: float = 0.0


@dataclass
class ErrorsConfig:
    """Standard deviations of the simulated arms' errors."""

    offset_deg: float = 0.5
    translation_m: float = 1e-3
    rotation_deg: float = 0.3


@dataclass
class DesignConfig:
    """The choice of poses."""

    counts: list[int] = field(default_factory=lambda: [12, 20])
    candidates: int = 2000
    random: int = 41
    arms: int = 60


@dataclass
class CalibrateConfig:
    """All there is to choose."""

    robot: RobotConfig = field(default_factory=RobotConfig)
    measurement: MeasurementConfig = field(default_factory=MeasurementConfig)
    seed: int = 0
    csv: Optional[str] = None
    parameters: list[str] = field(default_factory=list)
    loss: str = "squares"
    arms: int = 50
    poses: int = 50
    held_out: int = 200
    tool_m: list[float] = field(default_factory=list)
    errors: ErrorsConfig = field(default_factory=ErrorsConfig)
    design: DesignConfig = field(default_factory=DesignConfig)


ConfigStore.instance().store(name=f"{SCHEMA}calibrate_robot", node=CalibrateConfig)


def check_config(config: Any) -> None:
    """Raise for values out of range."""
    check_positive(
        config, "measurement.position_sigma_m", "measurement.rotation_sigma_deg", "arms", "poses", "held_out"
    )
    check_positive(config, "design.candidates", "design.random", "design.arms")
    require(config.measurement.kind in KINDS, "measurement.kind", config.measurement.kind, " or ".join(KINDS))
    require(config.loss in LOSSES, "loss", config.loss, " or ".join(LOSSES))
    require(len(config.tool_m) == 3, "tool_m", list(config.tool_m), "three numbers [m]")
    require(len(config.parameters) > 0, "parameters", list(config.parameters), "some of offsets, origins, tool")
    for key in ("outliers", "missing"):
        value = config.measurement[key]
        require(0.0 <= value < 0.5, f"measurement.{key}", value, "a share from 0 to below 0.5")
    require(config.seed >= 0, "seed", config.seed, "a whole number of at least 0")


# -- the job --------------------------------------------------------------------------------------------------------


def main(config: Any) -> float:
    """Measure, fit, judge, choose poses, save; the held-out error is what a sweep would minimise."""
    check_config(config)
    console = Console()
    folder = run_folder()
    robot = dk.load_robot(config.robot.path or config.robot.name, base=config.robot.base, tip=config.robot.tip)
    tool = torch.eye(4, dtype=torch.float64)
    tool[:3, 3] = torch.tensor(list(config.tool_m), dtype=torch.float64)
    model = calibration_model(robot, tool, list(config.parameters))
    job = from_csv if config.csv else simulated
    results = job(console, folder, config, model)
    write_json(folder / "results.json", results)
    show(console, results)
    console.print(f"Saved in [bold]{folder}[/bold]: " + ", ".join(sorted(p.name for p in folder.iterdir())))
    key = "held_out_rotation_rms_rad" if config.measurement.kind == "rotation" else "held_out_position_rms_m"
    return float(results[key])


def simulated(console: Console, folder: Path, config: Any, model: CalibrationModel) -> dict[str, Any]:
    """Calibrate arms that PyBullet plays."""
    truth = calibration_model(model.robot, model.tool)  # all of an arm is in error, whatever is fitted
    held_out = model.robot.sample(config.held_out, seed=config.seed + 10_000)
    rows: list[dict[str, float]] = []
    for index in track(range(config.arms), description="calibrating", console=console):
        generator = torch.Generator().manual_seed(7_919 * config.seed + index)
        arm = make_arm(config, truth, folder, index)
        q = model.robot.sample(config.poses, seed=generator)
        poses = arm.measure(torch.cat((q, held_out)))
        data, after = spoil(poses[: len(q)], q, config, generator), poses[len(q) :]
        fit = fit_calibration(model, data, loss=config.loss)
        if index == 0:
            first, first_data = fit, data
        before, now = held_out_rms(model, model.zero(), held_out, after), held_out_rms(model, fit.x, held_out, after)
        bound = predicted_rms(model, fit.x, fit.covariance, held_out)
        rows.append({
            "before_m": before[0], "position_m": now[0], "rotation_rad": now[1], "bound_m": bound[0],
            "bound_rad": bound[1], "rank": fit.rank, "steps": fit.steps, "chi2_per_dof": fit.chi2_per_dof,
        })  # fmt: skip
    blind = describe(folder, model, first_data)
    write_measurements(folder / "measurements.csv", model.robot, first_data)
    agreement = save_arm(folder, model, first.x)
    wrong = fit_calibration(calibration_model(model.robot, model.tool, ["offsets"]), first_data, loss=config.loss)
    design = choose(console, folder, config, model, truth, held_out) if config.design.counts else []
    draw(folder, rows, first.singular_values, first.rank, design)
    kind, name = ("rotation_rad", "bound_rad") if config.measurement.kind == "rotation" else ("position_m", "bound_m")
    chi2 = [row["chi2_per_dof"] for row in rows]
    return {
        **head(config, model, sorted({int(row["rank"]) for row in rows})[0]),
        "held_out_position_rms_m_before": rms(rows, "before_m"),
        "held_out_position_rms_m": rms(rows, "position_m"),
        "held_out_rotation_rms_rad": rms(rows, "rotation_rad"),
        "ratio_to_cramer_rao": rms(rows, kind) / rms(rows, name),
        "chi2_per_dof": finite(sum(chi2) / len(chi2)),
        "steps": int(max(row["steps"] for row in rows)),
        "ranks": sorted({int(row["rank"]) for row in rows}),
        "arms": config.arms,
        "poses": config.poses,
        "loss": config.loss,
        "cramer_rao_position_rms_m": rms(rows, "bound_m"),
        "cramer_rao_rotation_rms_rad": rms(rows, "bound_rad"),
        "chi2_per_dof_of_offsets_alone": finite(wrong.chi2_per_dof),
        "unidentifiable": blind,
        "chosen_poses": design,
        "calibrated_urdf": agreement,
        "measured_by": "pybullet" if is_installed() else "diffkin: pybullet is not installed",
    }


def from_csv(console: Console, folder: Path, config: Any, model: CalibrationModel) -> dict[str, Any]:
    """Calibrate a real arm; every fifth measurement is held out."""
    kind = config.measurement
    sigmas = (kind.position_sigma_m, math.radians(kind.rotation_sigma_deg))
    data = read_measurements(config.csv, model.robot, *sigmas).only(kind.kind)
    judged = torch.arange(len(data)) % 5 == 4
    part = [Measurements(data.q[some], data.position[some], data.rotation[some], *sigmas) for some in (~judged, judged)]
    fit = fit_calibration(model, part[0], loss=config.loss)
    before, after = system(model, model.zero(), part[1])[0], system(model, fit.x, part[1])[0]
    used = part[1].valid()
    bound = predicted_rms(model, fit.x, fit.covariance, part[1].q)
    errors = {
        name: [measured_rms(block[:, columns], used[:, columns], sigma) for block in (before, after)]
        for name, columns, sigma in (("position", slice(0, 3), sigmas[0]), ("rotation", slice(3, 6), sigmas[1]))
    }
    measured = "rotation" if kind.kind == "rotation" else "position"
    place = ("position", "rotation").index(measured)
    noisy = math.hypot(bound[place], math.sqrt(3.0) * sigmas[place])  # what is held out is measured with noise too
    judged_rms = errors[measured][1]
    blind = describe(folder, model, part[0])
    agreement = save_arm(folder, model, fit.x)
    draw(folder, [], fit.singular_values, fit.rank, [])
    console.print(
        f"{len(data)} measurements, {int(judged.sum())} of them held out; outliers: {int(fit.outliers.sum())}"
    )
    return {
        **head(config, model, fit.rank),
        "held_out_position_rms_m_before": errors["position"][0],
        "held_out_position_rms_m": errors["position"][1],
        "held_out_rotation_rms_rad": errors["rotation"][1],
        "ratio_to_cramer_rao": None if judged_rms is None else judged_rms / noisy,
        "chi2_per_dof": finite(fit.chi2_per_dof),
        "steps": fit.steps,
        "loss": config.loss,
        "outliers": fit.outliers.any(-1).nonzero().flatten().tolist(),
        "unidentifiable": blind,
        "calibrated_urdf": agreement,
    }


def head(config: Any, model: CalibrationModel, rank: int) -> dict[str, Any]:
    return {
        "robot": model.robot.name,
        "seed": config.seed,
        "measurement": config.measurement.kind,
        "parameters": model.size,
        "rank": rank,
    }


def measured_rms(residuals: Tensor, used: Tensor, sigma: float) -> float | None:
    """Length of the error, root mean square, from residuals in units of the noise; None where nothing was measured."""
    return float(residuals[used].square().mean().mul(3.0).sqrt()) * sigma if bool(used.any()) else None


def rms(rows: list[dict[str, float]], key: str) -> float:
    return math.sqrt(sum(row[key] ** 2 for row in rows) / len(rows))


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def describe(folder: Path, model: CalibrationModel, data: Measurements) -> int:
    """Write what these measurements cannot tell, in words; how many directions."""
    rows = system(model, model.zero(), data)[1].reshape(-1, model.size)
    blind = unidentifiable(model, rows)
    (folder / "unidentifiable.txt").write_text("".join(f"{each.words}\n" for each in blind), encoding="utf-8")
    return len(blind)


def save_arm(folder: Path, model: CalibrationModel, x: Tensor) -> dict[str, float | None]:
    """Write the calibrated URDF and compare what PyBullet and our loader read from it with the fitted arm."""
    path = folder / "calibrated.urdf"
    write_calibrated_urdf(model, x, path)
    q = model.robot.sample(20, seed=1)
    expected = model.poses(x, q)
    ours = dk.Robot.from_urdf(path, tip=TOOL_LINK).forward_kinematics(q)
    theirs = Arm(path).measure(q) if is_installed() else None
    return {
        "loader_difference": float((ours - expected).abs().max()),
        "pybullet_difference": None if theirs is None else float((theirs - expected).abs().max()),
    }


# -- which poses to measure -----------------------------------------------------------------------------------------


def choose(
    console: Console, folder: Path, config: Any, model: CalibrationModel, truth: CalibrationModel, held_out: Tensor
) -> list[dict[str, float]]:
    """Choose poses and calibrate arms from them and from random ones, with the same noise."""
    kind, design = config.measurement, config.design
    candidates = model.robot.sample(design.candidates, seed=config.seed + 20_000)
    measured = Measurements.of_poses(
        candidates, model.poses(model.zero(), candidates), kind.position_sigma_m, math.radians(kind.rotation_sigma_deg)
    ).only(kind.kind)
    rows = system(model, model.zero(), measured)[1]
    wanted = slice(3, 6) if kind.kind == "rotation" else slice(0, 3)
    other = model.robot.sample(500, seed=config.seed + 30_000)  # the choice never sees the poses that judge it
    weigh, judge = (model.jacobian(model.zero(), q)[:, wanted] for q in (other, held_out))
    basis = identifiable(rows)
    generator = torch.Generator().manual_seed(config.seed)
    table: list[dict[str, float]] = []
    for count in config.design.counts:
        chosen = choose_poses(rows, weigh, count)
        draws = [torch.randperm(len(rows), generator=generator)[:count] for _ in range(design.random)]
        random = sorted(mean_variance(rows[some], judge, basis) for some in draws)[design.random // 2]
        real: dict[str, list[float]] = {"chosen": [], "random": []}
        for index in track(range(design.arms), description=f"{count} poses", console=console):
            arm = make_arm(config, truth, folder, index)
            for name, some in (("chosen", chosen), ("random", draws[index % len(draws)])):
                poses = arm.measure(torch.cat((candidates[some], held_out)))
                seeded = torch.Generator().manual_seed(index)
                data = spoil(poses[:count], candidates[some], config, seeded)
                fit = fit_calibration(model, data, loss=config.loss)
                real[name].append(held_out_rms(model, fit.x, held_out, poses[count:])[kind.kind == "rotation"])
        over = {name: math.sqrt(sum(value**2 for value in values) / len(values)) for name, values in real.items()}
        table.append({
            "count": count,
            "predicted_random": finite(math.sqrt(random)) or float("nan"),
            "predicted_chosen": math.sqrt(mean_variance(rows[chosen], judge, basis)),
            "measured_random": over["random"],
            "measured_chosen": over["chosen"],
        })  # fmt: skip
    return table


# -- what is shown --------------------------------------------------------------------------------------------------


def show(console: Console, results: dict[str, Any]) -> None:
    """The figures as a table."""
    table = Table(title=f"Calibration of {results['robot']}, measured: {results['measurement']}", show_header=False)
    for key in (
        "parameters", "rank", "unidentifiable", "held_out_position_rms_m_before", "held_out_position_rms_m",
        "held_out_rotation_rms_rad", "ratio_to_cramer_rao", "chi2_per_dof", "chi2_per_dof_of_offsets_alone", "steps",
    ):  # fmt: skip
        value = results.get(key)
        if value is not None:
            table.add_row(key.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else str(value))
    for row in results.get("chosen_poses", []):
        for by in ("predicted", "measured"):
            change = row[f"{by}_chosen"] / row[f"{by}_random"] - 1.0
            words = f"{row[f'{by}_chosen']:.3g} against {row[f'{by}_random']:.3g} for random ones, {change:+.0%}"
            table.add_row(f"{row['count']:.0f} chosen poses, {by} error", words)
    console.print(table)
    console.print("What the measurements cannot tell, in words: unidentifiable.txt")


def draw(
    folder: Path, rows: list[dict[str, float]], singular: Tensor, rank: int, design: list[dict[str, float]]
) -> None:
    """Errors of every arm beside the bound, singular values, and chosen beside random poses."""
    figure = new_figure(12.0, 3.8)
    left, middle, right = figure.subplots(1, 3)
    if rows:
        for key, label in (("before_m", "before"), ("position_m", "calibrated"), ("bound_m", "Cramer-Rao bound")):
            left.plot([1e3 * row[key] for row in rows], "." if key != "bound_m" else "-", label=label)
        left.set(yscale="log", xlabel="arm", ylabel="held-out position error, rms [mm]")
        left.legend()
    middle.semilogy(range(1, len(singular) + 1), singular.clamp(min=1e-14), ".")
    middle.axvline(rank + 0.5, color="0.5", linestyle="--", label=f"rank {rank}")
    middle.set(xlabel="direction of the parameters", ylabel="singular value [1 / standard deviation]")
    middle.legend()
    for name in ("random", "chosen"):
        for by, style in (("predicted", "--"), ("measured", "o-")):
            values = [row[f"{by}_{name}"] for row in design]
            color = "tab:red" if name == "random" else "tab:green"
            right.plot([row["count"] for row in design], values, style, color=color, label=f"{name}, {by}")
    if design:
        right.set(xlabel="measured poses", ylabel="held-out error, rms [m or rad]")
        right.legend()
    save_figure(figure, folder / "calibration.png")


if __name__ == "__main__":
    run_main(main, "calibrate_robot")
