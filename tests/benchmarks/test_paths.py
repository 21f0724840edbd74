"""The benchmark of paths runs, small: what it counts, and the motions that it makes paths of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pinocchio")

import diffkin as dk  # noqa: E402
from benchmarks.paths import follow, main, smooth_motion, summary  # noqa: E402


def test_motions_are_smooth_closed_and_within_limits() -> None:
    robot = dk.load_robot("franka_panda")
    q = smooth_motion(robot, 3, 400)
    assert bool(((q > robot.lower) & (q < robot.upper)).all())
    assert float((q[0] - q[-1]).abs().max()) < 1e-12
    assert float(q.diff(n=2, dim=0).abs().max()) < 0.1 * float(q.diff(dim=0).abs().max())
    assert not bool((smooth_motion(robot, 4, 400) == q).all())


def test_following_goes_from_answer_to_answer() -> None:
    robot = dk.load_robot("xarm6")
    q = smooth_motion(robot, 0, 300)
    T = robot.forward_kinematics(q)
    found = follow(robot, T, q[0])
    assert float((robot.forward_kinematics(found) - T).abs().max()) < 2e-6
    assert float((found - q).abs().max()) < 0.01  # 1e-6 at the tip is more at the joints; other branches are 1 away


def test_a_short_run_counts_and_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--paths", "2", "--ticks", "120", "--arms", "xarm6", "--output", str(tmp_path)])
    saved = json.loads((tmp_path / "paths.json").read_text())
    row, paths = saved["arms"]["xarm6"], saved["paths"]["xarm6"]
    assert (row["paths"], row["solved"]) == (2, 2) and row == summary(paths)
    assert row["worst_error"] <= 1e-6 and 0.0 < row["largest_step"] <= 3.0
    assert [path["seed"] for path in paths] == [0, 1]
    assert "2 of 2" in capsys.readouterr().out


def test_counts_are_of_the_right_paths() -> None:
    common = {"largest_step": 1.0, "worst_error": 1e-7}
    rows = [
        {**common, "solved": True, "seconds": 0.1, "following_suffices": True, "following_strides": False,
         "following_jumps": False, "following_step": 1.0},
        {**common, "solved": False, "seconds": 0.5, "following_suffices": False, "following_strides": True,
         "following_jumps": True, "following_step": 9.0},
    ]  # fmt: skip
    made = summary(rows)
    assert (made["solved"], made["following_suffices"], made["following_jumps"], made["following_strides"]) == (
        1, 1, 1, 1
    )  # fmt: skip
    assert made["seconds_where_following_suffices"] == {"median": 0.1, "p95": 0.1, "max": 0.1}
    assert made["seconds_elsewhere"]["max"] == 0.5 and made["following_largest_step"] == 9.0
