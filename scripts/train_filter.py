"""Learn the gains of an attitude filter by gradient through whole records, and let a fine grid judge.

python scripts/train_filter.py                               # Mahony's filter on simulated records, a few minutes
python scripts/train_filter.py filter=madgwick experiment=demo
python scripts/train_filter.py broad=data/broad              # the BROAD data set
python scripts/train_filter.py csv=[flight1.csv,flight2.csv] records.seconds=20
python scripts/train_filter.py --multirun experiment=demo filter=mahony,madgwick hydra/launcher=joblib
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Optional

import torch
from common.folders import open_run
from common.given import unused
from common.records import RecordsConfig, check_records, read_files, simulated, split
from common.run import run_main
from common.settings import require, typed
from common.tables import say, show_rows
from common.training import check_going_on, check_objective, draw_curves, finish, prepared, summary
from omegaconf import DictConfig
from torch import Tensor

from diffkin import plotting
from diffkin.errors import OptionError
from diffkin.learning import FitReport, FitSettings, fit
from diffkin.learning.filter import FilterProblem, LearnedGains, Records, fine_grid, rms_deg, run_records

FIGURES = (
    "filter", "data", "initial_rms_deg", "learned_rms_deg", "grid_rms_deg", "grid_training_rms_deg", "learned", "grid",
    "starts", "whole_records_rms_deg", "whole_records_mean_rms_deg",
)  # fmt: skip

TEXTS = ("filter", "data", "starts", "training", "whole_records_rms_deg")  # no numbers, nor with numbers of known names
OF_FILES = ("whole_records_mean_rms_deg",)


@dataclass(frozen=True)
class LimitsConfig:
    """Least and largest gains of the first grid."""

    lower: list[float]
    upper: list[float]


@dataclass(frozen=True)
class FilterConfig:
    """A filter, and the gains that are learned from."""

    name: str
    starts: list[list[float]]
    grid: LimitsConfig


@dataclass(frozen=True)
class GridConfig:
    """How fine the judge is."""

    points: int
    refinements: int


@dataclass(frozen=True)
class TrainFilterConfig:
    """All there is to choose."""

    filter: FilterConfig
    trainer: FitSettings
    records: RecordsConfig
    grid: GridConfig
    broad: Optional[str]
    csv: Any
    objective: str
    resume: Optional[str]
    seed: int


def check_config(config: TrainFilterConfig) -> None:
    """Raise for an objective that there will not be, and for settings that would change nothing."""
    names = config.csv if isinstance(config.csv, list) else [] if config.csv is None else [config.csv]
    require(all(isinstance(name, str) for name in names), "csv", config.csv, "the name of a file, or a list of them")
    files = bool(config.broad or config.csv)
    check_objective(config.objective, FIGURES, texts=TEXTS if files else (*TEXTS, *OF_FILES), parts=("learned", "grid"))
    check_records(config.records)
    if config.trainer.monitor != "training_rms":
        unused("trainer.monitor", "the best gains are those of the least training_rms")
    if files:
        own = ("training", "held_out", "seconds", "settle_s")
        unused("records", "it is for simulated records, and files are given", but=own)
    if not config.filter.starts:
        raise OptionError("filter.starts must hold at least one set of gains.")


def main(cfg: DictConfig) -> float | None:
    """Learn, let the grid judge, draw, save; the figure named by ``objective`` is what a sweep would minimise."""
    run = open_run(cfg, fixed=("filter", "records", "broad", "csv", "seed"))
    config = typed(TrainFilterConfig, run.cfg)
    check_config(config)
    name, starts = config.filter.name, config.filter.starts
    trainer = dataclasses.replace(prepared(config.trainer), monitor="training_rms")
    networks = [LearnedGains(name, start) for start in starts]
    check_going_on(run, trainer, {run.folder / f"start_{k}": trainer.steps for k in range(len(starts))})
    files = read_files(config.broad, config.csv)
    training, held_out = split(config.records, config.seed, files) if files else simulated(config.records, config.seed)
    say(f"{training.count} records to learn from, {held_out.count} held out, {training.gyro.shape[0]} samples each")
    reports: list[FitReport] = []
    for k, network in enumerate(networks):
        say(f"{name} from {network.table()}")
        reports.append(fit(FilterProblem(network, training, held_out), trainer, run.folder / f"start_{k}", run.resumed))
        network.cpu().requires_grad_(False)
    if any(report.rank > 0 for report in reports):
        return None
    say("The grid ...")
    limits, settings = config.filter.grid, dataclasses.asdict(config.grid)
    grid, grid_training = fine_grid(name, training, limits.lower, limits.upper, **settings)
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
        "data": "broad" if config.broad else "csv" if config.csv else "simulated",
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
        draw_curves(run.folder / f"start_{k}")
    gains = {"gains at the start": torch.tensor(starts[0]), "learned gains": networks[chosen]()}
    errors = {label: error_angles(name, these, held_out) for label, these in gains.items()}
    figure = plotting.filter_error_figure(held_out.dt, errors, f"{name}, {held_out.count} held-out records")
    plotting.save_figure(figure, run.folder / "errors.png")
    table(results)
    return finish(run, results, config.objective)


# -- what comes out -------------------------------------------------------------------------------------------------


@torch.no_grad()
def score(name: str, gains: Tensor, records: Records) -> float:
    """Root mean square of the angle to the truth [deg]."""
    return float(rms_deg(run_records(name, gains.to(records.gyro), records), records))


@torch.no_grad()
def error_angles(name: str, gains: Tensor, records: Records) -> Tensor:
    """(steps, records) angle to the truth [rad]; NaN where there is none."""
    inner = (run_records(name, gains, records) * records.truth).sum(1).abs().clamp(max=1.0)
    return torch.where(records.truth.abs().sum(1) > 0, 2.0 * torch.acos(inner), torch.nan)


def table(results: dict[str, Any]) -> None:
    """Print the gains and errors from every start, and of the grid."""
    errors = ("initial_rms_deg", "learned_rms_deg", "training_rms_deg")
    rows = {
        f"start {k}": {**row["learned"], **{key: row[key] for key in errors}} for k, row in enumerate(results["starts"])
    }
    found = {"learned_rms_deg": results["grid_rms_deg"], "training_rms_deg": results["grid_training_rms_deg"]}
    rows["fine grid"] = {**results["grid"], **found}
    show_rows(f"{results['filter']}, {results['data']} records", rows)


if __name__ == "__main__":
    run_main(main, "train_filter")
