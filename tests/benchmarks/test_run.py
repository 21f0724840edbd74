"""The benchmarks run, small: every section gives its JSON, and a missing peer is named."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

pytest.importorskip("pinocchio")

from benchmarks import inverse, kinematics, models, peers, report, where  # noqa: E402
from benchmarks.run import SECTIONS, run  # noqa: E402

SMALL = {
    "single": functools.partial(kinematics.single, 1),
    "batches": functools.partial(kinematics.batches, (1, 20), 1),
    "ik_one": functools.partial(inverse.one_target, ("kuka_iiwa",), 10, 0.5),
    "ik_batch": functools.partial(inverse.batch, ("kuka_iiwa",), 40, 1, 0.01),
    "ik_tight": functools.partial(inverse.tight_limits, 50, 0.1),
    "where_fk": functools.partial(where.kinematics_shares, 256, 1, 100),
    "where_ik": functools.partial(where.inverse_shares, 64, 1),
    "over_batch": functools.partial(kinematics.over_batch, (1, 20), 1),
    "over_joints": functools.partial(kinematics.over_joints, (3, 8), 20, 10, 1),
}


def _without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in modules else found(name, *rest)
    )


def test_sections_write_json_tables_and_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(SMALL) <= set(SECTIONS)
    absent = [module for name, (module, _) in peers.PEERS.items() if name not in ("Pinocchio", "pytorch_kinematics")]
    _without(monkeypatch, *absent)
    printed = io.StringIO()
    run({name: SMALL[name] for name in ("single", "ik_tight")}, tmp_path, Console(file=printed, width=120))
    run({name: SMALL[name] for name in SMALL if name not in ("single", "ik_tight")}, tmp_path, Console(file=printed))
    results = json.loads((tmp_path / "benchmarks.json").read_text())
    assert set(SMALL) <= set(results)  # the second run adds to the first
    assert results["ik_tight"]["diffkin"]["solved"] > 0.9
    assert results["ik_one"]["kuka_iiwa"]["diffkin"]["solved"] == 1.0
    assert results["where_fk"]["flops_each"] > 7 * (27 + 18)
    assert sum(results["where_ik"]["shares"].values()) == pytest.approx(1.0)
    assert all(curve for curve in results["over_joints"]["seconds_each"].values())
    for axis in ("batch", "joints"):
        assert (tmp_path / f"cost_over_{axis}.png").stat().st_size > 1000
    for name in ("PyBullet", "robotics-toolbox", "TRAC-IK", "optik"):
        assert results["peers"][name] is None
        assert name in printed.getvalue().split("not installed:")[1].split("Install with")[0]
    assert "benchmarks.txt" in {path.name for path in tmp_path.iterdir()}


def test_goals_name_what_was_not_measured() -> None:
    rows = report.goals({"ik_batch": {"ur5": {"diffkin": {"seconds_each": 2e-6, "solved": 0.98}}}})
    known = {row["what"]: row for row in rows if row["measured"] is not None}
    assert known["IK ur5, batch 10,000"]["met"]
    assert not known["IK ur5, solved"]["met"]
    assert all(row["missing"] for row in rows if row["measured"] is None)


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "chain 5"])
def test_judge_accepts_the_truth_and_refuses_small_errors(name: str) -> None:
    model = models.load_model(name)
    q, targets = models.problems(model, 20)
    assert model.solved(q, targets).all()
    assert not model.solved(q + np.eye(model.dof)[0] * 1e-5, targets).any()
    assert not model.solved(np.full_like(q, np.nan), targets).any()
    assert not model.solved(np.where(np.arange(model.dof) == 0, q + 2 * np.pi, q), targets).any()  # the limits


def test_flat_turns_are_measured_exactly() -> None:
    """Two poses a half turn apart have a skew part of zero, yet are far from each other."""
    model = models.load_model("kuka_iiwa")
    q, targets = models.problems(model, 5)
    turned = targets.copy()
    turned[:, :3, :3] = targets[:, :3, :3] @ np.diag([1.0, -1.0, -1.0])
    assert not model.solved(q, turned).any()


@pytest.mark.parametrize("peer", ["robotics-toolbox", "TRAC-IK", "optik", "PyBullet"])
def test_peers_solve_from_nearby(peer: str) -> None:
    if not peers.installed()[peer]:
        pytest.skip(f"{peer} is not installed")
    model = models.load_model("kuka_iiwa")
    q, targets = models.problems(model, 3)
    solve = peers.ik_solver(peer, model, model.lower, model.upper)
    answers = np.array([solve(target, start) for target, start in zip(targets, q + 0.01, strict=True)])
    share = model.solved(answers, targets).mean()
    assert share > 0.0 if peer == "PyBullet" else share == 1.0  # PyBullet may stop short of 1e-6
