"""Train a network that answers poses with joint angles, and set it beside starts that need no learning.

python scripts/train_ik.py                                  # 5 to 10 minutes on two cores
python scripts/train_ik.py experiment=demo network=through_fk robot=franka_panda
python scripts/train_ik.py robot.path=my_arm.urdf robot.tip=hand experiment=demo
python scripts/train_ik.py resume=outputs/train_ik/2030-01-31_12-00-00
python scripts/train_ik.py --multirun experiment=demo network=regression,through_fk,chain_flow hydra/launcher=joblib
"""

from dataclasses import dataclass
from typing import Any, Optional

from common.folders import Run, open_run
from common.given import given, unused
from common.robots import RobotConfig, load_robot
from common.run import run_main
from common.settings import check_not_negative, check_positive, typed
from common.tables import say, show_rows
from common.training import check_going_on, check_objective, draw_curves, finish, prepared, summary
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

import diffkin as dk
from diffkin import learning, plotting, simulation
from diffkin.learning.inverse import StoredPairs

FIGURES = (
    "robot", "network", "targets", "raw_position_error_m_median", "raw_rotation_error_rad_median",
    "raw_position_error_m_p90", "raw_rotation_error_rad_p90", "within_limits", "one_descent_success",
    "one_descent_iterations", "branches_found", "mmd_to_solutions", "mmd_between_solutions", "baselines", "pybullet",
)  # fmt: skip


@dataclass(frozen=True)
class EvaluationConfig:
    """How the trained network is judged."""

    targets: int
    best_of: int
    stored: int
    spread: int
    bullet_targets: int


@dataclass(frozen=True)
class TrainIKConfig:
    """All there is to choose; ``network`` is checked by the network's own settings, ``presets`` fill ``trainer``."""

    robot: RobotConfig
    network: dict[str, Any]
    trainer: learning.FitSettings
    evaluation: EvaluationConfig
    presets: dict[str, Any]
    job: str
    data: Optional[str]
    objective: str
    resume: Optional[str]
    seed: int


def check_config(config: TrainIKConfig, cfg: DictConfig) -> None:
    """Raise for an objective that there will not be, and for settings that would change nothing."""
    check_positive(config, *(f"evaluation.{name}" for name in ("targets", "best_of", "stored", "spread")))
    check_not_negative(config, "evaluation.bullet_targets")
    best, bullet = f"best_of_{config.evaluation.best_of}", ("pybullet",) if config.evaluation.bullet_targets else ()
    figures = (*FIGURES, f"{best}_success", f"{best}_iterations")
    texts = ("robot", "network", *(() if bullet else ("pybullet",)))
    check_objective(config.objective, figures, texts, parts=("baselines", *bullet, "training"))
    fills = str(OmegaConf.to_container(cfg.trainer, resolve=False))  # ${presets.steps.${job}}, unless given by itself
    for key in given():
        group, _, name = key.removeprefix("presets.").partition(".")
        if key.startswith("presets.") and (name != config.job or f"presets.{group}." not in fills):
            unused(key, f"it is not the one that fills the trainer of this run; give trainer.{group}")
    if "${job}" not in fills:
        unused("job", "nothing in the trainer depends on it")


def main(cfg: DictConfig) -> float | None:
    """Train, judge, draw, save; the figure named by ``objective`` is what a sweep would minimise."""
    run = open_run(cfg, fixed=("robot", "network", "seed", "data"))
    config = typed(TrainIKConfig, run.cfg)
    check_config(config, run.cfg)
    score = config.evaluation
    exact = () if config.network.get("name") == "chain_flow" else ("64-true",)  # its products are of single precision
    trainer = prepared(config.trainer, ("32-true", "bf16-mixed", "16-mixed", *exact))
    robot = load_robot(config.robot)
    check_going_on(run, trainer, {run.folder: trainer.steps})
    network = learning.make_network(robot, config.network, seed=config.seed)
    pairs = StoredPairs(config.data, robot) if config.data else learning.FreshPairs(robot)
    report = learning.fit(learning.IKProblem(network, pairs), trainer, run.folder, resume=run.resumed)
    if report.rank > 0:
        return None
    learning.save(network.cpu(), run.folder / "network.safetensors")
    draw_curves(run.folder)
    results = learning.evaluate_network(
        network, robot, targets=score.targets, best_of=score.best_of, stored=score.stored, spread=score.spread,
        seed=config.seed,
    )  # fmt: skip
    results["pybullet"] = check_in_bullet(network, robot, score.bullet_targets) if score.bullet_targets else None
    draw_errors(run, network, robot, score, config.seed)
    table(results)
    return finish(run, {**results, "training": summary(report)}, config.objective)


def check_in_bullet(network: learning.IKNetwork, robot: dk.Robot, count: int) -> dict[str, float] | None:
    """Descend from the network's answers and read in PyBullet where its arm then is."""
    if not simulation.is_installed():
        say("PyBullet is not installed (pip install pybullet), so nothing is checked there.")
        return None
    _, T = learning.held_out(robot, count, seed=1)
    q0 = network.starts(T)
    found = dk.solve_ik(robot, T, q0=q0, max_restarts=0)
    with simulation.open_world() as client:
        arm = simulation.load(client, robot)
        raw_position, raw_rotation = simulation.read_back(arm, q0, T)
        position, rotation = simulation.read_back(arm, found.q[found.success], T[found.success])
    return {
        "targets": count,
        "raw_position_error_m_median": float(raw_position.median()),
        "raw_rotation_error_rad_median": float(raw_rotation.median()),
        "solved": int(found.success.sum()),
        "solved_position_error_m_max": float(position.max()) if len(position) else 0.0,
        "solved_rotation_error_rad_max": float(rotation.max()) if len(rotation) else 0.0,
    }


def draw_errors(run: Run, network: learning.IKNetwork, robot: dk.Robot, score: EvaluationConfig, seed: int) -> None:
    """Distribution of the raw errors: one answer, the best of several, and the nearest stored sample."""
    _, T = learning.held_out(robot, min(2000, score.targets), seed=seed)
    starts: dict[str, Tensor] = {
        "one answer": network.sample(T).squeeze(-2),
        f"best of {score.best_of}": network.starts(T, score.best_of),
        f"nearest of {score.stored} samples": learning.NearestSample(robot, score.stored)(T),
    }
    errors = {name: learning.pose_errors(robot, T, q0) for name, q0 in starts.items()}
    plotting.save_figure(plotting.pose_error_figure(errors), run.folder / "errors.png")


def table(results: dict[str, Any]) -> None:
    """Print the network beside the baselines."""
    errors = ("raw_position_error_m_median", "raw_rotation_error_rad_median")
    names = (*errors, "one_descent_success", "one_descent_iterations", "branches_found")
    rows = {results["network"]: results} | {k: v for k, v in results["baselines"].items() if isinstance(v, dict)}
    chosen = {name: {key: row[key] for key in names if key in row} for name, row in rows.items()}
    best = next(key for key in results if key.startswith("best_of_") and key.endswith("_success"))
    chosen[results["network"]][best] = results[best]
    show_rows(f"{results['robot']}, {results['targets']} held-out targets", chosen)


if __name__ == "__main__":
    run_main(main, "train_ik")
