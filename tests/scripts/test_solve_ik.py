"""The script as users run it: results, files, repeatability, and messages instead of tracebacks."""

import csv
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import diffkin as dk
from diffkin.ik import SOLVERS
from tests.scripts.forked import run_script

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "robot", "solver", "seed", "targets", "solved", "limit_violations", "worst_position_error_m",
    "worst_rotation_error_rad", "iterations_mean", "seconds", "pybullet",
}  # fmt: skip
BULLET_KEYS = {
    "fk_position_difference_m", "fk_rotation_difference_rad", "jacobian_difference", "simulated_position_error_m",
    "bullet_ik_solved", "bullet_ik_limit_violations",
}  # fmt: skip


def run(folder: Path, *arguments: str, code: str = "") -> subprocess.CompletedProcess:
    """Run the script in ``folder``, after ``code`` where given."""
    return run_script("solve_ik", *arguments, folder=folder, code=code)


def results(folder: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("results.json"))]


def test_a_run_leaves_its_results(tmp_path: Path) -> None:
    options = ("robot=franka_panda", "target.count=6", "seed=3", "check.configurations=3", "check.driven=1")
    done = run(tmp_path, *options, "pictured=2", "plotted=4", "check.gui=true")
    assert done.returncode == 0, done.stderr
    assert "no display" in done.stdout + done.stderr  # and it went on without the window
    (found,) = results(tmp_path)
    assert found.keys() >= KEYS and found["pybullet"].keys() >= BULLET_KEYS
    assert (found["robot"], found["solver"], found["seed"]) == ("franka_panda", "levenberg_marquardt", 3)
    assert (found["targets"], found["solved"], found["limit_violations"]) == (6, 6, 0)
    assert found["worst_position_error_m"] <= 1e-6 and found["worst_rotation_error_rad"] <= 1e-6
    assert found["pybullet"]["fk_position_difference_m"] < 1e-9
    assert found["pybullet"]["simulated_position_error_m"] < 1e-3
    folder = next(tmp_path.rglob("results.json")).parent
    for name in ("convergence.png", "targets.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert OmegaConf.load(folder / ".hydra" / "config.yaml").target.count == 6
    rows = list(csv.DictReader((folder / "results.csv").open()))
    robot = dk.load_robot("franka_panda")
    assert len(rows) == 6
    for row in rows:
        q = torch.tensor([float(row[f"q_{name}"]) for name in robot.joint_names], dtype=torch.float64)
        where = torch.tensor([float(row[f"{axis}_m"]) for axis in "xyz"], dtype=torch.float64)
        assert float((robot.forward_kinematics(q)[:3, 3] - where).norm()) <= 1e-6


def test_equal_seeds_make_equal_results(tmp_path: Path) -> None:
    options = ("robot=scara", "target.count=5", "check.configurations=2", "check.driven=1", "plotted=0", "pictured=0")
    for seed in (1, 1, 2):
        done = run(tmp_path, *options, f"seed={seed}")
        assert done.returncode == 0, done.stderr
    first, second, other = ({**each, "seconds": 0.0} for each in results(tmp_path))
    assert first == second
    assert first["worst_position_error_m"] != other["worst_position_error_m"]


def test_multirun_and_other_solvers(tmp_path: Path) -> None:
    names = ("adam", "gauss_newton", "gradient_descent", "lbfgs")
    options = ("robot=planar_2r,planar_3r", f"solver={','.join(names)}", "check=none", "target.count=2", "plotted=0")
    done = run(tmp_path, "--multirun", *options, "solver.position_tolerance=1e-4", "solver.rotation_tolerance=1e-4")
    assert done.returncode == 0, done.stderr
    found = {(each["robot"], each["solver"]): each for each in results(tmp_path)}
    assert set(found) == {(robot, solver) for robot in ("planar_2r", "planar_3r") for solver in names}
    assert all(each["pybullet"] is None for each in found.values())


def test_unreachable_targets_are_not_reported_as_solved(tmp_path: Path) -> None:
    quick = ("target=unreachable", "target.count=3", "solver.max_restarts=2", "plotted=0", "check.configurations=1")
    done = run(tmp_path, "robot=xarm6", *quick)
    assert done.returncode == 0, done.stderr
    (found,) = results(tmp_path)
    assert found["solved"] == 0 and found["worst_position_error_m"] is None
    assert found["pybullet"]["simulated_position_error_m"] is None


def test_without_pybullet_the_rest_still_runs(tmp_path: Path) -> None:
    hide = "import importlib.util as u; find = u.find_spec\n"
    hide += "u.find_spec = lambda name, *a: None if name == 'pybullet' else find(name, *a)\n"
    hide += "sys.modules['pybullet'] = None"
    done = run(tmp_path, "robot=planar_3r", "target.count=3", "plotted=2", code=hide)
    assert done.returncode == 0, done.stderr
    assert "pip install pybullet" in done.stdout
    (found,) = results(tmp_path)
    assert found["solved"] == 3 and found["pybullet"] is None


def test_a_robot_of_the_users_own(tmp_path: Path) -> None:
    source = ROOT / "diffkin" / "assets" / "robots" / "scara.urdf"
    (tmp_path / "mine.urdf").write_text(source.read_text())
    quick = ("target.count=2", "check=none", "plotted=0")
    done = run(tmp_path, "robot.path=mine.urdf", "robot.base=upper_arm", "robot.tip=flange", *quick)
    assert done.returncode == 0, done.stderr
    assert results(tmp_path)[0]["solved"] == 2


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("robot=kuka_iwa", ["kuka_iwa", "Did you mean kuka_iiwa", "franka_panda"]),
        ("solver=adm", ["adm", "Did you mean adam", "lbfgs"]),
        ("target.cout=5", ["target.cout", "target.count"]),
        ("solver.learning_rate=0.1", ["solver.learning_rate", "solver.damping"]),
        ("target.count=many", ["target.count", "many", "type int"]),
        ("target.count=0", ["target.count", "above zero", "0"]),
        ("target.kind=near", ["target.kind", "reachable"]),
        ("seed=-1", ["seed", "at least 0"]),
        ("robot.path=missing.urdf", ["missing.urdf"]),
        ("robot=null", ["robot=null cannot be taken: a robot is chosen by its name"]),
        ("=3", ["'=3' is no setting"]),
        ("robot=[kuka_iiwa,scara]", ["robot=[kuka_iiwa,scara] cannot be taken: robot has one choice"]),
        ("~robot", ["robot.name is missing"]),
        ("seed=${nowhere}", ["seed refers to something that is not there", "nowhere"]),
        ("hydra.run.dir=", ["hydra.run.dir= is given without a value"]),
        ("hydra.run.dir=/dev/null/here", ["The run has no folder: /dev/null", "hydra.run.dir=..."]),
        ("hydra/launcher=nope", ["There is no hydra/launcher 'nope'"]),
        ("target.count=1000000000000", ["It was given as target.count=1000000000000."]),
        ("robot.path=", ["robot.path= is given without a value", "robot.path=null"]),
        ("robot.path=my=arm.urdf", ["quote it twice", "'robot.path=\"my=arm.urdf\"'"]),
        ("robot.path=a,b.urdf", ["quote it twice", "'robot.path=\"a,b.urdf\"'", "--multirun"]),
        ("robot.path=arm[1].urdf", ["'robot.path=\"arm[1].urdf\"'"]),
        ("seed=99999999999999999999", ["seed must be a whole number from"]),
        ("target=direction", ["There is no target 'direction'", "reachable, unreachable"]),
        ("hydra/launcher=joblib", ["it is for sweeps", "--multirun"]),
        ("robot=scara robot.path=x.urdf", ["Both robot.path=x.urdf and robot.name=scara are given"]),
        ("solver.max_iterations=9 solver.early_iterations=9", ["solver.early_iterations=9 would change nothing"]),
        ("check.enabled=false check.driven=3", ["check.driven=3 would change nothing: check.enabled is false"]),
        ("check=none pictured=3", ["pictured=3 would change nothing"]),
        ("target.count=1 plotted=x", ["plotted must be of type int"]),
    ],
)
def test_mistakes_end_in_a_message(
    tmp_path: Path, argument: str, said: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    script = ROOT / "scripts" / "solve_ik.py"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), *argument.split(" ")])
    monkeypatch.syspath_prepend(str(script.parent))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # the script sets it; here it is put back afterwards
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    for words in said:
        assert words in printed.err
    assert printed.err.startswith("Error: ") and "executing job" not in printed.err
    assert list(tmp_path.iterdir()) == []  # a run that failed at once leaves no folder


def test_a_mistake_ends_the_process_with_code_1(tmp_path: Path) -> None:
    done = run(tmp_path, "solver=adm")
    assert done.returncode == 1 and "Did you mean adam" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", SOLVERS)
def test_solver_files_hold_the_defaults(name: str) -> None:
    import dataclasses

    config = OmegaConf.to_container(OmegaConf.load(ROOT / "configs" / "solver" / f"{name}.yaml"))
    assert config["name"] == name
    for key in dataclasses.fields(SOLVERS[name]):
        expected = None if key.name.startswith("max_") and key.name != "max_step" else key.default
        assert config[key.name] == (list(expected) if isinstance(expected, tuple) else expected), key.name
