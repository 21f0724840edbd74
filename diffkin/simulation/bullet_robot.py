"""Robots in PyBullet: loaded from the file they came from, or from a URDF that is made for them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import check_pose
from diffkin.errors import ModelFileError, ShapeError, UnknownNameError, closest
from diffkin.robot import Robot
from diffkin.robot.formats.urdf_write import add_simple_shapes, robot_to_urdf
from diffkin.robot.xml import open_document
from diffkin.rotations import matrix_to_quat_xyzw, quat_xyzw_to_matrix
from diffkin.simulation.library import bullet, quiet
from diffkin.transforms import inverse, pose

__all__ = ["BulletRobot", "load", "to_pose", "urdf_file"]

_FIXED = 4  # pybullet.JOINT_FIXED
_PRISMATIC = 1  # pybullet.JOINT_PRISMATIC


@dataclass(frozen=True)
class _Drive:
    """Bullet's joint ``index`` moves by ``multiplier * q[coordinate] + offset``.

    Bullet multiplies the value of a prismatic joint with the axis as written, here of length ``axis_length``, so the
    value to set is the movement divided by it. ``column`` is the joint's place among those that move; ``in_tree`` says
    whether it is on the robot's own way, not just the source of a mimic joint there.
    """

    index: int
    column: int
    coordinate: int
    multiplier: float
    offset: float
    axis_length: float
    in_tree: bool


@dataclass(frozen=True, eq=False)
class BulletRobot:
    """A robot that lives in a PyBullet world, its joints and links found by name.

    Attributes:
        client: The world.
        body: Bullet's number of the body.
        robot: The robot as diffkin knows it.
        links: Bullet's index of every link, -1 for the root.
        drives: The joints that ``q`` moves, mimic joints included. All others stay at zero.
        movable: Bullet's indices of all joints that move.
    """

    client: int
    body: int
    robot: Robot
    links: dict[str, int]
    drives: tuple[_Drive, ...]
    movable: tuple[int, ...]

    def reset(self, q: Float[Tensor, " dof"]) -> None:
        """Put every joint where ``q`` says, at rest, without simulating."""
        p = bullet()
        values = self.joint_values(q)
        for index, value in zip(self.movable, values):
            p.resetJointState(self.body, index, value, 0.0, physicsClientId=self.client)

    def joint_values(self, q: Float[Tensor, " dof"]) -> list[float]:
        """The value of each of Bullet's movable joints [rad or m], in its order."""
        values = self._movements(q)
        for drive in self.drives:
            values[drive.column] /= drive.axis_length
        return values

    def coordinates(self) -> Float[Tensor, " dof"]:
        """Read ``q`` back from Bullet's joints."""
        p = bullet()
        q = torch.zeros(self.robot.dof, dtype=torch.float64, device="cpu")
        for drive in reversed(self.drives):  # a joint's own drive comes before those that mimic it
            if drive.multiplier != 0.0:
                value = p.getJointState(self.body, drive.index, physicsClientId=self.client)[0]
                q[drive.coordinate] = (value * drive.axis_length - drive.offset) / drive.multiplier
        return q

    def link_pose(self, link: str) -> Float[Tensor, "4 4"]:
        """Pose of a link in the world, as Bullet has it.

        Bullet keeps the pose of a link's inertial frame in double precision and derives the link frame from it in
        single precision, so the link frame is worked out from the inertial one here.
        """
        p = bullet()
        if link not in self.links:
            raise closest(link, self.links, "link in PyBullet:")
        index = self.links[link]
        if index < 0:
            position, quat_xyzw = p.getBasePositionAndOrientation(self.body, physicsClientId=self.client)
        else:
            state = p.getLinkState(self.body, index, computeForwardKinematics=True, physicsClientId=self.client)
            position, quat_xyzw = state[:2]
        return to_pose(position, quat_xyzw) @ inverse(self.inertial_frame(link))

    def inertial_frame(self, link: str) -> Float[Tensor, "4 4"]:
        """Pose of a link's inertial frame (centre of mass, principal axes) in the link's own frame."""
        return to_pose(*bullet().getDynamicsInfo(self.body, self.links[link], physicsClientId=self.client)[3:5])

    def base_pose(self) -> Float[Tensor, "4 4"]:
        """Pose in the world of the link that the robot calls its base."""
        return self.link_pose(self.robot.base)

    def jacobian(
        self, q: Float[Tensor, " dof"], link: str, point: Float[Tensor, " 3"] | None = None
    ) -> Float[Tensor, "6 dof"]:
        """Bullet's Jacobian of a link, in world axes, linear rows first.

        ``calculateJacobian`` takes the point as a vector from the link's origin in the axes of the link's inertial
        frame, and gives rows in the axes of the root's inertial frame; its model normalises every axis. All three are
        undone here.

        Args:
            q: (dof,) coordinates.
            link: A link other than the root.
            point: (3,) point in the link's axes [m]; its origin if None.

        Returns:
            (6, dof) Jacobian.
        """
        p = bullet()
        movements, zeros = self._movements(q), [0.0] * len(self.movable)
        at = torch.zeros(3, dtype=torch.float64, device="cpu") if point is None else point.detach().cpu().double()
        local = self.inertial_frame(link)[:3, :3].T @ at
        with quiet():  # it warns of every axis that is not of unit length to the last digit
            linear, angular = p.calculateJacobian(
                self.body, self.links[link], local.tolist(), movements, zeros, zeros, physicsClientId=self.client
            )
        columns = torch.tensor([linear, angular], dtype=torch.float64, device="cpu")
        turn = to_pose(*p.getBasePositionAndOrientation(self.body, physicsClientId=self.client))[:3, :3]
        rows = (turn @ columns).reshape(6, -1)
        jacobian = torch.zeros(6, self.robot.dof, dtype=torch.float64, device="cpu")
        for drive in self.drives:
            if drive.in_tree:
                jacobian[:, drive.coordinate] += drive.multiplier * rows[:, drive.column]
        return jacobian

    def _movements(self, q: Float[Tensor, " dof"]) -> list[float]:
        """How far each of Bullet's movable joints turns [rad] or slides [m]."""
        if tuple(q.shape) != (self.robot.dof,):
            raise ShapeError(f"q must have shape ({self.robot.dof},), one configuration; got {tuple(q.shape)}.")
        numbers = q.detach().to(device="cpu", dtype=torch.float64).tolist()
        movements = [0.0] * len(self.movable)
        for drive in self.drives:
            movements[drive.column] = drive.multiplier * numbers[drive.coordinate] + drive.offset
        return movements


