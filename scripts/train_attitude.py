"""Train attitude controllers by back-propagation through flights, set them in one table, and fly all in PyBullet.

python scripts/train_attitude.py                             # five controllers, 5 to 10 minutes on two cores
python scripts/train_attitude.py experiment=demo controller=residual controller.width=32
python scripts/train_attitude.py resume=outputs/train_attitude/2030-01-31_12-00-00
python scripts/train_attitude.py --multirun experiment=demo controller=tuned_pd,tuned_cascade hydra/launcher=joblib
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from common import run_main
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from training import Run, curves, finish, open_run, say, show, summary, trainer_of

from diffkin import aircraft
from diffkin.errors import OptionError, closest
from diffkin.learning import FitReport, fit
from diffkin.learning.policy.flight import Craft, Starts, flight, scores
from diffkin.learning.policy.policies import CascadePolicy, Gains, Policy, make_policy
from diffkin.learning.policy.train import PolicyProblem, held_out_starts, save_policy
from diffkin.plotting import new_figure, picture_grid, save_figure
from diffkin.simulation.world import is_installed

HAND_SET = {"log_pd": "pd", "sqrt_cascade": "cascade"}
LEARNED = {"tuned_pd": "pd", "tuned_cascade": "cascade", "network": "network", "residual": "residual"}
FIGURES = ("controllers", "pybullet", "ranking", "pybullet_ranking", "gains", "best_cost")
SECONDS = 4.0  # flights that are scored; the cost looks at their first part


def main(cfg: DictConfig) -> float | None:
    run = open_run(cfg, fixed=("controller", "craft", "flight_s", "seed"))
    cfg = run.cfg
    run.will_write(*FIGURES)
    craft = craft_of(cfg)
    policies: dict[str, Policy] = {}
    reports: dict[str, FitReport] = {}
    for name, settings in chosen(cfg.controller).items():
        policies[name], report = train(run, craft, name, settings, policies)
        if report is not None:
            reports[name] = report
    if any(report.rank > 0 for report in reports.values()):
        return None
    for name, policy in policies.items():
        save_policy(policy.cpu().requires_grad_(False), craft, run.folder / f"{name}.safetensors")
        if name in reports:
            curves(run.folder / name)
    starts = held_out_starts(craft, cfg.score.starts, spread=cfg.craft.spread, seed=1)
    paths = {"the model it learned on": {name: fly_model(policy, craft, starts) for name, policy in policies.items()}}
    if cfg.score.flights and not is_installed():
        say("PyBullet is not installed (pip install pybullet), so nothing is flown there.")
    elif cfg.score.flights:
        paths |= {name: fly_bullet(run, policies, craft, name) for name in cfg.score.airframes}
    tables: dict[str, list[dict[str, Any]]] = {
        where: [{"name": n, **scored(cfg, craft, *path)} for n, path in those.items()] for where, those in paths.items()
    }
    controllers = tables.pop("the model it learned on")
    results: dict[str, Any] = {
        "controllers": controllers,
        "pybullet": [{"aircraft": where} | row for where, rows in tables.items() for row in rows],
        "ranking": ranking(controllers),
        "pybullet_ranking": {where: ranking(rows) for where, rows in tables.items()},
        "gains": {name: gains(policy) for name, policy in policies.items() if gains(policy)},
        "best_cost": min(row["cost"] for row in controllers),
        "training": {name: summary(report) for name, report in reports.items()},
    }
    draw(run, paths, craft)
    for where, rows in {"controllers, held-out flights": controllers, **tables}.items():
        show(where, {row["name"]: {key: value for key, value in row.items() if key != "name"} for row in rows})
    return finish(run, results, None, cfg.objective)


# -- what is trained ------------------------------------------------------------------------------------------------


def craft_of(cfg: DictConfig) -> Craft:
    """The body that is flown in training."""
    body = cfg.craft
    for key in ("moments_kg_m2", "torque_limit_nm"):
        if len(body[key]) != 3 or not all(value > 0 for value in body[key]):
            raise OptionError(f"craft.{key} must be three numbers above zero, got {list(body[key])}.")
    if not 0.0 < cfg.flight_s <= SECONDS:
        raise OptionError(f"flight_s must be above 0 and at most {SECONDS}, got {cfg.flight_s}.")
    inertia = torch.diag(torch.tensor(list(body.moments_kg_m2), dtype=torch.float32))
    return Craft(inertia, torch.tensor(list(body.torque_limit_nm), dtype=torch.float32), body.lag_s, body.dt_s)


def chosen(node: DictConfig) -> dict[str, dict[str, Any]]:
    """Settings of the controllers of this run by name: one, or all of ``controller=all``."""
    settings: Any = OmegaConf.to_container(node, resolve=True)
    settings = {settings["kind"]: settings} if "kind" in settings else settings
    for each in settings.values():
        if not isinstance(each, dict) or each.get("kind") not in HAND_SET | LEARNED:
            raise closest(each.get("kind") if isinstance(each, dict) else each, HAND_SET | LEARNED, "controller")
    return settings


def train(
    run: Run, craft: Craft, name: str, settings: dict[str, Any], done: dict[str, Policy]
) -> tuple[Policy, FitReport | None]:
    """A controller, trained in a folder of its own unless it is set by hand."""
    settings = dict(settings)
    kind = settings.pop("kind")
    steps, rate = settings.pop("steps", 0), settings.pop("learning_rate", 0.0)
    before = done.get(settings.pop("start_from", None) or "")
    if isinstance(before, CascadePolicy):
        settings["cascade"] = before.gains.table()
    policy = make_policy((HAND_SET | LEARNED)[kind], settings, seed=int(run.cfg.seed))
    if kind in HAND_SET:
        return policy, None
    trainer = trainer_of(run.cfg)
    trainer = dataclasses.replace(trainer, steps=min(steps, trainer.steps), learning_rate=float(rate))
    say(f"{name}: {sum(p.numel() for p in policy.parameters())} numbers to learn in {trainer.steps} steps")
    problem = PolicyProblem(policy, craft, steps=round(run.cfg.flight_s / craft.dt), spread=float(run.cfg.craft.spread))
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
def fly_model(policy: Policy, craft: Craft, starts: Starts) -> Path:
    """Held-out flights of bodies with unknown inertia."""
    flown = flight(policy, starts, craft, round(SECONDS / craft.dt))
    return flown.angle, flown.omega


def fly_bullet(run: Run, policies: dict[str, Policy], craft: Craft, name: str) -> dict[str, Path]:
    """Every controller from the same starts, by Bullet's dynamics; pictures of the last one's first flight."""
    from diffkin.simulation.airframes import open_airframe, picture
    from diffkin.simulation.policy_flights import fly_policy

    airframe = aircraft.load_airframe(name)
    starts = held_out_starts(craft, run.cfg.score.flights, seed=2)
    paths: dict[str, Path] = {}
    for controller, policy in policies.items():
        flown = fly_policy(airframe, policy, craft, starts, seconds=SECONDS)
        goal = torch.eye(3, dtype=flown.R_ned_body.dtype).expand(len(flown.R_ned_body), 3, 3)
        paths[controller] = flown.error(goal).T, flown.omega_body.permute(1, 2, 0)
    if run.cfg.score.pictures:
        moments = torch.linspace(0, 0.4 * (len(flown.time) - 1), run.cfg.score.pictures).round().long().tolist()
        with open_airframe(airframe) as flying:
            shots = [picture(flying, flown.R_ned_body[0, k], size=(320, 240)) for k in moments]
        labels = [
            f"{float(flown.time[k]):.2f} s, {float(paths[controller][0][k, 0].rad2deg()):.1f} deg" for k in moments
        ]
        save_figure(picture_grid(shots, labels, title=f"{name} flown by {controller}"), run.folder / f"{name}.png")
    return paths


def scored(cfg: DictConfig, craft: Craft, angle: Tensor, omega: Tensor) -> dict[str, float]:
    """Figures of flights."""
    return scores(angle, omega, craft.dt, seconds=float(cfg.flight_s))


def ranking(rows: list[dict[str, Any]]) -> list[str]:
    """Names by rising cost."""
    return [row["name"] for row in sorted(rows, key=lambda row: row["cost"])]


def draw(run: Run, paths: dict[str, dict[str, Path]], craft: Craft) -> None:
    """Angle to the goal over time: median and 95th percentile of every controller, in the model and in PyBullet."""
    figure = new_figure(width=4.2 * len(paths), height=3.8)
    for axis, (where, those) in zip(figure.subplots(1, len(paths), squeeze=False)[0], paths.items()):
        for k, (name, (angle, _)) in enumerate(those.items()):
            time = craft.dt * torch.arange(len(angle))
            degrees = angle.double().rad2deg().clamp(min=1e-3)
            axis.semilogy(time, degrees.median(1).values, color=f"C{k}", label=name)
            axis.semilogy(time, degrees.quantile(0.95, 1), color=f"C{k}", lw=0.8, ls="--")
        axis.axhline(2.0, color="0.6", lw=0.8)
        axis.set(title=where, xlabel="time [s]", ylabel="angle to the goal [deg]")
    figure.axes[0].legend(fontsize=8)
    save_figure(figure, run.folder / "flights.png")


if __name__ == "__main__":
    run_main(main, "train_attitude")
