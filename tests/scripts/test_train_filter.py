"""train_filter as a user runs it: simulated records, files, resuming after a kill, two processes, a sweep, mistakes."""

import csv
import math
from pathlib import Path

import pytest
import torch
from scipy.io import savemat

from diffkin.learning.filter import (
    CSV_COLUMNS,
    SimulationSettings,
    read_csv,
    rms_deg,
    run_records,
    simulate_records,
)
from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.log import read_metrics
from tests.scripts.training_runs import assert_same_run, figures_of, one_line, results, run, run_each, run_until_killed

SMALL = [
    "experiment=demo",
    "filter.starts=[[0.3,3.0,0.2],[3.0,0.5,0.02]]",
    "trainer.steps=6",
    "trainer.batch=4",
    "trainer.validate_every=2",
    "trainer.checkpoint_every=1",
    "trainer.threads=1",
    "trainer.progress=false",
    "records.training=4",
    "records.held_out=4",
    "records.seconds=3",
    "records.settle_s=1",
    "records.rate_hz=25",
    "grid.points=4",
    "grid.refinements=1",
]
OF_FILES = [word for word in SMALL if not word.startswith("records.rate_hz")]  # files have a rate of their own
STARTS = ["start_0", "start_1"]
GAINS = ["accelerometer", "magnetometer", "integral"]
MISTAKES = {
    ("objective=lerned_rms_deg",): "'learned_rms_deg'",
    ("filter=mahoni",): "Did you mean mahony",
    ("trainer.stepz=3",): "Did you mean trainer.steps",
    ("trainer.learning_rate=fast",): "trainer.learning_rate must be of type float",
    ("filter.starts=[]",): "filter.starts must hold at least one",
    ("filter.starts=[[1,2]]",): "mahony needs 3 positive gains",
    ("csv=nowhere.csv",): "nowhere.csv cannot be read",
    ("csv=short.csv",): "short.csv has no column gyro_y",
    ("broad=empty",): "no .mat files of BROAD in empty",
    ("broad=empty", "csv=short.csv"): "not both",
    ("records.seconds=1",): "seconds > settle",
    ("csv=short.csv", "records.mag_noise=0.0"): "records.mag_noise=0.0 would change nothing",
    ("trainer.monitor=loss",): "would change nothing: the best gains are those of the least training_rms",
    ("objective=whole_records_mean_rms_deg",): "no figure 'whole_records_mean_rms_deg'",
    ("csv=",): "csv= is given without a value",
    ("resume=nowhere",): "no run in nowhere",
    ("resume=simulated", "filter=madgwick"): "filter.name is 'mahony'",
    ("resume=simulated", "records.rate_hz=50"): "records.rate_hz is 25",
    ("resume=simulated", "seed=1"): "seed is 0",
}
TURNED = torch.tensor([1.0, -1.0, -1.0])  # forward, right, down to forward, left, up


def write_csv(path: Path, seed: int) -> None:
    """A simulated record of 6 s as a user would write one; no attitude where nothing is to be scored."""
    data = simulate_records(1, SimulationSettings(seconds=6.0, rate_hz=25.0), seed)
    samples = torch.cat((data.gyro, -9.81 * data.down, 45.0 * data.field, data.truth), 1)[..., 0]
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("time_s", *CSV_COLUMNS))
        for k, (row, counts) in enumerate(zip(samples.tolist(), data.counts[:, 0], strict=True)):
            table.writerow((f"{k * data.dt:.6f}", *row[:9], *(row[9:] if counts else 4 * [""])))


