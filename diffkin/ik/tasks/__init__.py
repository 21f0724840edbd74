"""Tasks: what inverse kinematics is asked to bring to zero."""

from diffkin.ik.tasks.pose import OrientationTask, PoseTask, PositionTask, Task

__all__ = ["OrientationTask", "PoseTask", "PositionTask", "Task"]
