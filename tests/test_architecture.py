"""Imports point one way, heavy packages stay where they belong, and ``import diffkin`` is light."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fresh import run_code

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "diffkin"

# Each row may import what is in its own row or in one above; a lazy import is an import.
LAYERS = [
    ["errors", "autograd", "kernels", "_gate", "_checks", "_algebra", "_files", "_given"],
    ["rotations"],
    ["transforms"],
    ["kinematics"],
    ["robot"],
    ["ik"],
    ["motion"],
    ["aircraft"],
    ["calibration", "learning"],
    ["simulation", "plotting"],
    ["course", "demos"],
    ["precompile", "__main__"],
]
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in FILES}

# Packages that only some parts of the house may know.
ALLOWED = {
    "pybullet": {"simulation"},
    "pybullet_data": {"simulation"},
    "matplotlib": {"plotting"},
    "imageio_ffmpeg": {"plotting"},
    "PIL": {"plotting", "demos"},
    "lightning": {"learning"},
    "lightning_fabric": {"learning"},
    "zuko": {"learning"},
    "sklearn": {"learning", "ik"},  # ik/solutions: branches are clusters
    "safetensors": {"learning"},
    "tensorboard": {"learning"},
    "hydra": set(),
    "omegaconf": set(),
    "rich": {"learning", "precompile"},  # progress bars
    "mujoco": {"robot"},
    "numba": {"kernels", "_gate"},  # the gate asks whether Numba compiles at all
}

MOST_FILES = 16  # in a folder; more want wings
MOST_SCRIPT_LINES = 200

# Modules without a test file of their own name, and why.
NO_TEST_OF_THEIR_OWN = {
    "diffkin.__main__": "a command line of one line: tests/test_precompile.py runs it",
    "diffkin.course.child": "the script of a process: tests/course/test_contain.py runs it",
    "diffkin.course.__main__": "a command line: tests/course/test_grade.py runs it",
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
            assert words[1] in (own, "errors", "_checks", "_gate"), f"diffkin.{own} must not import {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_heavy_packages_stay_where_they_belong(file: Path) -> None:
    for name, _ in imports(file):
        top = name.split(".")[0]
        if top in ALLOWED:
            assert part(file) in ALLOWED[top], f"{file.relative_to(ROOT)} must not import {top}"
        if part(file) == "kernels":
            assert top != "torch", f"{file.relative_to(ROOT)} must not import torch"


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        name: {
            found
            for found, for_types in imports(file)
            if not for_types and found in MODULES and MODULES[found].name != "__init__.py"
        }
        for name, file in MODULES.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_folder_is_crowded() -> None:
    folders = {file.parent for file in FILES}
    crowded = {str(folder): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: count for folder, count in crowded.items() if count > MOST_FILES} == {}


def test_scripts_are_thin() -> None:
    lines = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in (ROOT / "scripts").rglob("*.py")}
    assert {name: count for name, count in lines.items() if count > MOST_SCRIPT_LINES} == {}


def test_solvers_know_no_task_by_name() -> None:
    names = {
        node.name
        for file in (PACKAGE / "ik" / "tasks").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Task") and node.name != "Task"
    }
    assert len(names) >= 8
    asked = []
    for file in FILES:
        if file.is_relative_to(PACKAGE / "ik" / "tasks"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "type", "issubclass"):
                asked += [f"{file}:{node.lineno}" for name in names if name in ast.unparse(node)]
            if isinstance(node, ast.Compare) and "type(" in ast.unparse(node):
                asked += [f"{file}:{node.lineno}" for name in names if name in ast.unparse(node)]
    assert asked == []


def test_every_module_has_a_test_of_its_name() -> None:
    missing = []
    for name, file in MODULES.items():
        inside = file.relative_to(PACKAGE)
        mirrored = ROOT / "tests" / inside.with_name(f"test_{inside.name.lstrip('_')}")
        if file.name != "__init__.py" and not mirrored.exists() and name not in NO_TEST_OF_THEIR_OWN:
            missing.append(str(mirrored.relative_to(ROOT)))
    assert missing == []
    assert [name for name in NO_TEST_OF_THEIR_OWN if name not in MODULES] == []


CREATE = {
    *("arange", "as_tensor", "empty", "eye", "full", "linspace", "logspace", "normal", "ones", "rand", "randint"),
    *("randn", "randperm", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros"),
}
"""Functions of torch that make a tensor on the default device, unless told another."""


@pytest.mark.parametrize(
    "file", [file for file in FILES if "course" not in file.parts], ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_tensors_are_made_on_a_device_that_is_named(file: Path) -> None:
    """The default device is the user's to set, and a robot may lie on another one."""
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    unnamed = [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and (call.func.value.id, call.func.attr in CREATE) == ("torch", True)
        and not {"device", None} & {word.arg for word in call.keywords}
    ]
    assert not unnamed, f"{file} makes tensors on the default device in lines {unnamed}"


def test_import_is_light() -> None:
    heavy = [
        "pybullet",
        "matplotlib",
        "numba",
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
    done = run_code(code)
    assert done.stdout.strip() == "[]"
