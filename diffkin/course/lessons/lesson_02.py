"""Exercises of lesson 2: a planar arm."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from diffkin.autograd import jacobian
from diffkin.course.exercise import Exercise, Mistake, Text, like
from diffkin.robot import Robot

__all__ = ["EXERCISES"]


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _arm_inputs(seed: int) -> list[tuple[Tensor, Tensor]]:
    """(q, lengths): the lesson's arm first, then arms of three, two and four links."""
    first = (torch.tensor([0.4, 0.9], dtype=torch.float64), torch.tensor([0.5, 0.4], dtype=torch.float64))
    return [first, *((4 * _draw(seed + n, n) - 2, 0.2 + _draw(seed + 10 + n, n)) for n in (3, 2, 4))]


def _tip(q: Tensor, lengths: Tensor) -> Tensor:
    """Tip of a planar arm, by diffkin: a Denavit-Hartenberg row for each link."""
    zero = torch.zeros_like(lengths)
    robot = Robot.from_dh(torch.stack([lengths, zero, zero, zero], dim=-1))
    return robot.forward_kinematics(q)[:2, 3]


def _jacobian(q: Tensor, lengths: Tensor) -> Tensor:
    return jacobian(lambda q: _tip(q, lengths), q)


def _plain_tip(angles: Tensor, lengths: Tensor) -> Tensor:
    return torch.stack(((lengths * angles.cos()).sum(), (lengths * angles.sin()).sum()))


def _turned(q: Tensor, right: Tensor) -> Tensor:
    """Rows in the axes of the last link instead of those of the base."""
    c, s = q.sum().cos(), q.sum().sin()
    return torch.stack((torch.stack((c, s)), torch.stack((-s, c)))) @ right


def _own_links(q: Tensor, lengths: Tensor) -> Tensor:
    """Each joint as if it moved its own link alone."""
    angles = q.cumsum(0)
    return torch.stack((-lengths * angles.sin(), lengths * angles.cos()))


def _curve(q: Tensor, lengths: Tensor) -> Tensor:
    angles = q.cumsum(0)
    return torch.stack(((lengths * angles.cos()).sum(), (lengths * angles.sin()).sum(), angles[-1] ** 2))


def _difference_inputs(seed: int) -> list[tuple[Any, ...]]:
    return [(functools.partial(_curve, lengths=lengths), q, 1e-4) for q, lengths in _arm_inputs(seed)]


def _one_sided(f: Any, q: Tensor, h: float) -> Tensor:
    return torch.stack([(f(q + h * e) - f(q)) / h for e in torch.eye(len(q), dtype=q.dtype)], dim=1)


def _jacobian_inputs(seed: int) -> list[tuple[Tensor]]:
    return [(_jacobian(q, lengths),) for q, lengths in _arm_inputs(seed)]


