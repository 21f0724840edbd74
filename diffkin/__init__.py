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

# Parts that are imported when they are first asked for, so that importing diffkin stays light.
_LAZY = ("calibration", "learning", "plotting", "simulation")

if TYPE_CHECKING:
    from diffkin import calibration as calibration
    from diffkin import learning as learning
    from diffkin import plotting as plotting
    from diffkin import simulation as simulation
else:

    def __getattr__(name):
        if name in _LAZY:
            return importlib.import_module(f"diffkin.{name}")
        raise AttributeError(f"module 'diffkin' has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *_LAZY})
