"""Demos with an arm: its tip follows a target, runs along a path, races another solver, or asks a network first."""

from diffkin.demos.arm.answers import SOLVER_NAMES, bullet_opinion
from diffkin.demos.arm.make import MODES, make_arm_demo

__all__ = ["MODES", "SOLVER_NAMES", "bullet_opinion", "make_arm_demo"]
