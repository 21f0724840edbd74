"""Train attitude controllers by back-propagation through flights, set them in one table, and fly all in PyBullet.

python scripts/train_attitude.py                             # five controllers, 5 to 10 minutes on two cores
python scripts/train_attitude.py experiment=demo controller=residual controller.width=32
python scripts/train_attitude.py resume=outputs/train_attitude/2030-01-31_12-00-00
python scripts/train_attitude.py --multirun experiment=demo controller=tuned_pd,tuned_cascade hydra/launcher=joblib
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Optional

import torch
from common.controllers import SET_BY_HAND, check_unused, chosen, new_policy
from common.craft import CraftConfig, ScoreConfig, make_craft
from common.folders import Run, open_run
from common.given import unused
from common.run import run_main
from common.settings import require, typed
from common.tables import say, show_rows
from common.training import check_going_on, check_objective, draw_curves, finish, prepared, summary
from omegaconf import DictConfig
from torch import Tensor

from diffkin import aircraft, plotting, simulation
from diffkin._given import steps_in
from diffkin.learning import FitReport, FitSettings, fit
from diffkin.learning.policy import (
    CascadePolicy,
    Craft,
    FlightStarts,
    Gains,
    Policy,
    PolicyProblem,
    flight,
    held_out_starts,
    save_policy,
    scores,
)

KINDS = {"log_pd": "pd", "sqrt_cascade": "cascade", "tuned_pd": "pd", "tuned_cascade": "cascade"}
KINDS |= {"network": "network", "residual": "residual"}
TEXTS = ("controllers", "pybullet", "ranking", "pybullet_ranking", "gains")  # no numbers
FIGURES = ("controllers", "pybullet", "ranking", "pybullet_ranking", "gains", "best_cost")
MODEL = "the model it learned on"
SECONDS = 4.0  # flights that are scored; the cost looks at their first part
NEAR_DEG = 2.0  # a line in the figure


@dataclass(frozen=True)
class TrainAttitudeConfig:
    """All there is to choose; ``controller`` is one or several by name, ``controller_steps`` fill their steps."""

    controller: dict[str, Any]
    controller_steps: dict[str, int]
    trainer: FitSettings
    craft: CraftConfig
    flight_s: float
    score: ScoreConfig
    objective: str
    resume: Optional[str]
    seed: int


def main(cfg: DictConfig) -> float | None:
    """Train, fly, judge, draw, save; the figure named by ``objective`` is what a sweep would minimise."""
    run = open_run(cfg, fixed=("controller", "craft", "flight_s", "seed"))
    config = typed(TrainAttitudeConfig, run.cfg)
    controllers = chosen(config.controller, KINDS)
    check_objective(config.objective, FIGURES, texts=TEXTS, parts=("training",))
    check_unused(run.cfg, controllers)
    trainer = prepared(config.trainer)
    for key in () if config.score.flights else ("score.airframes", "score.pictures"):
        unused(key, "nothing is flown in PyBullet, for score.flights is 0", none=True)
    require(0.0 < config.flight_s <= SECONDS, "flight_s", config.flight_s, f"above 0 and at most {SECONDS}")
    config.score.check()
    airframes = {name: aircraft.load_airframe(name) for name in config.score.airframes}
    learned = {name: each["steps"] for name, each in controllers.items() if each["kind"] not in SET_BY_HAND}
    check_going_on(run, trainer, {run.folder / name: min(steps, trainer.steps) for name, steps in learned.items()})
    craft = make_craft(config.craft)
    for name, settings in controllers.items():  # what is wrong with one is said before another one learns
        new_policy(config.controller, name, KINDS, settings, config.seed)
    policies: dict[str, Policy] = {}
    reports: dict[str, FitReport] = {}
    for name, settings in controllers.items():
        policies[name], report = train(run, config, trainer, craft, name, settings, policies)
        if report is not None:
            reports[name] = report
    if any(report.rank > 0 for report in reports.values()):
        return None
    for name, policy in policies.items():
        save_policy(policy.cpu().requires_grad_(False), craft, run.folder / f"{name}.safetensors")
        if name in reports:
            draw_curves(run.folder / name)
    starts = held_out_starts(craft, config.score.starts, spread=config.craft.spread, seed=1)
    paths = {MODEL: {name: fly_model(policy, craft, starts) for name, policy in policies.items()}}
    if config.score.flights and not simulation.is_installed():
        say("PyBullet is not installed (pip install pybullet), so nothing is flown there.")
    elif config.score.flights:
        paths |= {name: fly_bullet(run, config.score, policies, craft, name, each) for name, each in airframes.items()}
    tables: dict[str, list[dict[str, Any]]] = {
        where: [{"name": n, **scores(*path, craft.dt, seconds=config.flight_s)} for n, path in those.items()]
        for where, those in paths.items()
    }
    flown = tables.pop(MODEL)
    results: dict[str, Any] = {
        "controllers": flown,
        "pybullet": [{"aircraft": where} | row for where, rows in tables.items() for row in rows],
        "ranking": ranking(flown),
        "pybullet_ranking": {where: ranking(rows) for where, rows in tables.items()},
        "gains": {name: gains(policy) for name, policy in policies.items() if gains(policy)},
        "best_cost": min(row["cost"] for row in flown),
        "training": {name: summary(report) for name, report in reports.items()},
    }
    angles = {where: {name: angle for name, (angle, _) in those.items()} for where, those in paths.items()}
    plotting.save_figure(plotting.flights_figure(craft.dt, angles, NEAR_DEG), run.folder / "flights.png")
    for where, rows in {"controllers, held-out flights": flown, **tables}.items():
        show_rows(where, {row["name"]: {key: value for key, value in row.items() if key != "name"} for row in rows})
    return finish(run, results, config.objective)


# -- what is trained ------------------------------------------------------------------------------------------------


def train(
    run: Run, config: TrainAttitudeConfig, trainer: FitSettings, craft: Craft,
    name: str, settings: dict[str, Any], done: dict[str, Policy],
) -> tuple[Policy, FitReport | None]:  # fmt: skip
    """A controller, trained in a folder of its own unless it is set by hand."""
    before = done.get(settings.get("start_from") or "")
    more = {"cascade": before.gains.table()} if isinstance(before, CascadePolicy) else {}
    policy = new_policy(config.controller, name, KINDS, settings | more, config.seed)
    if settings["kind"] in SET_BY_HAND:
        return policy, None
    steps, rate = settings["steps"], float(settings["learning_rate"])
    trainer = dataclasses.replace(trainer, steps=min(steps, trainer.steps), learning_rate=rate)
    say(f"{name}: {sum(p.numel() for p in policy.parameters())} numbers to learn in {trainer.steps} steps")
    problem = PolicyProblem(
        policy, craft, steps=steps_in(config.flight_s, craft.dt, "flight_s", least=1), spread=config.craft.spread
    )
    report = fit(problem, trainer, run.folder / name, resume=run.resumed)
    return policy, report


def gains(policy: Policy) -> dict[str, list[float]]:
    """Gains of a classical law, or of the one inside; empty for a network."""
    holder = getattr(getattr(policy, "cascade", policy), "gains", None)
    return holder.table() if isinstance(holder, Gains) else {}


# -- how it flies ---------------------------------------------------------------------------------------------------

Path = tuple[Tensor, Tensor]
"""Angles (steps + 1, n) and rates (steps + 1, 3, n) of flights."""


@torch.no_grad()
def fly_model(policy: Policy, craft: Craft, starts: FlightStarts) -> Path:
    """Held-out flights of bodies with unknown inertia."""
    flown = flight(policy, starts, craft, steps_in(SECONDS, craft.dt))
    return flown.angle, flown.omega


def fly_bullet(
    run: Run, score: ScoreConfig, policies: dict[str, Policy], craft: Craft, name: str, airframe: aircraft.Airframe
) -> dict[str, Path]:
    """Every controller from the same starts, by Bullet's dynamics; pictures of the last one's first flight."""
    from diffkin.simulation.policy_flights import fly_policy

    starts = held_out_starts(craft, score.flights, seed=2)
    paths: dict[str, Path] = {}
    for controller, policy in policies.items():
        flown = fly_policy(airframe, policy, craft, starts, seconds=SECONDS)
        goal = torch.eye(3, dtype=flown.R_ned_body.dtype).expand(len(flown.R_ned_body), 3, 3)
        paths[controller] = flown.error(goal).T, flown.omega_body.permute(1, 2, 0)
    if score.pictures:
        moments = torch.linspace(0, 0.4 * (len(flown.time) - 1), score.pictures).round().long().tolist()
        with simulation.open_airframe(airframe) as flying:
            shots = [simulation.picture(flying, flown.R_ned_body[0, k], size=(320, 240)) for k in moments]
        labels = [f"{flown.time[k]:.2f} s, {paths[controller][0][k, 0].rad2deg():.1f} deg" for k in moments]
        title = f"{name} flown by {controller}"
        plotting.save_figure(plotting.picture_grid(shots, labels, title=title), run.folder / f"{name}.png")
    return paths


def ranking(rows: list[dict[str, Any]]) -> list[str]:
    """Names by rising cost."""
    return [row["name"] for row in sorted(rows, key=lambda row: row["cost"])]


if __name__ == "__main__":
    run_main(main, "train_attitude")
