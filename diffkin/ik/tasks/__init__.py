"""Tasks: what inverse kinematics is asked to bring to zero."""

from diffkin.ik.tasks.base import LinkTask, Placement, Task
from diffkin.ik.tasks.center_of_mass import CenterOfMassTask
from diffkin.ik.tasks.distance import DistanceTask
from diffkin.ik.tasks.joints import CouplingTask, LimitMarginTask, PostureTask
from diffkin.ik.tasks.kinds import DIRECTION, NUMBER, NUMBERS, POINT, POSE, ROTATION, Kind
from diffkin.ik.tasks.manipulability import ManipulabilityTask
from diffkin.ik.tasks.pointing import (
    BankPitchLimitTask,
    KeepOutConeTask,
    RayAtPointTask,
    RayDirectionTask,
    WingsLevelTask,
    turn_to,
)
from diffkin.ik.tasks.pose import OrientationTask, PoseTask, PositionTask

__all__ = [
    "DIRECTION",
    "NUMBER",
    "NUMBERS",
    "POINT",
    "POSE",
    "ROTATION",
    "BankPitchLimitTask",
    "CenterOfMassTask",
    "CouplingTask",
    "DistanceTask",
    "KeepOutConeTask",
    "Kind",
    "LimitMarginTask",
    "LinkTask",
    "ManipulabilityTask",
    "OrientationTask",
    "Placement",
    "PoseTask",
    "PositionTask",
    "PostureTask",
    "RayAtPointTask",
    "RayDirectionTask",
    "Task",
    "WingsLevelTask",
    "turn_to",
]