def load(client: int, robot: Robot, base: Float[Tensor, "4 4"] | None = None) -> BulletRobot:
    """Load a robot into a world, its root fixed.

    It is loaded from the URDF file or text that it was made from. A robot that has none, that came from another format,
    or that has been changed since (calibrated, or given a frame) is loaded from ``robot.to_urdf()``.

    Args:
        client: The world.
        robot: Any robot.
        base: (4, 4) pose of the file's root link in the world; the identity if None.

    Returns:
        The robot in Bullet, all joints at zero, its motors off.

    Raises:
        diffkin.errors.ModelFileError: Bullet cannot load it.
    """
    p = bullet()
    placed = torch.eye(4, dtype=torch.float64, device="cpu") if base is None else base.detach().cpu().double()
    check_pose(placed, "base")
    if placed.ndim != 2:
        raise ShapeError(f"base must have shape (4, 4), one pose; got {tuple(placed.shape)}.")
    with urdf_file(robot) as path:
        body, told = _load_urdf(client, path, placed)
    if body is None:  # a mesh that is not there makes Bullet refuse the whole robot; simple shapes do for it
        with urdf_file(robot, _without_meshes(robot)) as path:
            body, _ = _load_urdf(client, path, placed)
    if body is None:
        raise ModelFileError(f"PyBullet cannot load robot {robot.name!r}. It says: {told}")
    infos = [p.getJointInfo(body, i, physicsClientId=client) for i in range(p.getNumJoints(body, client))]
    links = {p.getBodyInfo(body, client)[0].decode(): -1} | {info[12].decode(): info[0] for info in infos}
    missing = [link for link in robot.link_names if link not in links]
    if missing:
        raise ModelFileError(f"PyBullet's body has no link {missing[0]!r}, which robot {robot.name!r} has.")
    movable = [info for info in infos if info[2] != _FIXED]
    for info in movable:  # loadURDF leaves a velocity motor on every joint
        p.setJointMotorControl2(body, info[0], p.VELOCITY_CONTROL, force=0.0, physicsClientId=client)
    return BulletRobot(client, body, robot, links, _drives(robot, movable), tuple(info[0] for info in movable))


