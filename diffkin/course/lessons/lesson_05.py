"""Exercises of lesson 5: the inverse kinematics race."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from diffkin import rotations, transforms
from diffkin.autograd import jacobian
from diffkin.course.exercise import Exercise, Mistake, Text, like

__all__ = ["EXERCISES"]

Function = Callable[[Tensor], Tensor]


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# What answers are given: torch alone, no names from outside.


def _missed(q: Tensor, lengths: Tensor, goal: Tensor) -> Tensor:
    """How far the tip of a planar arm is past its goal, (2,)."""
    angles = q.cumsum(0)
    return torch.stack(((lengths * angles.cos()).sum(), (lengths * angles.sin()).sum())) - goal


def _flattened(q: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Zero where a q = b, and flatter and flatter away from there: a full step of Newton is far too long."""
    u = a @ q - b
    return u * (1 + u**2) ** -0.35


def _arm(lengths: Tensor, solution: Tensor) -> Function:
    """The residual of an arm whose goal is where ``solution`` puts the tip."""
    goal = _missed(solution, lengths, torch.zeros(2, dtype=torch.float64))
    return functools.partial(_missed, lengths=lengths, goal=goal)


def _arm_inputs(seed: int) -> list[tuple[Function, Tensor]]:
    """(f, q): the two links of lesson 2 first, then three, two and four; q is 0.3 rad off a solution."""
    first = _arm(torch.tensor([0.5, 0.4], dtype=torch.float64), torch.tensor([0.7, 1.0], dtype=torch.float64))
    cases = [(first, torch.tensor([0.4, 1.2], dtype=torch.float64))]
    for n in (3, 2, 4):
        solution = 0.4 + 1.1 * _draw(seed + n, n)
        lengths = 0.3 + 0.3 * _draw(seed + 20 + n, n)
        cases.append((_arm(lengths, solution), solution + 0.6 * (_draw(seed + 10 + n, n) - 0.5)))
    return cases


def _descent_inputs(seed: int) -> list[tuple[Function, Tensor, float, int]]:
    return [(f, q, 0.1 + 0.05 * k, 5 + k) for k, (f, q) in enumerate(_arm_inputs(seed))]


def _adam_inputs(seed: int) -> list[tuple[Function, Tensor, float, int]]:
    return [(f, q, 0.05 + 0.02 * k, 6 + 2 * k) for k, (f, q) in enumerate(_arm_inputs(seed))]


def _newton_inputs(seed: int) -> list[tuple[Function, Tensor, int]]:
    return [(f, q, 2) for f, q in _arm_inputs(seed)]


def _damped_inputs(seed: int) -> list[tuple[Function, Tensor, int]]:
    """Arms that are stretched out, where the Jacobian has lost a rank, and functions that flatten, far from the zero."""
    cases: list[tuple[Function, Tensor, int]] = []
    for k, (f, q) in enumerate(_arm_inputs(seed)):
        if k % 2 == 0:
            start = torch.zeros_like(q)
            start[0] = q[0] + 1.5
            cases.append((f, start, 100))
        else:
            a = 2 * _draw(seed + 50 + k, 2, len(q)) - 1
            flat = functools.partial(_flattened, a=a, b=20 + 10 * _draw(seed + 60 + k, 2))
            cases.append((flat, torch.zeros_like(q), 100))
    return cases


def _pose_inputs(seed: int) -> list[tuple[Tensor, Tensor]]:
    """Pairs of poses; in the third the rotation is right already."""
    pairs = []
    for k in range(4):
        turn = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64) if k == 0 else 2 * _draw(seed + k, 3) - 1
        more = torch.tensor([0.4, 0.9, -0.3], dtype=torch.float64) if k == 0 else 2 * _draw(seed + 9 + k, 3) - 1
        moved = torch.tensor([0.1, -0.2, 0.05], dtype=torch.float64) if k == 0 else _draw(seed + 19 + k, 3) - 0.5
        R = rotations.rotvec_to_matrix(turn)
        R_target = R if k == 2 else rotations.rotvec_to_matrix(more) @ R
        p = torch.tensor([0.5, 0.1, 0.4], dtype=torch.float64) if k == 0 else _draw(seed + 29 + k, 3)
        pairs.append((transforms.pose(R, p), transforms.pose(R_target, p + moved)))
    return pairs


def _pose_error(T: Tensor, T_target: Tensor) -> Tensor:
    turn = rotations.matrix_to_rotvec(T_target[:3, :3] @ T[:3, :3].T)
    return torch.cat((T_target[:3, 3] - T[:3, 3], turn))


def _sine_error(right: Tensor, T: Tensor, T_target: Tensor) -> Tensor:
    R = T_target[:3, :3] @ T[:3, :3].T
    return torch.cat((right[:3], rotations.vee(R - R.T) / 2))


