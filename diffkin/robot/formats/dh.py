"""Serial arms from Denavit-Hartenberg parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffkin.errors import NonFiniteError, OptionError, ShapeError
from diffkin.robot.description import Description, JointDescription

__all__ = ["read_dh"]

_CONVENTIONS = ("standard", "modified")
_Z = np.array([0.0, 0.0, 1.0])


def read_dh(rows: Any, convention: str = "standard") -> Description:
    """Describe a serial arm of revolute joints by Denavit-Hartenberg parameters.

    With ``theta_i`` the row's theta plus the joint's angle, the frames follow each other by
    ``T_i-1_i = Rz(theta_i) Tz(d_i) Tx(a_i) Rx(alpha_i)`` in the standard convention (Denavit & Hartenberg 1955;
    Siciliano et al., Robotics: Modelling, Planning and Control, 2.8.2) and by
    ``T_i-1_i = Rx(alpha) Tx(a) Rz(theta_i) Tz(d_i)`` in the modified one, whose row i holds a and alpha of link i-1
    (Craig, Introduction to Robotics, 3.4).

    Args:
        rows: (n, 4) numbers a [m], alpha [rad], d [m], theta [rad].
        convention: "standard" or "modified".

    Returns:
        Links ``base``, ``link1`` ..., each in its Denavit-Hartenberg frame, and unlimited joints ``joint1`` ...

    Raises:
        diffkin.errors.ShapeError: ``rows`` is not (n, 4).
        diffkin.errors.NonFiniteError: A parameter is NaN or infinite.
        diffkin.errors.OptionError: Unknown convention.
    """
    if convention not in _CONVENTIONS:
        raise OptionError(f"convention must be one of {', '.join(map(repr, _CONVENTIONS))}, got {convention!r}.")
    try:
        table = np.array(rows.tolist() if isinstance(rows, torch.Tensor) else rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"rows must be a table of numbers (n, 4): a, alpha, d, theta; got {rows!r:.80}.") from error
    if table.ndim != 2 or table.shape[1] != 4 or not len(table):
        raise ShapeError(f"rows must have shape (n, 4): a, alpha, d, theta for each joint; got {table.shape}.")
    if not np.isfinite(table).all():
        row = int(np.argwhere(~np.isfinite(table))[0, 0])
        raise NonFiniteError(f"Row {row} of the table is {table[row].tolist()}; every number must be finite.")

    links = ["base"]
    joints: list[JointDescription] = []
    hidden: set[str] = set()
    for index, (a, alpha, d, theta) in enumerate(table, start=1):
        before, link = links[-1], f"link{index}"
        about_x, about_z = _screw_x(a, alpha), _screw_z(d, theta)
        if convention == "modified":
            joints.append(_joint(f"joint{index}", "continuous", before, link, about_x @ about_z))
        else:
            # The joint turns before the row's own pose, so a link without a name stands between the two.
            turned = f"joint{index}_turned"
            joints.append(_joint(f"joint{index}", "continuous", before, turned, np.eye(4)))
            joints.append(_joint(f"link{index}_fixed", "fixed", turned, link, about_z @ about_x))
            links.append(turned)
            hidden.add(turned)
        links.append(link)
    return Description("dh_arm", tuple(links), tuple(joints), "", frozenset(hidden))


def _joint(name: str, kind: str, parent: str, child: str, origin: NDArray[np.float64]) -> JointDescription:
    return JointDescription(name, kind, parent, child, origin, _Z)


def _screw_x(a: float, alpha: float) -> NDArray[np.float64]:
    c, s = np.cos(alpha), np.sin(alpha)
    return np.array([[1.0, 0.0, 0.0, a], [0.0, c, -s, 0.0], [0.0, s, c, 0.0], [0.0, 0.0, 0.0, 1.0]])


def _screw_z(d: float, theta: float) -> NDArray[np.float64]:
    c, s = np.cos(theta), np.sin(theta)
    return np.array([[c, -s, 0.0, 0.0], [s, c, 0.0, 0.0], [0.0, 0.0, 1.0, d], [0.0, 0.0, 0.0, 1.0]])
