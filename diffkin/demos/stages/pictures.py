"""Pictures of a PyBullet world with a scene's lines and readings in them, by graphics where they are, else in software."""

from __future__ import annotations

import ctypes
import importlib.util
import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffkin.demos.scene import Line, Scene, View
from diffkin.demos.stages.outlines import FLOOR_COLOR, FLOOR_SHARE, grid, lines_of
from diffkin.demos.stages.overlay import Lens, draw_ground, draw_marks, draw_text
from diffkin.simulation.library import bullet, quiet

__all__ = ["BACKGROUND", "Camera", "Photographer", "camera_of", "start_graphics", "stop_graphics"]

BACKGROUND = (0.93, 0.945, 0.96)
"""Behind everything, in films and in the window."""

_FIELD_OF_VIEW_DEG = 35.0
_ROOM = 1.2  # around what a view wants to be seen: frames at its edge reach out of it

_ASIDE = 0.3  # how far left of a view's middle the camera looks, in its radii


@dataclass(frozen=True)
class Camera:
    """A camera of PyBullet.

    Attributes:
        target: The point in the middle [m].
        distance: From there to the camera [m].
        yaw_deg: As in ``View``.
        pitch_deg: As in ``View``.
        half_height: Tangent of half the vertical angle of view.
    """

    target: tuple[float, float, float]
    distance: float
    yaw_deg: float
    pitch_deg: float
    half_height: float = math.tan(math.radians(_FIELD_OF_VIEW_DEG / 2))

    def lens(self, client: int, width: int, height: int) -> Lens:
        """The matrices for a picture of that size."""
        p = bullet()
        near, far = 0.02 * self.distance, 20.0 * self.distance
        view = p.computeViewMatrixFromYawPitchRoll(
            self.target, self.distance, self.yaw_deg, self.pitch_deg, 0.0, 2, physicsClientId=client
        )
        angle = 2.0 * math.degrees(math.atan(self.half_height))
        projection = p.computeProjectionMatrixFOV(angle, width / height, near, far, physicsClientId=client)
        square = [np.asarray(matrix, dtype=np.float64).reshape(4, 4).T for matrix in (view, projection)]
        return Lens(square[0], square[1], near, far)


def camera_of(view: View) -> Camera:
    """The camera that sees a view's ball from top to bottom, right of the middle: readings stand at the left."""
    half = Camera.half_height
    yaw = math.radians(view.yaw_deg)
    x, y, z = view.center
    target = (x - _ASIDE * view.radius * math.cos(yaw), y - _ASIDE * view.radius * math.sin(yaw), z)
    return Camera(target, _ROOM * view.radius * math.sqrt(1.0 + half**2) / half, view.yaw_deg, view.pitch_deg)


def start_graphics(client: int) -> bool:
    """Load Bullet's EGL renderer into a world without window; gives whether it draws.

    Must be called before anything is loaded: what is there already, it would not see, and say nothing.
    """
    p = bullet()
    found = importlib.util.find_spec("eglRenderer")
    if found is None or found.origin is None:
        return False
    with quiet():
        plugin = p.loadPlugin(found.origin, "_eglRendererPlugin", physicsClientId=client)
        _flush()
    if plugin < 0:
        return False
    shape = p.createVisualShape(p.GEOM_SPHERE, radius=0.5, rgbaColor=[1, 0, 0, 1], physicsClientId=client)
    body = p.createMultiBody(0, -1, shape, physicsClientId=client)
    camera = Camera((0.0, 0.0, 0.0), 4.0, 0.0, 0.0)
    with quiet():
        pixels, _ = _photograph(client, camera.lens(client, 32, 32), 32, 32, True)
        _flush()
    p.removeBody(body, physicsClientId=client)
    if float(pixels[..., :3].std()) > 0.0:
        return True
    with quiet():
        p.unloadPlugin(plugin, physicsClientId=client)
    return False


