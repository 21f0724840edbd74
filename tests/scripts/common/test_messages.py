"""Mistakes are answered with the choices that there are."""

import shlex
import sys

import pytest
from common.messages import CONFIGS, explain, quoted
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException


def answer(config_name: str, *overrides: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of overrides that cannot be composed."""
    monkeypatch.setattr(sys, "argv", ["script", *overrides])
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)), pytest.raises(HydraException) as raised:
        compose(config_name, overrides=list(overrides))
    return explain(raised.value, config_name)


ARMS = ["solve_ik", "calibrate_robot", "explore_solutions", "train_ik", "make_dataset"]
AIRCRAFT = ["point_aircraft", "simulate_attitude"]


@pytest.mark.parametrize("script", ARMS)
def test_the_advice_to_load_a_robot_is_true(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "To load a file, write robot.path=FILE." in answer(script, "robot=kuka", monkeypatch=monkeypatch)
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        config = compose(script, overrides=["robot.path=a.urdf", "robot.base=b", "robot.tip=t"])
    assert (config.robot.path, config.robot.base, config.robot.tip) == ("a.urdf", "b", "t")


@pytest.mark.parametrize("script", AIRCRAFT)
def test_the_advice_to_load_an_aircraft_is_true(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = answer(script, "aircraft=biplane", monkeypatch=monkeypatch)
    assert "To load a file, write aircraft.path=FILE." in said and "robot.path" not in said
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        assert compose(script, overrides=["aircraft.path=a.urdf"]).aircraft.path == "a.urdf"


@pytest.mark.parametrize(
    ("script", "own"), [("train_ik", "ik"), ("train_attitude", "attitude"), ("train_filter", "filter")]
)
def test_presets_of_another_subject_are_refused(script: str, own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"ik", "attitude", "filter"} - {own}
    assert len(others) == 2
    for other in others:
        said = answer(script, f"presets/{other}/experiment=demo", monkeypatch=monkeypatch)
        assert f"{script}.py has no group 'presets/{other}/experiment'" in said
        assert "experiment" in said.split("Its groups:")[1]
        said = answer(script, f"experiment={other}/demo", monkeypatch=monkeypatch)
        assert f"There is no experiment '{other}/demo'" in said and "default, demo, long" in said
    assert "There is no experiment 'dmeo'. Did you mean demo" in answer(
        script, "experiment=dmeo", monkeypatch=monkeypatch
    )


@pytest.mark.parametrize("name", ["default", "demo", "long"])
def test_every_preset_is_that_of_its_subject(name: str) -> None:
    steps = {}
    for script in ("train_ik", "train_attitude", "train_filter"):
        with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
            config = compose(script, overrides=[f"experiment={name}"])
        steps[script] = config.trainer.steps
        assert ("presets" in config) == (script == "train_ik")
        assert ("controller_steps" in config) == (script == "train_attitude")
    assert len(set(steps.values())) == 3


def test_a_preset_may_choose_the_trainer_and_the_user_another() -> None:
    for overrides, accelerator in ((["experiment=long"], "cuda"), (["experiment=long", "trainer=cpu"], "cpu")):
        with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
            assert compose("train_ik", overrides=overrides).trainer.accelerator == accelerator


def test_keys() -> None:
    with pytest.MonkeyPatch.context() as patch:
        assert "Did you mean target.count" in answer("solve_ik", "target.cout=5", monkeypatch=patch)


@pytest.mark.parametrize("value", ["my=arm.urdf", "a,b.urdf", "arm (1).urdf", "a[1]{2}.urdf", 'a"b.urdf', "it's.urdf"])
def test_what_cannot_be_read_is_shown_quoted_twice_and_reads_then(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (word,) = shlex.split(quoted("robot.path", value))
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        assert compose("solve_ik", overrides=[word]).robot.path == value
    if value not in ("a,b.urdf",):  # Hydra itself asks for the meaning of commas, not compose
        assert quoted("robot.path", value) in answer("solve_ik", f"robot.path={value}", monkeypatch=monkeypatch)


def test_plain_values_need_no_quotes() -> None:
    assert quoted("resume", "outputs/train_ik/2030-01-31_12-00-00") == "resume=outputs/train_ik/2030-01-31_12-00-00"


def test_a_value_that_cannot_stand_where_it_was_given_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    said = answer("simulate_attitude", "rate_deg_s={a:1}", monkeypatch=monkeypatch)
    assert said == "rate_deg_s={a:1} cannot be taken: it is a list, in brackets."
