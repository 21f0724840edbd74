"""Exercises of lesson 10: normalizing flows for inverse kinematics."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from diffkin.autograd import jacobian
from diffkin.course.exercise import Exercise, Mistake, Text, close, like
from diffkin.robot import Robot

__all__ = ["EXERCISES"]

_LOG_ROOT = 0.5 * math.log(2 * math.pi)


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _affine_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    first = (
        torch.tensor([1.0, 2.0, 3.5], dtype=torch.float64),
        torch.tensor(2.0, dtype=torch.float64),
        torch.tensor(0.7, dtype=torch.float64),
    )
    return [first] + [
        (3 * _draw(seed + 10 * k, 2 + k), _draw(seed + 10 * k + 1, 1)[0] + 1, _draw(seed + 10 * k + 2, 1)[0] - 1.2)
        for k in range(1, 4)
    ]


def _affine(x: Tensor, a: Tensor, log_b: Tensor) -> Tensor:
    """Log of the normal density at z, less that of the slope dx/dz."""
    z = (x - a) / log_b.exp()
    return -0.5 * z.square() - _LOG_ROOT - log_b


def _limit_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    first = (
        torch.tensor([0.2, 1.0, -2.0], dtype=torch.float64),
        torch.tensor([-1.0, 0.0, -3.0], dtype=torch.float64),
        torch.tensor([2.0, 2.5, -0.5], dtype=torch.float64),
    )
    cases = [first]
    for k, count in enumerate((2, 4, 3)):
        lower = -3 * _draw(seed + 10 * k, count)
        upper = lower + 0.5 + 3 * _draw(seed + 10 * k + 1, count)
        cases.append((lower + (0.05 + 0.9 * _draw(seed + 10 * k + 2, count)) * (upper - lower), lower, upper))
    return cases


def _unit(q: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    return (2 * q - upper - lower) / (upper - lower)


def _to_normal(q: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    return math.sqrt(2) * torch.erfinv(_unit(q, lower, upper))


# Flows that answers are given: torch alone, no names from outside.


def _curved(z: Tensor, a: Tensor) -> Tensor:
    return a @ z + 0.3 * (a @ z).tanh()


def _determinant_inputs(seed: int) -> list[tuple[Callable[[Tensor], Tensor], Tensor]]:
    first = (
        functools.partial(_curved, a=torch.tensor([[2.0, 0.5], [-0.3, 1.5]], dtype=torch.float64)),
        torch.tensor([0.4, -0.8], dtype=torch.float64),
    )
    cases: list[tuple[Callable[[Tensor], Tensor], Tensor]] = [first]
    for k, n in enumerate((3, 2, 4)):
        a = 2 * _draw(seed + 10 * k, n, n) - 1 + torch.diag(1.5 + _draw(seed + 10 * k + 1, n))
        a = a * torch.tensor([1.0] * (n - 1) + [-1.0], dtype=torch.float64)[:, None]  # the determinant may be negative
        cases.append((functools.partial(_curved, a=a), 2 * _draw(seed + 10 * k + 2, n) - 1))
    return cases


def _log_det(f: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    return torch.linalg.slogdet(jacobian(f, z)).logabsdet


def _sample_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(samples, targets, lengths): several answers to each target, the best at varying places."""
    cases = []
    for k, (count, answers, links) in enumerate(((3, 4, 2), (4, 5, 3), (2, 6, 2), (5, 3, 4))):
        own = 5 if k == 0 else seed + 20 * k
        samples = 4 * _draw(own, count, answers, links) - 2
        cases.append((samples, 1.2 * _draw(own + 1, count, 2) - 0.6, 0.2 + 0.5 * _draw(own + 2, links)))
    return cases


def _robot(lengths: Tensor) -> Robot:
    zero = torch.zeros_like(lengths)
    return Robot.from_dh(torch.stack([lengths, zero, zero, zero], dim=-1))


