"""Differentiable kinematics of robot arms and aircraft attitude, on PyTorch."""

import importlib
from typing import TYPE_CHECKING

from diffkin import aircraft, autograd, errors, ik, kinematics, rotations, transforms
from diffkin.ik import IKResult, solve_ik
from diffkin.robot import Robot, load_robot, robot_names

__version__ = "0.1.0"

__all__ = [
    "IKResult",
    "Robot",
    "aircraft",
    "autograd",
    "errors",
    "ik",
    "kinematics",
    "load_robot",
    "robot_names",
    "rotations",
    "solve_ik",
    "transforms",
]

# What is imported when it is first asked for, so that importing diffkin stays light.
_LAZY = ("calibration", "course", "demos", "learning", "motion", "plotting", "simulation")
_CALLS = {"animate": "diffkin.plotting", "plot": "diffkin.plotting", "render": "diffkin.plotting"}

if TYPE_CHECKING:
    from diffkin import calibration as calibration
    from diffkin import course as course
    from diffkin import demos as demos
    from diffkin import learning as learning
    from diffkin import motion as motion
    from diffkin import plotting as plotting
    from diffkin import simulation as simulation
    from diffkin.plotting import animate as animate
    from diffkin.plotting import plot as plot
    from diffkin.plotting import render as render
else:

    def __getattr__(name):
        if name in _LAZY:
            return importlib.import_module(f"diffkin.{name}")
        if name in _CALLS:
            return getattr(importlib.import_module(_CALLS[name]), name)
        raise AttributeError(f"module 'diffkin' has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *_LAZY, *_CALLS})
