"""Exercises of lesson 6: redundancy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from diffkin.autograd import jacobian
from diffkin.course.exercise import Exercise, Mistake, Text, like

__all__ = ["EXERCISES"]


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _eye(n: int) -> Tensor:
    return torch.eye(n, dtype=torch.float64)


def _first_jacobian() -> Tensor:
    """A planar arm of three links of 0.5, 0.4 and 0.3 m at (0.4, 0.9, -0.5)."""
    angles = torch.tensor([0.4, 0.9, -0.5], dtype=torch.float64).cumsum(0)
    lengths = torch.tensor([0.5, 0.4, 0.3], dtype=torch.float64)
    links = torch.stack((-lengths * angles.sin(), lengths * angles.cos()))
    return links.flip(1).cumsum(1).flip(1)


def _jacobian_inputs(seed: int) -> list[tuple[Tensor]]:
    """The third one has a row of zeros, as a planar arm has in space: it has lost a rank."""
    lost = _draw(seed + 2, 3, 5)
    lost[1] = 0.0
    return [(_first_jacobian(),), (_draw(seed, 3, 4),), (lost,), (_draw(seed + 1, 6, 7),)]


def _projector(J: Tensor) -> Tensor:
    return _eye(J.shape[1]) - torch.linalg.pinv(J) @ J


def _step_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    first = (
        _first_jacobian(),
        torch.tensor([0.02, -0.01], dtype=torch.float64),
        torch.tensor([0.1, 0.0, -0.1], dtype=torch.float64),
    )
    sizes = ((3, 4), (6, 7), (2, 5))
    drawn = [
        (_draw(seed + k, m, n), _draw(seed + 10 + k, m), _draw(seed + 20 + k, n)) for k, (m, n) in enumerate(sizes)
    ]
    return [first, *drawn]


def _step(J: Tensor, e: Tensor, z: Tensor) -> Tensor:
    return torch.linalg.pinv(J) @ e + _projector(J) @ z


def _hessian_inputs(seed: int) -> list[tuple[Tensor, Tensor]]:
    first = (torch.arange(24, dtype=torch.float64) * 0.7).sin().reshape(2, 3, 4)
    cases = [(_first_jacobian(), first[:, :, :3].contiguous())]
    for k, (m, n) in enumerate(((3, 4), (6, 7), (2, 2))):
        cases.append((_draw(seed + k, m, n), _draw(seed + 10 + k, m, n, n)))
    return cases


def _volume(J: Tensor) -> Tensor:
    return torch.linalg.svdvals(J).prod()


def _volume_gradient(J: Tensor, H: Tensor) -> Tensor:
    return jacobian(lambda step: torch.linalg.det((J + H @ step) @ (J + H @ step).T).sqrt(), J.new_zeros(J.shape[1]))


def _limit_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Stopped by a lower limit; by none; by an upper one, with a joint at rest on its limit; by either."""
    n = 4
    lower, upper = -1.5 * torch.ones(n, dtype=torch.float64), 1.2 * torch.ones(n, dtype=torch.float64)
    first = torch.tensor([0.5, -1.0, 0.0, 1.0], dtype=torch.float64)
    cases = [(first, torch.tensor([0.4, -1.0, 0.3, 0.1], dtype=torch.float64), lower, upper)]
    for k in range(1, 5):
        q = torch.tanh(_draw(seed + k, n))
        dq = _draw(seed + 10 + k, n)
        if k == 1:
            dq = 0.1 * torch.tanh(dq)
        else:
            dq[k % n] = (3.0 + dq[k % n].abs()) * (1 if k % 2 == 0 else -1)
        if k == 2:
            q[0], dq[0] = upper[0], 0.0
        cases.append((q, dq, lower.clone(), upper.clone()))
    return cases


