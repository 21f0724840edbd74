"""Every setting is used or refused: a short walk over modes where that once was not so, the whole walk, and that it finds faults."""

from pathlib import Path

import pytest

from tests.scripts.fuzz_settings import Walk, walk
from tests.scripts.settings_modes import MODES, Mode, make_inputs
from tests.scripts.settings_runs import run_job

SCRIPTS = sorted({mode.script for mode in MODES})
SHORT = [  # script, mode, keys with this in them
    ("solve_ik", "check off", "check"),
    ("solve_ik", "file", "robot"),
    ("train_attitude", "tuned_pd", "learning_rate"),
    ("train_attitude", "log_pd", "trainer.w"),
    ("train_filter", "ended", "trainer.c"),
    ("track_path", "csv", "path.s"),
]


def mode_of(script: str, name: str) -> Mode:
    (mode,) = (mode for mode in MODES if (mode.script, mode.name) == (script, name))
    return mode


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder)
    return folder


@pytest.mark.parametrize(("script", "name", "only"), SHORT, ids=[" ".join(row) for row in SHORT])
def test_no_setting_is_ignored(script: str, name: str, only: str) -> None:
    assert list(map(str, walk([mode_of(script, name)], only))) == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_setting_of_any_mode_is_ignored(script: str) -> None:
    assert list(map(str, walk([mode for mode in MODES if mode.script == script]))) == []


def test_a_setting_that_is_ignored_is_found(inputs, monkeypatch) -> None:
    """Without the script's own refusal, and without its use of a setting."""
    import solve_ik

    mode = mode_of("solve_ik", "check off")
    monkeypatch.setattr(solve_ik, "unused", lambda *given, **named: None)
    found = {fault.setting.partition("=")[0] for fault in Walk(mode, inputs, None).faults("check.d")}
    assert found == {"check.driven"}
    monkeypatch.setattr(solve_ik, "make_targets", lambda robot, config, seed: robot.forward_kinematics(robot.sample(2)))
    found = {fault.setting.partition("=")[0] for fault in Walk(mode, inputs, None).faults("target")}
    assert found == {"target", "target.count"}


def test_a_refusal_without_the_name_is_found(inputs, monkeypatch) -> None:
    import solve_ik

    from diffkin.errors import OptionError

    def refuse(*given: str, **named: object) -> None:
        raise OptionError("Something is wrong.")

    walked = Walk(mode_of("solve_ik", "check off"), inputs, None)
    monkeypatch.setattr(solve_ik, "check_config", refuse)
    (fault, *_) = walked.faults("seed")
    assert "refused without its name: Something is wrong." in str(fault)


def test_what_a_run_did_is_told(inputs) -> None:
    line = ["robot=planar_3r", "target.count=2", "check=none", "plotted=2"]
    done, again, drawn = run_job("solve_ik", line), run_job("solve_ik", line), run_job("solve_ik", line, drawn=True)
    assert not done.refused and not done.crashed and done.returned == 1.0
    assert done.figures == again.figures and done.figures["run/results.json: solved"] == 2
    assert "run/convergence.png" in done.names and done.pictures == again.pictures != drawn.pictures
    assert run_job("solve_ik", [*line, "seed=1"]).figures != done.figures
    assert "Did you mean" in run_job("solve_ik", [*line, "sed=1"]).refused
    assert run_job("solve_ik", [*line, "hydra.run.dir=elsewhere"]).figures == done.figures
