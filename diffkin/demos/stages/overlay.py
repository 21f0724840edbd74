"""Lines, points and readings drawn over a picture, hidden where something solid is in front of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffkin.demos.scene import Color, Line, Points, Reading
from diffkin.errors import MissingDependencyError

__all__ = ["Lens", "draw_ground", "draw_marks", "draw_text"]

_STEP = 0.7  # between the dots that a line is drawn of [pixels]
_MOST_DOTS = 4000  # of one piece of a line
_SLACK = 0.02  # share of its distance by which something may be behind a surface and still be seen
_MARGIN, _INSET = 8, 6  # of the box that text stands in, outside and inside [pixels]
_TEXT_COLOR, _BOX_COLOR = (20, 22, 30), (255, 255, 255)
_BOX_SHARE = 0.72  # how much of the box's colour covers the picture


@dataclass(frozen=True, eq=False)
class Lens:
    """What places points of the world in a picture, as OpenGL has it.

    Attributes:
        view: (4, 4) from the world to the camera, which looks along its -z.
        projection: (4, 4) from the camera to clip space.
        near: Distance of what is drawn nearest [m].
        far: Of what is drawn farthest [m].
    """

    view: NDArray[np.float64]
    projection: NDArray[np.float64]
    near: float
    far: float

    def clip(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 4) clip coordinates of (n, 3) points [m]; the last is the distance along the look [m]."""
        ones = np.ones((len(points), 1))
        return np.concatenate((points, ones), axis=1) @ self.view.T @ self.projection.T

    def distance(self, depth: NDArray[Any]) -> NDArray[np.float64]:
        """Distances along the look [m] that a depth buffer stands for."""
        return self.far * self.near / (self.far - (self.far - self.near) * np.asarray(depth, dtype=np.float64))


def draw_ground(
    picture: NDArray[np.uint8],
    depth: NDArray[Any],
    lens: Lens,
    background: Color,
    ground: Color,
    height: float | None = None,
    half: float = 1.0,
) -> None:
    """Fill what nothing solid covers: with the ground where it is seen, else with the background.

    Args:
        picture: (rows, columns, 3), changed in place.
        depth: (rows, columns) its depth buffer.
        lens: That it was taken with.
        background: Behind everything.
        ground: Of the ground.
        height: Of the ground, a square around the origin [m]; None for none.
        half: Half the length of its sides [m].
    """
    rows, columns = np.nonzero(depth >= 1.0)
    picture[rows, columns] = np.round(255.0 * np.asarray(background))
    if height is None:
        return
    tall, wide = depth.shape
    eye = -lens.view[:3, :3].T @ lens.view[:3, 3]
    sight = np.stack((
        (2.0 * (columns + 0.5) / wide - 1.0) / lens.projection[0, 0],
        (1.0 - 2.0 * (rows + 0.5) / tall) / lens.projection[1, 1],
        np.full(len(rows), -1.0),
    ), axis=1) @ lens.view[:3, :3]  # fmt: skip
    down = np.where(sight[:, 2] == 0.0, 1e-12, sight[:, 2])
    away = (height - eye[2]) / down
    met = eye[:2] + away[:, None] * sight[:, :2]
    seen = (away > 0.0) & (np.abs(met) <= half).all(1)
    picture[rows[seen], columns[seen]] = np.round(255.0 * np.asarray(ground))


def draw_marks(
    picture: NDArray[np.uint8],
    depth: NDArray[Any],
    lens: Lens,
    lines: Sequence[Line],
    points: Sequence[Points] = (),
) -> None:
    """Draw lines and points into a picture where nothing solid hides them.

    Args:
        picture: (height, width, 3), changed in place.
        depth: (height, width) its depth buffer.
        lens: That it was taken with.
        lines: Lines, one over the other in this order.
        points: Clouds, drawn before the lines.
    """
    for cloud in points:
        clip = lens.clip(cloud.points.detach().double().numpy().reshape(-1, 3))
        pixels = max(1, round(cloud.size * 0.5 * picture.shape[0] * lens.projection[1, 1] / _middle(clip)))
        _stamp(picture, depth, lens, clip, cloud.color, pixels)
    for line in lines:
        clip = lens.clip(line.points.detach().double().numpy().reshape(-1, 3))
        _stamp(picture, depth, lens, _dots(clip, lens.near, picture.shape), line.color, max(1, round(line.width)))