def stop_graphics(client: int) -> None:
    """Close a world; what the renderer prints then is held back."""
    with quiet():
        bullet().disconnect(client)
        _flush()


class Photographer:
    """Takes pictures of a world, and draws over them what the world itself cannot draw of a scene.

    Args:
        client: The world.
        view: Whose floor is drawn, with its grid.
        size: Width and height of the pictures [pixels].
        graphics: Whether OpenGL draws, of a window or of ``start_graphics``; Bullet's software renderer if not.
        oversampling: Drawn so many times as large each way and averaged down, for smooth edges.
    """

    def __init__(self, client: int, view: View, size: tuple[int, int], graphics: bool, oversampling: int = 1) -> None:
        self._client = client
        self._view = view
        self._size = size
        self._graphics = graphics
        self._oversampling = oversampling
        self._camera: Camera | None = None
        self._backdrop = np.zeros((0, 0, 3), dtype=np.uint8)

    def take(self, camera: Camera, scene: Scene, title: str = "") -> NDArray[np.uint8]:
        """A picture.

        Args:
            camera: Where from.
            scene: Whose lines, points and readings are added.
            title: Written above the readings.

        Returns:
            (height, width, 3) red, green, blue.
        """
        times = self._oversampling
        width, height = self._size[0] * times, self._size[1] * times
        lens = camera.lens(self._client, width, height)
        pixels, depth = _photograph(self._client, lens, width, height, self._graphics)
        if camera != self._camera:  # it seldom moves
            self._camera, self._backdrop = camera, self._empty(lens, width, height)
        picture = self._backdrop.copy()
        solid = np.flatnonzero(depth < 1.0)
        picture.reshape(-1, 3)[solid] = pixels.reshape(-1, 4)[solid, :3]
        draw_marks(picture, depth, lens, self._widened(lines_of(scene)), scene.points)
        if times > 1:
            parts = picture.reshape(self._size[1], times, self._size[0], times, 3)
            picture = parts.mean(axis=(1, 3)).round().astype(np.uint8)
        return draw_text(picture, scene.readings, title)

    def _empty(self, lens: Lens, width: int, height: int) -> NDArray[np.uint8]:
        """What is seen where nothing solid is."""
        picture = np.empty((height, width, 3), dtype=np.uint8)
        nothing = np.ones((height, width), dtype=np.float32)
        half = FLOOR_SHARE * self._view.radius
        draw_ground(picture, nothing, lens, BACKGROUND, FLOOR_COLOR, self._view.floor, half)
        draw_marks(picture, nothing, lens, self._widened(grid(self._view)))
        return picture

    def _widened(self, lines: tuple[Line, ...]) -> list[Line]:
        return [Line(each.name, each.points, each.color, each.width * self._oversampling) for each in lines]


def _photograph(client: int, lens: Lens, width: int, height: int, graphics: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """(height, width, 4) colours, of which the last is of no use, and (height, width) depth buffer."""
    p = bullet()
    shot = p.getCameraImage(
        width,
        height,
        lens.view.T.ravel().tolist(),
        lens.projection.T.ravel().tolist(),
        lightDirection=[0.6, -0.8, 1.6],
        lightColor=[1.0, 1.0, 1.0],
        lightAmbientCoeff=0.6,
        lightDiffuseCoeff=0.45,
        lightSpecularCoeff=0.1,
        shadow=0,
        flags=p.ER_NO_SEGMENTATION_MASK,
        renderer=p.ER_BULLET_HARDWARE_OPENGL if graphics else p.ER_TINY_RENDERER,
        physicsClientId=client,
    )
    pixels = np.asarray(shot[2], dtype=np.uint8).reshape(height, width, 4)
    return pixels, np.asarray(shot[3], dtype=np.float32).reshape(height, width)


def _flush() -> None:
    """Write out what C code keeps to print later, while it is held back."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).fflush(None)
