"""Pictures of robots, drawn by PyBullet's software renderer: no window and no graphics card needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from diffkin.errors import OptionError, ShapeError
from diffkin.robot import Robot
from diffkin.robot.skeleton import reach_of
from diffkin.rotations import matrix_to_quat_xyzw, rotvec_to_matrix
from diffkin.simulation.bullet_robot import BulletRobot, load
from diffkin.simulation.library import bullet
from diffkin.simulation.world import open_world
from diffkin.transforms import inverse

__all__ = ["Camera", "add_floor", "add_frame", "fitted", "frame_camera", "render", "render_robot", "render_solutions"]

_OVERSAMPLING = 2  # drawn larger and averaged down, because the renderer does not smooth edges
_FLOOR = 2.2  # its side by the robot's reach
_FLOOR_COLOR = [0.93, 0.93, 0.93, 1]
_BACKGROUND = 250
_MOST_VIEWS = 8  # looked at until a camera is found
_NEAR_ENOUGH = 0.025  # to the share that is wanted and to the middle, by the picture's sides


@dataclass(frozen=True)
class Camera:
    """Where a picture is taken from.

    Attributes:
        target: The point in the middle of the picture [m].
        distance: From there to the camera [m].
        yaw_deg: Direction of the camera about the world's z [deg].
        pitch_deg: Its height above the horizon, negative looking down [deg].
        field_of_view_deg: Vertical angle of view [deg].
    """

    target: tuple[float, float, float]
    distance: float
    yaw_deg: float = 50.0
    pitch_deg: float = -22.0
    field_of_view_deg: float = 35.0


def render(client: int, camera: Camera, width: int = 480, height: int = 480, shadow: bool = True) -> NDArray[np.uint8]:
    """Draw a world.

    Args:
        client: The world.
        camera: Where to look from.
        width: Of the picture [pixels].
        height: Of the picture [pixels].
        shadow: Whether bodies cast shadows. The software renderer's come out ragged, and wrong further than about two
            metres from the camera.

    Returns:
        (height, width, 3) red, green, blue.

    Raises:
        diffkin.errors.OptionError: A size below one pixel.
    """
    if width < 1 or height < 1:
        raise OptionError(f"A picture has at least one pixel a side, got width={width}, height={height}.")
    p = bullet()
    columns, rows = width * _OVERSAMPLING, height * _OVERSAMPLING
    view, projection = _matrices(client, camera, width / height)
    picture = p.getCameraImage(
        columns,
        rows,
        view,
        projection,
        lightDirection=[0.6, -0.8, 1.6],
        lightColor=[1.0, 1.0, 1.0],
        lightDistance=camera.distance,  # the shadow map covers what is about as near as this
        lightAmbientCoeff=0.55,
        lightDiffuseCoeff=0.5,
        lightSpecularCoeff=0.0,
        shadow=int(shadow),
        renderer=p.ER_TINY_RENDERER,
        physicsClientId=client,
    )
    pixels = np.asarray(picture[2], dtype=np.uint8).reshape(rows, columns, 4)[..., :3].copy()
    nothing = np.asarray(picture[4]).reshape(rows, columns) < 0  # the segmentation: no body there
    pixels[nothing] = _BACKGROUND
    small = pixels.reshape(height, _OVERSAMPLING, width, _OVERSAMPLING, 3).mean(axis=(1, 3))
    return small.round().astype(np.uint8)


def render_solutions(
    robot: Robot,
    q: Float[Tensor, "n dof"],
    targets: Float[Tensor, "n 4 4"],
    width: int = 480,
    height: int = 480,
) -> list[NDArray[np.uint8]]:
    """One picture for each solution, all from the same place, the target drawn as a frame (x red, y green, z blue).

    Args:
        robot: A robot loaded from a URDF.
        q: (n, dof) solutions.
        targets: (n, 4, 4) their targets in the robot's base.
        width: Of a picture [pixels].
        height: Of a picture [pixels].

    Returns:
        n pictures (height, width, 3).

    Raises:
        diffkin.errors.ShapeError: ``q`` and ``targets`` do not belong together.
        diffkin.errors.MissingDependencyError: pybullet is not installed.
    """
    if q.ndim != 2 or tuple(targets.shape) != (len(q), 4, 4):
        raise ShapeError(f"q (n, dof) and targets (n, 4, 4) are needed, got {tuple(q.shape)}, {tuple(targets.shape)}.")
    pictures = []
    with open_world() as client:
        arm = load(client, robot)
        size = 0.12 * reach_of(robot)
        placed = arm.base_pose() @ targets.double()
        ends = (placed[:, :3, :3] * size).mT.reshape(-1, 3) + placed[:, :3, 3].repeat_interleave(3, 0)
        camera = _fitted_to_all(arm, frame_camera(arm, q, ends), ends, q, width / height)
        add_floor(client, _FLOOR * reach_of(robot), _lowest(arm, q), arm.base_pose()[:2, 3].tolist())
        # Turning a body costs nothing; making one anew for each picture would leave the old ones in the way.
        frame = add_frame(client, torch.eye(4, dtype=torch.float64, device="cpu"), size=size)
        for each, target in zip(q, placed):
            arm.reset(each)
            for body, local in frame:
                _place(client, body, target @ local)
            pictures.append(render(client, camera, width, height, shadow=False))
    return pictures


def render_robot(
    robot: Robot,
    q: Float[Tensor, " dof"],
    targets: Any = (),
    base: Float[Tensor, "4 4"] | None = None,
    width: int = 640,
    height: int = 480,
    floor: bool = True,
) -> NDArray[np.uint8]:
    """One picture of a robot, which fills it together with its targets.

    Args:
        robot: Any robot; one without shapes gets simple ones.
        q: (dof,) coordinates.
        targets: (n, 4, 4) poses in the robot's base, drawn as frames (x red, y green, z blue).
        base: (4, 4) pose of the robot's base in the world; the identity if None.
        width: Of the picture [pixels].
        height: Of the picture [pixels].
        floor: Whether there is a floor.

    Returns:
        (height, width, 3) red, green, blue.

    Raises:
        diffkin.errors.MissingDependencyError: pybullet is not installed.
    """
    with open_world() as client:
        arm = load(client, robot)
        if base is not None:  # the file's root is what load places
            arm_base = arm.base_pose()
            bullet().removeBody(arm.body, physicsClientId=client)
            arm = load(client, robot, base @ inverse(arm_base))
        arm.reset(q)
        camera = frame_camera(arm, q[None])
        for target in torch.as_tensor(targets, dtype=torch.float64, device="cpu").reshape(-1, 4, 4):
            add_frame(client, arm.base_pose() @ target, size=0.12 * reach_of(robot))
        camera = fitted(client, camera, width / height)
        if floor:
            add_floor(client, _FLOOR * reach_of(robot), _lowest(arm, q[None]), arm.base_pose()[:2, 3].tolist())
        return render(client, camera, width, height, shadow=False)


def _fitted_to_all(arm: BulletRobot, camera: Camera, others: Tensor, q: Tensor, ratio: float) -> Camera:
    """A camera that sees the arm in each configuration, and points besides, as small balls."""
    p = bullet()
    shape = p.createVisualShape(p.GEOM_SPHERE, radius=0.01 * camera.distance, physicsClientId=arm.client)
    marks = [p.createMultiBody(0, -1, shape, point.tolist(), physicsClientId=arm.client) for point in others]

    def mask(seen: Camera, columns: int, rows: int) -> NDArray[np.bool_]:
        found = np.zeros((rows, columns), dtype=bool)
        for each in q:
            arm.reset(each)
            found |= _mask(arm.client, seen, columns, rows)
        return found

    camera = _moved_until_filled(camera, ratio, mask)
    for mark in marks:
        p.removeBody(mark, physicsClientId=arm.client)
    return camera


def fitted(client: int, camera: Camera, ratio: float, fill: float = 0.86) -> Camera:
    """A camera that looks the same way, moved until the bodies of a world fill the picture.

    Args:
        client: The world, without a floor.
        camera: Where to look from at first.
        ratio: Width of the picture by its height.
        fill: Share of the width or of the height that they take.

    Returns:
        The camera; the same if there is nothing to see.
    """
    return _moved_until_filled(camera, ratio, partial(_mask, client), fill)


def _moved_until_filled(
    camera: Camera, ratio: float, mask: Callable[[Camera, int, int], NDArray[np.bool_]], fill: float = 0.86
) -> Camera:
    rows = 120
    columns = max(round(rows * ratio), 1)
    views: list[tuple[float, float]] = []  # distance and share
    best, whole = math.inf, camera
    for _ in range(_MOST_VIEWS):
        seen = mask(camera, columns, rows)
        if not seen.any():
            return camera
        y, x = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        cut = y[0] == 0 or x[0] == 0 or y[-1] == rows - 1 or x[-1] == columns - 1
        share = max((y[-1] + 1 - y[0]) / rows, (x[-1] + 1 - x[0]) / columns)
        right_of, below = (x[0] + x[-1] + 1 - columns) / 2, (y[0] + y[-1] + 1 - rows) / 2
        miss = max(abs(share - fill), abs(right_of) / columns, abs(below) / rows)
        if not cut and miss < best:
            best, whole = miss, camera
            if miss < _NEAR_ENOUGH:
                break
        views.append((camera.distance, share))
        pixel = 2.0 * camera.distance * math.tan(math.radians(camera.field_of_view_deg / 2)) / rows
        right, up = _camera_axes(camera)
        target = np.asarray(camera.target) + pixel * (right_of * right - below * up)
        camera = replace(camera, target=tuple(target.tolist()), distance=_next_distance(views, fill, bool(cut)))
    return whole if best < math.inf else camera


def _next_distance(views: list[tuple[float, float]], fill: float, cut: bool) -> float:
    """Where the share would be ``fill`` if it were a power of the distance [m].

    The power is that of the last two views: parts that are near the camera grow faster than the distance shrinks.
    """
    distance, share = views[-1]
    if cut and all(earlier[0] <= distance for earlier in views):  # how much is out of sight is not known
        return 1.6 * distance
    power = 1.0
    if len(views) > 1 and abs(math.log(views[-2][0] / distance)) > 0.01:
        power = min(max(-math.log(views[-2][1] / share) / math.log(views[-2][0] / distance), 1.0), 3.0)
    return distance * float(share / fill) ** (1.0 / power)


def _camera_axes(camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The directions to the right and up in the picture, in the world."""
    view = bullet().computeViewMatrixFromYawPitchRoll(
        camera.target, camera.distance, camera.yaw_deg, camera.pitch_deg, 0.0, 2
    )
    rotation = np.array(view).reshape(4, 4)[:3, :3]  # by columns
    return rotation[:, 0], rotation[:, 1]


