"""train_attitude as a user runs it: results and files, resuming after a kill, two processes, a search, mistakes."""

from pathlib import Path

import pytest
import torch

from diffkin import learning
from diffkin.learning.policy.flight import draw_starts, flight
from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.log import read_metrics
from tests.scripts.training_runs import assert_same_run, figures_of, one_line, results, run, run_each, run_until_killed

SMALL = [
    "experiment=demo",
    "trainer.steps=4",
    "trainer.batch=16",
    "trainer.validate_every=2",
    "trainer.checkpoint_every=1",
    "trainer.threads=1",
    "trainer.progress=false",
    "flight_s=0.4",
    "score.starts=20",
    "score.pictures=0",
]
FLOWN = ["score.airframes=[quadrotor]", "score.flights=1"]
ALL = [*SMALL, *(f"controller.{name}.{key}" for name in ("network", "residual") for key in ("width=8", "depth=1"))]
LEARNED = ["tuned_pd", "tuned_cascade", "network", "residual"]
NAMES = ["hand_set_pd", *LEARNED]


ALONE = [*SMALL, "score.flights=0", "controller=residual", "controller.width=8", "controller.depth=1"]
SEARCH = [
    "--multirun",
    "experiment=demo",
    "flight_s=0.4",
    "score.starts=20",
    "controller=log_pd",
    "controller.k_rate=interval(6, 12)",
    "score.flights=0",
    "hydra/sweeper=optuna",
    "hydra.sweeper.n_trials=2",
    "hydra.sweeper.n_jobs=1",
    "hydra.sweep.dir=search",
]


MISTAKES = {
    ("objective=best_cots",): "'best_cost'",
    ("controller=residaul",): "Did you mean residual",
    ("trainer.stepz=3",): "Did you mean trainer.steps",
    ("controller=residual", "controller.widht=3"): "Did you mean controller.width",
    ("controller=geometric_pd",): "tuned_cascade, tuned_pd",
    ("+trainer.stepz=3",): "Closest: 'steps'",
    ("trainer.steps=many",): "trainer.steps must be of type int",
    ("flight_s=9",): "flight_s must be above 0 and at most 4.0",
    ("craft.moments_kg_m2=[1,2]",): "craft.moments_kg_m2 must be three numbers",
    ("resume=nowhere",): "no run in nowhere",
    ("resume=all", "controller.residual.width=9"): "controller.residual.width is 8",
    ("resume=all", "flight_s=0.5"): "flight_s is 0.4",
    ("resume=all", "seed=1"): "seed is 0",
    ("resume=all", "controller=network"): "another model",
    ("controller=tuned_pd", "trainer.learning_rate=5.0"): "give controller.learning_rate",
    ("controller.network.learning_rate=1e-3", "trainer.learning_rate=5.0"): "controller.tuned_pd.learning_rate and",
    ("resume=all", "trainer.learning_rate=5.0"): "trainer.learning_rate=5.0 would change nothing",
    ("controller=log_pd", "trainer.warmup=5"): "log_pd is set by hand and learns nothing",
    ("controller=sqrt_cascade", "seed=5"): "sqrt_cascade is set by hand",
    ("controller=tuned_pd", "trainer.steps=5000"): "give controller.steps too",
    ("controller=tuned_pd", "controller.steps=5000"): "more than trainer.steps=1000",
    ("controller=tuned_pd", "controller.steps=many"): "controller.steps must be a whole number",
    ("controller=tuned_pd", "controller_steps.network=5"): "it fills the steps of no controller",
    ("controller=tuned_pd", "controller.steps=5", "controller_steps.tuned_pd=5"): "it fills the steps of no controller",
    ("controller.residual.cascade.k_rate=3",): "give controller.residual.start_from=null",
    ("controller=residual", "controller.start_from=tuned_pd"): "no controller of that name comes before",
    ("score.flights=0", "score.airframes=[quadrotor]"): "score.flights is 0",
    ("objective=foo",): "It is one of: best_cost.",
    ("objective=controllers",): "no figure 'controllers'",
}
if not torch.cuda.is_available():
    MISTAKES[("trainer=gpu",)] = "torch finds none here"


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> tuple[Path, list]:
    """A folder with a run of all controllers, one of the residual alone, and a search; what mistakes ended in."""
    folder = tmp_path_factory.mktemp("runs")
    good = [[*ALL, *FLOWN, "hydra.run.dir=all"], [*ALONE, "hydra.run.dir=alone"], SEARCH]
    bad = [[*line] if "resume" in line[0] else [*line, "hydra.run.dir=bad"] for line in MISTAKES]
    said = run_each("train_attitude", *good, *bad, cwd=folder)
    assert [code for code, _ in said[: len(good)]] == [0, 0, 0], said
    return folder, said[len(good) :]