def _gradient(f: Function, q: Tensor) -> Tensor:
    return jacobian(f, q).T @ f(q)


def _descend(f: Function, q: Tensor, rate: float, steps: int, memory: float = 0.0) -> Tensor:
    collected = torch.zeros_like(q)
    for _ in range(steps):
        collected = memory * collected + _gradient(f, q)
        q = q - rate * collected
    return q


def _adam(f: Function, q: Tensor, rate: float, steps: int, wrong: str = "") -> Tensor:
    """Kingma and Ba, Adam (2015), algorithm 1; with a usual slip if one is named."""
    m, v = torch.zeros_like(q), torch.zeros_like(q)
    for k in range(1, steps + 1):
        gradient = _gradient(f, q)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        if wrong == "bias":
            up, down = m, v
        else:
            up, down = m / (1 - 0.9**k), v / (1 - 0.999**k)
        down = down if wrong == "root" else down.sqrt()
        up = gradient if wrong == "momentum" else up
        q = q - rate * up / (down + 1e-8)
    return q


def _newton(f: Function, q: Tensor, steps: int, wrong: str = "") -> Tensor:
    first = jacobian(f, q)
    for _ in range(steps):
        J = first if wrong == "kept" else jacobian(f, q)
        inverse = J.T if wrong == "transpose" else torch.linalg.pinv(J)
        q = q + inverse @ f(q) if wrong == "sign" else q - inverse @ f(q)
    return q


def _marquardt(f: Function, q: Tensor, steps: int) -> Tensor:
    """Levenberg-Marquardt with a damping that falls after each step that helps and grows after each that does not."""
    damping = 1e-2
    for _ in range(steps):
        J, r = jacobian(f, q), f(q)
        if r.norm() < 1e-12:
            break
        tried = q - torch.linalg.solve(J.T @ J + damping * torch.eye(len(q), dtype=q.dtype), J.T @ r)
        better = bool(f(tried).norm() < r.norm())
        q = tried if better else q
        damping = min(max(damping / 4 if better else damping * 4, 1e-12), 1e6)
    return q


def _arrived(value: Any, right: Tensor, f: Function, q: Tensor, steps: int) -> bool:
    return bool(f(value.detach().double()).norm() < 1e-9)


def _missed_and(grew: bool) -> Callable[..., bool]:
    """Recogniser of answers that miss some zeros, with a residual that is larger, or none larger, than at the start."""

    def seen(value: Any, right: Tensor, f: Function, q: Tensor, steps: int) -> bool:
        if not isinstance(value, Tensor) or value.shape != q.shape or not bool(torch.isfinite(value).all()):
            return False
        left = float(f(value.double()).norm())
        return left < 1e-9 or (left > float(f(q).norm())) is grew

    return seen


_HALF = Text(
    "It descends on |f|^2; the loss is half of that. The step is twice as long as it should be.",
    "这是对 |f|^2 做的下降；损失是它的一半。步长大了一倍。",
)
_UPHILL = Text(
    "It walks uphill. f is the tip minus its goal: the step goes against it.",
    "方向反了，走上坡了。f 是末端减去目标：应当逆着它走。",
)
_ONE_STEP = Text("Only one step was made.", "只走了一步。")

