"""A robot in motion, as a film that shows itself in a notebook or is written to a file."""

from __future__ import annotations

import base64
import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from diffkin.aircraft import Airframe
from diffkin.errors import OptionError
from diffkin.plotting.film import open_film
from diffkin.plotting.robots import configurations, draw_scene, draw_targets, shown_robot, targets_of
from diffkin.plotting.space import Space
from diffkin.robot import Robot
from diffkin.robot.skeleton import reach_of

__all__ = ["Animation", "animate"]

_MOST_NOTEBOOK_FPS = 20.0  # more frames than that only make a notebook large


@dataclass(frozen=True, eq=False)
class Animation:
    """A robot in motion. It shows itself in a notebook; ``save`` writes it.

    Attributes:
        robot: What moves.
        qs: (n, dof) where it is in each frame, float64.
        targets: (k, 4, 4) poses in the robot's base that stand still.
        base: (4, 4) pose of its base in the picture.
        fps: Frames a second.
        title: Above the picture.
        width: Of the picture [pixels].
        height: Of the picture [pixels].
    """

    robot: Robot | Airframe
    qs: Tensor
    targets: NDArray[np.float64]
    base: Tensor
    fps: float
    title: str
    width: int
    height: int

    def frames(self, every: int = 1) -> Iterator[NDArray[np.uint8]]:
        """The pictures (height, width, 3), drawn as they are asked for; each, or every so many-th of them."""
        mechanism, _ = shown_robot(self.robot)
        space = Space(reach_of(mechanism), self.width / 100, self.height / 100)
        draw_targets(space, self.targets, self.base)
        artists: list[Any] = []
        for q in self.qs:  # once through, so that the panel holds every frame
            _remove(artists)
            artists = draw_scene(space, self.robot, mechanism, q, self.base)
        figure = space.finish(self.title)
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # there, since there is a figure

        canvas = FigureCanvasAgg(figure)
        tip = mechanism.tip
        trail = None
        if tip is not None:
            trail = mechanism.forward_kinematics(self.qs, links=[tip], base=self.base)[:, 0, :3, 3].numpy()
        for k in range(0, len(self.qs), every):
            _remove(artists)
            artists = draw_scene(space, self.robot, mechanism, self.qs[k], self.base)
            if trail is not None:
                artists.append(space.line(trail[: k + 1], color="#d4526e", linewidth=1.2, zorder=1))
            canvas.draw()
            yield np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the film.

        Args:
            path: Ends in ``.mp4`` or ``.gif``; see ``diffkin.plotting.open_film``.

        Raises:
            diffkin.errors.DiffkinError: As ``open_film``.
        """
        with open_film(path, self.fps) as film:
            for frame in self.frames():
                film.add(frame)

    @cached_property
    def _html(self) -> str:
        every = max(1, math.ceil(self.fps / _MOST_NOTEBOOK_FPS))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "film.gif"
            with open_film(path, self.fps / every) as film:
                for frame in self.frames(every):
                    film.add(frame)
            text = base64.b64encode(path.read_bytes()).decode("ascii")
        return f'<img width="{self.width}" height="{self.height}" src="data:image/gif;base64,{text}">'

    def _repr_html_(self) -> str:
        return self._html


def animate(
    robot: Robot | Airframe,
    qs: Any,
    target: Any = None,
    fps: float = 30,
    *,
    base: Any = None,
    R_ned_body: Any = None,
    title: str = "",
    width: int = 640,
    height: int = 480,
) -> Animation:
    """A film of a robot from its frames alone, drawn as by ``plot``, with the trail of its tip.

    Args:
        robot: A robot of any kind, or an airframe.
        qs: (n, dof) coordinates, a tensor, an array or a list; a frame each.
        target: (4, 4) pose or (k, 4, 4) poses in the robot's base that are drawn too.
        fps: Frames a second.
        base: (4, 4) pose of the base in the picture; the identity if None.
        R_ned_body: (3, 3) attitude of an airframe, in place of ``base``.
        title: Above the picture.
        width: Of the picture [pixels].
        height: Of the picture [pixels].

    Returns:
        The film: at the end of a notebook's cell it shows itself, embedded as a GIF; ``save("x.gif")`` or
        ``save("x.mp4")`` writes it, ``frames()`` gives its pictures.

    Raises:
        diffkin.errors.DiffkinError: As ``plot``; an OptionError where ``fps`` or a size is out of range.
    """
    mechanism, placed = shown_robot(robot, base, R_ned_body)
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0 < fps <= 1000:
        raise OptionError(f"fps must be a number of frames a second, above 0 and at most 1000; got {fps!r}.")
    check_size(width, height)
    return Animation(robot, configurations(mechanism, qs), targets_of(target), placed, float(fps), title, width, height)


def check_size(width: Any, height: Any) -> None:
    """Raise ``diffkin.errors.OptionError`` unless a picture can have that many pixels."""
    for name, value in (("width", width), ("height", height)):
        if isinstance(value, bool) or not isinstance(value, int) or not 16 <= value <= 8192:
            raise OptionError(f"{name} must be a whole number of pixels from 16 to 8192, got {value!r}.")


def _remove(artists: list[Any]) -> None:
    for artist in artists:
        artist.remove()
