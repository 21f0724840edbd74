"""The benchmark of the servo step runs, small, and what it counts is so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pinocchio")

from benchmarks import servo  # noqa: E402
from benchmarks.models import load_model  # noqa: E402


def test_it_runs_and_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    servo.main(["--paths", "1", "--robots", "xarm6", "--output", str(tmp_path)])
    found = json.loads((tmp_path / "servo.json").read_text())
    ours = found["diffkin"]
    assert ours["paths"] == 1 and ours["failed"] == ours["position_limits"] == ours["velocity_limits"] == 0
    assert 0.0 < ours["p50_us"] <= ours["p99_us"]
    printed = capsys.readouterr().out
    assert all(word in printed for name in servo.FOLLOWERS for word in name.split())


@pytest.mark.parametrize("name", list(servo.FOLLOWERS))
@pytest.mark.parametrize("robot", ["franka_panda", "xarm6"])
def test_every_follower_reaches_a_target_that_stands_still(name: str, robot: str) -> None:
    pytest.importorskip(servo.package(name))
    model = load_model(robot)
    fastest = model.robot.max_velocity.numpy().copy()
    q = 0.5 * (model.lower + model.upper) + 0.1
    target = model.poses(q[None] + 0.05)[0]
    tick = servo.FOLLOWERS[name](model, fastest, 0.01, 0.5)
    for _ in range(40):
        q = tick(q, target)
    assert np.abs(model.poses(q[None])[0] - target).max() < 1e-6


def test_broken_limits_and_distances_are_counted() -> None:
    model = load_model("xarm6")
    fastest = model.robot.max_velocity.numpy().copy()
    start = 0.5 * (model.lower + model.upper)
    targets = np.repeat(model.poses(start[None]), 4, axis=0)

    def runaway(q: np.ndarray, target: np.ndarray) -> np.ndarray:
        return q + 2.0 * fastest * 0.5

    found = servo._nothing()
    servo._follow(runaway, model, fastest, 0.5, start, targets, found)
    assert found["velocity_limits"] == 3 and found["left"] == found["lost"] == 1
    way = start + np.arange(4)[:, None] * fastest
    assert found["position_limits"] == int(((way > model.upper) | (way < model.lower)).any(1).sum()) > 0
    assert found["worst_velocity"] == pytest.approx(fastest.max())


def test_a_path_without_an_answer_counts_and_other_errors_end_the_run() -> None:
    model = load_model("xarm6")
    fastest = model.robot.max_velocity.numpy().copy()
    start = 0.5 * (model.lower + model.upper)
    targets = np.repeat(model.poses(start[None]), 4, axis=0)
    targets[-1, 2, 3] += 0.1
    for error in (servo.NoAnswer, ValueError):

        def gives_up(q: np.ndarray, target: np.ndarray, error: type[Exception] = error) -> np.ndarray:
            if target[2, 3] != targets[0, 2, 3]:
                raise error("no motion")
            return q

        found = servo._nothing()
        if error is ValueError:
            with pytest.raises(ValueError, match="no motion"):
                servo._follow(gives_up, model, fastest, 0.5, start, targets, found)
        else:
            servo._follow(gives_up, model, fastest, 0.5, start, targets, found)
            assert found["failed"] == found["left"] == found["lost"] == found["paths"] == 1


@pytest.mark.parametrize("name", ["pink", "mink"])
def test_what_a_peer_raises_without_an_answer_is_named(name: str) -> None:
    """Half a radian beyond a limit, and no more than a milliradian a tick."""
    pytest.importorskip(name)
    model = load_model("xarm6")
    start = model.upper + 0.5
    with pytest.raises(servo.NoAnswer, match=name):
        servo.FOLLOWERS[name](model, np.full(6, 0.1), 0.01, 0.5)(start, model.poses(start[None])[0])


def test_centring_keeps_a_redundant_arm_on_its_path() -> None:
    model = load_model("franka_panda")
    fastest = model.robot.max_velocity.numpy().copy()
    for seed in (16, 46):
        wanted = servo.motion(model.lower, model.upper, seed)
        dt = float((np.abs(np.diff(wanted, axis=0)) / fastest).max() / servo.SHARE)
        lost = []
        for name in ("diffkin, centring=0", "diffkin"):
            found = servo._nothing()
            tick = servo.FOLLOWERS[name](model, fastest, dt, servo.DAMPING)
            servo._follow(tick, model, fastest, dt, wanted[0], model.poses(wanted), found)
            assert found["velocity_limits"] == found["position_limits"] == found["failed"] == 0
            lost.append(found["lost"])
        assert lost == [1, 0]


def test_motions_keep_the_limits_and_close() -> None:
    model = load_model("kuka_iiwa")
    for seed in range(5):
        way = servo.motion(model.lower, model.upper, seed)
        assert way.shape == (servo.TICKS, 7)
        assert (way > model.lower).all() and (way < model.upper).all()
        np.testing.assert_allclose(way[0], way[-1], atol=1e-12)
        assert np.abs(np.diff(way, axis=0)).max() < 0.2
