"""Exercises of lesson 12: flying."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from diffkin.course.exercise import Exercise, Mistake, Text, close, like
from diffkin.learning.policy import cost, scores

__all__ = ["EXERCISES"]


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _uniform(seed: int, count: int) -> list[float]:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).tolist()


def _motors(seed: int) -> list[tuple[Any, ...]]:
    """At rest and asked for a torque first; the time between commands is never the lag itself."""
    zero, asked = torch.zeros(3, dtype=torch.float64), torch.tensor([0.15, -0.1, 0.05], dtype=torch.float64)
    cases: list[tuple[Any, ...]] = [(zero, asked, 0.04, 0.02)]
    for k, (a, b) in enumerate(zip(_uniform(seed, 3), _uniform(seed + 1, 3), strict=True)):
        cases.append((_draw(seed + 2 + k, 3), _draw(seed + 12 + k, 3), 0.03 + 0.02 * a, 0.005 + 0.02 * b))
    return cases


def _motor(torque: Tensor, command: Tensor, lag: float, dt: float) -> Tensor:
    return command + math.exp(-dt / lag) * (torque - command)


def _paths(seed: int) -> list[tuple[Tensor, Tensor, float]]:
    """Angles and rates of a few flights, longer than half a second."""
    time = torch.arange(31, dtype=torch.float64)[:, None] * 0.04
    first = (2.0 * torch.exp(-2.0 * time) * torch.ones(1, 2, dtype=torch.float64), torch.ones(31, 3, 2).double(), 0.04)
    cases = [first]
    for k, steps in enumerate((40, 30, 60)):
        cases.append(
            (_draw(seed + k, steps + 1, 3 + k).abs(), _draw(seed + 10 + k, steps + 1, 3, 3 + k), 0.05 - 0.01 * k)
        )
    return cases


def _last(dt: float) -> int:
    return round(0.5 / dt)


def _without_square(right: Tensor, angle: Tensor, omega: Tensor, dt: float) -> Tensor:
    return (angle[1:] + 0.01 * omega[1:].norm(dim=1)).mean(0) + angle[-_last(dt) :].mean(0)


def _with_start(right: Tensor, angle: Tensor, omega: Tensor, dt: float) -> Tensor:
    return (angle + 0.01 * omega.square().sum(1)).mean(0) + angle[-_last(dt) :].mean(0)


def _swing(state: Tensor, gains: Tensor, dt: float) -> Tensor:
    """A pendulum that stands on its head, held by a PD controller."""
    angle, rate = state[0], state[1]
    rate = rate + dt * (torch.sin(angle) - gains[0] * angle - gains[1] * rate)
    return torch.stack((angle + dt * rate, rate))


def _one_axis(state: Tensor, gains: Tensor, dt: float) -> Tensor:
    """One axis of an aircraft with a PD controller, its torque through a soft limit."""
    rate = state[1] + dt * 3.0 * torch.tanh((-gains[0] * state[0] - gains[1] * state[1]) / 3.0)
    return torch.stack((state[0] + dt * rate, rate))


def _controllers(seed: int) -> list[tuple[Any, ...]]:
    start, gains = torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([4.0, 1.0], dtype=torch.float64)
    cases: list[tuple[Any, ...]] = [(functools.partial(_one_axis, dt=0.05), start, gains, 20)]
    for k, step in enumerate((_swing, _one_axis, _swing)):
        drawn = gains + 0.3 * _draw(seed + k, 2)
        cases.append((functools.partial(step, dt=0.04 + 0.01 * k), _draw(seed + 10 + k, 2), drawn, 12 + 5 * k))
    return cases


def _gradient(
    step: Callable[..., Tensor],
    state: Tensor,
    gains: Tensor,
    steps: int,
    cut: bool = False,
    end: bool = False,
) -> Tensor:
    """Gradient of the sum of squared angles; with the graph cut before each step, or of the last angle alone."""
    gains = gains.detach().clone().requires_grad_()
    angles = []
    for _ in range(steps):
        state = step(state.detach() if cut else state, gains)
        angles.append(state[0])
    squares = torch.stack(angles[-1:] if end else angles).square().sum()
    return torch.autograd.grad(squares, gains)[0]


def _angles(seed: int) -> list[tuple[Tensor, float, float]]:
    """Angles that fall below the bound, leave once more and come back for good; the last case ends outside."""
    first = torch.tensor([1.0, 0.4, 0.01, 0.1, 0.02, 0.01, 0.0, 0.0], dtype=torch.float64)
    cases = [(first, 0.1, 0.035)]
    for k, (steps, back) in enumerate(((30, 17), (24, 9), (20, 20))):
        angle = 0.03 * torch.rand(steps + 1, generator=torch.Generator().manual_seed(seed + k), dtype=torch.float64)
        early = 3 + int(_uniform(seed + 20 + k, 1)[0] * 3)
        angle[:early] += 0.5
        angle[back - int(_uniform(seed + 30 + k, 1)[0] * 3) if back < steps else back] += 0.2
        cases.append((angle, 0.02 + 0.01 * k, 0.035))
    return cases


def _settling(angle: Tensor, dt: float, bound: float) -> Tensor:
    """By the scores of diffkin, which judge whole batches of flights."""
    still = torch.zeros(len(angle), 3, 1, dtype=angle.dtype)
    found = scores(angle[:, None], still, dt, seconds=dt, bound_deg=math.degrees(bound))
    return torch.tensor(found["settle_mean_s"], dtype=angle.dtype)


def _first_below(right: Tensor, angle: Tensor, dt: float, bound: float) -> Tensor:
    return dt * (angle <= bound).double().argmax()


def _last_outside(right: Tensor, angle: Tensor, dt: float, bound: float) -> Tensor:
    return dt * (angle > bound).nonzero().max()


def _in_steps(value: Any, right: Tensor, angle: Tensor, dt: float, bound: float) -> bool:
    return close(value, right / dt, 1e-8) or close(value, (right / dt).round().long(), 1e-8)


EXERCISES = (
    Exercise(
        number="12.1",
        title=Text("A motor with a lag", "有滞后的电机"),
        task=Text(
            "A motor follows its command by d torque / d t = (command - torque) / lag. torque and command [N m] have shape\n"
            "(3,), lag and dt [s] are numbers; the command is held. Return the torque after dt, exactly, shape (3,).",
            "电机跟随指令的规律是 d torque / d t = (command - torque) / lag。torque 和 command 的形状为 (3,)，单位 N m；\n"
            "lag 和 dt 是数，单位 s；指令保持不变。返回 dt 之后力矩的精确值，形状为 (3,)。",
        ),
        signature="motor_torque(torque, command, lag, dt)",
        inputs=_motors,
        reference=_motor,
        gradient=True,
        hint=Text(
            "The difference between torque and command dies away like exp(-t / lag).",
            "力矩与指令之差按 exp(-t / lag) 衰减。",
        ),
        mistakes=(
            Mistake(
                "one Euler step",
                Text(
                    "That is one step of Euler's method. The equation has an exact answer, with an exponential.",
                    "这是欧拉法走一步。这个方程有精确解，含有指数函数。",
                ),
                like(lambda right, torque, command, lag, dt: torque + dt / lag * (command - torque)),
            ),
            Mistake(
                "command and torque swapped",
                Text(
                    "It decays the wrong way round: for a very short dt the torque must stay where it is.",
                    "衰减反了：dt 很短时，力矩应当几乎不变。",
                ),
                like(lambda right, torque, command, lag, dt: _motor(command, torque, lag, dt)),
            ),
            Mistake(
                "lag and dt swapped",
                Text(
                    "The exponent is upside down: a longer dt must bring the torque nearer to the command.",
                    "指数里的分式颠倒了：dt 越长，力矩应当越接近指令。",
                ),
                like(lambda right, torque, command, lag, dt: _motor(torque, command, dt, lag)),
            ),
            Mistake(
                "no lag",
                Text("The motor obeys at once. Where is the lag?", "电机立刻就照办了。滞后在哪里？"),
                like(lambda right, torque, command, lag, dt: command),
            ),
            Mistake(
                "torque at the start lost",
                Text(
                    "It is right for a motor at rest alone: the torque at the start does not count.",
                    "只对静止的电机成立：没有用到开始时的力矩。",
                ),
                like(lambda right, torque, command, lag, dt: _motor(0 * torque, command, lag, dt)),
            ),
        ),
    ),
    Exercise(
        number="12.2",
        title=Text("The loss of a flight", "飞行的损失"),
        task=Text(
            "angle [rad], shape (steps + 1, n), and omega [rad/s], shape (steps + 1, 3, n), of n flights, the start included.\n"
            "Return the loss of each, shape (n,): the mean over time of angle + 0.01 |omega|^2, the start left out, plus the\n"
            "mean angle over the last round(0.5 / dt) states.",
            "n 次飞行的夹角 angle，形状为 (steps + 1, n)，单位 rad；角速度 omega，形状为 (steps + 1, 3, n)，单位 rad/s；\n"
            "都包含起点。返回每次飞行的损失，形状为 (n,)：angle + 0.01 |omega|^2 对时间的均值（不算起点），再加上最后\n"
            "round(0.5 / dt) 个状态的夹角均值。",
        ),
        signature="flight_loss(angle, omega, dt)",
        inputs=_paths,
        reference=cost,
        hint=Text(
            "Which axis is time, which the three components, which the flights? Only the flights remain.",
            "哪个轴是时间，哪个是三个分量，哪个是各次飞行？最后只剩下各次飞行。",
        ),
        mistakes=(
            Mistake(
                "end not counted again",
                Text(
                    "The last half second is to be counted once more.",
                    "最后半秒还要再算一遍。",
                ),
                like(lambda right, angle, omega, dt: right - angle[-_last(dt) :].mean(0)),
            ),
            Mistake(
                "start included",
                Text(
                    "The start is in the mean. No policy can change it: leave it out.",
                    "均值里包含了起点。起点是任何策略都改变不了的，不要算进去。",
                ),
                like(_with_start),
            ),
            Mistake(
                "rate not squared",
                Text(
                    "The length of omega was taken, not its square.",
                    "用了 omega 的长度，而不是长度的平方。",
                ),
                like(_without_square),
            ),
            Mistake(
                "one number for all",
                Text(
                    "The flights were averaged too. Each one has a loss of its own.",
                    "把各次飞行也平均了。每次飞行应当有自己的损失。",
                ),
                like(lambda right, *_: right.mean()),
            ),
            Mistake(
                "summed over time",
                Text(
                    "The first part is a sum over time. A mean is asked for, so that long and short flights compare.",
                    "第一部分对时间求了和。要的是均值，这样长短不同的飞行才能比较。",
                ),
                like(
                    lambda right, angle, omega, dt: (
                        (right - angle[-_last(dt) :].mean(0)) * (len(angle) - 1) + angle[-_last(dt) :].mean(0)
                    )
                ),
            ),
        ),
    ),
    Exercise(
        number="12.3",
        title=Text("Backpropagation through time", "随时间反向传播"),
        task=Text(
            "step(state, gains) gives the next state (angle, rate), shape (2,). Take that many steps from state\n"
            "with the gains, shape (2,), and add up the squared angles after each step. Return the gradient of that sum to\n"
            "the gains, shape (2,).",
            "step(state, gains) 给出下一个状态（角度、角速度），形状为 (2,)。从 state 出发，用形状为 (2,) 的 gains 走 steps\n"
            "步，把每一步之后角度的平方加起来。返回这个和对 gains 的梯度，形状为 (2,)。",
        ),
        signature="gain_gradient(step, state, gains, steps)",
        inputs=_controllers,
        reference=_gradient,
        hint=Text(
            "Let the graph grow over all steps, sum up, and go back once. Nothing may be detached on the way.",
            "让计算图穿过所有步，求和，然后反向传播一次。途中不能 detach。",
        ),
        mistakes=(
            Mistake(
                "graph cut at each step",
                Text(
                    "The graph is cut between steps: a gain also acts through all the states that come after.",
                    "计算图在各步之间被切断了：增益还会通过之后的所有状态起作用。",
                ),
                like(lambda right, step, state, gains, steps: _gradient(step, state, gains, steps, cut=True)),
            ),
            Mistake(
                "last angle alone",
                Text(
                    "Only the angle after the last step counts in it. The squares after each step are asked for.",
                    "只算了最后一步之后的角度。每一步之后的平方都要算。",
                ),
                like(lambda right, step, state, gains, steps: _gradient(step, state, gains, steps, end=True)),
            ),
            Mistake(
                "mean over the steps",
                Text("That is the gradient of the mean. The sum is asked for.", "这是均值的梯度。要的是和的梯度。"),
                like(lambda right, step, state, gains, steps: right / steps),
            ),
            Mistake(
                "one step less",
                Text(
                    "A step is missing. How many times is step called?",
                    "少走了一步。step 调用了几次？",
                ),
                like(lambda right, step, state, gains, steps: _gradient(step, state, gains, steps - 1)),
            ),
        ),
    ),
    Exercise(
        number="12.4",
        title=Text("Settling time", "调节时间"),
        task=Text(
            "angle [rad], shape (steps + 1,), at the times 0, dt, 2 dt ... of a flight. Return the first of these times [s]\n"
            "from which on the angle is never above bound [rad] again, one number; the last of them if it is above at the end.",
            "angle 是一次飞行在时刻 0、dt、2 dt…… 的夹角，形状为 (steps + 1,)，单位 rad。返回其中最早的一个时刻，从它起\n"
            "夹角不再超过 bound，一个数，单位 s；如果到最后仍然超过，就返回最后的时刻。",
        ),
        signature="settling_time(angle, dt, bound)",
        inputs=_angles,
        reference=_settling,
        hint=Text(
            "Look for the last state above the bound. Settled is the one after it, if there is one.",
            "找最后一个超过界限的状态。它后面的那个（如果有）就是稳定的开始。",
        ),
        mistakes=(
            Mistake(
                "first time below",
                Text(
                    "That is the first time below the bound. The flight leaves it again later.",
                    "这是第一次低于界限的时刻。后来又超出去了。",
                ),
                like(_first_below),
            ),
            Mistake(
                "last time above",
                Text(
                    "That is the last time above the bound. One step later it has settled.",
                    "这是最后一次超过界限的时刻。再过一步才算稳定。",
                ),
                like(_last_outside),
            ),
            Mistake(
                "in steps",
                Text(
                    "That counts steps. Seconds are asked for.",
                    "这是步数。要的是秒。",
                ),
                _in_steps,
            ),
            Mistake(
                "beyond the end",
                Text(
                    "Where the angle is above the bound at the end, the last time is asked for, not one beyond it.",
                    "如果最后仍超过界限，要返回最后的时刻，而不是再往后一步。",
                ),
                like(lambda right, angle, dt, bound: _last_outside(right, angle, dt, bound) + dt),
            ),
        ),
    ),
)
