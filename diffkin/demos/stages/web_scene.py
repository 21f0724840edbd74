"""Scenes as nodes of a viser page: what is new is made, what moved is moved, what is gone is hidden."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffkin.demos.scene import Body, Box, Color, Ellipsoid, Frame, Line, Points, Scene, View
from diffkin.demos.stages.shapes import LinkShape, link_shapes
from diffkin.robot import Robot
from diffkin.rotations import matrix_to_quat_xyzw

__all__ = ["WebScene", "set_view"]

_FIELD_OF_VIEW = math.radians(40.0)
_SMALL = 1e-3  # [m]: a line of no length would be none


@dataclass(eq=False)
class _Node:
    """What stands on the page under one name.

    Attributes:
        made_of: What cannot change without making it anew.
        handle: viser's.
        parts: Of a body, viser's frames of its links.
        drawn: What it was last drawn from.
    """

    made_of: Any
    handle: Any
    parts: dict[str, Any] = field(default_factory=dict)
    drawn: Any = None


class WebScene:
    """Keeps a page like the scene that it was last given.

    Args:
        server: A ``viser.ViserServer``.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self._nodes: dict[str, _Node] = {}
        self._placed: dict[str, tuple[Any, NDArray[np.float64]]] = {}  # handles by their names, and where they are
        self._shapes: dict[int, tuple[Robot, tuple[LinkShape, ...]]] = {}  # the robot is held, so its number is its own

    def draw(self, scene: Scene) -> None:
        """Make the page show this scene, in one go."""
        with self._server.atomic():
            seen: set[str] = set()
            places: list[tuple[Any, Tensor]] = []  # viser's handles, and poses (4, 4) of what has one
            for body in scene.bodies:
                made_of = (id(body.robot), body.color, body.opacity)
                node = self._node(seen, f"/bodies/{body.name}", made_of, self._make_body, body)
                places += zip(node.parts.values(), _link_poses(body, list(node.parts)))
            for frame in scene.frames:
                node = self._node(seen, f"/frames/{frame.name}", frame.length, self._make_frame, frame)
                places.append((node.handle, frame.pose))
            for line in scene.lines:
                look = (line.color, line.width)
                self._trace(self._node(seen, f"/lines/{line.name}", look, self._make_line, line), line)
            for cloud in scene.points:
                made_of = (id(cloud.points), cloud.color, cloud.size)
                self._node(seen, f"/points/{cloud.name}", made_of, self._make_points, cloud).drawn = cloud.points
            for egg in scene.ellipsoids:
                node = self._node(seen, f"/ellipsoids/{egg.name}", (egg.color, egg.opacity), self._make_ellipsoid, egg)
                places.append((node.handle, egg.pose))
                node.handle.scale = _triple(egg.radii.clamp(min=1e-6))
            for box in scene.boxes:
                sides = (box.size, box.color, box.opacity)
                places.append((self._node(seen, f"/boxes/{box.name}", sides, self._make_box, box).handle, box.pose))
            self._place(places)
            for name, node in self._nodes.items():
                node.handle.visible = name in seen

    def _node(self, seen: set[str], name: str, made_of: Any, make: Callable[[str, Any], _Node], thing: Any) -> _Node:
        """The node of that name, made anew where it is of something else by now."""
        seen.add(name)
        if name not in self._nodes or self._nodes[name].made_of != made_of:
            node = make(name, thing)  # viser takes away what had the name
            node.made_of = made_of
            self._nodes[name] = node
        return self._nodes[name]

    # -- making -----------------------------------------------------------------------------------------------------

    def _make_body(self, name: str, body: Body) -> _Node:
        scene = self._server.scene
        node = _Node(None, scene.add_frame(name, show_axes=False))
        for number, shape in enumerate(self._shapes_of(body.robot)):
            path = f"{name}/{shape.link}"
            if shape.link not in node.parts:
                node.parts[shape.link] = scene.add_frame(path, show_axes=False)
            solid = body.opacity >= 1.0
            if shape.skin is not None and solid and body.color is None:
                scene.add_mesh_trimesh(f"{path}/{number}", shape.skin, receive_shadow=False)
                continue
            scene.add_mesh_simple(
                f"{path}/{number}", shape.vertices, shape.faces, color=_rgb(body.color or shape.color),
                opacity=None if solid else body.opacity, side="double", cast_shadow=solid, receive_shadow=False,
            )  # fmt: skip
        return node

    def _shapes_of(self, robot: Robot) -> tuple[LinkShape, ...]:
        if id(robot) not in self._shapes:
            self._shapes[id(robot)] = (robot, link_shapes(robot))
        return self._shapes[id(robot)][1]

    def _make_frame(self, name: str, frame: Frame) -> _Node:
        thin = 0.018 * frame.length
        return _Node(None, self._server.scene.add_frame(name, axes_length=frame.length, axes_radius=thin))

    def _make_line(self, name: str, line: Line) -> _Node:
        handle = self._server.scene.add_line_segments(
            name, _segments(line.points), _rgb(line.color), thickness=line.width, thickness_units="screen"
        )
        return _Node(None, handle, drawn=line.points)

    def _make_points(self, name: str, cloud: Points) -> _Node:
        handle = self._server.scene.add_point_cloud(
            name, _array(cloud.points), _rgb(cloud.color), point_size=cloud.size, point_shape="circle"
        )
        return _Node(None, handle)

    def _make_ellipsoid(self, name: str, egg: Ellipsoid) -> _Node:
        handle = self._server.scene.add_icosphere(
            name, 1.0, _rgb(egg.color), opacity=egg.opacity, cast_shadow=False, receive_shadow=False
        )
        return _Node(None, handle)

    def _make_box(self, name: str, box: Box) -> _Node:
        opacity = None if box.opacity >= 1.0 else box.opacity
        return _Node(None, self._server.scene.add_box(name, _rgb(box.color), dimensions=box.size, opacity=opacity))

    # -- moving -----------------------------------------------------------------------------------------------------

    def _place(self, places: list[tuple[Any, Tensor]]) -> None:
        """Move what is elsewhere by now; all quaternions in one call, which costs as much as one of them."""
        if not places:
            return
        poses = torch.stack([pose.detach().to("cpu", torch.float64) for _, pose in places])
        for (handle, _), pose, wxyz in zip(places, poses.numpy(), _wxyz(poses)):
            there, kept = self._placed.get(handle.name, (None, pose))
            if there is not handle or not np.array_equal(kept, pose):  # made anew, or moved
                handle.wxyz, handle.position = wxyz, pose[:3, 3]
                self._placed[handle.name] = (handle, pose)

    def _trace(self, node: _Node, line: Line) -> None:
        if node.drawn is not line.points:
            node.handle.points = _segments(line.points)
            node.drawn = line.points


