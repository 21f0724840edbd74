"""Calibrate an arm: from simulated measurements of arms that PyBullet plays, or from a CSV file of a real one.

    python scripts/calibrate_robot.py
    python scripts/calibrate_robot.py measurement=position poses=30 arms=10
    python scripts/calibrate_robot.py measurement.outliers=0.05 loss=cauchy
    python scripts/calibrate_robot.py csv=measured.csv robot.path=my_arm.urdf robot.tip=flange
    python scripts/calibrate_robot.py --multirun measurement=pose,position,rotation

The run folder holds results.json, calibrated.urdf (of the first arm), unidentifiable.txt, measurements.csv (of the first
arm), calibration.png, and the simulated arms in arms/.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Optional

import torch
from common.folders import run_folder
from common.given import unused
from common.measurements import OF_SIMULATED_ARMS, DesignConfig, ErrorsConfig, MeasurementConfig
from common.results import save_results
from common.robots import RobotConfig, load_robot
from common.run import run_main
from common.settings import check_not_negative, check_positive, require, typed
from common.tables import progress_bar, say, show_pairs, tracked
from omegaconf import DictConfig

from diffkin import calibration, plotting, simulation
from diffkin.calibration.judge import judge_by_measurements, root_mean_square, split_held_out
from diffkin.calibration.study import calibrate_arms, draw_candidates, study_design


@dataclass(frozen=True)
class CalibrateConfig:
    """All there is to choose."""

    robot: RobotConfig
    measurement: MeasurementConfig
    seed: int
    csv: Optional[str]
    parameters: list[str]
    loss: str
    arms: int
    poses: int
    held_out: int
    tool_m: list[float]
    errors: ErrorsConfig
    design: DesignConfig


def check_config(config: CalibrateConfig) -> None:
    """Raise for values out of range."""
    config.measurement.check()
    check_positive(config, "poses", "held_out", "design.candidates")
    check_positive(config, "arms", "design.random", "design.arms", most=1e6)
    require(config.loss in calibration.LOSSES, "loss", config.loss, " or ".join(calibration.LOSSES))
    require(len(config.tool_m) == 3, "tool_m", config.tool_m, "three numbers [m]")
    require(len(config.parameters) > 0, "parameters", config.parameters, "some of offsets, origins, tool")
    check_not_negative(config, "seed")
    if not config.design.counts:
        unused("design", "design.counts is empty", but=("counts",))
    for key in OF_SIMULATED_ARMS if config.csv else ():
        unused(key, "it is for simulated arms, and csv is given")


def main(cfg: DictConfig) -> float:
    """Measure, fit, judge, choose poses, save; the held-out error is what a sweep would minimise."""
    config = typed(CalibrateConfig, cfg)
    check_config(config)
    folder = run_folder()
    tool = torch.eye(4, dtype=torch.float64)
    tool[:3, 3] = torch.tensor(config.tool_m, dtype=torch.float64)
    robot = load_robot(config.robot)
    root = load_robot(replace(config.robot, base=None)).link_names[0]
    right = config.robot.base in (None, root)
    require(right, "robot.base", config.robot.base, f"{root}, the root of the file, from which arms are played")
    model = calibration.calibration_model(robot, tool, config.parameters)
    results: dict[str, Any] = {"robot": model.robot.name, "seed": config.seed}
    results["measurement"] = config.measurement.kind
    results |= {"parameters": model.size, **(from_csv if config.csv else simulated)(folder, config, model)}
    show(results)
    save_results(folder, results)
    key = "held_out_rotation_rms_rad" if config.measurement.kind == "rotation" else "held_out_position_rms_m"
    return float(results[key])


def simulated(folder: Path, config: CalibrateConfig, model: calibration.CalibrationModel) -> dict[str, Any]:
    """Calibrate arms that PyBullet plays."""
    kind, choice = config.measurement, config.design
    held_out = model.robot.sample(config.held_out, seed=config.seed + 10_000)
    truth = calibration.calibration_model(model.robot, model.tool)  # all of an arm is in error, whatever is fitted
    arms = simulation.SimulatedArms(
        truth, config.errors.arm_errors(), kind.noise(), held_out, folder / "arms", config.seed
    )
    settings: dict[str, Any] = {"loss": config.loss, "seed": config.seed}
    study = calibrate_arms(model, arms.measure, held_out, arms=config.arms, poses=config.poses, **settings)
    found = list(tracked(study, "calibrating", config.arms))
    first = found[0]
    calibration.write_measurements(folder / "measurements.csv", model.robot, first.data)
    offsets = calibration.calibration_model(model.robot, model.tool, ["offsets"])
    wrong = calibration.fit_calibration(offsets, first.data, loss=config.loss)
    design: list[dict[str, Any]] = []
    if choice.counts:
        sigmas = (kind.noise().position_sigma, kind.noise().rotation_sigma)
        candidates = draw_candidates(model, kind.kind, *sigmas, choice.candidates, config.seed)
        with progress_bar() as bar:
            task = bar.add_task("chosen and random poses", total=len(choice.counts) * choice.arms)
            rows = study_design(
                model, candidates, kind.kind, choice.counts, held_out, arms.measure, random=choice.random,
                arms=choice.arms, progress=lambda finished, total: bar.update(task, completed=finished), **settings,
            )  # fmt: skip
        design = [asdict(row) for row in rows]
    judged = {key: [asdict(each.judged)[key] for each in found] for key in asdict(first.judged)}
    drawn = {"before": "position_before_m", "calibrated": "position_m", "Cramer-Rao bound": "position_bound_m"}
    errors = {name: judged[key] for name, key in drawn.items()}
    figure = plotting.calibration_figure(errors, first.fit.singular_values, first.fit.rank, design)
    plotting.save_figure(figure, folder / "calibration.png")
    rms = {key: root_mean_square(values) for key, values in judged.items()}
    what, unit = ("rotation", "rad") if kind.kind == "rotation" else ("position", "m")
    ranks = sorted({each.fit.rank for each in found})
    return {
        "rank": ranks[0],
        "held_out_position_rms_m_before": rms["position_before_m"],
        "held_out_position_rms_m": rms["position_m"],
        "held_out_rotation_rms_rad": rms["rotation_rad"],
        "ratio_to_cramer_rao": rms[f"{what}_{unit}"] / rms[f"{what}_bound_{unit}"],
        "chi2_per_dof": sum(each.fit.chi2_per_dof for each in found) / len(found),
        "steps": max(each.fit.steps for each in found),
        "ranks": ranks,
        "arms": config.arms,
        "poses": config.poses,
        "loss": config.loss,
        "cramer_rao_position_rms_m": rms["position_bound_m"],
        "cramer_rao_rotation_rms_rad": rms["rotation_bound_rad"],
        "chi2_per_dof_of_offsets_alone": wrong.chi2_per_dof,
        "chosen_poses": design,
        "measured_by": "pybullet" if simulation.is_installed() else "diffkin: pybullet is not installed",
        **describe(folder, model, first.data, first.fit),
    }


def from_csv(folder: Path, config: CalibrateConfig, model: calibration.CalibrationModel) -> dict[str, Any]:
    """Calibrate a real arm; every fifth measurement is held out."""
    kind = config.measurement
    noise = kind.noise()
    measured = calibration.read_measurements(str(config.csv), model.robot, noise.position_sigma, noise.rotation_sigma)
    data = measured.only(kind.kind)
    fitted, held_out = split_held_out(data)
    fit = calibration.fit_calibration(model, fitted, loss=config.loss)
    judged = judge_by_measurements(model, fit, held_out)
    plotting.save_figure(plotting.calibration_figure({}, fit.singular_values, fit.rank), folder / "calibration.png")
    say(f"{len(data)} measurements, {len(held_out)} of them held out; outliers: {int(fit.outliers.sum())}")
    return {
        "rank": fit.rank,
        "held_out_position_rms_m_before": judged.position_before_m,
        "held_out_position_rms_m": judged.position_m,
        "held_out_rotation_rms_rad": judged.rotation_rad,
        "ratio_to_cramer_rao": judged.ratio_to_bound(rotation=kind.kind == "rotation"),
        "chi2_per_dof": fit.chi2_per_dof,
        "steps": fit.steps,
        "loss": config.loss,
        "outliers": fit.outliers.any(-1).nonzero().flatten().tolist(),
        **describe(folder, model, fitted, fit),
    }


def describe(
    folder: Path, model: calibration.CalibrationModel, data: calibration.Measurements, fit: calibration.CalibrationFit
) -> dict[str, Any]:
    """Write the calibrated URDF, and in words what these measurements cannot tell; how many directions that are."""
    blind = calibration.unidentifiable(model, calibration.system(model, model.zero(), data)[1].reshape(-1, model.size))
    (folder / "unidentifiable.txt").write_text("".join(f"{each.words}\n" for each in blind), encoding="utf-8")
    path = folder / "calibrated.urdf"
    calibration.write_calibrated_urdf(model, fit.x, path)
    return {
        "unidentifiable": len(blind),
        "calibrated_urdf": simulation.compare_calibrated_file(path, model, fit.x),
    }


def show(results: dict[str, Any]) -> None:
    """The figures as a table."""
    keys = (
        "parameters", "rank", "unidentifiable", "held_out_position_rms_m_before", "held_out_position_rms_m",
        "held_out_rotation_rms_rad", "ratio_to_cramer_rao", "chi2_per_dof", "chi2_per_dof_of_offsets_alone", "steps",
    )  # fmt: skip
    rows = [(key, results[key]) for key in keys if results.get(key) is not None]
    for row in results.get("chosen_poses", []):
        for by in ("predicted", "measured"):
            change = row[f"{by}_chosen"] / row[f"{by}_random"] - 1.0
            words = f"{row[f'{by}_chosen']:.3g} against {row[f'{by}_random']:.3g} for random ones, {change:+.0%}"
            rows.append((f"{row['count']} chosen poses, {by} error", words))
    show_pairs(f"Calibration of {results['robot']}, measured: {results['measurement']}", rows)
    say("What the measurements cannot tell, in words: unidentifiable.txt")


if __name__ == "__main__":
    run_main(main, "calibrate_robot")
