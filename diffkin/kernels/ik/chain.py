"""The way from the base to one frame as numbers for the inverse kinematics kernels.

Every joint is re-chosen to turn about, or slide along, the z axis of its frame. The constant transform between two such
frames splits into ``Rz(theta) T(a, b, d) Rx(alpha) Rz(phi)`` (ZXZ Euler angles, always defined and well conditioned);
the turns about z merge with the joints beside them, so that a joint costs 33 multiply-adds and not 48. Lengths are
divided by the length of the chain, so that a metre and a radian weigh about the same for a robot of any size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.tree.mechanism import PRISMATIC, Mechanism

__all__ = ["ANGLE", "COLUMNS", "Chain", "axis_frame", "pack_chain", "way_to"]

# columns of Chain.joints
TURN, ANGLE, SLIDE, DISTANCE, SHIFT_X, SHIFT_Y, COS, SIN, COLUMNS = range(9)


class Chain(NamedTuple):
    """The joints between the base and one frame, each followed by its constant transform.

    Joint j turns the frame by ``TURN q + ANGLE`` about z, shifts it by (SHIFT_X, SHIFT_Y, SLIDE q + DISTANCE) and tilts
    it about x by the angle of COS and SIN. Lengths are in units of ``length``.
    """

    start: NDArray[np.float64]  # (12,) frame of the first joint: columns x, y, z, origin
    joints: NDArray[np.float64]  # (n, COLUMNS)
    column: NDArray[np.int64]  # (n,) index of the joint's coordinate among the moving ones
    moving: NDArray[np.int64]  # (m,) those coordinates' indices in q, in order of first use
    last: NDArray[np.float64]  # (2,) cosine and sine of a last turn about z
    length: float  # [m]


def axis_frame(axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rotation whose third column is ``axis``, exact for the axes of coordinates."""
    z = axis / np.linalg.norm(axis)
    x = np.zeros(3)
    x[(int(np.argmax(np.abs(z))) + 1) % 3] = 1.0
    x -= (x @ z) * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _split(transform: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], float, float, float]:
    """theta, (a, b, d), cos alpha, sin alpha, phi of ``Rz(theta) T(a, b, d) Rx(alpha) Rz(phi)``."""
    r = transform[:3, :3]
    sine = math.hypot(r[0, 2], r[1, 2])
    theta = math.atan2(r[0, 2], -r[1, 2]) if sine > 0.0 else 0.0  # parallel axes: any theta does
    c, s = math.cos(theta), math.sin(theta)
    phi = math.atan2(r[2, 2] * (c * r[1, 0] - s * r[0, 0]) + sine * r[2, 0], c * r[0, 0] + s * r[1, 0])
    a, b, d = transform[:3, 3]
    return theta, np.array([c * a + s * b, c * b - s * a, d]), float(r[2, 2]), sine, phi


def way_to(mechanism: Mechanism, frame: int) -> list[int]:
    """The joints from the base to a frame, in that order."""
    way: list[int] = []
    joint = int(mechanism.frame_joint[frame])
    while joint >= 0:
        way.insert(0, joint)
        joint = int(mechanism.parent[joint])
    return way


def pack_chain(mechanism: Mechanism, frame: int) -> Chain:
    """The chain from the base to a frame of a mechanism, with as few joints as lie on the way."""
    way = way_to(mechanism, frame)
    count = len(way)
    between = []
    turned = np.eye(4)  # from a joint's frame to the one whose z axis is the joint's
    for joint in way:
        inverse, turned = turned.T, np.eye(4)
        turned[:3, :3] = axis_frame(np.asarray(mechanism.axis[joint], dtype=np.float64))
        between.append(_split(inverse @ mechanism.origin[joint] @ turned))
    between.append(_split(turned.T @ mechanism.frame_offset[frame]))
    reach = sum(float(np.linalg.norm(shift)) for _, shift, _, _, _ in between)
    length = reach if reach > 0.0 else 1.0

    joints = np.zeros((count, COLUMNS))
    moving: list[int] = []
    column = np.zeros(count, dtype=np.int64)
    for j, joint in enumerate(way):
        slides = mechanism.kind[joint] == PRISMATIC
        after, angle = between[j + 1], between[j][4] + between[j + 1][0]
        a, b, d = after[1]
        value, constant = float(mechanism.multiplier[joint]), float(mechanism.offset[joint])
        joints[j, TURN], joints[j, ANGLE] = (0.0, angle) if slides else (value, constant + angle)
        joints[j, SLIDE], joints[j, DISTANCE] = (
            (value / length, (constant + d) / length) if slides else (0.0, d / length)
        )
        joints[j, SHIFT_X], joints[j, SHIFT_Y] = a / length, b / length
        joints[j, COS], joints[j, SIN] = after[2], after[3]
        coordinate = int(mechanism.coordinate[joint])
        if coordinate not in moving:
            moving.append(coordinate)
        column[j] = moving.index(coordinate)
    theta, shift, cos, sin, _ = between[0]
    c, s = math.cos(theta), math.sin(theta)
    turn = np.array([[c, -s * cos, s * sin], [s, c * cos, -c * sin], [0.0, sin, cos]])
    place = np.array([c * shift[0] - s * shift[1], s * shift[0] + c * shift[1], shift[2]]) / length
    phi = between[-1][4]
    return Chain(
        start=np.concatenate([turn.T.reshape(-1), place]),
        joints=joints,
        column=column,
        moving=np.array(moving, dtype=np.int64),
        last=np.array([math.cos(phi), math.sin(phi)]),
        length=length,
    )
