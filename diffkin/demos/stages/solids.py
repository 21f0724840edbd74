"""The solid things of a scene in a PyBullet world: robots, frames, boxes and the floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diffkin.demos.scene import Body, Box, Color, Frame, Scene, View
from diffkin.demos.stages.outlines import FLOOR_COLOR, FLOOR_SHARE
from diffkin.rotations import matrix_to_quat_xyzw
from diffkin.simulation.bullet_robot import BulletRobot, load
from diffkin.simulation.library import bullet
from diffkin.simulation.world import TIME_STEP
from diffkin.transforms import inverse

__all__ = ["AXIS_COLORS", "Solids"]

AXIS_COLORS: tuple[Color, Color, Color] = ((0.85, 0.1, 0.1), (0.1, 0.6, 0.15), (0.1, 0.25, 0.9))
"""Of x, y and z."""

_PALE: Color = (0.93, 0.945, 0.96)  # what ghosts fade into
_FLOOR_DEPTH = 0.004  # below its height, so that lines drawn there are seen [m]
_AWAY = (0.0, 0.0, -1e3)  # where bodies wait that a scene does not show
_MOST_STEPS = 24  # of the physics between two pictures: on a slow machine it runs slower than the clock
_GAINS = (0.2, 1.0)  # of the motors, for positions and velocities; see diffkin.simulation.motors


@dataclass
class _Shown:
    """A body of the world, and how it was last drawn."""

    arm: BulletRobot
    root_base: Tensor
    root_inertial: Tensor
    own_colors: dict[int, list[float]]
    looks: tuple[Any, ...] = (None, 1.0)
    driven: bool = False
    seen: bool = True
    base: Tensor | None = None
    q: Tensor | None = None


class Solids:
    """Keeps a PyBullet world like the scenes it is given.

    Args:
        client: The world.
        floor: Of this view, made a solid one; none if None: pictures have theirs drawn.
    """

    def __init__(self, client: int, floor: View | None = None) -> None:
        self.client = client
        self._bodies: dict[str, _Shown] = {}
        self._frames: dict[str, tuple[int, float]] = {}
        self._boxes: dict[str, int] = {}
        self._poses: dict[int, Tensor] = {}
        p = bullet()
        p.setTimeStep(TIME_STEP, physicsClientId=client)
        if floor is not None and floor.floor is not None:
            half = [FLOOR_SHARE * floor.radius] * 2 + [0.02 * floor.radius]
            shape = p.createVisualShape(
                p.GEOM_BOX, halfExtents=half, rgbaColor=[*FLOOR_COLOR, 1.0], specularColor=[0, 0, 0],
                physicsClientId=client,
            )  # fmt: skip
            at = [0.0, 0.0, floor.floor - half[2] - _FLOOR_DEPTH]
            p.createMultiBody(0, -1, shape, basePosition=at, physicsClientId=client)

    def draw(self, scene: Scene) -> None:
        """Put everything where the scene has it; what is new is made, what is no more is put out of sight."""
        for body in scene.bodies:
            self._draw_body(body)
        for name, shown in self._bodies.items():
            if shown.seen and name not in {body.name for body in scene.bodies}:
                self._place(shown.arm.body, _AWAY, (0.0, 0.0, 0.0, 1.0))
                shown.seen = False
        for frame in scene.frames:
            self._draw_frame(frame)
        self._drop(self._frames, {frame.name for frame in scene.frames})
        for box in scene.boxes:
            self._draw_box(box)
        self._drop(self._boxes, {box.name for box in scene.boxes})

    def advance(self, seconds: float) -> None:
        """Let the physics of driven bodies run."""
        if not any(shown.driven for shown in self._bodies.values()):
            return
        for _ in range(min(round(seconds / TIME_STEP), _MOST_STEPS)):
            bullet().stepSimulation(physicsClientId=self.client)

    def measured(self) -> dict[str, Tensor]:
        """(dof,) where the joints of driven bodies are, by name."""
        return {name: shown.arm.coordinates() for name, shown in self._bodies.items() if shown.driven}

    def _draw_body(self, body: Body) -> None:
        if body.name not in self._bodies:
            self._bodies[body.name] = self._loaded(body)
        shown = self._bodies[body.name]
        base = torch.eye(4, dtype=torch.float64, device="cpu") if body.base is None else body.base.detach().double()
        if not shown.seen or shown.base is None or not torch.equal(base, shown.base):
            self._place(shown.arm.body, *_parts(base @ shown.root_base @ shown.root_inertial))
            shown.base, shown.seen = base, True
        if body.driven:
            self._drive(shown, body.q)
            shown.q = None
        else:
            self._set(shown, body.q)
        shown.driven = body.driven
        looks = (body.color, body.opacity)
        if looks != shown.looks:
            self._paint(shown, body)
            shown.looks = looks

    def _loaded(self, body: Body) -> _Shown:
        p = bullet()
        arm = load(self.client, body.robot)
        root = next(name for name, index in arm.links.items() if index < 0)
        root_base = inverse(inverse(arm.link_pose(root)) @ arm.base_pose())
        for link in range(-1, p.getNumJoints(arm.body, physicsClientId=self.client)):
            p.setCollisionFilterGroupMask(arm.body, link, 0, 0, physicsClientId=self.client)
        colors = {row[1]: list(row[7]) for row in p.getVisualShapeData(arm.body, physicsClientId=self.client)}
        return _Shown(arm, root_base, arm.inertial_frame(root), colors, seen=False)

    def _set(self, shown: _Shown, q: Tensor) -> None:
        """Put the joints where ``q`` says: in one call, because each waits for the window's thread."""
        if shown.q is not None and torch.equal(q, shown.q):
            return
        arm = shown.arm
        values = [[value] for value in arm.joint_values(q)]
        rest = [[0.0]] * len(values)
        if values:
            bullet().resetJointStatesMultiDof(arm.body, list(arm.movable), values, rest, physicsClientId=self.client)
        shown.q = q.detach().clone()

    def _drive(self, shown: _Shown, q: Tensor) -> None:
        p = bullet()
        arm = shown.arm
        if not shown.driven:  # motors start from where the arm was put
            arm.reset(q)
        joints = list(arm.movable)
        at = {"physicsClientId": self.client}
        forces = [info[10] if info[10] > 0 else 1e3 for info in (p.getJointInfo(arm.body, j, **at) for j in joints)]
        p.setJointMotorControlArray(
            arm.body,
            joints,
            p.POSITION_CONTROL,
            targetPositions=arm.joint_values(q),
            forces=forces,
            positionGains=[_GAINS[0]] * len(joints),
            velocityGains=[_GAINS[1]] * len(joints),
            **at,
        )

    def _paint(self, shown: _Shown, body: Body) -> None:
        """Colour all links. Ghosts are pale, not see-through: OpenGL would leave them out of the depth buffer, and with
        them all other bodies that share their meshes."""
        for link, own in shown.own_colors.items():
            color = own[:3] if body.color is None else body.color
            pale = [body.opacity * c + (1.0 - body.opacity) * b for c, b in zip(color, _PALE)]
            bullet().changeVisualShape(shown.arm.body, link, rgbaColor=[*pale, 1.0], physicsClientId=self.client)

    def _draw_frame(self, frame: Frame) -> None:
        known = self._frames.get(frame.name)
        if known is not None and known[1] != frame.length:
            self._remove(known[0])
            known = None
        if known is None:
            known = self._frames[frame.name] = (self._axes(frame.length), frame.length)
        self._move(known[0], frame.pose)

    def _axes(self, length: float) -> int:
        """One body of three rods, so that one call moves all."""
        p = bullet()
        at = {"physicsClientId": self.client}
        shapes = []
        for axis, color in enumerate(AXIS_COLORS):
            half = [0.02 * length] * 3
            half[axis] = 0.5 * length
            middle = [0.0] * 3
            middle[axis] = 0.5 * length
            look = {"rgbaColor": [*color, 1.0], "specularColor": [0, 0, 0]}
            shapes.append(p.createVisualShape(p.GEOM_BOX, halfExtents=half, visualFramePosition=middle, **look, **at))
        zeros, level = [[0.0] * 3] * 2, [[0.0, 0.0, 0.0, 1.0]] * 2
        return int(
            p.createMultiBody(
                0,
                -1,
                shapes[0],
                linkMasses=[0, 0],
                linkCollisionShapeIndices=[-1, -1],
                linkVisualShapeIndices=shapes[1:],
                linkPositions=zeros,
                linkOrientations=level,
                linkInertialFramePositions=zeros,
                linkInertialFrameOrientations=level,
                linkParentIndices=[0, 0],
                linkJointTypes=[p.JOINT_FIXED] * 2,
                linkJointAxis=[[0, 0, 1]] * 2,
                **at,
            )  # fmt: skip
        )

    def _draw_box(self, box: Box) -> None:
        p = bullet()
        if box.name not in self._boxes:
            shape = p.createVisualShape(
                p.GEOM_BOX,
                halfExtents=[0.5 * side for side in box.size],
                rgbaColor=[*box.color, 1.0],
                physicsClientId=self.client,
            )
            self._boxes[box.name] = p.createMultiBody(0, -1, shape, physicsClientId=self.client)
        self._move(self._boxes[box.name], box.pose)

    def _drop(self, known: dict[str, Any], kept: set[str]) -> None:
        for name in [name for name in known if name not in kept]:
            found = known.pop(name)
            self._remove(found[0] if isinstance(found, tuple) else found)

    def _remove(self, body: int) -> None:
        bullet().removeBody(body, physicsClientId=self.client)
        self._poses.pop(body, None)

    def _move(self, body: int, pose: Tensor) -> None:
        """Place a frame or a box, unless it is there."""
        known = self._poses.get(body)
        if known is None or not torch.equal(known, pose):
            self._place(body, *_parts(pose))
            self._poses[body] = pose.detach().clone()

    def _place(self, body: int, position: Any, quat_xyzw: Any) -> None:
        bullet().resetBasePositionAndOrientation(body, position, quat_xyzw, physicsClientId=self.client)


def _parts(pose: Tensor) -> tuple[list[float], list[float]]:
    """Position and quaternion as Bullet takes them."""
    pose = pose.detach().double()
    return pose[:3, 3].tolist(), matrix_to_quat_xyzw(pose[:3, :3]).tolist()
