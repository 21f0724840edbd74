"""Paths of the group ``path``: poses of the tip along a figure in front of the arm, or from a file."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import torch
from torch import Tensor

import diffkin as dk
from common.given import unused
from diffkin import rotations, transforms
from diffkin.errors import ModelFileError
from diffkin.ik import PositionTask

__all__ = ["PATHS", "PathConfig", "check_follower", "make_path"]

PATHS = ("line", "circle", "lissajous", "csv")
_OF_FOLLOWERS = {
    "path": ("allow_reconfigurations", "limit_weight"), "servo": ("acceleration_limit", "damping", "when_limited"),
}  # fmt: skip
_COLUMNS = ("x_m", "y_m", "z_m", "quat_x", "quat_y", "quat_z", "quat_w")
_PLACES = 256
_LARGER = 1.05  # than the figure is what is tried, so that what lies between its points is reached too
_POINTS = 48  # of the figure that are tried at each


@dataclass(frozen=True)
class PathConfig:
    """What the tip is to follow."""

    kind: str
    ticks: int
    seconds: float
    size: float
    file: Optional[str] = None


def check_follower(name: str) -> None:
    """Raise for settings of the follower that were given and belong to the other one."""
    for other, keys in _OF_FOLLOWERS.items():
        for key in keys if other != name else ():
            unused(f"follower.{key}", f"it belongs to follower={other}", none=True)


def make_path(robot: dk.Robot, config: PathConfig, seed: int, orientation: bool = True) -> tuple[Tensor, Tensor, bool]:
    """Poses of the tip, (n, 4, 4), coordinates near the first, (dof,), and whether the path is closed.

    A figure is drawn in the axes of the tip at one of many random coordinates: where the arm reaches all of it, and of
    these places far from limits and singularities. With ``orientation=False`` the points alone are to be reached.
    """
    if config.kind == "csv":
        for key in ("path.ticks", "path.size"):
            unused(key, "a file has its own poses, a row a tick", none=True)
        poses = _read(config.file or "")
        return poses, _places(robot, seed)[0], bool((poses[0] - poses[-1]).abs().max() < 1e-9)
    unused("path.file", f"a {config.kind} is drawn; poses of a file are followed with path=csv", none=True)
    shift = _figure(config)
    places = _places(robot, seed)
    few = shift[torch.linspace(0, len(shift) - 1, min(len(shift), _POINTS)).round().long()]
    few[:, :3, 3] *= _LARGER
    targets = robot.forward_kinematics(places)[:, None] @ few
    asked = targets if orientation else PositionTask(None, targets[..., :3, 3])
    found = dk.solve_ik(robot, asked, q0=places[:, None].expand(-1, len(few), -1), max_restarts=0)
    middle = places[int(found.success.sum(-1).argmax())]  # the first of several
    poses = robot.forward_kinematics(middle) @ shift
    closed = config.kind != "line"
    if closed:
        poses[-1] = poses[0]
    return poses, middle, closed


def _figure(config: PathConfig) -> Tensor:
    """(n, 4, 4) the figure in the x-y plane, its middle at the origin."""
    time = torch.linspace(0.0, 2.0 * math.pi, config.ticks, dtype=torch.float64)
    zero = torch.zeros_like(time)
    half = 0.5 * config.size
    points = {
        "line": (half * (time / math.pi - 1.0), zero),
        "circle": (half * time.cos(), half * time.sin()),
        "lissajous": (half * (2.0 * time).sin(), half * (3.0 * time).sin()),
    }[config.kind]
    return transforms.pose(torch.eye(3, dtype=torch.float64), torch.stack((*points, zero), dim=-1))


def _places(robot: dk.Robot, seed: int) -> Tensor:
    """(n, dof) random coordinates, those first where room to limits times the least singular value is largest."""
    q = robot.sample(_PLACES, seed=seed)
    span = robot.upper - robot.lower
    room = torch.minimum(q - robot.lower, robot.upper - q) / span
    room = torch.where(torch.isfinite(span), room, 0.5).amin(-1)
    values = torch.linalg.svdvals(robot.jacobian(q))[:, min(robot.dof, 6) - 1]
    merit = room * values if bool((values > 1e-9).any()) else room
    return q[merit.argsort(descending=True, stable=True)]


def _read(file: str) -> Tensor:
    """Poses of a file with a row a tick."""
    path = Path(file)
    try:
        with path.open(newline="", encoding="utf-8") as opened:
            rows = [[float(row[name]) for name in _COLUMNS] for row in csv.DictReader(opened)]
    except OSError as error:
        raise ModelFileError(f"path.file={file} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"path.file={file} must have numbers in columns {', '.join(_COLUMNS)}.") from error
    if not rows:
        raise ModelFileError(f"path.file={file} has no rows.")
    values = torch.tensor(rows, dtype=torch.float64)
    return transforms.pose(rotations.quat_xyzw_to_matrix(values[:, 3:]), values[:, :3])