def write_broad(path: Path, seed: int) -> None:
    """The same as a file of BROAD: forward, left, up; attitudes to east, north, up, w first; movement 0 or 1."""
    data = simulate_records(1, SimulationSettings(seconds=6.0, rate_hz=25.0), seed)
    x, y, z, w = data.truth[..., 0].double().T
    half = math.sqrt(0.5)  # the turn from north-east-down to east-north-up is (1, 1, 0) pi; then the body's own about x
    east = torch.stack((w, -z, y, -x)), torch.stack((z, w, -x, -y))  # (1, 0, 0, 0) * q and (0, 1, 0, 0) * q
    x, y, z, w = half * (east[0] + east[1])
    savemat(
        path,
        {
            "imu_gyr": (data.gyro[..., 0] * TURNED).numpy(),
            "imu_acc": (-9.81 * data.down[..., 0] * TURNED).numpy(),
            "imu_mag": (45.0 * data.field[..., 0] * TURNED).numpy(),
            "opt_quat": torch.stack((-x, w, z, -y), -1).numpy(),  # (x, y, z, w) * (1, 0, 0, 0), w first
            "movement": (data.counts.T.numpy() > 0).astype("uint8"),
            "sampling_rate": 25.0,
        },
    )


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> tuple[Path, list]:
    """A folder with runs on simulated records, CSV files and a folder of BROAD, and a sweep; what mistakes ended in."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "broad" / "data_mat").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "short.csv").write_text("time_s,gyro_x\n0,1\n")
    for k in range(2):
        write_csv(folder / f"flight{k}.csv", seed=k)
        write_broad(folder / "broad" / "data_mat" / f"0{k}_slow.mat", seed=k)
    single = ["grid.refinements=0", "filter.starts=[[0.3,3.0,0.2]]"]
    good = [
        [*SMALL, "hydra.run.dir=simulated"],
        [*OF_FILES, *single, "csv=[flight0.csv,flight1.csv]", "hydra.run.dir=csv"],
        [*OF_FILES, *single, "broad=broad", "hydra.run.dir=broad_run"],
        [
            "--multirun",
            *SMALL,
            "grid.refinements=0",
            "filter=madgwick",
            "filter.starts=[[0.1,0.01]]",
            "seed=0,1",
            "hydra.sweep.dir=sweep",
        ],
    ]
    bad = [[*line] if "resume" in line[0] else [*line, "hydra.run.dir=bad"] for line in MISTAKES]
    said = run_each("train_filter", *good, *bad, cwd=folder)
    assert [code for code, _ in said[: len(good)]] == [0, 0, 0, 0], said
    return folder, said[len(good) :]


@pytest.fixture(scope="module")
def runs(session) -> Path:
    return session[0]


def test_a_run_leaves_figures_of_every_start_and_of_the_grid(runs):
    found = results(runs / "simulated")
    assert found.keys() >= {"initial_rms_deg", "learned_rms_deg", "grid_rms_deg"}
    assert (found["filter"], found["data"]) == ("mahony", "simulated")
    assert [row["start"] for row in found["starts"]] == [[0.3, 3.0, 0.2], [3.0, 0.5, 0.02]]
    for row, report, name in zip(found["starts"], found["training"], STARTS, strict=True):
        assert list(row["learned"]) == GAINS
        log = read_metrics(runs / "simulated" / name / "metrics.csv")
        assert [line["step"] for line in log] == [2, 4, 6]
        assert row["training_rms_deg"] == report["best"] == min(line["training_rms"] for line in log)
        assert report["best"] < log[0]["training_rms"]
        for file in ("best.pt", "last.pt", "curves.png"):
            assert (runs / "simulated" / name / file).stat().st_size > 0
    best = min(found["starts"], key=lambda row: row["training_rms_deg"])
    assert found["learned_rms_deg"] == best["learned_rms_deg"]
    assert found["initial_rms_deg"] == found["starts"][0]["initial_rms_deg"]
    assert (runs / "simulated" / "errors.png").stat().st_size > 10_000


def test_files_of_the_user(runs):
    found = results(runs / "csv")
    assert found.keys() == figures_of("train_filter")
    assert found["data"] == "csv"
    assert list(found["whole_records_rms_deg"]) == ["flight0.csv", "flight1.csv"]
    gains = torch.tensor([found["learned"][name] for name in GAINS])
    for name, value in found["whole_records_rms_deg"].items():
        record = read_csv(runs / name)
        assert value == pytest.approx(float(rms_deg(run_records("mahony", gains, record), record)), rel=1e-3)
    mean = sum(found["whole_records_rms_deg"].values()) / 2
    assert found["whole_records_mean_rms_deg"] == pytest.approx(mean)


def test_the_broad_data_set_says_the_same_as_csv_files_of_the_same_flights(runs):
    first, second = results(runs / "csv"), results(runs / "broad_run")
    assert second["data"] == "broad"
    assert list(second["whole_records_rms_deg"]) == ["00_slow", "01_slow"]
    for name in ("initial_rms_deg", "learned_rms_deg", "grid_rms_deg"):
        assert second[name] == pytest.approx(first[name], rel=1e-3)


def test_a_sweep_over_seeds_of_the_other_filter(runs):
    found = [results(runs / "sweep" / str(k)) for k in range(2)]
    assert [each["filter"] for each in found] == ["madgwick", "madgwick"]
    assert list(found[0]["learned"]) == ["beta", "zeta"]
    assert found[0]["learned_rms_deg"] != found[1]["learned_rms_deg"]


def test_killed_and_resumed_equals_uninterrupted(runs, tmp_path):
    """Killed while it learns from the second start, with the first one done."""
    folder = tmp_path / "run"
    checkpoint = folder / "start_1" / "last.pt"
    run_until_killed("train_filter", *SMALL, "hydra.run.dir=run", cwd=tmp_path, checkpoint=checkpoint, step=1)
    assert load_checkpoint(checkpoint)["count"]["step"] < 6
    run("train_filter", "resume=run", cwd=tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]  # it wrote on into the same folder
    assert_same_run(folder, runs / "simulated", STARTS)


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[" ".join(line) for line in MISTAKES])
def test_mistakes_end_in_one_line(number, session):
    line, part = list(MISTAKES.items())[number]
    message = one_line(*session[1][number])
    assert part in message
    assert ("another model" in message) == (line[0] == "resume=simulated")


@pytest.mark.slow
def test_two_processes_train_from_one_start_after_the_other(tmp_path):
    run("train_filter", *SMALL, "trainer.devices=2", "hydra.run.dir=run", cwd=tmp_path)
    assert len(results(tmp_path / "run")["starts"]) == 2
    for name in STARTS:
        state = load_checkpoint(tmp_path / "run" / name / "last.pt")
        assert state["count"]["step"] == 6
        assert not torch.equal(*state["generators"])  # each process draws records of its own
