"""Train a network that answers poses with joint angles, and set it beside starts that need no learning.

python scripts/train_ik.py                                  # 5 to 10 minutes on two cores
python scripts/train_ik.py experiment=demo network=through_fk robot=franka_panda
python scripts/train_ik.py resume=outputs/train_ik/2030-01-31_12-00-00
python scripts/train_ik.py --multirun experiment=demo network=regression,through_fk,chain_flow hydra/launcher=joblib
"""

from __future__ import annotations

from typing import Any

import torch
from common import run_main
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from training import Run, curves, finish, load_robot, open_run, say, show, trainer_of

import diffkin as dk
from diffkin.learning import (
    FreshPairs,
    IKNetwork,
    IKProblem,
    NearestSample,
    evaluate_network,
    fit,
    held_out,
    make_network,
    pose_errors,
    save,
)
from diffkin.learning.inverse import StoredPairs
from diffkin.plotting import new_figure, save_figure
from diffkin.robot import Robot
from diffkin.simulation.world import is_installed

FIGURES = (
    "robot", "network", "targets", "raw_position_error_m_median", "raw_rotation_error_rad_median",
    "raw_position_error_m_p90", "raw_rotation_error_rad_p90", "within_limits", "one_descent_success",
    "one_descent_iterations", "branches_found", "mmd_to_solutions", "mmd_between_solutions", "baselines", "pybullet",
)  # fmt: skip


def main(cfg: DictConfig) -> float | None:
    run = open_run(cfg)
    cfg = run.cfg
    best = f"best_of_{cfg.evaluation.best_of}"
    run.will_write(*FIGURES, f"{best}_success", f"{best}_iterations")
    robot = load_robot(cfg.robot)
    settings: Any = OmegaConf.to_container(cfg.network, resolve=True)
    network = make_network(robot, settings, seed=int(cfg.seed))
    pairs = StoredPairs(cfg.data, robot) if cfg.data else FreshPairs(robot)
    report = fit(IKProblem(network, pairs), trainer_of(cfg), run.folder, resume=run.resumed)
    if report.rank > 0:
        return None
    save(network.cpu(), run.folder / "network.safetensors")
    curves(run.folder)
    score = cfg.evaluation
    results = evaluate_network(
        network, robot, targets=score.targets, best_of=score.best_of, stored=score.stored, spread=score.spread,
        seed=int(cfg.seed),
    )  # fmt: skip
    results["pybullet"] = check_in_bullet(network, robot, score.bullet_targets) if score.bullet_targets else None
    draw_errors(run, network, robot, score)
    table(results)
    return finish(run, results, report, cfg.objective)


def check_in_bullet(network: IKNetwork, robot: Robot, count: int) -> dict[str, float] | None:
    """Descend from the network's answers and read in PyBullet where its arm then is."""
    if not is_installed():
        say("PyBullet is not installed (pip install pybullet), so nothing is checked there.")
        return None
    from diffkin.simulation.checks import read_back
    from diffkin.simulation.world import load, open_world

    _, T = held_out(robot, count, seed=1)
    q0 = network.starts(T)
    found = dk.solve_ik(robot, T, q0=q0, max_restarts=0)
    with open_world() as client:
        arm = load(client, robot)
        raw_position, raw_rotation = read_back(arm, q0, T)
        position, rotation = read_back(arm, found.q[found.success], T[found.success])
    return {
        "targets": count,
        "raw_position_error_m_median": float(raw_position.median()),
        "raw_rotation_error_rad_median": float(raw_rotation.median()),
        "solved": int(found.success.sum()),
        "solved_position_error_m_max": float(position.max()) if len(position) else 0.0,
        "solved_rotation_error_rad_max": float(rotation.max()) if len(rotation) else 0.0,
    }


def draw_errors(run: Run, network: IKNetwork, robot: Robot, score: DictConfig) -> None:
    """Distribution of the raw errors: one answer, the best of several, and the nearest stored sample."""
    _, T = held_out(robot, min(2000, score.targets), seed=int(run.cfg.seed))
    starts: dict[str, Tensor] = {
        "one answer": network.sample(T).squeeze(-2),
        f"best of {score.best_of}": network.starts(T, score.best_of),
        f"nearest of {score.stored} samples": NearestSample(robot, score.stored)(T),
    }
    figure = new_figure(width=8.0, height=3.5)
    axes = figure.subplots(1, 2)
    for name, q0 in starts.items():
        position, rotation = pose_errors(robot, T, q0)
        for axis, values in zip(axes, (1e3 * position, torch.rad2deg(rotation))):
            axis.plot(values.sort().values.clamp(min=1e-9), torch.linspace(0, 100, len(values)), label=name)
    for axis, label in zip(axes, ("position error [mm]", "rotation error [deg]")):
        axis.set(xscale="log", xlabel=label, ylabel="targets below [%]")
    axes[0].legend()
    save_figure(figure, run.folder / "errors.png")


def table(results: dict[str, Any]) -> None:
    """Print the network beside the baselines."""
    errors = ("raw_position_error_m_median", "raw_rotation_error_rad_median")
    names = (*errors, "one_descent_success", "one_descent_iterations", "branches_found")
    rows = {results["network"]: results} | {k: v for k, v in results["baselines"].items() if isinstance(v, dict)}
    chosen = {name: {key: row[key] for key in names if key in row} for name, row in rows.items()}
    best = next(key for key in results if key.startswith("best_of_") and key.endswith("_success"))
    chosen[results["network"]][best] = results[best]
    show(f"{results['robot']}, {results['targets']} held-out targets", chosen)


if __name__ == "__main__":
    run_main(main, "train_ik")