def draw_text(
    picture: NDArray[np.uint8], readings: Sequence[Reading], title: str = "", size: int = 13
) -> NDArray[np.uint8]:
    """A picture with readings in a light box in its upper left corner.

    Args:
        picture: (height, width, 3).
        readings: What is written, a line each.
        title: A line above them.
        size: Of the letters [pixels].

    Returns:
        (height, width, 3) a new picture.

    Raises:
        diffkin.errors.MissingDependencyError: Pillow is not installed.
    """
    rows = ([(title, "")] if title else []) + [(f"{each.name}: ", each.text) for each in readings]
    if not rows:
        return picture.copy()
    pieces = [(_written(name, size), _written(text, size)) for name, text in rows]
    from PIL import Image

    pitch = round(1.3 * size)
    wide = max(int(name.length + text.length) for name, text in pieces) + 2 * _INSET
    tall = pitch * len(rows) + 2 * _INSET
    made = picture.copy()
    part = made[_MARGIN : _MARGIN + tall, _MARGIN : _MARGIN + wide]
    part[:] = ((1.0 - _BOX_SHARE) * part + _BOX_SHARE * np.array(_BOX_COLOR)).astype(np.uint8)
    image = Image.fromarray(part)  # writing into the box alone saves two copies of the picture
    for k, (name, text) in enumerate(pieces):
        image.paste(_TEXT_COLOR, (_INSET, _INSET + k * pitch), name.mask)
        image.paste(_TEXT_COLOR, (_INSET + round(name.length), _INSET + k * pitch), text.mask)
    part[:] = np.asarray(image)
    return made


@dataclass(frozen=True, eq=False)
class _Written:
    """A piece of text as it is laid over a picture.

    Attributes:
        mask: How much each pixel is covered, an image of Pillow.
        length: To where the next piece begins [pixels].
    """

    mask: Any
    length: float


@functools.lru_cache(maxsize=512)
def _written(text: str, size: int) -> _Written:
    """Letters of a size; drawing them takes a millisecond a row, and most rows stay as they are for long."""
    font = _font(size)
    from PIL import Image, ImageDraw

    length = float(font.getlength(text))
    mask = Image.new("L", (math.ceil(length) + size, 2 * size))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=font)
    return _Written(mask, length)


@functools.cache
def _font(size: int) -> Any:
    """Pillow's own letters of a size [pixels]; reading them takes milliseconds."""
    try:
        from PIL import ImageFont
    except ImportError as error:
        raise MissingDependencyError(
            f"Writing into films needs pillow, which is not installed ({error}). Install it with "
            "`pip install 'diffkin[film]'`."
        ) from error
    return ImageFont.load_default(size=size)


def _middle(clip: NDArray[np.float64]) -> float:
    """A distance that a cloud is at [m]."""
    return max(float(np.median(clip[:, 3])), 1e-6) if len(clip) else 1.0


def _dots(clip: NDArray[np.float64], near: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(m, 4) points along a line in clip space, close enough to look like one; what is behind the camera left out."""
    a, b = clip[:-1], clip[1:]
    ahead = (a[:, 3] >= near) | (b[:, 3] >= near)
    a, b = a[ahead], b[ahead]
    span = np.where(a[:, 3] == b[:, 3], 1.0, b[:, 3] - a[:, 3])
    cut = a + ((near - a[:, 3]) / span)[:, None] * (b - a)  # where a piece comes from behind
    a, b = np.where(a[:, 3:] < near, cut, a), np.where(b[:, 3:] < near, cut, b)
    size = np.array([shape[1], shape[0]])
    ends = [np.clip(0.5 * end[:, :2] / end[:, 3:], -2.0, 2.0) * size for end in (a, b)]
    long = np.abs(ends[1] - ends[0]).max(1, initial=0.0)
    counts = np.minimum(_MOST_DOTS, np.ceil(long / _STEP) + 1).astype(int)
    piece = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts)
    # evenly on the screen: the share along the piece in space that looks like this share of its picture
    even = number / np.maximum(counts - 1, 1)[piece]
    share = even * a[piece, 3] / (even * a[piece, 3] + (1.0 - even) * b[piece, 3])
    dots: NDArray[np.float64] = a[piece] + share[:, None] * (b - a)[piece]
    return dots


def _stamp(
    picture: NDArray[np.uint8],
    depth: NDArray[Any],
    lens: Lens,
    clip: NDArray[np.float64],
    color: Color,
    pixels: int,
) -> None:
    """Squares of so many pixels at points in clip space that nothing hides."""
    height, width = depth.shape
    clip = clip[clip[:, 3] > 1e-9]
    if not len(clip):
        return
    across = (0.5 + 0.5 * clip[:, 0] / clip[:, 3]) * width
    down = (0.5 - 0.5 * clip[:, 1] / clip[:, 3]) * height
    inside = (across >= 0) & (across < width) & (down >= 0) & (down < height)
    columns, rows, away = across[inside].astype(int), down[inside].astype(int), clip[inside, 3]
    seen = away * (1.0 - _SLACK) <= lens.distance(depth[rows, columns])
    columns, rows = columns[seen], rows[seen]
    ink = np.round(255.0 * np.asarray(color)).astype(np.uint8)
    first = -((pixels - 1) // 2)
    for dx in range(first, first + pixels):
        for dy in range(first, first + pixels):
            picture[np.clip(rows + dy, 0, height - 1), np.clip(columns + dx, 0, width - 1)] = ink
