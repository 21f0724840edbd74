"""Drawing in three dimensions: rods, frames, shadows on a floor, and axes that hold all of it without stretching it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffkin.plotting.figures import new_figure

__all__ = ["AXIS_COLORS", "Space"]

AXIS_COLORS = ("#d81919", "#1a9926", "#1a40e6")
"""Of the axes x, y and z."""

_Array = NDArray[np.float64]

_SHADOW = "#d9d9d9"
_FLAT = 0.15  # height by width below which a thing is looked at from further above


class Space:
    """A figure with one three-dimensional panel that grows with what is drawn into it.

    Attributes:
        figure: The matplotlib figure.
        axes: Its panel.
        size: About how large what is drawn will be [m]; frames and gaps go by it.
    """

    def __init__(self, size: float, width: float = 6.4, height: float = 4.8) -> None:
        self.figure = new_figure(width, height)
        self.figure.set_layout_engine("none")
        self.axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0), projection="3d", computed_zorder=False)
        self.size = size
        self._labels: list[tuple[Any, _Array]] = []
        self._low = np.full(3, np.inf)
        self._high = np.full(3, -np.inf)

    def include(self, points: _Array) -> None:
        """Let the panel hold points (..., 3) too."""
        points = points.reshape(-1, 3)
        if len(points):
            self._low, self._high = np.minimum(self._low, points.min(0)), np.maximum(self._high, points.max(0))

    @property
    def floor(self) -> float:
        """Height of the floor: the lowest of what was drawn so far, but not above zero."""
        return float(min(self._low[2], 0.0))

    def line(self, points: _Array, **style: Any) -> Any:
        """A line through points (n, 3)."""
        self.include(points)
        return self.axes.plot(*points.T, solid_capstyle="round", **style)[0]

    def frame(self, pose: _Array, length: float, width: float = 2.2) -> list[Any]:
        """The axes of a (4, 4) pose: x red, y green, z blue."""
        origin = pose[:3, 3]
        return [
            self.line(np.stack((origin, origin + length * pose[:3, k])), color=color, linewidth=width, zorder=5)
            for k, color in enumerate(AXIS_COLORS)
        ]

    def shadow(self, points: _Array) -> Any:
        """What a line throws on the floor, which must be known by then."""
        fallen = points.copy()
        fallen[:, 2] = self.floor
        return self.line(fallen, color=_SHADOW, linewidth=2.0, zorder=0)

    def plate(self, corners: _Array, **style: Any) -> Any:
        """A flat piece with corners (n, 3)."""
        from mpl_toolkits.mplot3d.art3d import Poly3DCollection

        self.include(corners)
        return self.axes.add_collection3d(Poly3DCollection([corners], **style))

    def label(self, place: _Array, text: str, side: str) -> None:
        """Write beside a point (3,), on its "left" or "right"; ``fit`` puts it there."""
        away = "right" if side == "left" else "left"
        written = self.figure.text(0.5, 0.5, f"    {text}    ", fontsize=7, ha=away, va="center", zorder=10)
        self._labels.append((written, place))

    def pixels(self, points: _Array) -> _Array:
        """(..., 2) where points (..., 3) are in the picture [pixels], from its lower left corner."""
        from mpl_toolkits.mplot3d import proj3d

        flat = points.reshape(-1, 3)
        x, y, _ = proj3d.proj_transform(*flat.T, self.axes.get_proj())
        seen = self.axes.transData.transform(np.stack((x, y), axis=-1))
        return np.asarray(seen).reshape(*points.shape[:-1], 2)

    def fit(self) -> None:
        """Make the panel as large as the canvas lets it be, with its labels and all that is written into it."""
        width, height = self.figure.bbox.size
        top = 0.93 if self.figure.get_suptitle() else 1.0
        for _ in range(3):  # labels keep their size, so it takes a few rounds
            low, high = self.extent()
            box = self.axes.get_position()
            scale = float(min(0.96 * width / (high - low)[0], 0.96 * top * height / (high - low)[1]))
            # where the middle of what is seen goes when the panel grows about its own middle
            middle = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2])
            off = (low + high) / 2 / np.array([width, height]) - middle
            left, bottom = np.array([0.5, top / 2]) - scale * off - scale * np.array([box.width, box.height]) / 2
            self.axes.set_position((left, bottom, scale * box.width, scale * box.height))
        self.extent()  # the labels go with it

    def extent(self) -> tuple[_Array, _Array]:
        """Lower left and upper right corner of all that the panel shows, (2,) each [pixels]."""
        self.figure.draw_without_rendering()
        for text, place in self._labels:
            text.set_position(self.pixels(place) / self.figure.bbox.size)
        bounds = np.array(self.axes.get_w_lims()).reshape(3, 2)
        corners = np.stack(np.meshgrid(*bounds), axis=-1).reshape(-1, 3)
        boxes = [axis.get_tightbbox() for axis in (self.axes.xaxis, self.axes.yaxis, self.axes.zaxis)]
        boxes += [text.get_window_extent() for text, _ in self._labels]
        points = np.concatenate([self.pixels(corners), *(box.get_points() for box in boxes)])
        return points.min(0), points.max(0)

    def finish(self, title: str = "") -> Any:
        """Set limits, aspect and view to what was drawn, and give the figure."""
        from matplotlib.ticker import MaxNLocator

        low, high = self._low.copy(), self._high.copy()
        low[2] = self.floor
        spread = float((high - low).max()) or self.size
        margin = 0.04 * spread
        middle, sides = (low + high) / 2, np.maximum(high - low, 0.3 * spread) + 2 * margin
        low, high = middle - sides / 2, middle + sides / 2
        if self._high[2] - self.floor >= 0.3 * spread:
            low[2] = self.floor  # stands on it
        axes = self.axes
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        axes.set_zlim(low[2], high[2])
        axes.set_box_aspect(high - low, zoom=0.9)
        flat = self._high[2] - self.floor < _FLAT * spread
        axes.view_init(elev=55 if flat else 22, azim=-55)
        for axis, name in ((axes.xaxis, "x"), (axes.yaxis, "y"), (axes.zaxis, "z")):
            axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
            axis.line.set_color("0.75")
            axis.set_major_locator(MaxNLocator(4))
            axis.set_tick_params(labelsize=7, labelcolor="0.35", pad=0)
            axis._axinfo["grid"].update(color="0.92", linewidth=0.6)
            axis.set_label_text(f"{name} [m]", fontsize=8, color="0.35")
            axis.set_major_formatter(_number)
            axis.labelpad = 0
        axes.zaxis.set_pane_color((0.955, 0.955, 0.955, 1.0))
        if title:
            self.figure.suptitle(title, fontsize=11)
        self.fit()
        return self.figure


def _number(value: float, _: int) -> str:
    """A tick's label, without zeros behind and without a minus before zero."""
    return f"{round(value, 9) + 0.0:g}"