@pytest.fixture(scope="module")
def runs(session) -> Path:
    return session[0]


def test_a_run_leaves_one_table_curves_and_policies(runs):
    found = results(runs / "all")
    assert found.keys() == figures_of("train_attitude")
    for rows in (found["controllers"], found["pybullet"]):
        assert [row["name"] for row in rows] == NAMES
        for row in rows:
            assert row.keys() >= {"name", "cost", "settle_mean_s", "under_2_deg"}
            assert 0 < row["cost"] < 10 and 0 < row["settle_mean_s"] <= 4 and 0 <= row["under_2_deg"] <= 1
    assert {row["aircraft"] for row in found["pybullet"]} == {"quadrotor"}
    assert sorted(found["ranking"]) == sorted(found["pybullet_ranking"]["quadrotor"]) == sorted(NAMES)
    assert found["best_cost"] == min(row["cost"] for row in found["controllers"])
    for name in LEARNED:
        assert found["training"][name]["steps"] == 4
        for file in ("best.pt", "last.pt", "curves.png"):
            assert (runs / "all" / name / file).stat().st_size > 0
        assert [row["step"] for row in read_metrics(runs / "all" / name / "metrics.csv")] == [2, 4]
    assert (runs / "all" / "flights.png").stat().st_size > 10_000


def test_saved_policies_load_and_are_those_of_the_table(runs):
    policies = {name: learning.load(runs / "all" / f"{name}.safetensors") for name in NAMES}
    gains = results(runs / "all")["gains"]
    assert policies["hand_set_pd"].gains.table() == gains["hand_set_pd"]
    assert gains["tuned_pd"]["k_rate"] != gains["hand_set_pd"]["k_rate"]
    assert policies["residual"].cascade.gains.table() == gains["tuned_cascade"]  # where it began; it keeps them
    craft = policies["residual"].craft
    starts = draw_starts(craft, 5, torch.Generator().manual_seed(0))
    first, second = (flight(policies[name], starts, craft, 20).angle for name in ("tuned_cascade", "residual"))
    assert 0 < float((first - second).abs().max()) < 0.1  # four steps have moved the residual, a little


def test_one_controller_alone(runs):
    found = results(runs / "alone")
    assert [row["name"] for row in found["controllers"]] == ["residual"] and found["pybullet"] == []
    policy = learning.load(runs / "alone")  # the only policy of that folder
    assert policy.settings.width == 8
    assert policy.settings.cascade.k_rate == 14.0  # its own gains, for no cascade was learned before it


def test_killed_and_resumed_equals_uninterrupted(runs, tmp_path):
    """Killed while the network learns: two controllers are done, and the residual, to begin from one of them, is not."""
    folder = tmp_path / "run"
    checkpoint = folder / "network" / "last.pt"
    run_until_killed("train_attitude", *ALL, *FLOWN, "hydra.run.dir=run", cwd=tmp_path, checkpoint=checkpoint, step=1)
    assert load_checkpoint(checkpoint)["count"]["step"] < 4
    assert not (folder / "residual").exists()
    run("train_attitude", "resume=run", "score.flights=0", cwd=tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]  # it wrote on into the same folder
    assert_same_run(folder, runs / "all", LEARNED, without=("pybullet", "pybullet_ranking"))
    for name in NAMES:
        assert (folder / f"{name}.safetensors").read_bytes() == (runs / "all" / f"{name}.safetensors").read_bytes()


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[" ".join(line) for line in MISTAKES])
def test_mistakes_end_in_one_line(number, session):
    line, part = list(MISTAKES.items())[number]
    message = one_line(*session[1][number])
    assert part in message
    assert ("another model" in message) == (line[0] == "resume=all" and "trainer" not in line[1])


def test_a_search_by_the_cost_that_is_returned(runs):
    costs = [results(runs / "search" / str(k))["best_cost"] for k in range(2)]
    assert costs[0] != costs[1]
    assert f"best_value: {min(costs)}\n" in (runs / "search" / "optimization_results.yaml").read_text()


@pytest.mark.slow
def test_two_processes_train_one_controller_after_the_other(tmp_path):
    run("train_attitude", *ALL, "score.flights=0", "trainer.devices=2", "hydra.run.dir=run", cwd=tmp_path)
    assert [row["name"] for row in results(tmp_path / "run")["controllers"]] == NAMES
    for name in LEARNED:
        state = load_checkpoint(tmp_path / "run" / name / "last.pt")
        assert state["count"]["step"] == 4
        assert not torch.equal(*state["generators"])  # each process draws starts of its own