EXERCISES = (
    Exercise(
        number="5.1",
        title=Text("The residual of a pose", "位姿的残差"),
        task=Text(
            "T and T_target are poses of the hand in the base, shape (4, 4). Return (6,): the way that the hand has still to\n"
            "go [m], then the rotation vector that it has still to turn by [rad], both in the axes of the base.\n"
            "The turn is below pi.",
            "T 和 T_target 是末端在基座中的位姿，形状为 (4, 4)。返回形状为 (6,) 的张量：先是末端还要走的位移，单位 m；\n"
            "再是还要转过的旋转向量，单位 rad；都在基座坐标轴下。转角小于 pi。",
        ),
        signature="pose_error(T, T_target)",
        inputs=_pose_inputs,
        reference=_pose_error,
        tolerance=1e-7,
        hint=Text(
            "Which rotation, multiplied on the left, takes R to its target? Its rotation vector is wanted, as in exercise 3.5.",
            "从左边乘上哪个旋转，能把 R 变成目标？要的是它的旋转向量，与练习 3.5 一样。",
        ),
        mistakes=(
            Mistake(
                "axes of the hand",
                Text(
                    "The turn is in the axes of the hand. Those of the base are asked for: multiply on the left.",
                    "旋转向量是在末端坐标轴下的。要的是基座坐标轴下的：从左边乘。",
                ),
                like(lambda right, T, T_target: torch.cat((right[:3], T[:3, :3].T @ right[3:])), 1e-7),
            ),
            Mistake(
                "all in the axes of the hand",
                Text(
                    "Both parts are in the axes of the hand. Those of the base are asked for.",
                    "两部分都在末端坐标轴下了。要的是基座坐标轴下的。",
                ),
                like(lambda right, T, T_target: torch.cat((T[:3, :3].T @ right[:3], T[:3, :3].T @ right[3:])), 1e-7),
            ),
            Mistake(
                "turned the other way",
                Text(
                    "The way is right, and the turn goes from the target back.", "位移是对的，旋转却是从目标转回来的。"
                ),
                like(lambda right, *_: torch.cat((right[:3], -right[3:])), 1e-7),
            ),
            Mistake(
                "sine instead of angle",
                Text(
                    "R - R^T holds the axis times the sine of the angle; the angle itself is wanted.",
                    "R - R^T 给出的是轴乘以角的正弦；要的是角本身。",
                ),
                like(_sine_error, 1e-7),
            ),
            Mistake(
                "rotation first",
                Text("The turn stands first. The way is asked for first.", "旋转放在了前面。这里要求位移在前。"),
                like(lambda right, *_: right.roll(3), 1e-7),
            ),
        ),
    ),
    Exercise(
        number="5.2",
        title=Text("Gradient descent", "梯度下降"),
        task=Text(
            "f gives a residual of q, shape (m,). Make `steps` steps of gradient descent on 0.5 * |f(q)|^2 from q, shape\n"
            "(n,), with the rate `rate`, and return where they end, shape (n,).",
            "f 给出 q 的残差，形状为 (m,)。从 q（形状为 (n,)）出发，对 0.5 * |f(q)|^2 做 `steps` 步梯度下降，\n"
            "学习率为 `rate`，返回终点，形状为 (n,)。",
        ),
        signature="gradient_descent(f, q, rate, steps)",
        inputs=_descent_inputs,
        reference=_descend,
        hint=Text(
            "The gradient is one backward pass through f, with which seed? After each step it must be computed anew.",
            "梯度就是对 f 的一次反向传播，种子是什么？每走一步都要重新计算。",
        ),
        mistakes=(
            Mistake("half left out", _HALF, like(lambda right, f, q, rate, steps: _descend(f, q, 2 * rate, steps))),
            Mistake("uphill", _UPHILL, like(lambda right, f, q, rate, steps: _descend(f, q, -rate, steps))),
            Mistake("one step", _ONE_STEP, like(lambda right, f, q, rate, steps: _descend(f, q, rate, 1))),
            Mistake(
                "gradient kept from step to step",
                Text(
                    "Each step contains the gradients of all steps before: `.grad` was not emptied.",
                    "每一步都带上了前面各步的梯度：没有把 `.grad` 清零。",
                ),
                like(lambda right, f, q, rate, steps: _descend(f, q, rate, steps, memory=1.0)),
            ),
            Mistake(
                "gradient of the start",
                Text(
                    "The gradient of the start was used for all steps. The valley bends: compute it anew each time.",
                    "所有步都用了起点的梯度。山谷是弯的：每一步都要重新求。",
                ),
                like(lambda right, f, q, rate, steps: q - steps * rate * _gradient(f, q)),
            ),
        ),
    ),
    Exercise(
        number="5.3",
        title=Text("Adam", "Adam 优化器"),
        task=Text(
            "As 5.2, with Adam: beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 added to the root, both means corrected for their\n"
            "start at zero. Return where it ends, shape (n,).",
            "同 5.2，改用 Adam：beta1 = 0.9，beta2 = 0.999，epsilon = 1e-8 加在平方根之后，两个均值都要修正从零开始的偏差。\n"
            "返回终点，形状为 (n,)。",
        ),
        signature="adam(f, q, rate, steps)",
        inputs=_adam_inputs,
        reference=_adam,
        tolerance=1e-7,
        hint=Text(
            "The first step of Adam has the length `rate` in every joint, whatever the gradient is. Is that so?",
            "不论梯度多大，Adam 的第一步在每个关节上的长度都等于 `rate`。你的是这样吗？",
        ),
        mistakes=(
            Mistake(
                "no correction of the start",
                Text(
                    "The means begin at zero and are too small at first; they were not corrected for that.",
                    "两个均值从零开始，起初偏小；没有做修正。",
                ),
                like(lambda right, f, q, rate, steps: _adam(f, q, rate, steps, "bias"), 1e-7),
            ),
            Mistake("uphill", _UPHILL, like(lambda right, f, q, rate, steps: _adam(f, q, -rate, steps), 1e-7)),
            Mistake(
                "no root",
                Text(
                    "It divides by the mean of the square itself. What unit does the step have then?",
                    "除以了平方的均值本身。这样一来，步长的单位是什么？",
                ),
                like(lambda right, f, q, rate, steps: _adam(f, q, rate, steps, "root"), 1e-7),
            ),
            Mistake(
                "no momentum",
                Text(
                    "It divides the gradient itself, not its mean: that is another method.",
                    "被除的是梯度本身，不是它的均值：那是另一种方法。",
                ),
                like(lambda right, f, q, rate, steps: _adam(f, q, rate, steps, "momentum"), 1e-7),
            ),
            Mistake("one step", _ONE_STEP, like(lambda right, f, q, rate, steps: _adam(f, q, rate, 1), 1e-7)),
        ),
    ),
    Exercise(
        number="5.4",
        title=Text("Gauss-Newton", "高斯-牛顿法"),
        task=Text(
            "f as in 5.2. Make `steps` full steps of Gauss-Newton from q, each the shortest that makes the linearised f\n"
            "zero, and return where they end, shape (n,).",
            "f 同 5.2。从 q 出发走 `steps` 步完整的高斯-牛顿法，每一步都取使线性化的 f 为零的最短一步，返回终点，形状为 (n,)。",
        ),
        signature="gauss_newton(f, q, steps)",
        inputs=_newton_inputs,
        reference=_newton,
        tolerance=1e-7,
        hint=Text(
            "J has fewer rows than columns: of all steps that do it, the shortest is wanted.",
            "J 的行比列少：满足要求的步子很多，要最短的那个。",
        ),
        mistakes=(
            Mistake("uphill", _UPHILL, like(lambda right, f, q, steps: _newton(f, q, steps, "sign"), 1e-7)),
            Mistake(
                "transpose instead of inverse",
                Text(
                    "The transpose of J stands where the pseudo-inverse should: that is gradient descent.",
                    "该用伪逆的地方用了 J 的转置：那就成了梯度下降。",
                ),
                like(lambda right, f, q, steps: _newton(f, q, steps, "transpose"), 1e-7),
            ),
            Mistake("one step", _ONE_STEP, like(lambda right, f, q, steps: _newton(f, q, 1), 1e-7)),
            Mistake(
                "Jacobian of the start",
                Text(
                    "The Jacobian of the start was used for all steps. Compute it anew each time.",
                    "所有步都用了起点的雅可比矩阵。每一步都要重新求。",
                ),
                like(lambda right, f, q, steps: _newton(f, q, steps, "kept"), 1e-7),
            ),
            Mistake(
                "one step too many",
                Text("It makes one step more than asked for.", "多走了一步。"),
                like(lambda right, f, q, steps: _newton(f, q, steps + 1), 1e-7),
            ),
        ),
    ),
    Exercise(
        number="5.5",
        title=Text("Levenberg-Marquardt", "莱文贝格-马夸特法"),
        task=Text(
            "f as in 5.2, with a zero that can be reached. From q, shape (n,), which may be singular or far away, return a\n"
            "zero of f, shape (n,): |f| below 1e-9, after at most `steps` iterations. Choose the damping yourself.",
            "f 同 5.2，并且有可以到达的零点。从 q（形状为 (n,)，可能是奇异位形，也可能离解很远）出发，最多迭代 `steps` 次，\n"
            "返回 f 的一个零点，形状为 (n,)：|f| 小于 1e-9。阻尼自己选。",
        ),
        signature="levenberg_marquardt(f, q, steps)",
        inputs=_damped_inputs,
        reference=_marquardt,
        accept=_arrived,
        hint=Text(
            "Print |f| after each iteration. It must never grow: is a step that makes it grow refused, and damped more?",
            "把每次迭代后的 |f| 打印出来。它绝不能变大：让它变大的那一步，有没有被拒绝，并且加大阻尼？",
        ),
        mistakes=(
            Mistake(
                "nothing moved",
                Text("It returns the start.", "返回的就是起点。"),
                like(lambda right, f, q, steps: q),
            ),
            Mistake(
                "residual grew",
                Text(
                    "From some start |f| is larger at the end than at the beginning. A step that makes it grow must be "
                    "refused, and the next one damped more.",
                    "有的初值，走到最后 |f| 比开始时还大。让它变大的那一步必须拒绝，下一步要加大阻尼。",
                ),
                _missed_and(grew=True),
            ),
            Mistake(
                "on the way",
                Text(
                    "It comes closer and does not arrive. Does the damping fall when the steps help?",
                    "越来越近，但没有到达。步子有效时，阻尼有没有减小？",
                ),
                _missed_and(grew=False),
            ),
        ),
    ),
)
