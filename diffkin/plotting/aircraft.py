"""Figures of aircraft: attitude, rates and torques over time, and how far two paths are apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.errors import ShapeError
from diffkin.plotting.figures import legend_beside, log_floor, new_figure
from diffkin.rotations import matrix_to_euler

__all__ = ["attitude_figure", "difference_figure"]

_STYLES = ("-", "--", ":", "-.")


def attitude_figure(
    time: Float[Tensor, " steps1"],
    paths: Mapping[str, tuple[Tensor, Tensor]],
    torque: Float[Tensor, "steps 3"] | None = None,
    target: Float[Tensor, "3 3"] | None = None,
    title: str = "",
) -> Any:
    """Euler angles, body rates and torques of one aircraft over time.

    Args:
        time: (steps + 1,) [s].
        paths: By name, attitudes R_ned_body (steps + 1, 3, 3) and rates omega_body (steps + 1, 3) [rad/s].
        torque: (steps, 3) in body axes [N m]; no such panel if None.
        target: (3, 3) attitude to reach, drawn as thin lines.
        title: Above the figure.

    Returns:
        The figure. Yaw and roll are unwrapped, so they may leave +-180 degrees.

    Raises:
        diffkin.errors.ShapeError: A path has another number of steps than ``time``.
    """
    figure = new_figure(7.5, 8.0 if torque is not None else 5.8)
    panels = figure.subplots(3 if torque is not None else 2, 1, sharex=True)
    seconds = time.numpy()
    for (name, (rotation, omega)), style in zip(paths.items(), _STYLES, strict=False):
        if rotation.shape != (len(time), 3, 3) or omega.shape != (len(time), 3):
            raise ShapeError(
                f"Path {name!r} must hold ({len(time)}, 3, 3) attitudes and ({len(time)}, 3) rates, got "
                f"{tuple(rotation.shape)} and {tuple(omega.shape)}."
            )
        angles = np.degrees(np.unwrap(matrix_to_euler(rotation, "ZYX").numpy(), axis=0))
        suffix = f" ({name})" if len(paths) > 1 else ""
        for k, label in enumerate(("yaw", "pitch", "roll")):
            panels[0].plot(seconds, angles[:, k], style, color=f"C{k}", lw=1.2, label=label + suffix)
        for k, label in enumerate(("p", "q", "r")):
            panels[1].plot(seconds, np.degrees(omega[:, k].numpy()), style, color=f"C{k}", lw=1.2, label=label + suffix)
    if target is not None:
        for k, angle in enumerate(np.degrees(matrix_to_euler(target, "ZYX").numpy())):
            turns = 360.0 * np.round((panels[0].lines[k].get_ydata()[-1] - angle) / 360.0)
            panels[0].axhline(
                angle + turns, color=f"C{k}", lw=0.6, alpha=0.7, label=f"{('yaw', 'pitch', 'roll')[k]}, target"
            )
    panels[0].set_ylabel("Euler angles ZYX [deg]")
    panels[1].set_ylabel("body rates [deg/s]")
    if torque is not None:
        for k, label in enumerate("xyz"):
            panels[2].step(seconds[:-1], torque[:, k].numpy(), where="post", color=f"C{k}", lw=1.0, label=label)
        panels[2].set_ylabel("torque, body axes [N m]")
    for panel in panels:
        panel.grid(alpha=0.3)
        legend_beside(panel)
    panels[-1].set_xlabel("time [s]")
    figure.suptitle(title)
    return figure


def difference_figure(time: Float[Tensor, " steps1"], angles: Mapping[str, Tensor], title: str = "") -> Any:
    """Angles between pairs of paths over time, on a logarithmic scale.

    Args:
        time: (steps + 1,) [s].
        angles: By name, (steps + 1,) angles [rad].
        title: Above the figure.

    Returns:
        The figure. Zeros are not drawn.
    """
    figure = new_figure(7.5, 4.0)
    panel = figure.subplots()
    for name, angle in angles.items():
        shown = torch.where(angle > 0, angle, torch.nan)
        panel.semilogy(time.numpy(), shown.numpy(), lw=1.2, label=name)
    panel.set_xlabel("time [s]")
    panel.set_ylabel("angle between the paths [rad]")
    panel.grid(alpha=0.3, which="both")
    panel.set_ylim(bottom=log_floor(torch.stack(list(angles.values())).numpy()) if angles else None)
    legend_beside(panel)
    figure.suptitle(title)
    return figure
