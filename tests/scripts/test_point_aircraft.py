"""The script that points an aircraft, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.scripts.forked import run_script

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_script("point_aircraft", f"hydra.run.dir={folder}", *words, folder=folder.parent)


def test_ground_points_with_pybullet(tmp_path: Path) -> None:
    pytest.importorskip("pybullet")
    folder = tmp_path / "run"
    done = run(folder, "aircraft=fixed_wing", "target=ground_point", "target.count=20", "check.flights=6")
    assert done.returncode == 0, done.stderr
    results = json.loads((folder / "results.json").read_text())
    assert results["aircraft"] == "fixed_wing"
    assert results["targets"] == results["solved"] == 20
    assert results["worst_pointing_error_rad"] <= 1e-6
    assert results["limit_violations"] == 0
    assert results["jacobian_difference"] <= 1e-12
    bullet = results["pybullet"]
    assert bullet["point_difference_m"] < 1e-9
    assert bullet["ray_difference_rad"] < 1e-9
    assert bullet["jacobian_difference"] < 1e-9
    assert bullet["worst_pointing_error_rad"] < 2e-6
    assert bullet["bullet_integrator_difference_rad"] < 1e-10
    assert bullet["rk4_difference_ratio"] == pytest.approx(2.0, abs=0.05)
    assert bullet["controlled_within_half_degree"] == 1.0
    for name in ("pointing_error.png", "attitudes.png", "flight.png"):
        assert (folder / name).stat().st_size > 5000
    assert "right_wingtip" in done.stdout


def test_directions_without_pybullet_repeat_to_the_bit(tmp_path: Path) -> None:
    words = (
        "aircraft=quadrotor",
        "target=direction",
        "target.count=30",
        "sun.half_angle_deg=10",
        "check.pybullet=false",
    )
    found = []
    for name in ("one", "two"):
        done = run(tmp_path / name, *words)
        assert done.returncode == 0, done.stderr
        results = json.loads((tmp_path / name / "results.json").read_text())
        assert results["pybullet"] is None
        assert results["limit_violations"] == 0
        found.append({key: value for key, value in results.items() if "seconds" not in key})
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("aircraft=biplane", "fixed_wing, quadrotor"),
        ("target=reachable", "direction, ground_point"),
        ("controller=network", "There is no controller 'network'"),
        ("controller=log_pd", "controller=log_pd would change nothing: nothing is flown"),
        ("aircraft.torque_limit_nm=[1,1,1]", "would change nothing: nothing is flown"),
        ("check.seconds=2", "check.seconds=2 would change nothing"),
        ("sun.azimuth_deg=3", "there is no cone until sun.half_angle_deg is above 0"),
        ("check.seconds=1e300", "check.seconds must be a number above zero and at most 86400"),
        ("sun={half_angle_deg:10.0,azimuth_deg:nan}", "sun.azimuth_deg must be a finite number"),
        ("+target.max_elevation_deg=3", "it belongs to target=direction"),
        ("aircraft.path=", "aircraft.path= is given without a value"),
        ("target.ray=nos", "Closest: 'nose'"),
        ("target.kount=3", "target.count"),
    ],
)
def test_mistakes_end_in_a_message(tmp_path: Path, word: str, message: str) -> None:
    done = run(tmp_path / "run", word, "check.pybullet=false")
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