def _mask(client: int, camera: Camera, columns: int, rows: int) -> NDArray[np.bool_]:
    """(rows, columns) where there is a body."""
    view, projection = _matrices(client, camera, columns / rows)
    picture = bullet().getCameraImage(
        columns, rows, view, projection, shadow=0, renderer=bullet().ER_TINY_RENDERER, physicsClientId=client
    )
    return np.asarray(picture[4]).reshape(rows, columns) >= 0


def _matrices(client: int, camera: Camera, ratio: float) -> tuple[Any, Any]:
    p = bullet()
    view = p.computeViewMatrixFromYawPitchRoll(
        camera.target, camera.distance, camera.yaw_deg, camera.pitch_deg, 0.0, 2, physicsClientId=client
    )
    near, far = 0.02 * camera.distance, 10.0 * camera.distance
    return view, p.computeProjectionMatrixFOV(camera.field_of_view_deg, ratio, near, far, physicsClientId=client)


def frame_camera(arm: BulletRobot, q: Float[Tensor, "n dof"], others: Float[Tensor, "k 3"] | None = None) -> Camera:
    """A camera that sees the whole arm in each of these configurations, and other points of the world [m]."""
    points: list[Tensor] = [] if others is None else list(others)
    for each in q:
        arm.reset(each)
        points.extend(arm.link_pose(link)[:3, 3] for link in arm.robot.link_names)
    spread = torch.stack(points) if points else torch.zeros(1, 3, dtype=torch.float64, device="cpu")
    low, high = spread.amin(0), spread.amax(0)
    middle = (low + high) / 2
    size = max(float((high - low).norm()), 0.1)
    x, y, z = middle.tolist()
    distance = size / (2 * math.tan(math.radians(Camera.field_of_view_deg / 2))) * 1.08 + 0.1
    flat = float(high[2] - low[2]) < 0.2 * size
    return Camera((x, y, z), distance, pitch_deg=-60.0 if flat else Camera.pitch_deg)


