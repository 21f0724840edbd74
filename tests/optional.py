"""Packages that a user need not have: tests that want one which is not installed are skipped, all others run.

``DIFFKIN_HIDE=pybullet,hydra`` in the environment makes packages look as if they were not installed.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diffkin.errors import MissingDependencyError

__all__ = ["OPTIONAL", "Module", "hide", "skipping"]

OPTIONAL = frozenset(
    (
        *("pybullet", "pybullet_data", "matplotlib", "hydra", "omegaconf", "rich", "imageio", "imageio_ffmpeg", "PIL"),
        *(
            "viser",
            "trimesh",
            "daqp",
            "lightning_fabric",
            "zuko",
            "sklearn",
            "safetensors",
            "tensorboard",
            "scipy",
            "xacrodoc",
        ),
        *("example_robot_data", "hypothesis", "pinocchio", "mujoco", "roma", "pymap3d", "mpmath", "EAIK", "eaik"),
        *(
            "selenium",
            "spellchecker",
            "nbclient",
            "nbformat",
            "jupytext",
            "ipykernel",
            "IPython",
            "build",
            "optuna",
            "yaml",
        ),
    )
)
"""Names to import of what is in extras of pyproject.toml; torch, numpy, numba, lxml and jaxtyping are not among them."""

_TESTS = Path(__file__).parent


class Module(pytest.Module):
    """A test module that is skipped where it needs an optional package which is not installed."""

    def _getobj(self) -> Any:
        try:
            return super()._getobj()
        except self.CollectError as error:
            why = _excuse(error.__cause__)
            if why:
                pytest.skip(why, allow_module_level=True)
            raise
        except MissingDependencyError as error:
            why = _excuse(error)
            if why:
                pytest.skip(why, allow_module_level=True)
            raise


@contextlib.contextmanager
def skipping() -> Iterator[None]:
    """Skip a test that imports an optional package, or asks diffkin for what needs one, where it is not installed.

    An import inside diffkin that fails without diffkin's own message stays the error that it is.
    """
    try:
        yield
    except ImportError as error:
        why = _excuse(error)
        if not why:
            raise
        pytest.skip(why)


def _excuse(error: BaseException | None) -> str:
    """Why a test may be skipped for an error: it names a package that is missing; empty if it may not."""
    if isinstance(error, MissingDependencyError):
        names = {name for name in OPTIONAL if re.search(rf"\b{re.escape(name)}\b", str(error))}
        return str(error) if any(importlib.util.find_spec(name) is None for name in names) else ""
    if isinstance(error, ModuleNotFoundError) and error.name and _by_a_test(error):
        name = error.name.replace("-", "_").partition(".")[0]
        return f"{name} is not installed" if name in OPTIONAL and importlib.util.find_spec(name) is None else ""
    return ""


def hide(*names: str) -> None:
    """Make packages look as if they were not installed."""
    for place, finder in enumerate(sys.meta_path):
        if finder is importlib.machinery.PathFinder:
            sys.meta_path[place] = _Hiding(frozenset(names))


class _Hiding:
    """The usual finder of modules, blind for some."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        hidden = name.partition(".")[0] in self.names
        return None if hidden else importlib.machinery.PathFinder.find_spec(name, path, target)

    def find_distributions(self, *arguments: Any) -> Any:
        return importlib.machinery.PathFinder.find_distributions(*arguments)

    def invalidate_caches(self) -> None:
        importlib.machinery.PathFinder.invalidate_caches()


def _by_a_test(error: ModuleNotFoundError) -> bool:
    """Whether the import that failed stands in a file of the tests."""
    frame = error.__traceback__
    files = []
    while frame is not None:
        files.append(frame.tb_frame.f_code.co_filename)
        frame = frame.tb_next
    own = [file for file in files if "importlib" not in file]
    return bool(own) and Path(own[-1]).is_relative_to(_TESTS)


hide(*filter(None, os.environ.get("DIFFKIN_HIDE", "").split(",")))
