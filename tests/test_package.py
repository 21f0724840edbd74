"""The wheel: it holds what it must, and works where the repository is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ASSETS = ROOT / "diffkin" / "assets"
SOLVE = """
import pathlib, sys
import diffkin as dk
assert pathlib.Path(dk.__file__).is_relative_to(sys.argv[1]), dk.__file__
backend = sys.argv[2] or None
robot = dk.load_robot("planar_2r")
T = robot.forward_kinematics(robot.sample(5, seed=0), backend=backend)
result = dk.solve_ik(robot, T, backend=backend)
assert bool(result.success.all())
dk.load_robot("fixed_wing")
print("solved", len(result.q))
"""


def test_the_lowest_versions_tried_are_those_that_are_named() -> None:
    named = dict(re.findall(r'"([A-Za-z][\w-]*)>=([\d.]+)', (ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {"numpy", "numba", "lxml", "jaxtyping"} <= set(tried)
    for name in set(tried) - {"torch"}:
        low, bound = (tuple(map(int, version.split("."))) for version in (tried[name], named[name]))
        assert low + (0,) * 9 >= bound and low[: len(bound)] == bound, (
            f"{name}: {tried[name]} tried, {named[name]} named"
        )


# Of these, those that make the documentation's pages, and parts of packages that older versions have inside.
NOT_ON_PYTHON_310 = {
    "griffelib",
    "mkdocs-autorefs",
    "mkdocstrings",
    "mkdocstrings-python",
    "pymdown-extensions",
    "zensical",
}
NOT_ON_PYTHON_310 |= {"mujoco-core", "mujoco-studio", "shapely", "watchdog"}


def test_what_needs_python_311_is_pinned_for_310_too() -> None:
    newer, older = set(), set()
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, _, marker = line.partition("==")
        newer |= {name} if '>= "3.11"' in marker else set()
        older |= {name} if '< "3.11"' in marker else set()
    assert {"numpy", "scipy", "mujoco", "jaxtyping"} <= newer & older
    assert newer - older == NOT_ON_PYTHON_310


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("wheel")
    # From a copy, since setuptools leaves build/ and an egg-info where it works.
    source = folder / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        source.mkdir(exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    for file in (ROOT / "diffkin").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            target = source / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_wheel_holds_code_assets_types_and_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = [f for f in (ROOT / "diffkin").rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert {file.relative_to(ROOT).as_posix() for file in package} <= names
    assert "diffkin/py.typed" in names
    assert any(ASSETS.rglob("*.urdf"))
    assert any(name.endswith("LICENSE") for name in names)
    assert all(name.startswith(("diffkin/", "diffkin-")) for name in names)  # neither tests nor scripts


@pytest.mark.parametrize("backend", ["reference", pytest.param("", id="kernels", marks=pytest.mark.slow)])
def test_wheel_works_alone(wheel: Path, tmp_path: Path, backend: str) -> None:
    """The kernels are compiled anew for a new place, which takes most of a minute."""
    site, away = tmp_path / "site", tmp_path / "away"
    away.mkdir()
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", site, wheel]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", SOLVE, site, backend],
        cwd=away,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "solved 5\n"
