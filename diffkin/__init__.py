"""Differentiable kinematics of robot arms and aircraft attitude, on PyTorch."""

import importlib
from typing import Any

from diffkin import aircraft, autograd, errors, ik, kinematics, rotations, transforms
from diffkin.ik import IKResult, solve_ik
from diffkin.robot import Robot, load_robot, robot_names

_LAZY = {"animate": "diffkin.plotting", "plot": "diffkin.plotting", "render": "diffkin.plotting"}
"""What is imported when it is first asked for, and from where."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'diffkin' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


__version__ = "0.1.0"

__all__ = [
    "IKResult",
    "Robot",
    "aircraft",
    "animate",
    "autograd",
    "errors",
    "ik",
    "kinematics",
    "load_robot",
    "plot",
    "render",
    "robot_names",
    "rotations",
    "solve_ik",
    "transforms",
]