def to_pose(position: Any, quat_xyzw: Any) -> Float[Tensor, "4 4"]:
    """(4, 4) pose from Bullet's position [m] and quaternion."""
    rotation = quat_xyzw_to_matrix(torch.tensor(quat_xyzw, dtype=torch.float64, device="cpu"))
    return pose(rotation, torch.tensor(position, dtype=torch.float64, device="cpu"))


def _drives(robot: Robot, movable: list[Any]) -> tuple[_Drive, ...]:
    """How ``q`` moves Bullet's joints. Bullet knows no mimic joints; the robot's tree says what drives each link."""
    own: list[_Drive] = []
    following: list[_Drive] = []
    for column, info in enumerate(movable):
        index, joint, kind, child = info[0], info[1].decode(), info[2], info[12].decode()
        length = float(torch.tensor(info[13], dtype=torch.float64, device="cpu").norm()) if kind == _PRISMATIC else 1.0
        tree = robot.tree
        carrier = tree.link_joint[robot.link_names.index(child)] if child in robot.link_names else -1
        in_tree = carrier >= 0 and child != robot.base
        if in_tree:
            multiplier, offset, coordinate = tree.multiplier[carrier], tree.offset[carrier], tree.coordinate[carrier]
        elif joint in robot.joint_names:  # a source of mimic joints that is not on the way itself
            multiplier, offset, coordinate = 1.0, 0.0, robot.joint_names.index(joint)
        else:
            continue
        drive = _Drive(index, column, coordinate, multiplier, offset, length, in_tree)
        (own if joint in robot.joint_names else following).append(drive)
    return (*own, *following)


@contextmanager
def urdf_file(robot: Robot, source: str | None = None) -> Iterator[str]:
    """The path of a robot's URDF; a temporary file where there is only text.

    Args:
        robot: The robot.
        source: Path or text to take in place of the robot's own, or of one that is made for it.
    """
    if source is None:
        source = robot.source if _is_as_in_its_file(robot) else robot.to_urdf()
    if not source.lstrip("\ufeff \t\r\n").startswith("<"):
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "robot.urdf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        yield path


def _is_as_in_its_file(robot: Robot) -> bool:
    """Whether a robot's source is a URDF, and loading it again gives this mechanism, names included."""
    if not robot.source or open_document(robot.source).root.tag != "robot":
        return False
    return any(_is_same(robot, tip) for tip in dict.fromkeys((robot.tip, None)))


def _is_same(robot: Robot, tip: str | None) -> bool:
    try:
        loaded = Robot.from_urdf(robot.source, robot.base, tip)
    except (UnknownNameError, ModelFileError):  # names or the mechanism have changed
        return False
    tree, other = robot.tree, loaded.tree.to(dtype=robot.dtype, device=robot.device)
    lists = ("parents", "kinds", "coordinate", "multiplier", "offset", "link_joint")
    return (
        (loaded.joint_names, loaded.link_names) == (robot.joint_names, robot.link_names)
        and all(getattr(tree, name) == getattr(other, name) for name in lists)
        and all(torch.equal(getattr(tree, name), getattr(other, name)) for name in ("origins", "axes", "link_offsets"))
    )


def _load_urdf(client: int, path: str, base: Tensor) -> tuple[int | None, str]:
    """Bullet's number of a body loaded from a file, None if it refuses; and what it printed."""
    p = bullet()
    position, quat_xyzw = base[:3, 3].tolist(), matrix_to_quat_xyzw(base[:3, :3]).tolist()
    with quiet() as printed:
        try:
            return p.loadURDF(
                path,
                position,
                quat_xyzw,
                useFixedBase=True,
                flags=p.URDF_USE_INERTIA_FROM_FILE,
                physicsClientId=client,
            ), ""
        except p.error as error:
            return None, f"{error} {printed()}"


def _without_meshes(robot: Robot) -> str:
    """The text of the robot's URDF with simple shapes in place of those that are read from files of their own."""
    from lxml import etree

    if not _is_as_in_its_file(robot):
        return robot_to_urdf(robot, meshes=False)
    root = open_document(robot.source, "robot").root
    for shape in [*root.iter("visual"), *root.iter("collision")]:
        if shape.find(".//mesh") is not None:
            shape.getparent().remove(shape)
    add_simple_shapes(root, robot)
    return str(etree.tostring(root, encoding="unicode"))