def _misses(samples: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """(n, count) distances of the tips from their target."""
    return (_robot(lengths).forward_kinematics(samples)[..., :2, 3] - targets[:, None]).norm(dim=-1)


def _chosen(samples: Tensor, index: Tensor) -> Tensor:
    return samples[torch.arange(len(samples)), index]


def _best(samples: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    return _chosen(samples, _misses(samples, targets, lengths).argmin(1))


EXERCISES = (
    Exercise(
        number="10.1",
        title=Text("The density of a flow", "流的密度"),
        task=Text(
            "x = a + b z with z normal (mean 0, standard deviation 1) and b = exp(log_b). x: shape (n,); a, log_b: numbers,\n"
            "shape (). Return log p(x) of each, shape (n,). Gradients must flow to all three.",
            "x = a + b z，其中 z 服从标准正态分布，b = exp(log_b)。x 的形状为 (n,)；a、log_b 是数，形状为 ()。\n"
            "返回每个 x 的 log p(x)，形状为 (n,)。梯度必须能传到三者。",
        ),
        signature="affine_log_density(x, a, log_b)",
        inputs=_affine_inputs,
        reference=_affine,
        gradient=True,
        hint=Text(
            "Which z belongs to x? Its normal log-density, and then the price of the slope dx/dz. A density has area 1.",
            "x 对应哪个 z？先写 z 的正态对数密度，再加上斜率 dx/dz 的代价。密度曲线下的面积是 1，可以数值求和验证。",
        ),
        mistakes=(
            Mistake(
                "slope forgotten",
                Text(
                    "The slope of the flow is missing: with that as a loss, b would grow for ever.",
                    "漏了流的斜率：用它作损失，b 会一直增大。",
                ),
                like(lambda right, x, a, log_b: right + log_b),
            ),
            Mistake(
                "slope with the wrong sign",
                Text(
                    "Pulling points apart makes the density thinner, here it gets thicker.",
                    "把点拉开，密度应变稀，这里却变密了。",
                ),
                like(lambda right, x, a, log_b: right + 2 * log_b),
            ),
            Mistake(
                "constant forgotten",
                Text(
                    "The constant of the normal density is missing: the area below it is not 1.",
                    "漏了正态密度的常数：曲线下的面积不是 1。",
                ),
                like(lambda right, *_: right + _LOG_ROOT),
            ),
            Mistake(
                "density without log",
                Text("That is p(x). Its logarithm was asked for.", "这是 p(x)，要的是它的对数。"),
                like(lambda right, *_: right.exp()),
            ),
            Mistake(
                "negative likelihood",
                Text(
                    "That is the loss, -log p. Here log p itself is asked for.", "这是损失 -log p，这里要 log p 本身。"
                ),
                like(lambda right, *_: -right),
            ),
            Mistake(
                "log_b taken for b",
                Text("log_b was used as b itself. Is b positive then?", "把 log_b 当成了 b 本身。这样 b 一定为正吗？"),
                lambda value, right, x, a, log_b: (
                    like(lambda *_: -0.5 * ((x - a) / log_b) ** 2 - _LOG_ROOT - log_b)(value, right)
                    or like(lambda *_: -0.5 * ((x - a) / log_b) ** 2 - _LOG_ROOT - log_b.abs().log())(value, right)
                ),
            ),
        ),
    ),
    Exercise(
        number="10.2",
        title=Text("From limits to a bell curve", "从限位到钟形曲线"),
        task=Text(
            "q: angles strictly between the limits lower and upper, all of shape (k,) [rad]. Scale q to (-1, 1) and return\n"
            "u = sqrt(2) erfinv(...), shape (k,), such that uniform q become normal u. Differentiable.",
            "q：严格位于限位 lower 与 upper 之间的角，形状均为 (k,)，单位 rad。把 q 缩放到 (-1, 1)，返回\n"
            "u = sqrt(2) erfinv(...)，形状为 (k,)，使均匀的 q 变成正态的 u。要求可微。",
        ),
        signature="to_normal(q, lower, upper)",
        inputs=_limit_inputs,
        reference=_to_normal,
        gradient=True,
        hint=Text(
            "lower must become -1, upper 1, and the middle of the range 0.",
            "lower 应变成 -1，upper 变成 1，中点变成 0。",
        ),
        mistakes=(
            Mistake(
                "root of 2 forgotten",
                Text(
                    "The factor sqrt(2) is missing: the standard deviation would be 0.71.",
                    "漏了因子 sqrt(2)：标准差会是 0.71。",
                ),
                like(lambda right, *_: right / math.sqrt(2)),
            ),
            Mistake(
                "scaled to 0 and 1",
                Text("q was scaled to (0, 1). erfinv wants (-1, 1).", "把 q 缩放到了 (0, 1)。erfinv 要的是 (-1, 1)。"),
                like(lambda right, q, lower, upper: math.sqrt(2) * torch.erfinv((q - lower) / (upper - lower))),
            ),
            Mistake(
                "logit",
                Text(
                    "That is a logit: uniform angles become logistic, not normal.",
                    "这是 logit：均匀的角变成逻辑分布，不是正态分布。",
                ),
                like(lambda right, q, lower, upper: torch.logit((q - lower) / (upper - lower))),
            ),
            Mistake(
                "artanh",
                Text(
                    "That is the inverse of tanh: it brings q out of the limits as well, but not to normal numbers.",
                    "这是 tanh 的反函数：它也能去掉限位，但得到的不是正态分布。",
                ),
                like(lambda right, q, lower, upper: torch.atanh(_unit(q, lower, upper))),
            ),
            Mistake(
                "scaled only",
                Text("q was scaled to (-1, 1), and that is all.", "只把 q 缩放到了 (-1, 1)。"),
                like(lambda right, q, lower, upper: _unit(q, lower, upper)),
            ),
        ),
    ),
    Exercise(
        number="10.3",
        title=Text("The log-determinant", "行列式的对数"),
        task=Text(
            "f maps z of shape (n,) to shape (n,), invertibly. Return log |det J| of its Jacobian at z, one number. z comes\n"
            "without requires_grad.",
            "f 把形状为 (n,) 的 z 可逆地映成形状为 (n,) 的张量。返回 f 在 z 处的雅可比矩阵的 log |det J|，一个数。\n"
            "传入的 z 没有 requires_grad。",
        ),
        signature="log_det(f, z)",
        inputs=_determinant_inputs,
        reference=_log_det,
        hint=Text(
            "The Jacobian as in 1.2. A determinant may be negative; a density may not.",
            "雅可比矩阵的求法同 1.2。行列式可能为负，密度不能为负。",
        ),
        mistakes=(
            Mistake(
                "absolute value forgotten",
                Text(
                    "The log of a negative determinant is NaN. A mirror turns space inside out, and thins nothing.",
                    "负行列式的对数是 NaN。镜像只是把空间翻过来，密度不变。",
                ),
                lambda value, right, f, z: (
                    bool(torch.as_tensor(value).isnan().all())
                    if float(torch.linalg.det(jacobian(f, z))) < 0
                    else like(lambda *_: right)(value, right)
                ),
            ),
            Mistake(
                "logarithm forgotten",
                Text("That is the determinant. Its logarithm was asked for.", "这是行列式，要的是它的对数。"),
                lambda value, right, f, z: (
                    like(lambda *_: torch.linalg.det(jacobian(f, z)))(value, right)
                    or like(lambda *_: right.exp())(value, right)
                ),
            ),
            Mistake(
                "diagonal only",
                Text(
                    "Only the diagonal was used. That is right for a triangular Jacobian, and this one is full.",
                    "只用了对角线。雅可比矩阵是三角形时才对，这里它是满的。",
                ),
                like(lambda right, f, z: jacobian(f, z).diagonal().abs().log().sum()),
            ),
            Mistake(
                "of the inverse",
                Text(
                    "That is for the way back, from f(z) to z. The sign is the other way round.",
                    "这是从 f(z) 回到 z 的那个。符号正好相反。",
                ),
                like(lambda right, *_: -right),
            ),
            Mistake(
                "seed of ones",
                Text(
                    "One pass with the seed of ones adds up all rows. Every row wants a seed of its own.",
                    "用全 1 种子反向传播一次，各行加在了一起。每一行需要自己的种子。",
                ),
                like(lambda right, f, z: jacobian(f, z).sum(0).abs().log().sum()),
            ),
        ),
    ),
    Exercise(
        number="10.4",
        title=Text("The best of several", "几个里面最好的"),
        task=Text(
            "samples: answers of a flow, shape (n, m, k) [rad], m for each target; targets: shape (n, 2) [m]; lengths of the\n"
            "links of the planar arm: shape (k,) [m]. Return for each target the answer whose tip is nearest, shape (n, k).",
            "samples：流的答案，形状为 (n, m, k)，单位 rad，每个目标 m 个；targets：形状为 (n, 2)，单位 m；\n"
            "lengths：平面机械臂的连杆长度，形状为 (k,)，单位 m。对每个目标返回末端离它最近的那个答案，形状为 (n, k)。",
        ),
        signature="best_of(samples, targets, lengths)",
        inputs=_sample_inputs,
        reference=_best,
        hint=Text(
            "Tips of shape (n, m, 2), distances of shape (n, m), then one index for each of the n targets.",
            "末端的形状是 (n, m, 2)，距离的形状是 (n, m)，最后每个目标取一个下标。",
        ),
        mistakes=(
            Mistake(
                "mean of the answers",
                Text(
                    "That is the mean of the answers. Lesson 8 says what becomes of it.",
                    "这是各答案的平均。第 8 课说过它会怎样。",
                ),
                like(lambda right, samples, *_: samples.mean(1)),
            ),
            Mistake(
                "worst instead of best",
                Text("That is the answer that misses most.", "这是偏得最多的那个。"),
                like(lambda right, *case: _chosen(case[0], _misses(*case).argmax(1))),
            ),
            Mistake(
                "always the first",
                Text("That is always the first answer.", "总是取了第一个答案。"),
                like(lambda right, samples, *_: samples[:, 0]),
            ),
            Mistake(
                "one index for all",
                Text(
                    "The same index was taken for every target. Each target has a best answer of its own.",
                    "所有目标取了同一个下标。每个目标都有自己最好的答案。",
                ),
                lambda value, right, samples, targets, lengths: any(close(value, one) for one in samples.unbind(1)),
            ),
            Mistake(
                "nearest of other target",
                Text(
                    "The tips were not held against their own target. Give `targets` an axis: `targets[:, None]`.",
                    "末端没有与自己的目标相比。给 `targets` 加一个轴：`targets[:, None]`。",
                ),
                like(
                    lambda right, samples, targets, lengths: _chosen(
                        samples, _misses(samples, targets[:1].expand_as(targets), lengths).argmin(1)
                    )
                ),
            ),
            Mistake(
                "angles not added up",
                Text(
                    "Each link was turned by its own angle alone, so the tips are not where the arm's are.",
                    "每根连杆只转了自己的角，末端位置就不对。",
                ),
                like(
                    lambda right, samples, targets, lengths: _chosen(
                        samples,
                        (
                            torch.stack(((lengths * samples.cos()).sum(-1), (lengths * samples.sin()).sum(-1)), dim=-1)
                            - targets[:, None]
                        )
                        .norm(dim=-1)
                        .argmin(1),
                    )
                ),
            ),
        ),
    ),
)
