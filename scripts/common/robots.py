"""Robots of the group ``robot``: a name, or the file of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import diffkin as dk

__all__ = ["RobotConfig", "load_robot"]


@dataclass(frozen=True)
class RobotConfig:
    """A named robot, or the file of one: ``robot=NAME``, or ``robot.path=FILE robot.base=LINK robot.tip=LINK``."""

    name: str
    path: Optional[str] = None
    base: Optional[str] = None
    tip: Optional[str] = None


def load_robot(config: RobotConfig) -> dk.Robot:
    """The robot; one without a tip is an error that names its leaves, before anything else is done."""
    robot = dk.load_robot(config.path or config.name, base=config.base, tip=config.tip)
    robot.link_index(None)
    return robot
