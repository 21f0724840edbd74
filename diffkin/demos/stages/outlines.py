"""What a scene draws with lines: its own, ellipsoids as three circles, and the grid on the floor."""

from __future__ import annotations

import math

import torch

from diffkin.demos.scene import Color, Ellipsoid, Line, Scene, View

__all__ = ["FLOOR_COLOR", "FLOOR_SHARE", "grid", "lines_of", "outline"]

FLOOR_COLOR: Color = (0.85, 0.87, 0.89)
FLOOR_SHARE = 3.0
"""Half the length of the floor's sides, in radii of the view."""

_CORNERS = 24  # of a circle
_GRID_COLOR: Color = (0.62, 0.64, 0.68)
_SQUARES = 10  # of the floor's grid, a side


def lines_of(scene: Scene) -> tuple[Line, ...]:
    """All lines of a scene, those of its ellipsoids included."""
    return (*scene.lines, *(line for each in scene.ellipsoids for line in outline(each)))


def outline(ellipsoid: Ellipsoid) -> tuple[Line, Line, Line]:
    """The three ellipses in which its own planes cut an ellipsoid."""
    angles = torch.arange(_CORNERS + 1, dtype=torch.float64, device="cpu") * (2.0 * math.pi / _CORNERS)
    pose, radii = ellipsoid.pose.double(), ellipsoid.radii.double()
    lines = []
    for axis in range(3):
        circle = torch.zeros(_CORNERS + 1, 3, dtype=torch.float64, device="cpu")
        circle[:, (axis + 1) % 3], circle[:, (axis + 2) % 3] = angles.cos(), angles.sin()
        points = circle * radii @ pose[:3, :3].T + pose[:3, 3]
        lines.append(Line(f"{ellipsoid.name} {'xyz'[axis]}", points, ellipsoid.color))
    return lines[0], lines[1], lines[2]


def grid(view: View) -> tuple[Line, ...]:
    """Lines on the floor; none without a floor. Squares have a round length: 1, 2 or 5 times a power of ten."""
    if view.floor is None:
        return ()
    rough = 2.0 * FLOOR_SHARE * view.radius / _SQUARES
    power = 10.0 ** math.floor(math.log10(rough))
    square = power * max(digit for digit in (1.0, 2.0, 5.0) if digit * power <= rough * (1.0 + 1e-9))
    half = 0.5 * _SQUARES * square
    lines = []
    for k in range(_SQUARES + 1):
        at = -half + k * square
        for axis, name in enumerate("xy"):
            ends = torch.full((2, 3), view.floor, dtype=torch.float64, device="cpu")
            ends[:, axis], ends[0, 1 - axis], ends[1, 1 - axis] = at, -half, half
            lines.append(Line(f"grid {name} {k}", ends, _GRID_COLOR, 1.0))
    return tuple(lines)
