"""Robots: a kinematic tree with names and limits, its loaders, and the robots known by name."""

from diffkin.robot.catalogue import load_robot, robot_names
from diffkin.robot.robot import Robot

__all__ = ["Robot", "load_robot", "robot_names"]
