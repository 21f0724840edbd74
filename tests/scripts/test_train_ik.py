"""train_ik as a user runs it: results, resuming after a kill, two processes, sweeps, mistakes."""

import json
from pathlib import Path

import pytest
import torch

from diffkin import learning
from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.log import read_metrics
from tests.scripts.training_runs import assert_same_run, figures_of, one_line, results, run, run_each, run_until_killed

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


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run("train_ik", *SMALL, "hydra.run.dir=run", cwd=folder)
    return folder / "run"


def test_a_run_leaves_results_curves_and_a_network(whole):
    found = results(whole)
    assert found.keys() >= KEYS
    assert found.keys() - {"best_of_8_success", "best_of_8_iterations"} == figures_of("train_ik")
    assert found["robot"] == "planar_3r" and found["network"] == "chain_flow"
    assert found["within_limits"] == 1.0
    for name in ("uniform", "mid_range", "nearest_sample"):
        assert found["baselines"][name].keys() >= {"one_descent_success", "one_descent_iterations"}
    assert found["pybullet"]["solved"] > 0
    assert found["pybullet"]["solved_position_error_m_max"] < 1e-5
    for name in ("config.yaml", "metrics.csv", "curves.png", "errors.png", "best.pt", "last.pt"):
        assert (whole / name).stat().st_size > 0
    assert [row["step"] for row in read_metrics(whole / "metrics.csv")] == [20, 40, 60]
    network = learning.load(whole)
    assert network.sample(torch.eye(4), 2).shape == (2, 3)


def test_killed_and_resumed_equals_uninterrupted_and_other_models_are_refused(whole, tmp_path):
    folder = tmp_path / "run"
    run_until_killed("train_ik", *SMALL, "hydra.run.dir=run", cwd=tmp_path, checkpoint=folder / "last.pt", step=1)
    assert load_checkpoint(folder / "last.pt")["count"]["step"] < 60
    changes = ("network=through_fk", "network.width=17", "robot=planar_2r", "seed=1")
    keys = ("network.name", "job")
    lines = (*(["resume=run", change] for change in changes), *(["resume=run", f"{key}={{a:1}}"] for key in keys))
    ends = [one_line(*end) for end in run_each("train_ik", *lines, cwd=tmp_path)]
    assert all("another model" in end for end in ends[: len(changes)]), ends
    for key, end in zip(keys, ends[len(changes) :], strict=True):
        assert f"job is {{'a': 1}}, where a name is wanted. It was given as {key}=" in end
    run("train_ik", "resume=run", cwd=tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["run"]  # it wrote on into the same folder
    assert_same_run(folder, whole, ["."])


def test_two_processes_train_together(tmp_path):
    output = run("train_ik", *SMALL, "trainer.devices=2", "network=through_fk", "hydra.run.dir=run", cwd=tmp_path)
    found = results(tmp_path / "run")
    assert found["network"] == "through_fk" and found["training"]["steps"] == 60, output
    assert load_checkpoint(tmp_path / "run" / "last.pt")["generators"].shape[0] == 2


def test_a_sweep_over_networks_through_joblib(tmp_path):
    shared = [part for part in SMALL if not part.startswith("network")]
    output = run(
        "train_ik",
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


MISTAKES = {
    ("objective=raw_positon_error_m_median",): "'raw_position_error_m_median'",
    ("network=chain_flo",): "chain_flow",
    ("robot=kuka",): "kuka_iiwa",
    ("trainer.stepz=3",): "trainer.stepz",
    ("+trainer.stepz=3",): "'steps'",
    ("trainer.steps=many",): "trainer.steps must be of type int",
    ("+network.widht=3",): "'width'",
    ("resume=nowhere",): "no run in nowhere",
    ("data=nowhere",): "no pairs-*.safetensors in nowhere",
}


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory) -> list[tuple[int, str]]:
    lines = [[*line] if "resume" in line[0] else [*line, "hydra.run.dir=run"] for line in MISTAKES]
    return run_each("train_ik", *lines, cwd=tmp_path_factory.mktemp("mistakes"))


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[" ".join(line) for line in MISTAKES])
def test_mistakes_end_in_one_line(number, mistakes):
    assert list(MISTAKES.values())[number] in one_line(*mistakes[number])


@pytest.mark.slow
def test_a_sweep_through_submitit(tmp_path):
    run(
        "train_ik",
        "--multirun",
        *SMALL,
        "seed=3",
        "hydra/launcher=submitit_local",
        "hydra.sweep.dir=sweep",
        cwd=tmp_path,
    )
    assert len(list(tmp_path.glob("sweep/*/results.json"))) == 1


@pytest.mark.slow  # train_attitude is searched in every run of the tests
def test_a_search_by_optuna(tmp_path):
    shared = [part for part in SMALL if not part.startswith("network.width")]
    search = [
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=2",
        "hydra.sweeper.n_jobs=1",
        "network.width=choice(8, 16)",
    ]
    output = run("train_ik", "--multirun", *shared, *search, "hydra.sweep.dir=sweep", cwd=tmp_path)
    best = (tmp_path / "sweep" / "optimization_results.yaml").read_text()
    assert "best_value" in best and "network.width" in best, output
