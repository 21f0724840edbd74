"""Exercises of lesson 1: backward seeds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from diffkin import autograd
from diffkin.course.exercise import Exercise, Mistake, Text, like

__all__ = ["EXERCISES"]

Function = Callable[[Tensor], Tensor]


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Functions that answers are given: torch alone, no names from outside.


def _classic(x: Tensor) -> Tensor:
    return torch.stack((x[0] ** 2 + 3 * x[1], 2 * x[0] + x[1] ** 2))


def _bent(x: Tensor, a: Tensor) -> Tensor:
    return (a @ x).sin() + (a @ x**2)


def _bowl(x: Tensor, a: Tensor) -> Tensor:
    return ((a @ x + 2) ** 2).sum() + 3


def _wave(x: Tensor, a: Tensor) -> Tensor:
    return a[0] * x**3 + a[1] * (a[2] * x).sin()


def _gradient_inputs(seed: int) -> list[tuple[Function, Tensor]]:
    first = (
        functools.partial(_bowl, a=torch.ones(1, 1, dtype=torch.float64)),
        torch.tensor([2.0], dtype=torch.float64),
    )
    return [
        first,
        *((functools.partial(_bowl, a=_draw(seed + k, 2, n)), _draw(seed + 7 + k, n)) for k, n in ((1, 3), (2, 4))),
    ]


def _vector_inputs(seed: int) -> list[tuple[Function, Tensor]]:
    """(f, x) with f: R^n -> R^m; the classic one first, then tall and wide ones."""
    first = (_classic, torch.tensor([2.0, 3.0], dtype=torch.float64))
    sizes = ((3, 2), (2, 4), (3, 3))
    rest = [
        (functools.partial(_bent, a=_draw(seed + k, m, n)), _draw(seed + 7 + k, n)) for k, (m, n) in enumerate(sizes)
    ]
    return [first, *rest]


def _combination_inputs(seed: int) -> list[tuple[Any, ...]]:
    weights = [[2.0, -1.0], *_draw(seed + 11, 3, 2).tolist()]
    sizes = ((2, 2), (2, 4), (2, 3))
    pairs = [
        _vector_inputs(seed)[0],
        *(
            (functools.partial(_bent, a=_draw(seed + k, m, n)), _draw(seed + 7 + k, n))
            for k, (m, n) in enumerate(sizes)
        ),
    ]
    return [(f, x, a, b) for (f, x), (a, b) in zip(pairs, weights)]


def _direction_inputs(seed: int) -> list[tuple[Function, Tensor, Tensor]]:
    pairs = _vector_inputs(seed)
    first = torch.tensor([1.0, -1.0], dtype=torch.float64)
    return [(f, x, first if k == 0 else _draw(seed + 20 + k, len(x))) for k, (f, x) in enumerate(pairs)]


def _curve_inputs(seed: int) -> list[tuple[Function, Tensor]]:
    cubic = functools.partial(_wave, a=torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64))
    points = [torch.tensor(2.0, dtype=torch.float64), *_draw(seed + 3, 3)]
    return [(cubic if k == 0 else functools.partial(_wave, a=_draw(seed + k, 3)), x) for k, x in enumerate(points)]


def _combination(f: Function, x: Tensor, a: float, b: float) -> Tensor:
    return torch.tensor([a, b], dtype=x.dtype) @ autograd.jacobian(f, x)


EXERCISES = (
    Exercise(
        number="1.1",
        title=Text("The gradient of one number", "标量函数的梯度"),
        task=Text(
            "f maps x of shape (n,) to one number. Return its gradient at x, a tensor of shape (n,). x comes without\n"
            "requires_grad; calling your function twice must give the same.",
            "f 把形状为 (n,) 的 x 映成一个数。返回 f 在 x 处的梯度，形状为 (n,)。\n"
            "传入的 x 没有 requires_grad；连续调用两次，结果必须相同。",
        ),
        signature="gradient(f, x)",
        inputs=_gradient_inputs,
        reference=lambda f, x: autograd.jacobian(f, x),
        hint=Text(
            "One backward pass of f(x) from a leaf gives the whole gradient. What does yours return for f(x) = x.sum()?",
            "从叶子张量算出 f(x)，一次反向传播就得到整个梯度。对 f(x) = x.sum()，你的函数返回什么？",
        ),
        mistakes=(
            Mistake(
                "value instead",
                Text("That is f(x) itself, not its gradient.", "这是 f(x) 本身，不是它的梯度。"),
                like(lambda right, f, x: f(x)),
            ),
            Mistake(
                "backward twice",
                Text(
                    "Everything is twice too large: two backward passes were added up in `.grad`.",
                    "所有数都大了一倍：两次反向传播的梯度在 `.grad` 里累加了。",
                ),
                like(lambda right, *_: 2 * right),
            ),
        ),
    ),
    Exercise(
        number="1.2",
        title=Text("The Jacobian from unit seeds", "用单位种子求雅可比矩阵"),
        task=Text(
            "f maps x of shape (n,) to a tensor of shape (m,). Return its Jacobian at x, shape (m, n), row by row from\n"
            "backward seeds. torch.autograd.functional and torch.func are not needed.",
            "f 把形状为 (n,) 的 x 映成形状为 (m,) 的张量。用反向种子逐行求出 f 在 x 处的雅可比矩阵，形状为 (m, n)。\n"
            "不需要 torch.autograd.functional 和 torch.func。",
        ),
        signature="jacobian_by_seeds(f, x)",
        inputs=_vector_inputs,
        reference=lambda f, x: autograd.jacobian(f, x),
        hint=Text(
            "The seed with a 1 at place i and zeros elsewhere gives row i. Check single rows by hand for k(x) at (2, 3).",
            "第 i 个位置为 1、其余为 0 的种子给出第 i 行。先对 k(x) 在 (2, 3) 处逐行手算核对。",
        ),
        mistakes=(
            Mistake(
                "accumulated rows",
                Text(
                    "Each row has the earlier rows in it: `backward` adds to `x.grad`. Empty it between two seeds, or use "
                    "`torch.autograd.grad`.",
                    "每一行都混进了前面的行：`backward` 会把梯度累加到 `x.grad`。两个种子之间要清零，"
                    "或改用 `torch.autograd.grad`。",
                ),
                like(lambda right, *_: right.cumsum(0)),
            ),
            Mistake(
                "same grad object",
                Text(
                    "All rows are the same. `x.grad` is one object that changes later: keep `x.grad.clone()`.",
                    "每一行都一样。`x.grad` 是同一个对象，之后还会变：请保存 `x.grad.clone()`。",
                ),
                lambda value, right, *_: (
                    torch.as_tensor(value).shape == right.shape
                    and bool((torch.as_tensor(value) - torch.as_tensor(value)[:1]).abs().max() == 0)
                ),
            ),
            Mistake(
                "seed of ones",
                Text(
                    "That is one pass with the seed of ones: the sum of all rows. Every row wants a seed of its own.",
                    "这是用全 1 种子反向传播一次的结果，也就是各行之和。每一行需要自己的种子。",
                ),
                like(lambda right, *_: right.sum(0)),
            ),
        ),
    ),
    Exercise(
        number="1.3",
        title=Text("Two rows by one seed", "一个种子得到两行的组合"),
        task=Text(
            "f maps x of shape (n,) to shape (2,). Return a * row_0 + b * row_1 of its Jacobian, shape (n,), by one single\n"
            "backward pass.",
            "f 把形状为 (n,) 的 x 映成形状为 (2,) 的张量。只用一次反向传播，返回雅可比矩阵的\n"
            "a * row_0 + b * row_1，形状为 (n,)。",
        ),
        signature="combination_of_rows(f, x, a, b)",
        inputs=_combination_inputs,
        reference=_combination,
        hint=Text(
            "A backward pass with the seed v gives v^T J. Which v makes that the wanted sum?",
            "以 v 为种子的反向传播给出 v^T J。v 取什么，结果就是所求的和？",
        ),
        mistakes=(
            Mistake(
                "swapped weights",
                Text("The weights are swapped: a belongs to row 0.", "权重颠倒了：a 对应第 0 行。"),
                like(lambda right, f, x, a, b: _combination(f, x, b, a)),
            ),
            Mistake(
                "seed of ones",
                Text(
                    "That is the sum of the rows: the seed was all ones, the weights are not used.",
                    "这是各行直接相加：种子全是 1，没有用到权重。",
                ),
                like(lambda right, f, x, a, b: _combination(f, x, 1.0, 1.0)),
            ),
            Mistake(
                "one weight lost",
                Text("Only one of the two rows is in it.", "结果里只有其中一行。"),
                lambda value, right, f, x, a, b: (
                    like(lambda *_: _combination(f, x, a, 0.0))(value, right)
                    or like(lambda *_: _combination(f, x, 0.0, b))(value, right)
                ),
            ),
        ),
    ),
    Exercise(
        number="1.4",
        title=Text("Along a direction", "沿一个方向的变化率"),
        task=Text(
            "f maps x of shape (n,) to shape (m,). Return how fast f(x) changes when x moves with velocity u of shape (n,):\n"
            "the product J u, shape (m,).",
            "f 把形状为 (n,) 的 x 映成形状为 (m,) 的张量。当 x 以速度 u（形状为 (n,)）移动时，返回 f(x) 的变化率，\n"
            "即乘积 J u，形状为 (m,)。",
        ),
        signature="along_direction(f, x, u)",
        inputs=_direction_inputs,
        reference=lambda f, x, u: autograd.jacobian(f, x) @ u,
        hint=Text(
            "J u has an entry for every output. Take the rows from 1.2, or one pass of torch.func.jvp.",
            "J u 的每个分量对应一个输出。可以用 1.2 的各行，也可以用一次 torch.func.jvp。",
        ),
        mistakes=(
            Mistake(
                "sum of columns",
                Text(
                    "That is the sum of the columns: the direction u is not used.",
                    "这是各列直接相加：没有用到方向 u。",
                ),
                like(lambda right, f, x, u: autograd.jacobian(f, x).sum(1)),
            ),
            Mistake(
                "direction made unit",
                Text(
                    "u was scaled to length 1. It is a velocity: twice as fast gives twice as much.",
                    "u 被归一化了。它是速度：快一倍，变化率也大一倍。",
                ),
                like(lambda right, f, x, u: right / u.norm()),
            ),
            Mistake(
                "moved value",
                Text("That is f(x + u) - f(x), a step and not a rate.", "这是 f(x + u) - f(x)，是增量而不是变化率。"),
                like(lambda right, f, x, u: f(x + u) - f(x)),
            ),
        ),
    ),
    Exercise(
        number="1.5",
        title=Text("A derivative of a derivative", "导数的导数"),
        task=Text(
            "f maps one number x (shape ()) to one number. Return its second derivative at x, shape (), by two backward\n"
            "passes.",
            "f 把一个数 x（形状为 ()）映成一个数。用两次反向传播返回它在 x 处的二阶导数，形状为 ()。",
        ),
        signature="second_derivative(f, x)",
        inputs=_curve_inputs,
        reference=lambda f, x: autograd.hessian(f, x),
        hint=Text(
            "The first derivative must have a graph of its own before it can be differentiated. Try f(x) = x**3 at 2.",
            "一阶导数自己也要有计算图，才能再求导。先用 f(x) = x**3 在 x = 2 处试一试。",
        ),
        mistakes=(
            Mistake(
                "first derivative",
                Text("That is the first derivative.", "这是一阶导数。"),
                like(lambda right, f, x: autograd.jacobian(f, x)),
            ),
            Mistake(
                "square of first",
                Text(
                    "That is the square of the first derivative, not the derivative of it.",
                    "这是一阶导数的平方，不是一阶导数的导数。",
                ),
                like(lambda right, f, x: autograd.jacobian(f, x) ** 2),
            ),
            Mistake(
                "both added",
                Text(
                    "First and second derivative are added up: the second pass wrote into the same `.grad`.",
                    "一阶和二阶导数加在了一起：第二次反向传播写进了同一个 `.grad`。",
                ),
                like(lambda right, f, x: right + autograd.jacobian(f, x)),
            ),
        ),
    ),
)
