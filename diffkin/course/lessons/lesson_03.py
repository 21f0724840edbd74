"""Exercises of lesson 3: rotations."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from diffkin import rotations
from diffkin.course.exercise import Exercise, Mistake, Text, like

__all__ = ["EXERCISES"]


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _rotvec_inputs(seed: int) -> list[tuple[Tensor]]:
    """A quarter turn about z first; then generic ones, and the zero vector, where a formula divides by its length."""
    quarter = torch.tensor([0.0, 0.0, math.pi / 2], dtype=torch.float64)
    return [(quarter,), (_draw(seed, 3),), (torch.zeros(3, dtype=torch.float64),), (0.3 * _draw(seed + 1, 3),)]


def _quaternions(seed: int) -> list[tuple[Tensor]]:
    half = math.sqrt(0.5)
    drawn = rotations.random_quat_xyzw(3, seed=seed)
    return [(torch.tensor([0.0, 0.0, half, half], dtype=torch.float64),), *((q,) for q in drawn)]


def _pair_inputs(seed: int) -> list[tuple[Tensor, Tensor]]:
    """Two quaternions; in most pairs on opposite sides of the double cover, so that their scalar product is negative."""
    pairs = []
    for k in range(4):
        p = rotations.random_quat_xyzw(1, seed=seed + k)[0] if k else torch.tensor([0.0, 0, 0, 1], dtype=torch.float64)
        turn = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64) if k == 0 else 0.7 * _draw(seed + 10 + k, 3)
        q = rotations.quat_xyzw_multiply(p, rotations.rotvec_to_quat_xyzw(turn))
        pairs.append((p, q if k == 2 else -q))
    return pairs


def _distance(p: Tensor, q: Tensor) -> Tensor:
    return rotations.angle_between(rotations.quat_xyzw_to_matrix(p), rotations.quat_xyzw_to_matrix(q))


def _no_sign(right: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return 2 * torch.acos((p * q).sum().clamp(-1, 1))


def _euler_inputs(seed: int) -> list[tuple[Tensor]]:
    first = torch.tensor([0.5, 0.3, -0.2], dtype=torch.float64)
    return [(first,), *((_draw(seed + k, 3),) for k in range(3))]


def _rate_inputs(seed: int) -> list[tuple[Any, ...]]:
    cases: list[tuple[Any, ...]] = []
    for k in range(4):
        start = rotations.euler_to_matrix(torch.tensor([0.4, -0.3, 0.2], dtype=torch.float64), "ZYX")
        start = rotations.random_rotation(1, seed=seed + k)[0] if k else start
        turn = torch.tensor([0.0, 0.1, 0.05], dtype=torch.float64) if k == 0 else 0.3 * _draw(seed + 5 + k, 3)
        cases.append((start, rotations.rotvec_to_matrix(turn) @ start, 0.1 * (k + 1)))
    return cases


def _rate(R0: Tensor, R1: Tensor, dt: float) -> Tensor:
    return rotations.matrix_to_rotvec(R1 @ R0.T) / dt


_IN_DEGREES = Text("The angles were taken as degrees. They are radians already.", "把角当成了角度制。它们已经是弧度。")

EXERCISES = (
    Exercise(
        number="3.1",
        title=Text("From a rotation vector to a matrix", "由旋转向量求旋转矩阵"),
        task=Text(
            "r is a rotation vector, shape (3,): its direction is the axis, its length the angle [rad]. Return the rotation\n"
            "matrix, shape (3, 3), by Rodrigues' formula. It must be right, and have finite gradients, at r = 0 too.",
            "r 是旋转向量，形状为 (3,)：方向是转轴，长度是转角，单位 rad。用罗德里格斯公式返回旋转矩阵，形状为 (3, 3)。\n"
            "r = 0 时也必须正确，并且梯度有限。",
        ),
        signature="rotvec_to_matrix(r)",
        inputs=_rotvec_inputs,
        reference=rotations.rotvec_to_matrix,
        gradient=True,
        tolerance=1e-7,
        hint=Text(
            "R = I + sin(a)/a K + (1 - cos a)/a^2 K^2, K the cross-product matrix of r. A quarter turn about z takes x to y.",
            "R = I + sin(a)/a K + (1 - cos a)/a^2 K^2，K 是 r 的叉乘矩阵。绕 z 转四分之一圈，应当把 x 轴转到 y 轴。",
        ),
        mistakes=(
            Mistake(
                "turned the other way",
                Text(
                    "It turns the other way: that is the transpose, the inverse rotation. Look at the signs of K.",
                    "转反了：这是转置，也就是逆旋转。看看 K 里的正负号。",
                ),
                like(lambda right, r: right.T),
            ),
            Mistake(
                "vector in degrees", _IN_DEGREES, like(lambda right, r: rotations.rotvec_to_matrix(torch.deg2rad(r)))
            ),
            Mistake(
                "half the angle",
                Text(
                    "It turns by half the angle. That half belongs to quaternions.",
                    "只转了一半的角。半角是四元数里才有的。",
                ),
                like(lambda right, r: rotations.rotvec_to_matrix(r / 2)),
            ),
            Mistake(
                "first order only",
                Text(
                    "I + K is the beginning of the series: right for tiny turns, and no rotation for others.",
                    "I + K 只是级数的开头：角很小时才对，否则根本不是旋转。",
                ),
                like(lambda right, r: torch.eye(3, dtype=r.dtype) + rotations.hat(r)),
            ),
        ),
    ),
    Exercise(
        number="3.2",
        title=Text("From a quaternion to a matrix", "由四元数求旋转矩阵"),
        task=Text(
            "q is a unit quaternion (x, y, z, w), shape (4,), w last. Return its rotation matrix, shape (3, 3).",
            "q 是单位四元数 (x, y, z, w)，形状为 (4,)，w 在最后。返回对应的旋转矩阵，形状为 (3, 3)。",
        ),
        signature="quat_xyzw_to_matrix(q)",
        inputs=_quaternions,
        reference=rotations.quat_xyzw_to_matrix,
        hint=Text(
            "The diagonal is 1 - 2 (y^2 + z^2) and so on. Is what you return orthogonal?",
            "对角线是 1 - 2 (y^2 + z^2) 等等。你返回的矩阵是正交的吗？",
        ),
        mistakes=(
            Mistake(
                "w first",
                Text(
                    "The numbers were read as (w, x, y, z). Here w comes last; libraries differ, so look it up every time.",
                    "按 (w, x, y, z) 的顺序读了。这里 w 在最后；各个库的顺序不同，每次都要查清楚。",
                ),
                like(lambda right, q: rotations.quat_wxyz_to_matrix(q)),
            ),
            Mistake(
                "turned the other way",
                Text(
                    "That is the inverse rotation: the signs of the terms with w are the wrong way round.",
                    "这是逆旋转：含 w 的各项正负号反了。",
                ),
                like(lambda right, q: right.T),
            ),
            Mistake(
                "w lost",
                Text("The terms with w are missing: it is symmetric.", "缺了含 w 的各项：矩阵成了对称的。"),
                like(lambda right, q: (right + right.T) / 2),
            ),
        ),
    ),
    Exercise(
        number="3.3",
        title=Text("The angle between two attitudes", "两个姿态之间的夹角"),
        task=Text(
            "p and q are unit quaternions (x, y, z, w), shape (4,). Return the angle of the rotation between them, one number\n"
            "from 0 to pi [rad].",
            "p 和 q 是单位四元数 (x, y, z, w)，形状为 (4,)。返回它们之间旋转的角度，一个数，范围 0 到 pi，单位 rad。",
        ),
        signature="angle_between(p, q)",
        inputs=_pair_inputs,
        reference=_distance,
        tolerance=1e-7,
        hint=Text(
            "q and -q are the same rotation, so the answer must not change when one of them changes its sign.",
            "q 和 -q 是同一个旋转，所以其中一个变号时，答案不能变。",
        ),
        mistakes=(
            Mistake(
                "sign of q",
                Text(
                    "For some pairs it is more than pi: it went the long way round. q and -q are the same rotation.",
                    "有时结果大于 pi：绕了远路。q 和 -q 是同一个旋转。",
                ),
                like(_no_sign, 1e-7),
            ),
            Mistake(
                "angle in four dimensions",
                Text(
                    "That is the angle between the quaternions as vectors; the rotation turns by twice as much.",
                    "这是把四元数当作向量的夹角；旋转的角度是它的两倍。",
                ),
                lambda value, right, p, q: (
                    like(lambda *_: right / 2, 1e-7)(value, right)
                    or like(lambda *_: _no_sign(right, p, q) / 2, 1e-7)(value, right)
                ),
            ),
            Mistake(
                "length of the difference",
                Text(
                    "|p - q| is the length of a chord, and 2 for one rotation with two signs. An angle is asked for.",
                    "|p - q| 是弦长；同一个旋转取两种符号时它等于 2。这里要的是角度。",
                ),
                like(lambda right, p, q: (p - q).norm()),
            ),
        ),
    ),
    Exercise(
        number="3.4",
        title=Text("From Euler angles to a matrix", "由欧拉角求旋转矩阵"),
        task=Text(
            "angles = (yaw, pitch, roll) [rad], shape (3,). Return the attitude R, shape (3, 3): first yaw about z, then\n"
            "pitch about the new y, then roll about the newest x (the sequence ZYX of aircraft). Gradients must flow.",
            "angles 依次是偏航、俯仰、滚转，形状为 (3,)，单位 rad。返回姿态 R，形状为 (3, 3)：先绕 z 偏航，再绕新的 y 轴\n"
            "俯仰，最后绕更新后的 x 轴滚转（即飞行器常用的 ZYX 顺序）。梯度必须能传回去。",
        ),
        signature="euler_zyx_to_matrix(angles)",
        inputs=_euler_inputs,
        reference=lambda angles: rotations.euler_to_matrix(angles, "ZYX"),
        gradient=True,
        hint=Text(
            "About axes that move along, each next rotation is multiplied on the right. Try one angle at a time.",
            "绕随动轴转动时，后一次旋转乘在右边。每次只给一个角试试。",
        ),
        mistakes=(
            Mistake(
                "multiplied the other way",
                Text(
                    "The three were multiplied the other way round: that turns about fixed axes, yaw first.",
                    "三个矩阵乘的顺序反了：那是绕固定轴、先偏航的转法。",
                ),
                like(lambda right, angles: rotations.euler_to_matrix(angles, "zyx")),
            ),
            Mistake(
                "turned the other way",
                Text(
                    "That is the transpose: from the reference to the body instead of the body to the reference.",
                    "这是转置：从参考系到机体，而不是从机体到参考系。",
                ),
                like(lambda right, angles: right.T),
            ),
            Mistake(
                "angles swapped",
                Text("Yaw and roll are swapped: the first angle is yaw.", "偏航和滚转颠倒了：第一个角是偏航。"),
                like(lambda right, angles: rotations.euler_to_matrix(angles.flip(0), "ZYX")),
            ),
            Mistake(
                "Euler angles in degrees",
                _IN_DEGREES,
                like(lambda right, angles: rotations.euler_to_matrix(torch.deg2rad(angles), "ZYX")),
            ),
        ),
    ),
    Exercise(
        number="3.5",
        title=Text("Angular velocity from two attitudes", "由两个姿态求角速度"),
        task=Text(
            "R0 and R1 are the attitudes of a body, shape (3, 3), a time dt [s] apart; in between it turned with constant\n"
            "angular velocity, by less than half a turn. Return that velocity in the axes of the world, shape (3,) [rad/s].",
            "R0 和 R1 是同一物体相隔 dt（单位 s）的两个姿态，形状为 (3, 3)；其间角速度不变，转过不到半圈。\n"
            "返回世界坐标轴下的角速度，形状为 (3,)，单位 rad/s。",
        ),
        signature="angular_velocity(R0, R1, dt)",
        inputs=_rate_inputs,
        reference=_rate,
        tolerance=1e-7,
        hint=Text(
            "Which rotation takes R0 to R1, multiplied on the left? Its angle comes from the trace, its axis from R - R^T.",
            "从左边乘上哪个旋转，能把 R0 变成 R1？它的角度由迹求得，轴由 R - R^T 求得。",
        ),
        mistakes=(
            Mistake(
                "wrong frame",
                Text(
                    "That is the angular velocity in the axes of the body. The axes of the world are asked for.",
                    "这是机体坐标轴下的角速度。要的是世界坐标轴下的。",
                ),
                like(lambda right, R0, R1, dt: R0.T @ right, 1e-7),
            ),
            Mistake(
                "not divided by dt",
                Text(
                    "That is the turn, not its rate: the time is not used.", "这是转过的角，不是角速度：没有用到时间。"
                ),
                like(lambda right, R0, R1, dt: right * dt, 1e-7),
            ),
            Mistake(
                "from R1 to R0",
                Text("It turns from R1 back to R0.", "方向反了：这是从 R1 转回 R0。"),
                like(lambda right, *_: -right, 1e-7),
            ),
            Mistake(
                "sine instead of angle",
                Text(
                    "R - R^T holds the axis times the sine of the angle; the angle itself is wanted.",
                    "R - R^T 给出的是轴乘以角的正弦；要的是角本身。",
                ),
                like(
                    lambda right, R0, R1, dt: rotations.vee(R1 @ R0.T - (R1 @ R0.T).T) / (2 * dt),
                    1e-7,
                ),
            ),
        ),
    ),
)
