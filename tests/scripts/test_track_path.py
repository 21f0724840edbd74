"""The script as users run it: both followers, results and files, and messages instead of tracebacks."""

import csv
import json
import subprocess
from pathlib import Path

import pytest
import torch
from common.paths import PathConfig, make_path

import diffkin as dk
from diffkin import simulation
from diffkin.motion import servo_step, solve_path
from tests.scripts.forked import run_script

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "ticks", "reached", "largest_step_rad", "limit_violations", "velocity_violations", "worst_position_error_m",
    "reconfigurations", "robot", "path", "follower", "pybullet",
}  # fmt: skip


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return run_script("track_path", *arguments, folder=folder)


def test_a_path_is_solved_played_and_saved(tmp_path: Path) -> None:
    done = run(tmp_path, "robot=franka_panda", "path.ticks=80", "path.seconds=4", "gui=true")
    assert done.returncode == 0, done.stderr
    assert "no display" in done.stdout + done.stderr  # and it went on without the window
    (file,) = tmp_path.rglob("results.json")
    found = json.loads(file.read_text())
    assert found.keys() >= KEYS
    assert (found["ticks"], found["reached"], found["reconfigurations"]) == (80, 80, [])
    assert (found["limit_violations"], found["velocity_violations"]) == (0, 0)
    assert found["worst_position_error_m"] <= 1e-6 and 0.0 < found["largest_step_rad"] < 0.2
    assert found["pybullet"]["worst_tip_error_m"] < 0.01
    assert (file.parent / "path.png").read_bytes().startswith(b"\x89PNG")
    robot = dk.load_robot("franka_panda")
    rows = list(csv.DictReader((file.parent / "path.csv").open()))
    q = torch.tensor([[float(row[f"q_{name}"]) for name in robot.joint_names] for row in rows], dtype=torch.float64)
    tips = robot.forward_kinematics(q)[:, :3, 3]
    assert float(((tips - tips.mean(0)).norm(dim=-1) - 0.1).abs().max()) < 0.01  # a circle of 0.2 m across
    assert torch.equal(q[0], q[-1])


def test_an_arm_that_cannot_turn_its_tip_is_told_so(tmp_path: Path) -> None:
    done = run(tmp_path, "robot=planar_2r", "play=false", "path.ticks=20")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "planar_2r does not reach all of this circle anywhere that was tried" in said and "orientation=false" in said


def test_the_servo_keeps_its_limits_where_the_path_is_too_fast(tmp_path: Path) -> None:
    options = ("robot=xarm6", "follower=servo", "path=lissajous", "path.ticks=60", "path.seconds=0.3", "play=false")
    done = run(tmp_path, *options, "orientation=false")
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.rglob("results.json")
    found = json.loads(file.read_text())
    assert (found["limit_violations"], found["velocity_violations"], found["pybullet"]) == (0, 0, None)
    assert found["reached"] < 60 and found["worst_position_error_m"] > 1e-3


@pytest.mark.skipif(not simulation.is_installed(), reason="needs pybullet")
@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6"])
@pytest.mark.parametrize("kind", ["line", "circle", "lissajous"])
def test_pybullet_plays_every_path(name: str, kind: str) -> None:
    robot, dt = dk.load_robot(name), 0.03
    T, near, closed = make_path(robot, PathConfig(kind, 100, 3.0, 0.15), seed=0)
    found = solve_path(robot, T, q_start=near, closed=closed)
    assert found.success
    q, dq, ticks = found.q[0], torch.zeros(robot.dof, dtype=torch.float64), [found.q[0]]
    for pose in T[1:]:
        step = servo_step(robot, q, dq, pose, dt)
        q, dq = step.q, step.dq
        ticks.append(q)
    with simulation.open_world() as client:
        arm = simulation.load(client, robot)
        for way in (found.q, torch.stack(ticks)):
            played = simulation.play_path(arm, way, dt)
            assert float((played.T - T)[:, :3, 3].norm(dim=-1).max()) < 0.005
            assert float((played.T - T)[:, :3, :3].abs().max()) < 0.02
            assert bool(((played.q > robot.lower - 0.01) & (played.q < robot.upper + 0.01)).all())


def test_a_path_from_a_file_starts_where_it_likes(tmp_path: Path) -> None:
    robot = dk.load_robot("planar_3r")
    angle = torch.linspace(0.0, 1.0, 20, dtype=torch.float64)
    q = torch.stack((angle, 0.5 + 0.2 * angle, 0.4 - angle), dim=-1)
    points = robot.forward_kinematics(q)[:, :3, 3]
    with (tmp_path / "poses.csv").open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["x_m", "y_m", "z_m", "quat_x", "quat_y", "quat_z", "quat_w"])
        writer.writerows([[*point, 0.0, 0.0, 0.0, 1.0] for point in points.tolist()])
    options = ("robot=planar_3r", "path=csv", f"path.file={tmp_path / 'poses.csv'}", "path.seconds=4")
    done = run(tmp_path, *options, "orientation=false", "follower.limit_weight=0.1")
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.rglob("results.json")
    found = json.loads(file.read_text())
    assert (found["ticks"], found["reached"], found["reconfigurations"]) == (20, 20, [])
    assert found["largest_step_rad"] < 0.2 and found["velocity_violations"] == 0
    if simulation.is_installed():  # Bullet's motors carry the arm along it
        assert found["pybullet"]["worst_tip_error_m"] < 0.005 and found["pybullet"]["worst_joint_error"] < 0.02


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("path=square", "circle"),
        ("path.ticks=1", "path.ticks"),
        ("follower.name=fly", "servo"),
        ("path=csv", "file"),
        ("path.size=-1", "path.size"),
        ("path.seconds=0", "path.seconds"),
        ("follower.limit_weight=-1", "limit_weight"),
        ("robot=kuka", "kuka_iiwa"),
        ("+path.radius=1", "radius"),
    ],
)
def test_mistakes_end_in_a_message(tmp_path: Path, argument: str, said: str) -> None:
    done = run(tmp_path, argument)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert said in done.stderr
