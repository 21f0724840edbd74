"""Exercises of lesson 8: supervised learning of inverse kinematics."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from diffkin.autograd import jacobian
from diffkin.course.exercise import Exercise, Mistake, Text, like
from diffkin.robot import Robot

__all__ = ["EXERCISES"]


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _tips(q: Tensor, lengths: Tensor) -> Tensor:
    """(..., 2) tips of planar arms, by diffkin."""
    zero = torch.zeros_like(lengths)
    return Robot.from_dh(torch.stack([lengths, zero, zero, zero], dim=-1)).forward_kinematics(q)[..., :2, 3]


def _loss_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(q, targets, lengths): three answers of an arm of two links first, then other numbers of links and answers."""
    cases = []
    for k, (count, links) in enumerate(((3, 2), (4, 3), (5, 2), (2, 4))):
        own = 11 if k == 0 else seed + 20 * k
        cases.append((4 * _draw(own, count, links) - 2, 2 * _draw(own + 1, count, 2) - 1, 0.2 + _draw(own + 2, links)))
    return cases


def _loss(q: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    return (_tips(q, lengths) - targets).norm(dim=-1).mean()


def _loss_of_own_angles(right: Tensor, q: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    tips = torch.stack(((lengths * q.cos()).sum(-1), (lengths * q.sin()).sum(-1)), dim=-1)
    return (tips - targets).norm(dim=-1).mean()


def _limit_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    first = (
        torch.tensor([0.0, 0.5, -2.0], dtype=torch.float64),
        torch.tensor([-1.0, 0.0, -3.0], dtype=torch.float64),
        torch.tensor([2.0, 2.5, -0.5], dtype=torch.float64),
    )
    cases = [first]
    for k, count in enumerate((2, 4, 3)):
        lower = -3 * _draw(seed + 10 * k, count)
        cases.append(
            (6 * _draw(seed + 10 * k + 1, count) - 3, lower, lower + 0.5 + 3 * _draw(seed + 10 * k + 2, count))
        )
    return cases


def _within(raw: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    return (upper + lower) / 2 + (upper - lower) / 2 * raw.tanh()


def _elbow_inputs(seed: int) -> list[tuple[Tensor, Tensor]]:
    """(p, lengths): a target within reach, in every quadrant."""
    cases = [(torch.tensor([0.45, 0.3], dtype=torch.float64), torch.tensor([0.5, 0.4], dtype=torch.float64))]
    for k in range(3):
        lengths = 0.3 + _draw(seed + 10 * k, 2)
        bend = 0.4 + 2.2 * _draw(seed + 10 * k + 1, 1)
        direction = (k + 0.2 + 0.6 * _draw(seed + 10 * k + 2, 1) + 1) * math.pi / 2  # the other three quadrants
        p = _tips(torch.cat((torch.zeros(1, dtype=torch.float64), bend)), lengths)
        reach = p.norm()
        cases.append((reach * torch.cat((direction.cos(), direction.sin())), lengths))
    return cases


def _both(p: Tensor, lengths: Tensor) -> Tensor:
    """Both answers in rows, the one with the positive elbow first, each angle within half a turn."""
    a, b = lengths
    cosine = ((p.square().sum() - a**2 - b**2) / (2 * a * b)).clamp(-1, 1)
    second = torch.stack((cosine.acos(), -cosine.acos()))
    first = torch.atan2(p[1], p[0]) - torch.atan2(b * second.sin(), a + b * second.cos())
    return torch.stack((torch.remainder(first + math.pi, 2 * math.pi) - math.pi, second), dim=-1)


def _same_answers(value: Tensor, right: Tensor, *_: Any) -> bool:
    """Whether the angles are the same up to whole turns."""
    turns = (value.double() - right) / (2 * math.pi)
    return bool(((turns - turns.round()).abs() < 1e-8).all())


def _turned(wrong: Any) -> Any:
    """Recogniser of angles that are those of ``wrong(right, p, lengths)`` up to whole turns."""

    def seen(value: Any, right: Tensor, p: Tensor, lengths: Tensor) -> bool:
        value = torch.as_tensor(value)
        return value.shape == right.shape and _same_answers(value, wrong(right, p, lengths))

    return seen


def _first_is_direction(right: Tensor, p: Tensor, lengths: Tensor) -> Tensor:
    return torch.stack((torch.atan2(p[1], p[0]).expand(2), right[:, 1]), dim=-1)


def _first_other_way(right: Tensor, p: Tensor, lengths: Tensor) -> Tensor:
    return torch.stack((2 * torch.atan2(p[1], p[0]) - right[:, 0], right[:, 1]), dim=-1)


def _inner_angle(right: Tensor, p: Tensor, lengths: Tensor) -> Tensor:
    second = right[:, 1].sign() * (math.pi - right[:, 1].abs())
    return torch.stack((right[:, 0], second), dim=-1)


def _tip_of_the_mean(p: Tensor, lengths: Tensor) -> Tensor:
    direction = torch.atan2(p[1], p[0])
    first = _both(p, lengths)[:, 0]  # brought to the sides of the line to the target before the mean is taken
    first = direction + torch.remainder(first - direction + math.pi, 2 * math.pi) - math.pi
    mean = torch.stack((first.mean(), torch.zeros_like(direction)))
    return _tips(mean, lengths)


def _gradient_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    cases = []
    for k, links in enumerate((2, 3, 2, 4)):
        own = 5 if k == 0 else seed + 30 * k
        q, lengths = 4 * _draw(own, links) - 2, 0.2 + _draw(own + 1, links)
        J = jacobian(functools.partial(_tips, lengths=lengths), q)
        cases.append((J, _tips(q, lengths), 2 * _draw(own + 2, 2) - 1))
    return cases


EXERCISES = (
    Exercise(
        number="8.1",
        title=Text("A loss through forward kinematics", "通过正运动学的损失函数"),
        task=Text(
            "q: answers of a network, shape (n, k) [rad], joint angles of a planar arm, each from the link before; targets:\n"
            "shape (n, 2) [m]; lengths of the links: shape (k,) [m]. Return the mean over the n answers of the distance\n"
            "between tip and target, one number. Gradients must flow to all three.",
            "q：网络的答案，形状为 (n, k)，单位 rad，是平面机械臂的关节角，都从前一根连杆量起；\n"
            "targets：形状为 (n, 2)，单位 m；"
            "lengths：连杆长度，形状为 (k,)，单位 m。返回末端到目标的距离对 n 个答案的平均值，一个数。\n"
            "梯度必须能传到三者。",
        ),
        signature="loss_through_fk(q, targets, lengths)",
        inputs=_loss_inputs,
        reference=_loss,
        gradient=True,
        hint=Text(
            "First the tips, (n, 2), with the angles of 2.1 for every row. Then a distance for each row. Then one mean.",
            "先像 2.1 那样逐行求出末端位置 (n, 2)，再逐行求距离，最后求一次平均。",
        ),
        mistakes=(
            Mistake(
                "squared distance",
                Text(
                    "That is the mean of the squared distances. It hardly cares for the last millimetres.",
                    "这是距离平方的平均。它主要在意偏得远的，几乎不管最后几毫米。",
                ),
                like(lambda right, q, t, lengths: (_tips(q, lengths) - t).square().sum(-1).mean()),
            ),
            Mistake(
                "mean over coordinates",
                Text(
                    "The mean went over x and y as well, as `mse_loss` and `l1_loss` do. Take the distance of each row first.",
                    "平均时把 x 和 y 也一起平均了，`mse_loss` 和 `l1_loss` 就是这样。应先逐行求距离。",
                ),
                lambda value, right, q, t, lengths: (
                    like(lambda *_: (_tips(q, lengths) - t).square().mean())(value, right)
                    or like(lambda *_: (_tips(q, lengths) - t).abs().mean())(value, right)
                ),
            ),
            Mistake(
                "one norm of all",
                Text(
                    "That is one norm over all rows together. Which `dim` does a single distance go over?",
                    "这是所有行合在一起的一个范数。单个距离应沿哪个 `dim` 求？",
                ),
                lambda value, right, q, t, lengths: (
                    like(lambda *_: (_tips(q, lengths) - t).norm())(value, right)
                    or like(lambda *_: (_tips(q, lengths) - t).square().sum(-1).mean().sqrt())(value, right)
                ),
            ),
            Mistake(
                "sum instead of mean",
                Text(
                    "The distances were added up. The loss would grow with the size of the batch.",
                    "把距离加了起来。这样损失会随批量大小变化。",
                ),
                like(lambda right, q, *_: len(q) * right),
            ),
            Mistake(
                "angles not added up",
                Text(
                    "Each link was turned by its own angle alone. Along which `dim` do the angles add up?",
                    "每根连杆只转了自己的角。角应沿哪个 `dim` 累加？",
                ),
                like(_loss_of_own_angles),
            ),
        ),
    ),
    Exercise(
        number="8.2",
        title=Text("Within the limits", "压到限位之内"),
        task=Text(
            "raw: what the last layer gives, any real numbers, shape (k,); lower, upper: joint limits, shape (k,) [rad].\n"
            "Return angles strictly within the limits, shape (k,): by tanh, 0 becomes the middle of the range. Differentiable.",
            "raw：最后一层的输出，任意实数，形状为 (k,)；lower、upper：关节限位，形状为 (k,)，单位 rad。\n"
            "用 tanh 返回严格位于限位之内的角，形状为 (k,)；0 对应范围的中点。要求可微。",
        ),
        signature="within_limits(raw, lower, upper)",
        inputs=_limit_inputs,
        reference=_within,
        gradient=True,
        hint=Text(
            "tanh lies between -1 and 1. Which middle and which half width take that to the range from lower to upper?",
            "tanh 的值在 -1 和 1 之间。中点取多少、半宽取多少，才能变到 lower 与 upper 之间？",
        ),
        mistakes=(
            Mistake(
                "clamped",
                Text(
                    "Clamping has no gradient beyond the limits: what is outside once never learns to come back.",
                    "截断在限位之外没有梯度：一旦出去，就再也学不会回来。",
                ),
                like(lambda right, raw, lower, upper: torch.minimum(torch.maximum(raw, lower), upper)),
            ),
            Mistake(
                "symmetric limits",
                Text(
                    "That is right only if the limits are the same on both sides. Here the middle is not 0.",
                    "只有两侧限位对称时这样才对。这里的中点不是 0。",
                ),
                lambda value, right, raw, lower, upper: (
                    like(lambda *_: upper * raw.tanh())(value, right)
                    or like(lambda *_: (upper - lower) / 2 * raw.tanh())(value, right)
                ),
            ),
            Mistake(
                "whole width",
                Text(
                    "The whole width was taken from the middle to each side: the angles leave the limits.",
                    "从中点向两侧各取了整个宽度：角会超出限位。",
                ),
                like(lambda right, raw, lower, upper: (upper + lower) / 2 + (upper - lower) * raw.tanh()),
            ),
            Mistake(
                "from lower on",
                Text(
                    "tanh goes from -1 to 1, not from 0 to 1: half of the answers are below the lower limit.",
                    "tanh 的范围是 -1 到 1，不是 0 到 1：一半的答案低于下限。",
                ),
                like(lambda right, raw, lower, upper: lower + (upper - lower) * raw.tanh()),
            ),
            Mistake(
                "sigmoid",
                Text(
                    "That is a sigmoid. It stays within the limits too, but tanh was asked for, which is twice as steep.",
                    "这是 sigmoid。它也不会出限位，但题目要求 tanh，两者陡度差一倍。",
                ),
                like(lambda right, raw, lower, upper: lower + (upper - lower) * raw.sigmoid()),
            ),
        ),
    ),
    Exercise(
        number="8.3",
        title=Text("Both answers", "两个解"),
        task=Text(
            "p: a target within reach, shape (2,) [m]; lengths: of the two links, shape (2,) [m]. Return both solutions,\n"
            "shape (2, 2) [rad]: a row for each, the one with the positive elbow angle q_2 first. Whole turns do not matter.",
            "p：够得着的目标，形状为 (2,)，单位 m；lengths：两根连杆的长度，形状为 (2,)，单位 m。返回两个解，单位 rad，\n"
            "形状为 (2, 2)：每行一个解，肘关节角 q_2 为正的在前。相差整圈不算错。",
        ),
        signature="both_elbows(p, lengths)",
        inputs=_elbow_inputs,
        reference=_both,
        accept=_same_answers,
        hint=Text(
            "The law of cosines gives the elbow from |p|. Then turn the whole arm until its tip lies in the direction of p.",
            "由余弦定理和 |p| 求出肘关节角，再把整条手臂转到末端朝向 p 的位置。",
        ),
        mistakes=(
            Mistake(
                "rows swapped",
                Text("Both are right, but in the wrong order.", "两个都对，但次序反了。"),
                _turned(lambda right, *_: right.flip(0)),
            ),
            Mistake(
                "one elbow only",
                Text(
                    "Both rows are the same solution. The elbow has two signs.", "两行是同一个解。肘关节角有正负两种。"
                ),
                lambda value, right, *_: (
                    torch.as_tensor(value).shape == right.shape
                    and bool((torch.as_tensor(value)[0] - torch.as_tensor(value)[1]).abs().max() < 1e-9)
                ),
            ),
            Mistake(
                "first angle is the direction",
                Text(
                    "q_1 is the direction of the target. Once the elbow is bent the tip lies beside the first link.",
                    "把目标的方向当成了 q_1。肘部一弯，末端就不在第一根连杆的方向上了。",
                ),
                _turned(_first_is_direction),
            ),
            Mistake(
                "turned the wrong way",
                Text(
                    "The elbow is right, but q_1 is off to the wrong side of the target: its correction has the wrong sign.",
                    "肘关节角对了，但 q_1 偏到了目标的另一侧：修正量的符号错了。",
                ),
                _turned(_first_other_way),
            ),
            Mistake(
                "inner angle",
                Text(
                    "The elbow angle is the inner one of the triangle. q_2 is 0 for a stretched arm, the inner angle is pi.",
                    "肘部给的是三角形的内角。手臂伸直时 q_2 为 0，内角却是 pi。",
                ),
                _turned(_inner_angle),
            ),
            Mistake(
                "angles in degrees",
                Text("These angles are in degrees.", "这些角用了角度制。"),
                lambda value, right, *_: (
                    torch.as_tensor(value).shape == right.shape
                    and _same_answers(torch.deg2rad(torch.as_tensor(value)), right)
                ),
            ),
        ),
    ),
    Exercise(
        number="8.4",
        title=Text("The tip of the mean", "平均答案的末端"),
        task=Text(
            "p and lengths as in 8.3. The arm takes the mean of both solutions (q_1 on both sides of the line to p).\n"
            "Return where its tip is then, shape (2,) [m].",
            "p 和 lengths 同 8.3。手臂取两个解的平均（两个 q_1 分别在基座到 p 的连线两侧）。\n"
            "返回这时末端的位置，形状为 (2,)，单位 m。",
        ),
        signature="tip_of_the_mean(p, lengths)",
        inputs=_elbow_inputs,
        reference=_tip_of_the_mean,
        hint=Text(
            "Both solutions are mirror images. What is the mean of q_2, and in which direction does the mean arm point?",
            "两个解互为镜像。q_2 的平均是多少？平均以后，手臂指向哪里？",
        ),
        mistakes=(
            Mistake(
                "mean of the tips",
                Text(
                    "That is the mean of both tips, the target. But a network's outputs are angles: take their mean, then find "
                    "the tip.",
                    "这是两个末端的平均，也就是目标。但网络输出的是角：先对角求平均，再求末端。",
                ),
                like(lambda right, p, lengths: p),
            ),
            Mistake(
                "direction only",
                Text(
                    "The direction is right, the length is that of a unit vector. How far does this arm reach?",
                    "方向对了，但长度是单位向量的长度。这条手臂够到多远？",
                ),
                like(lambda right, p, lengths: p / p.norm()),
            ),
            Mistake(
                "added to the target",
                Text(
                    "That is how far the tip is beyond the target.",
                    "这是末端超出目标的部分，不是末端的位置。",
                ),
                lambda value, right, p, lengths: (
                    like(lambda *_: right - p)(value, right) or like(lambda *_: p - right)(value, right)
                ),
            ),
            Mistake(
                "folded arm",
                Text(
                    "That is for an arm folded back, q_2 = pi. The mean of q_2 is another one.",
                    "这是手臂折回来（q_2 = pi）的情形。q_2 的平均不是 pi。",
                ),
                like(lambda right, p, lengths: p / p.norm() * (lengths[0] - lengths[1])),
            ),
            Mistake(
                "x and y exchanged",
                Text("x and y are exchanged.", "x 和 y 颠倒了。"),
                like(lambda right, *_: right.flip(0)),
            ),
        ),
    ),
    Exercise(
        number="8.5",
        title=Text("The gradient at the answer", "网络输出端的梯度"),
        task=Text(
            "J: Jacobian of the tip at the network's answer q, shape (2, k) [m/rad]; tip and target: shape (2,) [m].\n"
            "Return the gradient of the distance between tip and target to q, shape (k,).",
            "J：末端在网络答案 q 处的雅可比矩阵，形状为 (2, k)，单位 m/rad；tip、target：形状为 (2,)，单位 m。\n"
            "返回末端到目标的距离对 q 的梯度，形状为 (k,)。",
        ),
        signature="gradient_at_the_answer(J, tip, target)",
        inputs=_gradient_inputs,
        reference=lambda J, tip, target: jacobian(
            lambda q: (tip + J @ q - target).norm(), torch.zeros(J.shape[1], dtype=J.dtype)
        ),
        hint=Text(
            "Backward through a distance: a unit vector. Backward through forward kinematics: a seed at the Jacobian.",
            "对距离反向传播，得到一个单位向量；再对正运动学反向传播，这个向量就是雅可比矩阵的种子。",
        ),
        mistakes=(
            Mistake(
                "downhill",
                Text(
                    "That is the direction in which the distance falls. A gradient points uphill; the optimiser turns round.",
                    "这是距离减小的方向。梯度指向上升的方向，取反是优化器的事。",
                ),
                like(lambda right, *_: -right),
            ),
            Mistake(
                "not a unit vector",
                Text(
                    "That is the gradient of half the squared distance. At the tip the gradient has length 1.",
                    "这是距离平方的一半的梯度。距离本身对末端的梯度长度为 1。",
                ),
                like(lambda right, J, tip, target: J.T @ (tip - target)),
            ),
            Mistake(
                "gradient of the square",
                Text("That is the gradient of the squared distance.", "这是距离平方的梯度。"),
                like(lambda right, J, tip, target: 2 * J.T @ (tip - target)),
            ),
            Mistake(
                "inverse instead of transpose",
                Text(
                    "That is a step of Newton's method. A backward pass multiplies by the transpose and inverts nothing.",
                    "这是牛顿法的一步。反向传播乘的是转置，不求逆。",
                ),
                lambda value, right, J, tip, target: (
                    like(lambda *_: torch.linalg.pinv(J) @ (tip - target))(value, right)
                    or like(lambda *_: torch.linalg.pinv(J) @ (tip - target) / (tip - target).norm())(value, right)
                ),
            ),
            Mistake(
                "seed is the target",
                Text(
                    "The seed is the target or the tip itself. It must be the difference of the two.",
                    "用目标或末端本身当了种子。种子应当由两者之差得到。",
                ),
                lambda value, right, J, tip, target: (
                    like(lambda *_: J.T @ target)(value, right) or like(lambda *_: J.T @ tip)(value, right)
                ),
            ),
        ),
    ),
)
