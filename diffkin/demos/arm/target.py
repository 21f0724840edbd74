"""A target that people move: by sliders for position and rotation, or by a gizmo."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.demos.scene import Control, Gizmo, Moment, Slider, Value, View
from diffkin.rotations import euler_to_matrix, matrix_to_euler

__all__ = ["ANGLES", "GIZMO", "PLACES", "Target"]

PLACES = ("target x", "target y", "target z")
ANGLES = ("target roll", "target pitch", "target yaw")
GIZMO = "target"

_REACH = 1.5  # radii of the view to both sides, that the sliders cover


class Target:
    """Where the tip is to be.

    Its three angles turn it from the attitude that it starts with, about the world's axes: roll about x, then pitch about
    y, then yaw about z.

    Args:
        start: (4, 4) its first pose.
        view: What the sliders cover.
        turns: Whether its rotation can be moved.
    """

    def __init__(self, start: Float[Tensor, "4 4"], view: View, turns: bool) -> None:
        self.start = start
        self.pose = start
        self._turns = turns
        self._angles = torch.zeros(3, dtype=torch.float64, device="cpu")
        sliders: list[Control] = []
        for name, middle, center in zip(PLACES, start[:3, 3].tolist(), view.center):
            low, high = center - _REACH * view.radius, center + _REACH * view.radius
            sliders.append(Slider(name, min(low, middle), max(high, middle), middle, "m", "target"))
        if turns:
            sliders += [Slider(name, -180.0, 180.0, 0.0, "deg", "target") for name in ANGLES]
        self.controls: tuple[Control, ...] = (*sliders, Gizmo(GIZMO, start, 0.3 * view.radius))

    def put(self, pose: Float[Tensor, "4 4"]) -> None:
        """Move it there."""
        self.pose = pose
        self._angles = matrix_to_euler(pose[:3, :3] @ self.start[:3, :3].mT, "ZYX").flip(0)

    def follow(self, moment: Moment) -> None:
        """Move it as its controls were moved."""
        if GIZMO in moment.touched:
            self.put(moment.pose(GIZMO))
            return
        pose, angles = self.pose.clone(), self._angles.clone()
        for axis, name in enumerate(PLACES):
            if name in moment.touched:
                pose[axis, 3] = moment.number(name)
        turned = [k for k, name in enumerate(ANGLES) if name in moment.touched]
        for k in turned:
            angles[k] = math.radians(moment.number(ANGLES[k]))
        if turned:
            pose[:3, :3] = euler_to_matrix(angles.flip(0), "ZYX") @ self.start[:3, :3]
        self.pose, self._angles = pose, angles

    def shows(self) -> dict[str, Value]:
        """What its controls are to show."""
        shown: dict[str, Value] = {GIZMO: self.pose, **dict(zip(PLACES, self.pose[:3, 3].tolist()))}
        if self._turns:
            shown |= dict(zip(ANGLES, torch.rad2deg(self._angles).tolist()))
        return shown
