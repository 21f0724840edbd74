"""Inverse kinematics: tasks, solvers, starts, and gradients of a solution."""

from diffkin.ik.result import IKResult
from diffkin.ik.solve import SOLVERS, solve_ik
from diffkin.ik.solvers.first_order import LBFGS, Adam, GradientDescent
from diffkin.ik.solvers.newton import GaussNewton, LevenbergMarquardt
from diffkin.ik.tasks import OrientationTask, PoseTask, PositionTask, Task

__all__ = [
    "LBFGS",
    "SOLVERS",
    "Adam",
    "GaussNewton",
    "GradientDescent",
    "IKResult",
    "LevenbergMarquardt",
    "OrientationTask",
    "PoseTask",
    "PositionTask",
    "Task",
    "solve_ik",
]
