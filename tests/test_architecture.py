"""Imports point one way, heavy packages stay where they belong, and ``import diffkin`` is light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "diffkin"

# Each row may import what is in its own row or in one above.
LAYERS = [
    ["errors", "autograd", "kernels", "_checks"],
    ["rotations"],
    ["transforms"],
    ["kinematics"],
    ["robot"],
    ["ik"],
    ["aircraft"],
    ["learning"],
    ["simulation", "plotting", "plotting_aircraft"],
]
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))

# Packages that only some parts of the house may know.
ALLOWED = {
    "pybullet": {"simulation"},
    "pybullet_data": {"simulation"},
    "matplotlib": {"plotting", "plotting_aircraft"},
    "lightning": {"learning"},
    "lightning_fabric": {"learning"},
    "zuko": {"learning"},
    "sklearn": {"learning"},
    "safetensors": {"learning"},
    "tensorboard": {"learning"},
    "hydra": set(),
    "omegaconf": set(),
    "rich": {"learning"},  # progress bars of training
    "mujoco": {"robot"},
    "yourdfpy": {"robot"},
    "numba": {"kernels"},
}


def part(file: Path) -> str:
    """The part of the house that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Names of the modules that a file imports anywhere, and whether only for type checkers."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in for_types
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module or "", id(node) in for_types
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in for_types


def test_every_part_has_its_layer() -> None:
    assert {part(file) for file in FILES} - {"__init__"} <= set(LAYER)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_one_way(file: Path) -> None:
    own = part(file)
    if own == "__init__":
        return
    for name, for_types in imports(file):
        words = name.split(".")
        if words[0] == "diffkin" and len(words) > 1 and words[1] in LAYER and not for_types:
            assert LAYER[words[1]] <= LAYER[own], f"diffkin.{own} must not import {name}"
        if words[0] == "diffkin" and len(words) > 1 and own in ("kernels", "autograd"):
            assert words[1] in (own, "errors", "_checks"), f"diffkin.{own} must not import {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_heavy_packages_stay_where_they_belong(file: Path) -> None:
    for name, _ in imports(file):
        top = name.split(".")[0]
        if top in ALLOWED:
            assert part(file) in ALLOWED[top], f"{file.relative_to(ROOT)} must not import {top}"
        if part(file) == "kernels":
            assert top != "torch", f"{file.relative_to(ROOT)} must not import torch"


def test_import_is_light() -> None:
    heavy = [
        "pybullet",
        "matplotlib",
        "numba",
        "yourdfpy",
        "lxml",
        "hydra",
        "omegaconf",
        "mujoco",
        "scipy",
        "sklearn",
        "lightning_fabric",
        "zuko",
    ]
    code = f"import sys, diffkin; print(sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