def _fractions(q: Tensor, dq: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """How much of the step each joint could make alone."""
    room = torch.where(dq > 0, upper - q, lower - q)
    return torch.where(dq == 0, torch.inf, room / torch.where(dq == 0, 1.0, dq))


def _fraction(q: Tensor, dq: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    return _fractions(q, dq, lower, upper).min().clamp(max=1.0)


def _planar_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    cases = []
    for k in range(4):
        q = torch.tensor([0.3, 0.8, -0.4], dtype=torch.float64) if k == 0 else 1.2 * torch.tanh(_draw(seed + k, 3))
        if k:
            q[1] = (0.4 + q[1].abs()) * (1 if k % 2 else -1)
        lengths = torch.tensor([0.5, 0.4, 0.3], dtype=torch.float64)
        lengths = lengths if k == 0 else lengths + 0.2 * torch.tanh(_draw(seed + 10 + k, 3)).abs()
        place = _hand(q, lengths)
        cases.append((place[0], place[1], place[2], lengths))
    return cases


def _hand(q: Tensor, lengths: Tensor) -> Tensor:
    """(..., 3): x, y and direction of the hand of a planar arm."""
    angles = q.cumsum(-1)
    return torch.stack(((lengths * angles.cos()).sum(-1), (lengths * angles.sin()).sum(-1), angles[..., -1]), -1)


def _from_wrist(x: Tensor, y: Tensor, phi: Tensor, lengths: Tensor, relative: bool = True) -> Tensor:
    """Both solutions of a two-link arm to (x, y), by the law of cosines, and the third angle to the direction phi."""
    a, b = lengths[0], lengths[1]
    bend = torch.acos(((x * x + y * y - a * a - b * b) / (2 * a * b)).clamp(-1, 1))
    rows = []
    for q2 in (bend, -bend):
        q1 = torch.atan2(y, x) - torch.atan2(b * q2.sin(), a + b * q2.cos())
        rows.append(torch.stack((q1, q2, phi - q1 - q2 if relative else phi)))
    return torch.stack(rows)


def _both(x: Tensor, y: Tensor, phi: Tensor, lengths: Tensor) -> Tensor:
    return _from_wrist(x - lengths[2] * phi.cos(), y - lengths[2] * phi.sin(), phi, lengths)


def _turned_alike(a: Tensor, b: Tensor) -> bool:
    """Whether angles are the same but for whole turns."""
    return bool(torch.polar(torch.ones_like(a), a - b).sub(1).abs().max() < 1e-7)


def _reached(row: Tensor, x: Tensor, y: Tensor, phi: Tensor, lengths: Tensor) -> bool:
    found = _hand(row, lengths)
    near = bool((found[:2] - torch.stack((x, y))).abs().max() < 1e-7)
    return near and _turned_alike(found[2:], phi[None])


def _both_found(value: Any, right: Tensor, x: Tensor, y: Tensor, phi: Tensor, lengths: Tensor) -> bool:
    rows = value.double()
    return all(_reached(row, x, y, phi, lengths) for row in rows) and not _turned_alike(rows[0], rows[1])


def _same_rows(value: Any, right: Tensor, x: Tensor, y: Tensor, phi: Tensor, lengths: Tensor) -> bool:
    return _shaped(value) and _turned_alike(value[0].double(), value[1].double())


def _one_of_two(value: Any, right: Tensor, x: Tensor, y: Tensor, phi: Tensor, lengths: Tensor) -> bool:
    return _shaped(value) and sum(_reached(row.double(), x, y, phi, lengths) for row in value) == 1


def _shaped(value: Any) -> bool:
    return isinstance(value, Tensor) and tuple(value.shape) == (2, 3) and bool(torch.isfinite(value).all())


def _same_set(wrong: Any) -> Any:
    """Recogniser of two rows in either order, whole turns aside."""

    def seen(value: Any, right: Tensor, *case: Tensor) -> bool:
        if not _shaped(value):
            return False
        given, found = value.double(), wrong(*case)
        return any(_turned_alike(given, rows) for rows in (found, found.flip(0)))

    return seen


_TURN = 2 * torch.pi


def _solution_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Lists of solutions, some joints near a limit. What counts: a row that is far away but for whole turns is nearest."""
    cases = []
    for k in range(5):
        n = 6 if k else 2
        draw = torch.rand(
            9, n, generator=torch.Generator().manual_seed(1000 * seed + k if k else 0), dtype=torch.float64
        )
        lower, upper = -4.0 - 1.5 * draw[0], 4.0 + 1.5 * draw[1]
        q0 = torch.where(draw[2] > 0.5, upper - 0.4 * draw[2], lower + 0.8 * draw[2])
        solutions = _TURN * (draw[3:] - 0.5)
        near = q0 + 0.3 * (draw[4] - 0.5)  # this one, a turn away: within limits in some joints, outside in others
        solutions[1] = torch.remainder(near + torch.pi, _TURN) - torch.pi
        solutions[2] = torch.where(draw[5] > 0.5, solutions[1], solutions[2])
        cases.append((solutions, q0, lower, upper))
    return cases


def _turned(solutions: Tensor, q0: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """(n, dof) the whole turns of each row nearest to q0 within limits, and their squared distances (n,)."""
    every = solutions[..., None] + _TURN * torch.arange(-3, 4)
    inside = (every >= lower[:, None]) & (every <= upper[:, None])
    away, at = torch.where(inside, (every - q0[:, None]) ** 2, torch.inf).min(-1)
    return every.gather(-1, at[..., None])[..., 0], away.sum(-1)


def _nearest(solutions: Tensor, q0: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    turned, away = _turned(solutions, q0, lower, upper)
    return turned[away.argmin()]


def _boundless(solutions: Tensor, q0: Tensor) -> Tensor:
    """The nearest where there are no limits."""
    turned = solutions + _TURN * torch.round((q0 - solutions) / _TURN)
    return turned[(turned - q0).norm(dim=-1).argmin()]


def _closest_row(solutions: Tensor, q0: Tensor) -> Tensor:
    return (solutions - q0).norm(dim=-1).argmin()


EXERCISES = (
    Exercise(
        number="6.1",
        title=Text("The null space projector", "零空间投影矩阵"),
        task=Text(
            "J is a Jacobian, shape (m, n), which may have lost a rank. Return the matrix, shape (n, n), that takes a joint\n"
            "velocity to the nearest one that does not move the hand.",
            "J 是雅可比矩阵，形状为 (m, n)，可能降秩。返回形状为 (n, n) 的矩阵：它把任意关节速度变成与之最近的、不让手动的\n"
            "关节速度。",
        ),
        signature="null_space_projector(J)",
        inputs=_jacobian_inputs,
        reference=_projector,
        hint=Text(
            "Call it N. Check J N = 0 and N N = N, and what N does to a vector of the null space.",
            "记作 N。检查 J N = 0 和 N N = N，再看 N 作用在零空间的向量上得到什么。",
        ),
        mistakes=(
            Mistake(
                "row space",
                Text(
                    "That is the part which does move the hand. The rest is wanted.",
                    "这是会让手动的那一部分。要的是其余部分。",
                ),
                like(lambda right, J: torch.linalg.pinv(J) @ J),
            ),
            Mistake(
                "transpose instead of inverse",
                Text(
                    "The transpose of J stands where the pseudo-inverse should: it is no projector.",
                    "该用伪逆的地方用了 J 的转置：这不是投影。",
                ),
                like(lambda right, J: _eye(J.shape[1]) - J.T @ J),
            ),
            Mistake(
                "space of the hand",
                Text(
                    "J and its pseudo-inverse are multiplied in the wrong order: that acts on velocities of the hand.",
                    "J 与伪逆乘的次序反了：那是作用在手的速度上的。",
                ),
                like(lambda right, J: _eye(J.shape[0]) - J @ torch.linalg.pinv(J)),
            ),
            Mistake(
                "nothing left",
                Text(
                    "Nothing is left: it makes every joint velocity zero.", "什么都没有剩下：任何关节速度都变成了零。"
                ),
                like(lambda right, J: torch.zeros_like(right)),
            ),
        ),
    ),
    Exercise(
        number="6.2",
        title=Text("A step with two wishes", "同时满足两个愿望的一步"),
        task=Text(
            "J: Jacobian, shape (m, n); e: what the hand shall move, shape (m,); z: what the joints would like to move, shape\n"
            "(n,). Return the step, shape (n,): the hand moves by e exactly, and the joints do as much of z as that\n"
            "leaves free.",
            "J：雅可比矩阵，形状为 (m, n)；e：手应当移动的量，形状为 (m,)；z：关节希望移动的量，形状为 (n,)。\n"
            "返回这一步，形状为 (n,)：手正好移动 e，关节在此之外尽量按 z 走。",
        ),
        signature="redundant_step(J, e, z)",
        inputs=_step_inputs,
        reference=_step,
        hint=Text(
            "Check first that J times your step is e, for any z. Then: what becomes of a z that does not move the hand?",
            "先检查：不论 z 是什么，J 乘以这一步都等于 e。再看：不让手动的 z，有没有原样保留？",
        ),
        mistakes=(
            Mistake(
                "wish not projected",
                Text(
                    "z was added as it is, and pushes the hand off its way.",
                    "z 原封不动地加了上去，把手推离了该走的路。",
                ),
                like(lambda right, J, e, z: torch.linalg.pinv(J) @ e + z),
            ),
            Mistake(
                "wish left out",
                Text("The wish of the joints is left out.", "没有理会关节的愿望。"),
                like(lambda right, J, e, z: torch.linalg.pinv(J) @ e),
            ),
            Mistake(
                "hand left out",
                Text("The hand does not move: e is left out.", "手没有动：没有用到 e。"),
                like(lambda right, J, e, z: _projector(J) @ z),
            ),
            Mistake(
                "wish turned round",
                Text("The joints go against their wish.", "关节的走法与愿望相反。"),
                like(lambda right, J, e, z: torch.linalg.pinv(J) @ e - _projector(J) @ z),
            ),
            Mistake(
                "transpose instead of inverse",
                Text(
                    "The transpose of J stands where the pseudo-inverse should: the hand does not move by e.",
                    "该用伪逆的地方用了 J 的转置：手移动的不是 e。",
                ),
                like(lambda right, J, e, z: J.T @ e + _projector(J) @ z),
            ),
        ),
    ),
    Exercise(
        number="6.3",
        title=Text("The gradient of the manipulability", "可操作度的梯度"),
        task=Text(
            "J: Jacobian, shape (m, n), of full rank; H: its derivatives, shape (m, n, n), H[r, j, k] = dJ[r, j] / dq[k].\n"
            "Return the gradient of the manipulability sqrt(det(J J^T)) to q, shape (n,), without autograd.",
            "J：雅可比矩阵，形状为 (m, n)，满秩；H：它的导数，形状为 (m, n, n)，H[r, j, k] = dJ[r, j] / dq[k]。\n"
            "返回可操作度 sqrt(det(J J^T)) 对 q 的梯度，形状为 (n,)，不用自动求导。",
        ),
        signature="manipulability_gradient(J, H)",
        inputs=_hessian_inputs,
        reference=_volume_gradient,
        tolerance=1e-7,
        hint=Text(
            "For each k: the trace of the pseudo-inverse times the slice dJ/dq[k]. Which factor stands before it?",
            "对每个 k：伪逆乘以切片 dJ/dq[k]，再求迹。前面还有一个什么因子？",
        ),
        mistakes=(
            Mistake(
                "gradient of the logarithm",
                Text(
                    "The factor before the trace is missing: that is the gradient of the logarithm.",
                    "少了迹前面的因子：这是对数的梯度。",
                ),
                like(lambda right, J, H: right / _volume(J), 1e-7),
            ),
            Mistake(
                "gradient of the square",
                Text(
                    "That is the gradient of det(J J^T), the square of the manipulability.",
                    "这是 det(J J^T) 的梯度，即可操作度平方的梯度。",
                ),
                like(lambda right, J, H: 2 * _volume(J) * right, 1e-7),
            ),
            Mistake(
                "indices of H swapped",
                Text(
                    "The last two indices of H are mixed up: j is the column of J, k says by which joint it is differentiated.",
                    "H 的后两个下标弄混了：j 是 J 的列，k 表示对哪个关节求导。",
                ),
                like(
                    lambda right, J, H: _volume(J) * torch.einsum("jr,rkj->k", torch.linalg.pinv(J), H),
                    1e-7,
                ),
            ),
            Mistake(
                "transpose instead of inverse",
                Text(
                    "The transpose of J stands where the pseudo-inverse should.",
                    "该用伪逆的地方用了 J 的转置。",
                ),
                like(lambda right, J, H: _volume(J) * torch.einsum("rj,rjk->k", J, H), 1e-7),
            ),
        ),
    ),
    Exercise(
        number="6.4",
        title=Text("How far to the limit?", "离限位还有多远？"),
        task=Text(
            "q lies within lower and upper, all of shape (n,). Return the largest number s from 0 to 1 for which\n"
            "q + s * dq is within them too. A joint whose dq is zero never stops the others.",
            "q 在 lower 与 upper 之间，形状都是 (n,)。返回 0 到 1 之间最大的数 s，使 q + s * dq 也在其间。\n"
            "dq 为零的关节不会拦住别的关节。",
        ),
        signature="allowed_fraction(q, dq, lower, upper)",
        inputs=_limit_inputs,
        reference=_fraction,
        hint=Text(
            "Ask each joint alone: which of its two limits does it go towards, and how much of its step is there room for?",
            "逐个关节来看：它朝哪一侧的限位走？到那里为止，这一步能走几分之几？",
        ),
        mistakes=(
            Mistake(
                "more than the whole step",
                Text("It may be more than 1: a step is never made longer.", "结果可能大于 1：步子不会被加长。"),
                like(lambda right, *case: _fractions(*case).min()),
            ),
            Mistake(
                "upper limits alone",
                Text("Joints that go down are not stopped.", "往负方向走的关节没有被拦住。"),
                like(
                    lambda right, q, dq, lower, upper: _fraction(q, dq, torch.full_like(lower, -torch.inf), upper),
                ),
            ),
            Mistake(
                "lower limits alone",
                Text("Joints that go up are not stopped.", "往正方向走的关节没有被拦住。"),
                like(
                    lambda right, q, dq, lower, upper: _fraction(q, dq, lower, torch.full_like(upper, torch.inf)),
                ),
            ),
            Mistake(
                "one for each joint",
                Text(
                    "A number for each joint changes the direction of the step. One number for all is wanted.",
                    "每个关节一个数，步子的方向就变了。要的是所有关节共用的一个数。",
                ),
                like(lambda right, *case: _fractions(*case).clamp(max=1.0)),
            ),
            Mistake(
                "all or nothing",
                Text("It makes the whole step or none.", "要么整步都走，要么一点不走。"),
                like(lambda right, *_: (right >= 1).double()),
            ),
        ),
    ),
    Exercise(
        number="6.5",
        title=Text("Both solutions of a planar arm", "平面机械臂的两个解"),
        task=Text(
            "A planar arm has three links, lengths of shape (3,) [m]. Its hand shall be at x, y [m] and point in the\n"
            "direction phi [rad], each one number. Return both solutions, shape (2, 3), joint angles as in exercise 2.1,\n"
            "in either order.",
            "平面机械臂有三根连杆，lengths 的形状为 (3,)，单位 m。末端要到 x、y（单位 m），并指向 phi（单位 rad），\n"
            "各是一个数。返回两个解，形状为 (2, 3)，关节角的含义同练习 2.1，次序不限。",
        ),
        signature="both_solutions(x, y, phi, lengths)",
        inputs=_planar_inputs,
        reference=_both,
        accept=_both_found,
        hint=Text(
            "Where is the third joint? It is known without any search. Then a triangle with three known sides is left.",
            "第三个关节在哪里？不用搜索就能知道。剩下的是一个三边已知的三角形。",
        ),
        mistakes=(
            Mistake(
                "direction of the third link",
                Text(
                    "The third angle is the direction of the hand itself. A joint angle counts from the link before.",
                    "第三个角取成了末端的方向本身。关节角是从前一根连杆量起的。",
                ),
                _same_set(
                    lambda x, y, phi, lengths: _from_wrist(
                        x - lengths[2] * phi.cos(), y - lengths[2] * phi.sin(), phi, lengths, relative=False
                    )
                ),
            ),
            Mistake(
                "third link forgotten",
                Text(
                    "The first two links reach to x, y themselves: the third one is left out.",
                    "前两根连杆自己就伸到了 x、y：漏掉了第三根。",
                ),
                _same_set(_from_wrist),
            ),
            Mistake(
                "third link added",
                Text(
                    "The third joint was looked for beyond the hand. It lies behind it.",
                    "把第三个关节放到末端前面去了。它在末端后面。",
                ),
                _same_set(
                    lambda x, y, phi, lengths: _from_wrist(
                        x + lengths[2] * phi.cos(), y + lengths[2] * phi.sin(), phi, lengths
                    )
                ),
            ),
            Mistake(
                "same solution twice",
                Text("Both rows are the same solution, whole turns aside.", "两行是同一个解，最多只差整圈。"),
                _same_rows,
            ),
            Mistake(
                "one of two",
                Text(
                    "One row is a solution and the other is not. When the elbow flips, which of the other angles change?",
                    "一行是解，另一行不是。肘部翻过去以后，另外哪些角也要变？",
                ),
                _one_of_two,
            ),
        ),
    ),
    Exercise(
        number="6.6",
        title=Text("The nearest of all solutions", "所有解中最近的一个"),
        task=Text(
            "solutions: all solutions of a pose, shape (k, n), angles from -pi to pi. Adding whole turns, 2 pi, to any of its\n"
            "angles makes another solution. q0, lower and upper have shape (n,), q0 lies within the limits. Return the\n"
            "solution, shape (n,), that is nearest to q0 (the length of the difference) of all those within the limits.",
            "solutions：一个位姿的全部解，形状为 (k, n)，角度在 -pi 到 pi 之间。任何一个角加上整圈（2 pi）就是另一个解。\n"
            "q0、lower、upper 的形状为 (n,)，q0 在限位之内。返回限位之内离 q0 最近的解（差的长度最小），形状为 (n,)。",
        ),
        signature="nearest_solution(solutions, q0, lower, upper)",
        inputs=_solution_inputs,
        reference=_nearest,
        hint=Text(
            "Every joint of a row may choose its turn alone, but only among turns within its limits. When do you choose the\n"
            "row: before that, or after?",
            "每一行里，各关节可以分别选自己的圈数，但只能选限位之内的。选哪一行，应当在这之前还是之后？",
        ),
        mistakes=(
            Mistake(
                "no whole turns",
                Text(
                    "It is the nearest row of the list as it stands. A whole turn more or less could bring another nearer.",
                    "这是表里现成的最近一行。多转或少转一圈，可能有更近的。",
                ),
                like(lambda right, solutions, q0, *_: solutions[_closest_row(solutions, q0)]),
            ),
            Mistake(
                "limits ignored",
                Text(
                    "Turns were chosen without looking at the limits: some joints are outside.",
                    "选圈数时没有看限位：有的关节超出去了。",
                ),
                like(lambda right, solutions, q0, *_: _boundless(solutions, q0)),
            ),
            Mistake(
                "clamped",
                Text(
                    "It was clamped to the limits: that is no whole turn, and no solution any more.",
                    "按限位截断了：转的不再是整圈，也就不再是解。",
                ),
                like(lambda right, solutions, q0, lower, upper: _boundless(solutions, q0).clamp(lower, upper)),
            ),
            Mistake(
                "row chosen first",
                Text(
                    "The row was chosen before its joints were turned. Which row would be nearest afterwards?",
                    "先选了行，再去转各关节。转完以后，最近的会是哪一行？",
                ),
                like(
                    lambda right, solutions, q0, lower, upper: _turned(solutions, q0, lower, upper)[0][
                        _closest_row(solutions, q0)
                    ]
                ),
            ),
        ),
    ),
)
