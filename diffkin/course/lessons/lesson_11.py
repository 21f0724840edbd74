"""Exercises of lesson 11: calibration."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from diffkin.autograd import jacobian
from diffkin.course.exercise import Exercise, Mistake, Text, like

__all__ = ["EXERCISES"]


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _two_links(x: Tensor, q: Tensor) -> Tensor:
    """Base angle and two lengths in x."""
    along = x[0] + q.cumsum(dim=1)
    return torch.stack(((x[1:] * along.cos()).sum(1), (x[1:] * along.sin()).sum(1)), dim=1)


def _polar(x: Tensor, q: Tensor) -> Tensor:
    """A turning and sliding arm: offset of the turn, scale and offset of the slide, place of the base."""
    reach, angle = x[1] * q[:, 1] + x[2], q[:, 0] + x[0]
    return torch.stack((reach * angle.cos() + x[3], reach * angle.sin() + x[4]), dim=1)


def _arm_inputs(seed: int) -> list[tuple[Any, ...]]:
    """Two links first, then a turning and sliding arm with as many parameters as fit its function."""
    x = torch.tensor([0.1, 0.5, 0.4], dtype=torch.float64)
    q = torch.tensor([[0.2, 0.7], [-0.5, 1.1], [1.0, -0.4]], dtype=torch.float64)
    others = [(_two_links, x + 0.2 * _draw(seed, 3), _draw(seed + 1, 4, 2))]
    others += [(_polar, _draw(seed + 2 + k, 5), _draw(seed + 12 + k, 4 + k, 2)) for k in range(2)]
    return [(_two_links, x, q), *others]


def _parameter_jacobian(f: Any, x: Tensor, q: Tensor) -> Tensor:
    return jacobian(lambda y: f(y, q).flatten(), x)


def _blind(J: Tensor) -> Tensor:
    """The same with a last column that is the first one once more: an offset beside the angle of the base."""
    return torch.cat((J, J[:, :1]), dim=1)


def _steps(seed: int) -> list[tuple[Tensor, Tensor]]:
    first = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0], [1.0, -1.0]], dtype=torch.float64)
    cases = [(_blind(first), torch.tensor([0.5, 0.1, -0.4, 0.6], dtype=torch.float64))]
    return cases + [(_blind(_draw(seed + k, 6 + k, 2 + k)), _draw(seed + 20 + k, 6 + k)) for k in range(3)]


def _from_first(right: Tensor, J: Tensor, r: Tensor) -> Tensor:
    """All of what the first and the last column share given to the first."""
    step = torch.linalg.pinv(J[:, :-1]) @ r
    return torch.cat((step, step.new_zeros(1)))


def _from_last(right: Tensor, J: Tensor, r: Tensor) -> Tensor:
    """All of it given to the last."""
    step = torch.linalg.pinv(J[:, 1:]) @ r
    return torch.cat((step.new_zeros(1), step))


def _changes(seed: int) -> list[tuple[Tensor, Tensor]]:
    drawn = [(_blind(_draw(seed + k, 6 + k, 3 + k)), _draw(seed + 20 + k, 4 + k)) for k in range(3)]
    first = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.5, 0.0, 1.0]], dtype=torch.float64)
    return [(_blind(first), torch.tensor([0.3, -0.2, 0.1, 0.5], dtype=torch.float64)), *drawn]


def _seen(J: Tensor, change: Tensor) -> Tensor:
    return torch.linalg.pinv(J, rcond=1e-9) @ (J @ change)


def _residuals(seed: int) -> list[tuple[Tensor, Tensor, int]]:
    first = torch.tensor([[1e-4, -2e-4], [0.0, 1e-4], [-1e-4, 3e-4], [2e-4, 0.0]], dtype=torch.float64)
    sigma = torch.tensor([1e-4, 2e-4], dtype=torch.float64)
    cases = [(first, sigma, 3)]
    for k in range(3):
        sigma = 1e-3 * (0.5 + _draw(seed + k, 3).abs())
        cases.append((sigma * _draw(seed + 30 + k, 8 + k, 3), sigma, 5 + k))
    return cases


def _reduced(residuals: Tensor, sigma: Tensor, rank: int) -> Tensor:
    return (residuals / sigma).square().sum() / (residuals.numel() - rank)


EXERCISES = (
    Exercise(
        number="11.1",
        title=Text("The Jacobian to the parameters", "对参数的雅可比矩阵"),
        task=Text(
            "f(x, q) gives measured places, shape (n, 2), of an arm with parameters x, shape (p,), at n joint readings q,\n"
            "shape (n, 2). Return the Jacobian of all places to x, shape (2 n, p): the two rows of the first place, then\n"
            "those of the second, and so on.",
            "f(x, q) 给出参数为 x、形状 (p,) 的机械臂在 n 组关节读数 q、形状 (n, 2) 处的末端位置，形状为 (n, 2)。返回全部\n"
            "位置对 x 的雅可比矩阵，形状为 (2 n, p)：先是第一个位置的两行，再是第二个的两行，依此类推。",
        ),
        signature="parameter_jacobian(f, x, q)",
        inputs=_arm_inputs,
        reference=_parameter_jacobian,
        hint=Text(
            "Flatten f(x, q), then give a unit seed to each entry. x is what is differentiated to, q stays as it is.",
            "把 f(x, q) 展平，再给每个分量一个单位种子。求导的对象是 x，q 保持不变。",
        ),
        mistakes=(
            Mistake(
                "to the joints",
                Text(
                    "That is the derivative to the joint readings q. The parameters x are asked for.",
                    "这是对关节读数 q 的导数。题目要的是对参数 x 的导数。",
                ),
                lambda value, right, f, x, q: (
                    like(lambda *_: jacobian(lambda p: f(x, p).flatten(), q).flatten(1))(value, right)
                    or like(lambda *_: jacobian(lambda p: f(x, p).flatten(), q))(value, right)
                ),
            ),
            Mistake(
                "one pass alone",
                Text(
                    "One backward pass with a seed of ones gives the sum of all rows. A row wants a seed of its own.",
                    "用全 1 的种子反向传播一次，得到的是所有行之和。每一行都要有自己的种子。",
                ),
                like(lambda right, f, x, q: right.sum(0)),
            ),
            Mistake(
                "rows in another order",
                Text(
                    "All first coordinates come before all second ones. The rows of one place belong together.",
                    "所有的第一坐标排在了所有的第二坐标前面。同一个位置的两行应当在一起。",
                ),
                like(lambda right, f, x, q: torch.cat((right[0::2], right[1::2]))),
            ),
            Mistake(
                "not flattened",
                Text(
                    "The numbers are right. Put them into two axes: a row for each number measured.",
                    "数都对。请排成两个轴：每个测得的数占一行。",
                ),
                like(lambda right, f, x, q: right.unflatten(0, (-1, 2))),
            ),
        ),
    ),
    Exercise(
        number="11.2",
        title=Text("The smallest step that fits best", "拟合最好的最小步长"),
        task=Text(
            "J, shape (n, p), has columns that depend on each other; r, shape (n,), is measured minus predicted. Of all steps\n"
            "that make |J step - r| least, return the one of least length, shape (p,).",
            "J 形状为 (n, p)，它的列线性相关；r 形状为 (n,)，是测量值减预测值。在所有使 |J step - r| 最小的 step 中，\n"
            "返回长度最短的那一个，形状为 (p,)。",
        ),
        signature="smallest_step(J, r)",
        inputs=_steps,
        reference=lambda J, r: torch.linalg.pinv(J, rcond=1e-9) @ r,
        hint=Text(
            "Take the singular value decomposition, and divide only by singular values that are not zero to rounding.",
            "做奇异值分解，只除以不为零的奇异值（要考虑舍入误差）。",
        ),
        mistakes=(
            Mistake(
                "gradient step",
                Text(
                    "J^T r is the direction of the gradient. A Gauss-Newton step solves the equations as well.",
                    "J^T r 只是梯度方向。高斯-牛顿法的一步还要解方程。",
                ),
                like(lambda right, J, r: J.T @ r),
            ),
            Mistake(
                "one of the two left out",
                Text(
                    "It fits as well as possible, but is not the shortest: of two equal columns, one got everything.",
                    "拟合得一样好，但不是最短的：作用相同的两列，全部分给了其中一列。",
                ),
                lambda value, right, J, r: (
                    like(_from_first)(value, right, J, r) or like(_from_last)(value, right, J, r)
                ),
            ),
            Mistake(
                "damped",
                Text(
                    "It is damped: a little too short everywhere. Leave out directions instead of shrinking all of them.",
                    "加了阻尼：处处都偏短一点。应当去掉看不见的方向，而不是把所有方向都缩短。",
                ),
                lambda value, right, J, r: any(
                    like(lambda *_, m=m: J.T @ torch.linalg.solve(J @ J.T + m * torch.eye(len(J)).to(J), r))(
                        value, right
                    )
                    for m in (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
                ),
            ),
        ),
    ),
    Exercise(
        number="11.3",
        title=Text("What no measurement sees", "测量看不见的部分"),
        task=Text(
            "J, shape (n, p), is the Jacobian of all measurements to the parameters; change, shape (p,), some change of the\n"
            "parameters. Split it at right angles into a part that measurements see and one that they do not. Return the\n"
            "latter, shape (p,).",
            "J 是全部测量值对参数的雅可比矩阵，形状为 (n, p)；change 是参数的某个改变量，形状为 (p,)。把它正交分解成测量\n"
            "看得见的部分和看不见的部分，返回后者，形状为 (p,)。",
        ),
        signature="unseen_part(J, change)",
        inputs=_changes,
        reference=lambda J, change: change - _seen(J, change),
        hint=Text(
            "J times the answer is zero, and the answer is at right angles to every row of J.",
            "J 乘以答案等于零，并且答案与 J 的每一行都垂直。",
        ),
        mistakes=(
            Mistake(
                "the part that is seen",
                Text(
                    "That is the part that measurements do see. The rest is asked for.",
                    "这是测量看得见的部分。要的是剩下的那部分。",
                ),
                like(lambda right, J, change: change - right),
            ),
            Mistake(
                "change of the measurements",
                Text(
                    "J times the change is what the measurements see, in their own space. Stay in that of the parameters.",
                    "J 乘以改变量是测量值的变化，在测量值的空间里。答案应当在参数空间里。",
                ),
                like(lambda right, J, change: J @ change),
            ),
            Mistake(
                "nothing unseen",
                Text(
                    "It is zero throughout: the singular value that should be zero was taken for one that is not.",
                    "结果全是零：本该为零的奇异值被当成了非零。",
                ),
                lambda value, right, J, change: bool(
                    isinstance(value, Tensor) and value.shape == right.shape and value.abs().max() < 1e-6
                ),
            ),
            Mistake(
                "unit direction",
                Text(
                    "That is only the direction, of unit length. How much of the change goes along it?",
                    "这只是单位长度的方向。改变量里有多少是沿着它的？",
                ),
                lambda value, right, J, change: (
                    like(lambda *_: right / right.norm())(value, right)
                    or like(lambda *_: -right / right.norm())(value, right)
                ),
            ),
        ),
    ),
    Exercise(
        number="11.4",
        title=Text("The reduced chi-square", "约化卡方"),
        task=Text(
            "residuals, shape (n, k), are left over by a fit; sigma, shape (k,), is the standard deviation of the noise of\n"
            "each column; rank says how many directions were fitted. Return the reduced chi-square, one number.",
            "residuals 是拟合的残差，形状为 (n, k)；sigma 是各列噪声的标准差，形状为 (k,)；rank 是拟合的方向数。\n"
            "返回约化卡方，一个数。",
        ),
        signature="reduced_chi_square(residuals, sigma, rank)",
        inputs=_residuals,
        reference=_reduced,
        hint=Text(
            "Units of the noise first, then squares, their sum, and the numbers measured minus the directions fitted.",
            "先以噪声为单位，再平方求和，最后除以测得的个数减去拟合的方向数。",
        ),
        mistakes=(
            Mistake(
                "not in units of the noise",
                Text(
                    "The residuals still have their own units. Divide each column by its sigma before squaring.",
                    "残差还带着自己的单位。平方之前，每一列先除以它的 sigma。",
                ),
                like(lambda right, residuals, sigma, rank: _reduced(residuals, torch.ones_like(sigma), rank)),
            ),
            Mistake(
                "directions not subtracted",
                Text(
                    "It is divided by all numbers measured. Each direction that was fitted uses up one of them.",
                    "除以的是测得的全部个数。每拟合一个方向，就要用掉一个。",
                ),
                like(lambda right, residuals, sigma, rank: _reduced(residuals, sigma, 0)),
            ),
            Mistake(
                "root taken",
                Text("That is its square root.", "这是它的平方根。"),
                like(lambda right, *_: right.sqrt()),
            ),
            Mistake(
                "not divided",
                Text(
                    "That is the sum. It grows with the number of measurements; divide it.",
                    "这是总和。它随测量个数增大，还要除一下。",
                ),
                like(lambda right, residuals, sigma, rank: right * (residuals.numel() - rank)),
            ),
            Mistake(
                "sigma not squared",
                Text(
                    "The squares are divided by sigma instead of its square.",
                    "平方之后除以的是 sigma，而不是 sigma 的平方。",
                ),
                like(lambda right, residuals, sigma, rank: _reduced(residuals, sigma.sqrt(), rank)),
            ),
        ),
    ),
)