def _lowest(arm: BulletRobot, q: Tensor) -> float:
    """Height just below the arm in each of these configurations [m], but not above the ground."""
    lowest = 0.0
    for each in q:
        arm.reset(each)
        boxes = [bullet().getAABB(arm.body, index, physicsClientId=arm.client) for index in arm.links.values()]
        lowest = min(lowest, *(box[0][2] for box in boxes))
    return lowest - 0.002


def add_floor(client: int, size: float, height: float = 0.0, middle: Sequence[float] = (0.0, 0.0)) -> int:
    """A light grey square to stand on; gives its body.

    Args:
        client: The world.
        size: Length of a side [m].
        height: Of its upper face [m].
        middle: Where its middle is, x and y [m].

    Returns:
        Bullet's number of the body.
    """
    p = bullet()
    half = [size / 2, size / 2, 1e-4 * size]  # so thin that its edge does not show
    shape = p.createVisualShape(p.GEOM_BOX, halfExtents=half, rgbaColor=_FLOOR_COLOR, physicsClientId=client)
    return int(
        p.createMultiBody(0, -1, shape, basePosition=[middle[0], middle[1], height - half[2]], physicsClientId=client)
    )


def add_frame(client: int, pose: Float[Tensor, "4 4"], size: float) -> list[tuple[int, Tensor]]:
    """Draw a frame as three rods: x red, y green, z blue.

    Args:
        client: The world.
        pose: (4, 4) where.
        size: Length of a rod [m].

    Returns:
        The three bodies, each with its pose in the frame.
    """
    p = bullet()
    bodies = []
    turns = torch.tensor(
        [[0.0, math.pi / 2, 0.0], [-math.pi / 2, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64, device="cpu"
    )
    for axis, color in enumerate(([0.85, 0.1, 0.1, 1], [0.1, 0.6, 0.15, 1], [0.1, 0.25, 0.9, 1])):
        shape = p.createVisualShape(
            p.GEOM_CYLINDER, radius=0.05 * size, length=size, rgbaColor=color, physicsClientId=client
        )
        body = p.createMultiBody(0, -1, shape, physicsClientId=client)
        local = _local(turns[axis], axis, size / 2)
        _place(client, body, pose @ local)
        bodies.append((body, local))
    return bodies


def _local(rotvec: Tensor, axis: int, shift: float) -> Tensor:
    local = torch.eye(4, dtype=torch.float64, device="cpu")
    local[:3, :3] = rotvec_to_matrix(rotvec)
    local[axis, 3] = shift
    return local


def _place(client: int, body: int, pose: Any) -> None:
    bullet().resetBasePositionAndOrientation(
        body, pose[:3, 3].tolist(), matrix_to_quat_xyzw(pose[:3, :3]).tolist(), physicsClientId=client
    )
