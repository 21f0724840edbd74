"""Arm demos by the names of their modes."""

from __future__ import annotations

import os
from collections.abc import Callable

from torch import Tensor

from diffkin.demos.arm.answers import SOLVER_NAMES, Opinion
from diffkin.demos.arm.follow import FollowDemo
from diffkin.demos.arm.path import SHAPES, PathDemo
from diffkin.demos.arm.reach import ReachDemo
from diffkin.demos.joints import JointsDemo
from diffkin.demos.scene import Demo
from diffkin.errors import closest
from diffkin.robot import Robot

__all__ = ["MODES", "make_arm_demo"]

MODES = ("follow", "circle", "lissajous", "reach", "learned", "joints")


def make_arm_demo(
    robot: Robot,
    mode: str = "follow",
    *,
    opinion: Callable[[Tensor], Opinion] | None = None,
    solver: str = "levenberg_marquardt",
    checkpoint: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Demo:
    """A demo with an arm.

    Args:
        robot: A robot with a tip.
        mode: "follow": the tip follows a target that people move. "circle", "lissajous": it runs along a path
            that was solved as a whole. "reach":
            random targets, two solvers race. "learned": a network's answer before and after one descent. "joints":
            sliders turn the joints.
        opinion: Bullet's own inverse kinematics to stand beside ours; see ``bullet_opinion``.
        solver: The first solver.
        checkpoint: File of a network for "learned"; a small one is trained where it is None.
        seed: Of random targets.

    Returns:
        The demo.

    Raises:
        diffkin.errors.UnknownNameError: There is no such mode or solver.
        diffkin.errors.OptionError: The checkpoint is for another robot, or the arm cannot play this mode.
    """
    if mode not in MODES:
        raise closest(mode, MODES, "mode")
    if solver not in SOLVER_NAMES:
        raise closest(solver, SOLVER_NAMES, "solver")
    if mode in SHAPES:
        return PathDemo(robot, mode, opinion, solver)
    if mode == "reach":
        return ReachDemo(robot, opinion, solver, seed)
    if mode == "joints":
        return JointsDemo(robot)
    if mode == "learned":
        from diffkin.demos.arm.learned import LearnedDemo

        return LearnedDemo(robot, checkpoint, seed)
    return FollowDemo(robot, opinion, solver, seed)
