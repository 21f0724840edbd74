"""Differentiable kinematics of robot arms and aircraft attitude, on PyTorch."""

from diffkin import aircraft, autograd, errors, ik, kinematics, motion, rotations, transforms
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
    "motion",
    "robot_names",
    "rotations",
    "solve_ik",
    "transforms",
]
