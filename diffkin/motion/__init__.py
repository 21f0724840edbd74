"""Motion: joint coordinates along whole paths of poses, and one tick of control towards a target."""

from diffkin.motion.path import PathResult, solve_path
from diffkin.motion.servo import ServoStep, servo_step

__all__ = ["PathResult", "ServoStep", "servo_step", "solve_path"]
