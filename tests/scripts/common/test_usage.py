"""--help: what the script is for, and its own groups alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts.forked import run_script

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.mark.parametrize(
    ("script", "groups"),
    [
        ("solve_ik", {"check", "robot", "solver", "target"}),
        ("point_aircraft", {"aircraft", "controller", "target"}),
    ],
)
def test_help_lists_the_groups_of_the_script(script: str, groups: set[str], tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    done = run_script(script, "--help", folder=folder)
    assert done.returncode == 0, done.stderr
    said, rest = done.stdout.split("Groups, chosen with group=choice:\n")[1].split("\n\n", 1)
    listed = dict(line.strip().split(": ", 1) for line in said.splitlines())
    assert set(listed) == groups
    expected = "reachable, unreachable" if script == "solve_ik" else "direction, ground_point"
    assert listed["target"] == expected
    assert f"python scripts/{script}.py" in done.stdout and "\nseed: 0\n" in rest
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("words", [["--help"], ["robot=planar_3r", "target.count=2", "check=none", "plotted=0"]])
def test_a_reader_that_has_seen_enough_is_no_mistake(words: list[str], tmp_path: Path) -> None:
    """As of ``... | head -1``."""
    command = [sys.executable, str(SCRIPTS / "solve_ik.py"), *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 1
