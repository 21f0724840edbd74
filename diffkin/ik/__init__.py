"""Inverse kinematics: tasks, solvers, starts, and gradients of a solution."""

from diffkin.ik.options import SOLVERS
from diffkin.ik.result import IKResult
from diffkin.ik.solutions.distinct import AllSolutions, solve_all
from diffkin.ik.solve import solve_ik
from diffkin.ik.solvers.first_order import LBFGS, Adam, GradientDescent
from diffkin.ik.solvers.newton import GaussNewton, LevenbergMarquardt
from diffkin.ik.tasks import (
    BankPitchLimitTask,
    CenterOfMassTask,
    CouplingTask,
    DistanceTask,
    KeepOutConeTask,
    LimitMarginTask,
    ManipulabilityTask,
    OrientationTask,
    PoseTask,
    PositionTask,
    PostureTask,
    RayAtPointTask,
    RayDirectionTask,
    Task,
    WingsLevelTask,
)

__all__ = [
    "LBFGS",
    "SOLVERS",
    "Adam",
    "AllSolutions",
    "BankPitchLimitTask",
    "CenterOfMassTask",
    "CouplingTask",
    "DistanceTask",
    "GaussNewton",
    "GradientDescent",
    "IKResult",
    "KeepOutConeTask",
    "LevenbergMarquardt",
    "LimitMarginTask",
    "ManipulabilityTask",
    "OrientationTask",
    "PoseTask",
    "PositionTask",
    "PostureTask",
    "RayAtPointTask",
    "RayDirectionTask",
    "Task",
    "WingsLevelTask",
    "solve_all",
    "solve_ik",
]
