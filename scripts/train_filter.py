"""Learn the gains of an attitude filter by gradient through whole records, and let a fine grid judge.

python scripts/train_filter.py                               # Mahony's filter on simulated records, a few minutes
python scripts/train_filter.py filter=madgwick experiment=demo
python scripts/train_filter.py broad=data/broad              # the BROAD data set
python scripts/train_filter.py csv=[flight1.csv,flight2.csv] records.seconds=20
python scripts/train_filter.py --multirun experiment=demo filter=mahony,madgwick hydra/launcher=joblib
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from common import run_main
from omegaconf import DictConfig
from training import Run, curves, finish, open_run, say, show, summary, trainer_of

from diffkin.errors import OptionError
from diffkin.learning import FitReport, fit
from diffkin.learning.filter import (
    FilterProblem,
    LearnedGains,
    Records,
    SimulationSettings,
    cut,
    fine_grid,
    read_broad,
    read_csv,
    rms_deg,
    run_records,
    simulate_records,
    stack,
)
from diffkin.learning.training import held_out_seed
from diffkin.plotting import new_figure, save_figure

FIGURES = (
    "filter", "data", "initial_rms_deg", "learned_rms_deg", "grid_rms_deg", "grid_training_rms_deg", "learned", "grid",
    "starts", "whole_records_rms_deg", "whole_records_mean_rms_deg",
)  # fmt: skip


def main(cfg: DictConfig) -> float | None:
    run = open_run(cfg, fixed=("filter", "records", "broad", "csv", "seed"))
    cfg = run.cfg
    run.will_write(*FIGURES)
    name, starts = str(cfg.filter.name), [[float(gain) for gain in start] for start in cfg.filter.starts]
    if not starts:
        raise OptionError("filter.starts must hold at least one set of gains.")
    networks = [LearnedGains(name, start) for start in starts]
    files = read_files(cfg)
    training, held_out = split(cfg, files) if files else simulated(cfg)
    say(f"{training.count} records to learn from, {held_out.count} held out, {training.gyro.shape[0]} samples each")
    reports: list[FitReport] = []
    for k, network in enumerate(networks):
        say(f"{name} from {network.table()}")
        trainer = dataclasses.replace(trainer_of(cfg), monitor="training_rms")
        reports.append(fit(FilterProblem(network, training, held_out), trainer, run.folder / f"start_{k}", run.resumed))
        network.cpu().requires_grad_(False)
    if any(report.rank > 0 for report in reports):
        return None
    say("The grid ...")
    settings = {"points": cfg.grid.points, "refinements": cfg.grid.refinements}
    grid, grid_training = fine_grid(name, training, cfg.filter.grid.lower, cfg.filter.grid.upper, **settings)
    chosen = min(range(len(starts)), key=lambda k: reports[k].best)
    each = [
        {
            "start": start,
            "initial_rms_deg": score(name, torch.tensor(start), held_out),
            "learned": network.table(),
            "learned_rms_deg": score(name, network(), held_out),
            "training_rms_deg": report.best,
        }
        for start, network, report in zip(starts, networks, reports, strict=True)
    ]
    results: dict[str, Any] = {
        "filter": name,
        "data": "broad" if cfg.broad else "csv" if cfg.csv else "simulated",
        "initial_rms_deg": each[0]["initial_rms_deg"],
        "learned_rms_deg": each[chosen]["learned_rms_deg"],
        "grid_rms_deg": score(name, grid, held_out),
        "grid_training_rms_deg": grid_training,
        "learned": each[chosen]["learned"],
        "grid": dict(zip(networks[0].names, grid.tolist(), strict=True)),
        "starts": each,
        "training": [summary(report) for report in reports],
    }
    if files:
        whole = {file: score(name, networks[chosen](), record) for file, record in files.items()}
        results["whole_records_rms_deg"] = whole
        results["whole_records_mean_rms_deg"] = sum(whole.values()) / len(whole)
    for k in range(len(starts)):
        curves(run.folder / f"start_{k}")
    draw(run, name, torch.tensor(starts[0]), networks[chosen](), held_out)
    table(results)
    return finish(run, results, None, cfg.objective)


# -- data -----------------------------------------------------------------------------------------------------------


def simulated(cfg: DictConfig) -> tuple[Records, Records]:
    """Records to learn from, and held-out ones."""
    r = cfg.records
    settings = SimulationSettings(
        seconds=r.seconds, rate_hz=r.rate_hz, turn=r.turn_rad_s, bias=r.bias_rad_s, gyro_noise=r.gyro_noise_rad_s,
        accel_noise=r.accel_noise_m_s2, mag_noise=r.mag_noise, burst=r.burst_m_s2, settle=r.settle_s,
    )  # fmt: skip
    seed = int(cfg.seed)
    return simulate_records(r.training, settings, seed), simulate_records(r.held_out, settings, held_out_seed(seed))


def read_files(cfg: DictConfig) -> dict[str, Records]:
    """Whole records of the files given; none for simulated ones."""
    if cfg.broad and cfg.csv:
        raise OptionError("Give broad=... or csv=..., not both.")
    if cfg.broad:
        return read_broad(cfg.broad)
    paths = [cfg.csv] if isinstance(cfg.csv, str) else list(cfg.csv or ())
    return {str(path): read_csv(path) for path in paths}


def split(cfg: DictConfig, files: dict[str, Records]) -> tuple[Records, Records]:
    """Windows of every other file to learn from and of the rest; of a single file, of its two halves."""
    generator = torch.Generator().manual_seed(int(cfg.seed))
    windows = [cut(record, cfg.records.seconds, cfg.records.settle_s) for record in files.values()]
    if len(windows) == 1:
        half = windows[0].count // 2
        if half < 1:
            raise OptionError("One file must be long enough for two windows. Lower records.seconds, or give two files.")
        order = torch.arange(windows[0].count)
        sets = windows[0].chosen(order[:half]), windows[0].chosen(order[half:])
    else:
        sets = stack(windows[::2]), stack(windows[1::2])
    most = (cfg.records.training, cfg.records.held_out)
    picked = [torch.randperm(part.count, generator=generator)[:count] for part, count in zip(sets, most, strict=True)]
    return sets[0].chosen(picked[0]), sets[1].chosen(picked[1])


# -- what comes out -------------------------------------------------------------------------------------------------


@torch.no_grad()
def score(name: str, gains: torch.Tensor, records: Records) -> float:
    """Root mean square of the angle to the truth [deg]."""
    return float(rms_deg(run_records(name, gains.to(records.gyro), records), records))


@torch.no_grad()
def draw(run: Run, name: str, start: torch.Tensor, learned: torch.Tensor, records: Records) -> None:
    """Error over time, over all held-out records: with the gains at the start, and with the learned ones."""
    figure = new_figure(width=7.0, height=3.5)
    axis = figure.subplots()
    for label, gains in {"gains at the start": start, "learned gains": learned}.items():
        quat = run_records(name, gains, records)
        inner = (quat * records.truth).sum(1).abs().clamp(max=1.0)
        square = (2.0 * torch.acos(inner)).square()
        known = (records.truth.abs().sum(1) > 0).to(square)
        rms = ((square * known).sum(1) / known.sum(1).clamp(min=1.0)).sqrt().rad2deg()
        axis.plot(records.dt * torch.arange(len(rms)), rms, label=label)
    axis.set(
        xlabel="time [s]", ylabel="error, root mean square [deg]", title=f"{name}, {records.count} held-out records"
    )
    axis.legend()
    save_figure(figure, run.folder / "errors.png")


def table(results: dict[str, Any]) -> None:
    """Print the gains and errors from every start, and of the grid."""
    errors = ("initial_rms_deg", "learned_rms_deg", "training_rms_deg")
    rows = {
        f"start {k}": {**row["learned"], **{key: row[key] for key in errors}} for k, row in enumerate(results["starts"])
    }
    found = {"learned_rms_deg": results["grid_rms_deg"], "training_rms_deg": results["grid_training_rms_deg"]}
    rows["fine grid"] = {**results["grid"], **found}
    show(f"{results['filter']}, {results['data']} records", rows)


if __name__ == "__main__":
    run_main(main, "train_filter")
