"""train_ik as a user runs it: results, resuming after a kill, two processes, sweeps, mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from diffkin import learning
from diffkin.learning.checkpoint import load_checkpoint
from diffkin.learning.log import read_metrics

ROOT = Path(__file__).parents[2]
SMALL = [
    "experiment=demo",
    "robot=planar_3r",
    "network.width=16",
    "network.depth=1",
    "trainer.steps=60",
    "trainer.batch=32",
    "trainer.validate_every=20",
    "trainer.checkpoint_every=1",
    "trainer.threads=1",
    "evaluation.targets=50",
    "evaluation.stored=500",
    "evaluation.spread=2",
    "evaluation.bullet_targets=5",
]
KEYS = {
    "robot",
    "network",
    "raw_position_error_m_median",
    "raw_rotation_error_rad_median",
    "within_limits",
    "one_descent_success",
    "one_descent_iterations",
    "best_of_8_success",
    "baselines",
}


def start(*overrides: str, cwd: Path, script: str = "train_ik") -> subprocess.Popen:
    command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), *overrides]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DIFFKIN_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(*overrides: str, cwd: Path, fails: bool = False) -> str:
    process = start(*overrides, cwd=cwd)
    output, _ = process.communicate(timeout=240)
    assert (process.returncode != 0) == fails, output
    return output


def same(first, second) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first if k != "seconds")
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(*SMALL, "hydra.run.dir=run", cwd=folder)
    return folder / "run"


def test_a_run_leaves_results_curves_and_a_network(whole):
    results = json.loads((whole / "results.json").read_text())
    assert results.keys() >= KEYS
    assert results["robot"] == "planar_3r" and results["network"] == "chain_flow"
    assert results["within_limits"] == 1.0
    for name in ("uniform", "mid_range", "nearest_sample"):
        assert results["baselines"][name].keys() >= {"one_descent_success", "one_descent_iterations"}
    assert results["pybullet"]["solved"] > 0
    assert results["pybullet"]["solved_position_error_m_max"] < 1e-5
    for name in ("config.yaml", "metrics.csv", "curves.png", "errors.png", "best.pt", "last.pt"):
        assert (whole / name).stat().st_size > 0
    assert [row["step"] for row in read_metrics(whole / "metrics.csv")] == [20, 40, 60]
    network = learning.load(whole)
    assert network.sample(torch.eye(4), 2).shape == (2, 3)


def test_killed_and_resumed_equals_uninterrupted_and_other_models_are_refused(whole, tmp_path):
    process = start(*SMALL, "hydra.run.dir=run", cwd=tmp_path)
    folder = tmp_path / "run"
    give_up = time.monotonic() + 120
    while not (folder / "last.pt").exists():
        assert time.monotonic() < give_up and process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "results.json").exists()
    assert load_checkpoint(folder / "last.pt")["count"]["step"] < 60
    for change in ("network=through_fk", "network.width=17", "robot=planar_2r", "seed=1"):
        output = run("resume=run", change, cwd=tmp_path, fails=True)
        assert "another model" in output and "Traceback" not in output
    run("resume=run", cwd=tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["run"]  # it wrote on into the same folder
    for name in ("last.pt", "best.pt"):
        assert same(load_checkpoint(folder / name), load_checkpoint(whole / name))
    first, second = (json.loads((path / "results.json").read_text()) for path in (whole, folder))
    first["training"].pop("seconds"), second["training"].pop("seconds")
    assert first == second


def test_two_processes_train_together(tmp_path):
    output = run(*SMALL, "trainer.devices=2", "network=through_fk", "hydra.run.dir=run", cwd=tmp_path)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["network"] == "through_fk" and results["training"]["steps"] == 60, output
    assert load_checkpoint(tmp_path / "run" / "last.pt")["generators"].shape[0] == 2


def test_a_sweep_over_networks_through_joblib(tmp_path):
    shared = [part for part in SMALL if not part.startswith("network")]
    output = run(
        "--multirun",
        *shared,
        "network=regression,flow",
        "network.width=8",
        "network.depth=1",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "hydra.sweep.dir=sweep",
        cwd=tmp_path,
    )
    names = {json.loads(path.read_text())["network"] for path in tmp_path.glob("sweep/*/results.json")}
    assert names == {"regression", "flow"}, output


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["network=chain_flo"], "chain_flow"),
        (["robot=kuka"], "kuka_iiwa"),
        (["trainer.stepz=3"], "trainer.stepz"),
        (["+trainer.stepz=3"], "'steps'"),
        (["trainer.steps=many"], "trainer.steps must be of type int"),
        (["+network.widht=3"], "'width'"),
        (["resume=nowhere"], "no run in nowhere"),
        (["data=nowhere"], "no pairs-*.safetensors in nowhere"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_mistakes_end_in_a_message(overrides, message, tmp_path):
    output = run(
        *overrides, "hydra.run.dir=run" if "resume" not in overrides[0] else "seed=0", cwd=tmp_path, fails=True
    )
    assert message in output and "Traceback" not in output


def test_a_sweep_through_submitit(tmp_path):
    run("--multirun", *SMALL, "seed=3", "hydra/launcher=submitit_local", "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert len(list(tmp_path.glob("sweep/*/results.json"))) == 1


def test_a_search_by_optuna(tmp_path):
    shared = [part for part in SMALL if not part.startswith("network.width")]
    search = [
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=2",
        "hydra.sweeper.n_jobs=1",
        "network.width=choice(8, 16)",
    ]
    output = run("--multirun", *shared, *search, "hydra.sweep.dir=sweep", cwd=tmp_path)
    best = (tmp_path / "sweep" / "optimization_results.yaml").read_text()
    assert "best_value" in best and "network.width" in best, output
