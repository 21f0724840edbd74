"""explore_solutions as a user runs it."""

import csv
import json
from pathlib import Path

from tests.scripts.forked import run_script

ROOT = Path(__file__).parents[2]
KEYS = {"purity", "clusters", "arcs", "local_dimension_one_share", "sign_branches_found"}


def run(*overrides: str, cwd: Path, fails: bool = False) -> str:
    done = run_script("explore_solutions", *overrides, folder=cwd)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    if fails:
        assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_branches_of_the_iiwa(tmp_path):
    small = ["targets=1", "postures=200", "pictured=2"]
    run(*small, "hydra.run.dir=one", cwd=tmp_path)
    results = json.loads((tmp_path / "one" / "results.json").read_text())
    assert set(results) >= KEYS
    assert results["purity"] == 1.0
    assert results["clusters"] == results["arcs"] >= 8
    assert results["sign_branches_found"] == 8
    assert results["local_dimension_one_share"] > 0.93
    assert results["pybullet"]["position_error_m_max"] < 2e-6
    assert abs(sum(results["synergies"]["variance_shares"]) - 1.0) < 1e-9
    with (tmp_path / "one" / "solutions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == results["solutions"]
    assert len({row["cluster"] for row in rows}) == results["clusters"]
    for name in ("branches.png", "synergies.png", "solutions.png"):
        assert (tmp_path / "one" / name).stat().st_size > 5_000


def test_an_arm_without_self_motion_and_mistakes(tmp_path):
    small = ["targets=2", "starts=300", "postures=60", "pictured=0", "pybullet=false"]
    file = ROOT / "diffkin" / "assets" / "robots" / "planar_3r.urdf"
    run(f"robot.path={file}", "robot.tip=tool", *small, "hydra.run.dir=one", cwd=tmp_path)
    results = json.loads((tmp_path / "one" / "results.json").read_text())
    assert results["purity"] == 1.0
    assert results["clusters"] == results["arcs"]
    assert results["local_dimension_one_share"] == 0.0
    assert results["pybullet"] is None
    assert "Choices for robot" in run("robot=kuka", cwd=tmp_path, fails=True)
    assert "starts must be a number above zero" in run("starts=0", cwd=tmp_path, fails=True)
