"""The script that tumbles bodies beside PyBullet, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.scripts.forked import run_script

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_script("simulate_attitude", f"hydra.run.dir={folder}", *words, folder=folder.parent)


def test_beside_pybullet(tmp_path: Path) -> None:
    pytest.importorskip("pybullet")
    folder = tmp_path / "run"
    done = run(folder, "aircraft=quadrotor", "integrator=rk4", "seconds=2", "bodies=2")
    assert done.returncode == 0, done.stderr
    results = json.loads((folder / "results.json").read_text())
    assert (results["aircraft"], results["integrator"], results["steps"]) == ("quadrotor", "rk4", 480)
    assert results["rotation_error"] < 1e-12
    assert results["energy_error"] < 1e-9
    assert results["momentum_error"] < 1e-9
    bullet = results["pybullet"]
    assert 0 < bullet["difference_at_end_rad"] <= bullet["difference_rad"] < 0.2
    assert bullet["bullet_integrator_difference_rad"] < 1e-10
    assert bullet["rk4_difference_ratio"] == pytest.approx(2.0, abs=0.05)
    for name in ("attitude.png", "difference.png"):
        assert (folder / name).stat().st_size > 5000


def test_without_pybullet_from_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    file = ROOT / "diffkin" / "assets" / "aircraft" / "fixed_wing.urdf"
    done = run(folder, f"aircraft.path={file}", "integrator=lie_midpoint", "check.pybullet=false", "seconds=1")
    assert done.returncode == 0, done.stderr
    results = json.loads((folder / "results.json").read_text())
    assert results["pybullet"] is None and results["aircraft"] == "fixed_wing"  # the group's choice is quadrotor
    assert results["momentum_error"] < 1e-12


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("integrator=euler", "bullet, lie_midpoint, rk4"),
        ("dt=-0.1", "dt must be a number above zero"),
        ("aircraft.max_bank_deg=3", "aircraft.max_bank_deg=3 would change nothing: bodies tumble freely"),
        ("aircraft.path=", "given without a value"),
    ],
)
def test_mistakes_end_in_a_message(tmp_path: Path, word: str, message: str) -> None:
    done = run(tmp_path / "run", word, "check.pybullet=false")
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
