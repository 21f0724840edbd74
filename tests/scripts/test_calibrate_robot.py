"""calibrate_robot as a user runs it: results, real data from CSV, sweeps, mistakes."""

import json
from pathlib import Path

import pytest
import torch

import diffkin as dk
from diffkin.calibration.write_urdf import TOOL_LINK
from tests.scripts.forked import run_script

ROOT = Path(__file__).parents[2]
KEYS = {
    "measurement",
    "parameters",
    "rank",
    "held_out_position_rms_m_before",
    "held_out_position_rms_m",
    "held_out_rotation_rms_rad",
    "ratio_to_cramer_rao",
    "chi2_per_dof",
    "steps",
}
SMALL = ["arms=2", "held_out=20", "design.counts=[]"]


def run(*overrides: str, cwd: Path, fails: bool = False) -> str:
    done = run_script("calibrate_robot", *overrides, folder=cwd)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    if fails:
        assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def read(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def test_simulated_arms_and_the_csv_they_leave(tmp_path):
    design = ["design.counts=[12]", "design.candidates=200", "design.arms=2", "design.random=11"]
    run(*SMALL, *design, "hydra.run.dir=one", cwd=tmp_path)
    results = read(tmp_path / "one")
    assert set(results) >= KEYS
    assert (results["measurement"], results["parameters"], results["rank"]) == ("pose", 55, 34)
    assert results["steps"] <= 5
    assert 0.7 < results["chi2_per_dof"] < 1.3
    assert 0.5 < results["ratio_to_cramer_rao"] < 1.6  # of two arms
    assert results["chi2_per_dof_of_offsets_alone"] > 100
    assert results["held_out_position_rms_m"] < 0.03 * results["held_out_position_rms_m_before"]
    assert results["unidentifiable"] == 21
    assert results["calibrated_urdf"]["pybullet_difference"] < 1e-9
    assert results["calibrated_urdf"]["loader_difference"] < 1e-9
    assert results["chosen_poses"][0]["predicted_chosen"] < 0.8 * results["chosen_poses"][0]["predicted_random"]
    assert (tmp_path / "one" / "calibration.png").stat().st_size > 10_000
    assert len((tmp_path / "one" / "unidentifiable.txt").read_text().splitlines()) == 21

    # the measurements of the first arm, as a real arm's would be: the fit finds that arm again
    run("csv=one/measurements.csv", "hydra.run.dir=two", cwd=tmp_path)
    results = read(tmp_path / "two")
    assert set(results) >= KEYS
    assert results["rank"] == 34
    assert 0.5 < results["ratio_to_cramer_rao"] < 1.6
    q = dk.load_robot("kuka_iiwa").sample(20)
    arm, again = (
        dk.Robot.from_urdf(tmp_path / name, tip=TOOL_LINK).forward_kinematics(q)
        for name in ("one/arms/arm_000.urdf", "two/calibrated.urdf")
    )
    assert float((arm - again)[:, :3, 3].norm(dim=-1).square().mean().sqrt()) < 3e-4
    assert torch.equal(arm[:, 3], again[:, 3])


def test_a_sweep_over_kinds_of_measurement(tmp_path):
    run("--multirun", "measurement=position,rotation", "arms=1", *SMALL[1:], "hydra.sweep.dir=sweep", cwd=tmp_path)
    found = {read(path.parent)["measurement"]: read(path.parent)["rank"] for path in tmp_path.rglob("results.json")}
    assert found == {"position": 31, "rotation": 17}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["measurement=poses"], "Choices for measurement: pose, position, rotation"),
        (["loss=least"], "loss must be squares or huber or cauchy"),
        (["arms=1000000000000"], "arms must be a number above zero and at most 1000000, got"),
        (["poses=0"], "poses must be a number above zero"),
        (["parameters=[offset]"], "offsets"),
        (["csv=none.csv", "arms=3"], "arms=3 would change nothing: it is for simulated arms"),
        (["csv=none.csv", "errors.offset_deg=3"], "errors.offset_deg=3 would change nothing"),
        (["design.counts=[]", "design.arms=3"], "design.arms=3 would change nothing"),
        (["measurement=position", "measurement.rotation_sigma_deg=3"], "positions alone are measured"),
        (["csv=none.csv"], "Cannot read measurements from 'none.csv'"),
        (["pose=3"], "Did you mean poses"),
    ],
)
def test_mistakes_end_in_one_message(tmp_path, overrides, message):
    assert message in run(*overrides, cwd=tmp_path, fails=True)