def _link_poses(body: Body, links: list[str]) -> Tensor:
    """(n, 4, 4) of links in the world."""
    base = None if body.base is None else body.base.to(body.q)
    return body.robot.forward_kinematics(body.q.detach(), links=links, base=base)


def set_view(server: Any, view: View) -> None:
    """Put the camera where the demo wants it at the start, and the floor under it."""
    yaw, pitch = math.radians(view.yaw_deg), math.radians(view.pitch_deg)
    look = np.array([-math.sin(yaw) * math.cos(pitch), math.cos(yaw) * math.cos(pitch), math.sin(pitch)])
    camera = server.initial_camera
    camera.fov = _FIELD_OF_VIEW
    camera.look_at = np.array(view.center)
    camera.position = np.array(view.center) - look * view.radius / math.sin(0.5 * _FIELD_OF_VIEW)
    if view.floor is not None:
        cell = 10.0 ** round(math.log10(0.2 * view.radius))
        side = math.ceil(6.0 * view.radius / cell) * cell
        x, y, _ = view.center
        server.scene.add_grid(
            "/floor", side, side, cell_size=cell, section_size=5.0 * cell, plane_opacity=0.0,
            position=(round(x / cell) * cell, round(y / cell) * cell, view.floor - 1e-3 * view.radius),
        )  # fmt: skip


def _segments(points: Tensor) -> NDArray[np.float32]:
    """(n - 1, 2, 3) pieces of a line; viser wants one at least."""
    rows = _array(points).astype(np.float32)
    if len(rows) < 2:
        start = rows[0] if len(rows) else np.zeros(3, np.float32)
        rows = np.stack((start, start + np.float32(_SMALL) * np.array((0.0, 0.0, 1.0), np.float32)))
    return np.stack((rows[:-1], rows[1:]), axis=1)


def _wxyz(poses: Tensor) -> NDArray[np.float64]:
    return _array(matrix_to_quat_xyzw(poses[..., :3, :3].detach()).roll(1, dims=-1))


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy()


def _triple(tensor: Tensor) -> tuple[float, float, float]:
    x, y, z = tensor.tolist()
    return x, y, z


def _rgb(color: Color) -> tuple[int, int, int]:
    red, green, blue = (round(255.0 * value) for value in color)
    return red, green, blue
