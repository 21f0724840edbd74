"""Tests that need a package which is not installed are skipped, the others pass; what fails for another reason fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diffkin.errors import MissingDependencyError
from tests import optional

ROOT = Path(__file__).parents[1]
HIDDEN = "pybullet,pybullet_data,hydra,omegaconf,matplotlib"
SOME = (
    *("tests/robot/formats/test_mjcf_parts.py", "tests/robot/test_topology.py", "tests/robot/test_catalogue.py"),
    *("tests/rotations/test_euler.py", "tests/kernels/attitude/test_constants.py", "tests/ik/tasks/test_pose.py"),
)


def _tests(*files: str, hidden: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files]
    environment = {**os.environ, "DIFFKIN_HIDE": hidden, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)


def test_without_pybullet_hydra_and_matplotlib() -> None:
    done = _tests(*SOME, hidden=HIDDEN)
    assert done.returncode == 0, done.stdout
    passed, skipped = (int(done.stdout.rsplit(f" {word}", 1)[0].split()[-1]) for word in ("passed", "skipped"))
    assert passed > skipped > 0


def test_import_without_them() -> None:
    code = "from tests import optional; import diffkin; diffkin.load_robot('planar_2r'); import importlib.util as u; "
    code += f"assert not [name for name in {HIDDEN.split(',')!r} if u.find_spec(name)]"
    environment = {**os.environ, "DIFFKIN_HIDE": HIDDEN, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_only_what_is_missing_is_an_excuse() -> None:
    with pytest.raises(pytest.skip.Exception), optional.skipping():
        raise _named("hydra", "pybullet")
    for error in (MissingDependencyError("Needs numpy"), ImportError("cannot import name"), _named("diffkin.nothing")):
        with pytest.raises(type(error)), optional.skipping():
            raise error


def _named(*names: str) -> ModuleNotFoundError:
    """The error of an import of a package that is not installed; of one that is where all are."""
    missing = [name for name in names if name == "diffkin.nothing" or optional.importlib.util.find_spec(name) is None]
    if not missing:
        pytest.skip("all optional packages are installed")
    return ModuleNotFoundError(f"No module named {missing[0]!r}", name=missing[0])