EXERCISES = (
    Exercise(
        number="2.1",
        title=Text("Where is the tip?", "末端在哪里？"),
        task=Text(
            "Return the position of the tip of a planar arm, shape (2,) [m]. q: joint angles, shape (n,) [rad], each from the\n"
            "link before; lengths: of the links, shape (n,) [m]. Gradients must flow to both.",
            "返回平面机械臂末端的位置，形状为 (2,)，单位 m。q：关节角，形状为 (n,)，单位 rad，都从前一根连杆量起；\n"
            "lengths：连杆长度，形状为 (n,)，单位 m。梯度必须能传到两者。",
        ),
        signature="tip_position(q, lengths)",
        inputs=_arm_inputs,
        reference=_tip,
        gradient=True,
        hint=Text(
            "Walk along the arm: each link starts where the last one ended. Stretch it out, q = 0: where must the tip be?",
            "沿着机械臂一节一节走：每根连杆从上一根的末端出发。把手臂伸直（q = 0），末端应该在哪里？",
        ),
        mistakes=(
            Mistake(
                "angles not added up",
                Text(
                    "Each link was turned by its own angle alone. A joint turns everything that comes after it.",
                    "每根连杆只转了自己的角。一个关节会带着它后面的所有连杆一起转。",
                ),
                like(lambda right, q, lengths: _plain_tip(q, lengths)),
            ),
            Mistake(
                "x and y swapped",
                Text("x and y are swapped: which of them is 0 for q = 0?", "x 和 y 颠倒了：q = 0 时哪一个应该是 0？"),
                like(lambda right, *_: right.flip(0)),
            ),
            Mistake(
                "angles in degrees",
                Text(
                    "The angles were taken as degrees. They are radians already.", "把角当成了角度制。它们已经是弧度。"
                ),
                lambda value, right, q, lengths: (
                    like(lambda *_: _tip(torch.deg2rad(q), lengths))(value, right)
                    or like(lambda *_: _tip(torch.rad2deg(q), lengths))(value, right)
                ),
            ),
            Mistake(
                "angle from the vertical",
                Text(
                    "The angles were measured from the y axis. The arm lies along x for q = 0.",
                    "角度是从 y 轴量起的。q = 0 时机械臂应沿 x 轴。",
                ),
                like(lambda right, q, lengths: torch.stack((-right[1], right[0]))),
            ),
        ),
    ),
    Exercise(
        number="2.2",
        title=Text("The Jacobian by formula", "雅可比矩阵的解析式"),
        task=Text(
            "Return the Jacobian of the tip's position of the same arm, shape (2, n) [m/rad], by formula: no autograd, no\n"
            "differences. Rows: x, y in the base's axes; columns: joints.",
            "返回同一机械臂末端位置的雅可比矩阵，形状为 (2, n)，单位 m/rad。用解析式计算：不用自动求导，也不用差分。\n"
            "行：基座坐标轴下的 x、y；列：各关节。",
        ),
        signature="jacobian_by_formula(q, lengths)",
        inputs=_arm_inputs,
        reference=_jacobian,
        hint=Text(
            "When joint j turns, the tip moves on a circle about joint j. What is its radius, and which way does it go?",
            "关节 j 转动时，末端绕关节 j 做圆周运动。半径是多少？朝哪个方向？",
        ),
        mistakes=(
            Mistake(
                "own link only",
                Text(
                    "Each column has its own link alone in it. A joint moves all links after it too.",
                    "每一列只算了自己那根连杆。一个关节还会带动它后面的所有连杆。",
                ),
                like(lambda right, q, lengths: _own_links(q, lengths)),
            ),
            Mistake(
                "wrong frame",
                Text(
                    "The rows are in the axes of the last link. They should be in the axes of the base.",
                    "各行是在末端连杆的坐标轴下表示的。应当用基座的坐标轴。",
                ),
                like(lambda right, q, lengths: _turned(q, right)),
            ),
            Mistake(
                "wrong way round",
                Text(
                    "The first row has the wrong sign: the derivative of cos is -sin.",
                    "第一行的符号错了：cos 的导数是 -sin。",
                ),
                like(lambda right, *_: torch.stack((-right[0], right[1]))),
            ),
            Mistake(
                "lever not turned",
                Text(
                    "These columns point from the joint to the tip. The tip moves at right angles to that.",
                    "这些列是从关节指向末端的向量。末端的运动方向与它垂直。",
                ),
                like(lambda right, *_: torch.stack((right[1], -right[0]))),
            ),
        ),
    ),
    Exercise(
        number="2.3",
        title=Text("The Jacobian by central differences", "用中心差分求雅可比矩阵"),
        task=Text(
            "f maps q of shape (n,) to shape (m,). Return its Jacobian at q, shape (m, n), by central differences with step\n"
            "h: 2 n calls of f and no autograd.",
            "f 把形状为 (n,) 的 q 映成形状为 (m,) 的张量。用步长为 h 的中心差分返回 f 在 q 处的雅可比矩阵，形状为 (m, n)：\n"
            "调用 f 共 2 n 次，不用自动求导。",
        ),
        signature="jacobian_by_differences(f, q, h)",
        inputs=_difference_inputs,
        reference=lambda f, q, h: jacobian(f, q),
        tolerance=1e-6,
        hint=Text(
            "Move one joint at a time, once forward and once back. How far are the two points apart?",
            "每次只动一个关节，向前一次，向后一次。这两点之间隔了多远？",
        ),
        mistakes=(
            Mistake(
                "one-sided",
                Text(
                    "That is a one-sided difference: its error shrinks like h, that of a central one like h^2.",
                    "这是单侧差分：它的误差与 h 成正比，中心差分的误差与 h^2 成正比。",
                ),
                lambda value, right, f, q, h: (
                    like(lambda *_: _one_sided(f, q, h), 1e-7)(value, right)
                    or like(lambda *_: _one_sided(f, q, -h), 1e-7)(value, right)
                ),
            ),
            Mistake(
                "divided by h",
                Text(
                    "Everything is twice too large: from q - h to q + h the step is not h.",
                    "所有数都大了一倍：从 q - h 到 q + h，步长不是 h。",
                ),
                like(lambda right, *_: 2 * right, 1e-6),
            ),
            Mistake(
                "all joints at once",
                Text(
                    "All joints were moved together, so every column is the sum of all columns.",
                    "所有关节一起动了，因此每一列都成了各列之和。",
                ),
                like(lambda right, *_: right.sum(1, keepdim=True).expand_as(right), 1e-5),
            ),
        ),
    ),
    Exercise(
        number="2.4",
        title=Text("How well can it move?", "运动能力有多好？"),
        task=Text(
            "J is the Jacobian of the tip, shape (2, n), n at least 2. Return Yoshikawa's manipulability, one number: the\n"
            "product of the semi-axes of the velocity ellipse.",
            "J 是末端的雅可比矩阵，形状为 (2, n)，n 至少为 2。返回 Yoshikawa 可操作度，一个数：\n速度椭圆两条半轴的乘积。",
        ),
        signature="manipulability(J)",
        inputs=_jacobian_inputs,
        reference=lambda J: torch.linalg.svdvals(J).prod(),
        hint=Text(
            "J J^T is 2 x 2 whatever n is. How do its eigenvalues belong to the semi-axes?",
            "无论 n 是多少，J J^T 都是 2 x 2。它的特征值与半轴是什么关系？",
        ),
        mistakes=(
            Mistake(
                "root forgotten",
                Text("That is its square: the root is missing.", "这是它的平方：少开了一次方。"),
                like(lambda right, *_: right**2),
            ),
            Mistake(
                "wrong product",
                Text(
                    "J^T J is n x n and singular for more than two joints: its determinant is 0. Which product is 2 x 2?",
                    "J^T J 是 n x n 的，关节多于两个时是奇异的，行列式为 0。哪个乘积是 2 x 2？",
                ),
                lambda value, right, J: like(lambda *_: right * float(J.shape[1] == 2), 1e-6)(
                    torch.nan_to_num(value), right
                ),
            ),
            Mistake(
                "sum instead of product",
                Text("The semi-axes were added up; their product is asked for.", "把半轴加起来了；要的是乘积。"),
                like(lambda right, J: torch.linalg.svdvals(J).sum()),
            ),
        ),
    ),
    Exercise(
        number="2.5",
        title=Text("Joint torques that hold a weight", "托住重物的关节力矩"),
        task=Text(
            "The tip pushes with the force F, shape (2,) [N] in the base's axes. Return the joint torques, shape (n,) [N m],\n"
            "that this takes: the power is the same at the joints and at the tip, whatever the velocity. J: shape (2, n).",
            "末端用力 F 推，形状为 (2,)，单位 N，在基座坐标轴下表示。返回所需的关节力矩，形状为 (n,)，单位 N m：\n"
            "无论速度如何，关节处的功率与末端的功率相等。J 的形状为 (2, n)。",
        ),
        signature="torques(J, F)",
        inputs=lambda seed: [
            (J, torch.tensor([0.0, 9.81], dtype=torch.float64) if k == 0 else 10 * _draw(seed + 30 + k, 2) - 5)
            for k, (J,) in enumerate(_jacobian_inputs(seed))
        ],
        reference=lambda J, F: torch.einsum("ij,i->j", J, F),
        hint=Text(
            "F . (J dq) = tau . dq for every dq. What is tau? (F is a seed.)",
            "对任意 dq 都有 F · (J dq) = tau · dq。tau 是什么？（F 就是一个种子。）",
        ),
        mistakes=(
            Mistake(
                "inverse instead of transpose",
                Text(
                    "Velocities go through J one way, forces go the other way through J^T; nothing is inverted.",
                    "速度按 J 从关节传到末端，力按 J^T 从末端传回关节；不需要求逆。",
                ),
                like(lambda right, J, F: torch.linalg.pinv(J) @ F),
            ),
            Mistake(
                "holds against it",
                Text(
                    "That is the torque that stands against such a force. The tip shall push with F itself.",
                    "这是抵抗该力的力矩。题目要求末端自己用力 F 推。",
                ),
                like(lambda right, *_: -right),
            ),
            Mistake(
                "force components swapped",
                Text("The components of F are swapped.", "F 的两个分量颠倒了。"),
                like(lambda right, J, F: J.T @ F.flip(0)),
            ),
        ),
    ),
)
