"""Tasks: what inverse kinematics is asked to bring to zero."""

from diffkin.ik.tasks.base import LinkTask, Placement, Task
from diffkin.ik.tasks.kinds import DIRECTION, POINT, POSE, ROTATION, Kind
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
    "POINT",
    "POSE",
    "ROTATION",
    "BankPitchLimitTask",
    "KeepOutConeTask",
    "Kind",
    "LinkTask",
    "OrientationTask",
    "Placement",
    "PoseTask",
    "PositionTask",
    "RayAtPointTask",
    "RayDirectionTask",
    "Task",
    "WingsLevelTask",
    "turn_to",
]
