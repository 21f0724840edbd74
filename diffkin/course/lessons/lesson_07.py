"""Exercises of lesson 7: aircraft attitude."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from diffkin import aircraft, rotations
from diffkin.course.exercise import Exercise, Mistake, Text, like

__all__ = ["EXERCISES"]


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _tensor(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def _rate_inputs(seed: int) -> list[tuple[Tensor, Tensor]]:
    """The level turn of the lesson first; the others up to 60 degrees in pitch, off the pole."""
    scale = _tensor(1.0, 0.35, 0.8)
    drawn = [(scale * _draw(seed + k, 3).clamp(-3.0, 3.0), _draw(seed + 10 + k, 3)) for k in range(3)]
    return [(_tensor(0.0, 0.0, 1.0), _tensor(0.0, 0.18, 0.1)), *drawn]


def _rates(angles: Tensor, omega: Tensor) -> Tensor:
    return rotations.euler_rate_matrix(angles, "ZYX") @ omega


def _point_inputs(seed: int) -> list[tuple[Tensor, Tensor]]:
    first = rotations.euler_to_matrix(_tensor(0.5, 0.1, 0.4), "ZYX")
    return [
        (first, _tensor(-0.1, 1.45, -0.1)),
        *((R, _draw(seed + k, 3)) for k, R in enumerate(rotations.random_rotation(3, seed=seed))),
    ]


def _place_inputs(seed: int) -> list[tuple[Tensor, Tensor]]:
    """The sample straight ahead to the north-east and below; the others all round, one of them above and behind."""
    cases = [(_tensor(0.0, 0.0, -100.0), _tensor(200.0, 100.0, 0.0))]
    for k, toward in enumerate((_tensor(-1.0, 0.6, -0.4), _tensor(-0.7, -1.0, 0.5), _tensor(0.4, -1.0, -0.8))):
        position = 50.0 * _draw(seed + k, 3)
        cases.append((position, position + 100.0 * toward + 10.0 * _draw(seed + 20 + k, 3)))
    return cases


def _aim(position: Tensor, target: Tensor) -> Tensor:
    return torch.stack(aircraft.direction_to_azimuth_elevation(target - position))


def _aim_like(north: float, down: float, swap: bool = False) -> Callable[..., bool]:
    def wrong(right: Tensor, position: Tensor, target: Tensor) -> Tensor:
        toward = (target - position) * _tensor(north, 1.0, down)
        return _aim(torch.zeros_like(toward), toward[[1, 0, 2]] if swap else toward)

    return like(wrong)


def _direction_inputs(seed: int) -> list[tuple[Tensor, ...]]:
    """Two directions of no special length; the second is measured a little wrong, so that it matters which is trusted."""
    attitudes = [rotations.euler_to_matrix(_tensor(0.5, 0.1, 0.4), "ZYX"), *rotations.random_rotation(3, seed=seed)]
    cases: list[tuple[Tensor, ...]] = []
    for k, R in enumerate(attitudes):
        first, second = (_tensor(0.8, -0.3, -0.5), _tensor(0.5, 0.1, 0.85)) if k == 0 else _draw(seed + k, 2, 3)
        off = rotations.rotvec_to_matrix(_tensor(0.05, -0.04, 0.03) if k == 0 else 0.05 * _draw(seed + 30 + k, 3))
        cases.append((R.T @ first, R.T @ off @ second, first, second))
    return cases


def _rough(first: Tensor, second: Tensor) -> Tensor:
    """Axes of two directions and their product, neither made perpendicular nor of unit length."""
    return torch.stack((first, second, torch.linalg.cross(first, second)), -1)


def _no_axes(right: Tensor, *directions: Tensor) -> Tensor:
    first_body, second_body, first_ned, second_ned = (d / d.norm() for d in directions)
    return _rough(first_ned, second_ned) @ torch.linalg.inv(_rough(first_body, second_body))


def _spin_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Inertia of an aircraft first, with the product of inertia that its tail gives it; then others that bodies can have."""
    sample = torch.tensor([[0.8, 0.0, -0.1], [0.0, 1.1, 0.0], [-0.1, 0.0, 1.8]], dtype=torch.float64)
    cases = [(_tensor(0.5, -0.2, 0.3), sample, _tensor(1.0, 0.0, 0.5))]
    for k, R in enumerate(rotations.random_rotation(3, seed=seed)):
        a, b = 1.0 + 0.2 * k, 1.5 + 0.1 * k
        moments = torch.diag(_tensor(a, b, 0.8 * (a + b)))
        inertia = R @ moments @ R.T
        cases.append((_draw(seed + k, 3), (inertia + inertia.T) / 2, _draw(seed + 40 + k, 3)))
    return cases


def _gyroscopic(omega: Tensor, inertia: Tensor) -> Tensor:
    return rotations.hat(omega) @ inertia @ omega


def _acceleration(omega: Tensor, inertia: Tensor, torque: Tensor) -> Tensor:
    return torch.linalg.solve(aircraft.check_inertia(inertia), torque - _gyroscopic(omega, inertia))


EXERCISES = (
    Exercise(
        number="7.1",
        title=Text("From a gyroscope to Euler rates", "由陀螺仪求欧拉角速率"),
        task=Text(
            "angles = (yaw, pitch, roll) of the sequence ZYX [rad], shape (3,); omega is the angular velocity about the axes\n"
            "forward, right and down of the body [rad/s], shape (3,). Return the rates of (yaw, pitch, roll), shape (3,).",
            "angles 依次是偏航、俯仰、滚转（ZYX 顺序），形状为 (3,)，单位 rad；omega 是绕机体前、右、下三根轴的角速度，\n"
            "形状为 (3,)，单位 rad/s。返回偏航、俯仰、滚转的变化率，形状为 (3,)。",
        ),
        signature="euler_rates(angles, omega)",
        inputs=_rate_inputs,
        reference=_rates,
        gradient=True,
        hint=Text(
            "Write omega as a sum: roll rate about the nose, pitch rate about the y axis before the roll, yaw rate about the "
            "vertical, all in body axes. Then solve for the three rates.",
            "把 omega 写成三项之和：滚转率绕机头，俯仰率绕滚转之前的 y 轴，偏航率绕竖直轴，都在机体坐标下表示；"
            "再解出三个变化率。",
        ),
        mistakes=(
            Mistake(
                "gyroscope taken for Euler rates",
                Text(
                    "The numbers of the gyroscope came back as they were. Only at pitch and roll zero is that right.",
                    "陀螺仪的读数原样返回了。只有俯仰和滚转都为零时才对。",
                ),
                lambda value, right, angles, omega: (
                    like(lambda *_: omega)(value, right) or like(lambda *_: omega.flip(0))(value, right)
                ),
            ),
            Mistake(
                "rates to omega",
                Text(
                    "That is the matrix the other way: from Euler rates to omega.",
                    "矩阵用反了：那是由欧拉角速率求 omega。",
                ),
                like(lambda right, angles, omega: rotations.body_rate_matrix(angles, "ZYX") @ omega),
            ),
            Mistake(
                "order of the rates",
                Text(
                    "The rates are right, in the order roll, pitch, yaw. Yaw is asked for first.",
                    "三个数都对，但顺序是滚转、俯仰、偏航。题目要求偏航在前。",
                ),
                like(lambda right, *_: right.flip(0)),
            ),
            Mistake(
                "omega in NED axes",
                Text(
                    "omega was taken as if it were in NED axes. A gyroscope turns along: its axes are the body's.",
                    "把 omega 当成了北东地坐标下的量。陀螺仪跟着机体一起转，它的轴就是机体的轴。",
                ),
                like(
                    lambda right, angles, omega: _rates(angles, rotations.euler_to_matrix(angles, "ZYX").T @ omega),
                ),
            ),
            Mistake(
                "Euler angles in degrees",
                Text(
                    "The angles were taken as degrees. They are radians already.", "把角当成了角度制。它们已经是弧度。"
                ),
                like(lambda right, angles, omega: _rates(torch.deg2rad(angles), omega)),
            ),
        ),
    ),
    Exercise(
        number="7.2",
        title=Text("The Jacobian of a wing tip", "翼尖的雅可比矩阵"),
        task=Text(
            "R, shape (3, 3), is the attitude, body to NED; p, shape (3,), a point in body axes [m]. The body turns by a\n"
            "small rotation vector t about its own axes: the attitude becomes R exp(hat t). Return the derivative of the\n"
            "point's place in NED axes to t, at t = 0, shape (3, 3).",
            "R 是姿态（机体到北东地），形状为 (3, 3)；p 是机体坐标下的一点，形状为 (3,)，单位 m。机体绕自身各轴转一个\n"
            "小旋转向量 t，姿态变为 R exp(hat t)。返回该点在北东地坐标下的位置在 t = 0 处对 t 的导数，形状为 (3, 3)。",
        ),
        signature="point_jacobian(R, p)",
        inputs=_point_inputs,
        reference=lambda R, p: -R @ rotations.hat(p),
        hint=Text(
            "For a small t the point moves by R (t x p). Which matrix times t is that? Mind that t x p = -p x t.",
            "t 很小时，该点的位移是 R (t x p)。它等于哪个矩阵乘以 t？注意 t x p = -p x t。",
        ),
        mistakes=(
            Mistake(
                "in body axes",
                Text(
                    "That is the motion in body axes. The place is asked for in NED axes.",
                    "这是机体坐标下的运动。要的是北东地坐标下的。",
                ),
                like(lambda right, R, p: -rotations.hat(p)),
            ),
            Mistake(
                "turned about NED axes",
                Text(
                    "That is the derivative to a turn about the axes of NED. Here t multiplies on the right of R.",
                    "这是对绕北东地各轴转动的导数。这里 t 乘在 R 的右边。",
                ),
                like(lambda right, R, p: -rotations.hat(R @ p)),
            ),
            Mistake(
                "multiplied the other way",
                Text(
                    "The two matrices are in the wrong order: first t x p in body axes, then R.",
                    "两个矩阵的次序反了：先在机体坐标下算 t x p，再乘 R。",
                ),
                like(lambda right, R, p: -rotations.hat(p) @ R),
            ),
            Mistake(
                "R turned round",
                Text("R was transposed: it goes from body axes to NED.", "R 被转置了：它是从机体到北东地的。"),
                like(lambda right, R, p: -R.T @ rotations.hat(p)),
            ),
        ),
    ),
    Exercise(
        number="7.3",
        title=Text("Aim the nose", "让机头对准目标"),
        task=Text(
            "position and target are places in NED axes [m], shape (3,). Return (yaw, pitch) [rad], shape (2,), with which\n"
            "the nose points from position to target: yaw from north to east, in (-pi, pi], pitch positive with the nose up.",
            "position 和 target 是北东地坐标下的位置，形状为 (3,)，单位 m。返回偏航和俯仰，形状为 (2,)，单位 rad，\n"
            "使机头从 position 指向 target：偏航由北向东为正，范围 (-pi, pi]；俯仰以抬头为正。",
        ),
        signature="aim_nose(position, target)",
        inputs=_place_inputs,
        reference=_aim,
        gradient=True,
        hint=Text(
            "yaw = atan2(east, north), pitch from what is left: up over the distance along the ground.",
            "偏航由 atan2 求，先东后北；俯仰由剩下的求：向上的分量比水平距离。",
        ),
        mistakes=(
            Mistake(
                "down taken for up",
                Text(
                    "The pitch has the wrong sign: the third axis of NED goes down.",
                    "俯仰的符号反了：北东地的第三根轴朝下。",
                ),
                _aim_like(1.0, -1.0),
            ),
            Mistake(
                "yaw from the east",
                Text(
                    "The yaw is counted from the east, as in a mathematics book. Here it is counted from the north.",
                    "偏航是从东算起的，像数学课本那样。这里从北算起。",
                ),
                _aim_like(1.0, 1.0, swap=True),
            ),
            Mistake(
                "from the target",
                Text("That looks from the target to the aircraft.", "方向反了：这是从目标看飞机。"),
                like(lambda right, position, target: _aim(target, position)),
            ),
            Mistake(
                "half of the compass",
                Text(
                    "Behind the aircraft it is half a turn off: a quotient forgets both signs. Use atan2.",
                    "目标在后方时差了半圈：相除会丢掉正负号。请用 atan2。",
                ),
                like(
                    lambda right, position, target: torch.stack(
                        (torch.atan((target - position)[1] / (target - position)[0]), right[1])
                    )
                ),
            ),
        ),
    ),
    Exercise(
        number="7.4",
        title=Text("Attitude from two directions", "由两个方向求姿态"),
        task=Text(
            "first_body and second_body are directions measured in body axes, first_ned and second_ned the same in NED axes,\n"
            "shape (3,) each, of any length. Return the attitude R, body to NED, shape (3, 3), that carries the first one\n"
            "exactly onto its partner and the second one as nearly as possible.",
            "first_body、second_body 是机体坐标下测得的方向，first_ned、second_ned 是它们在北东地坐标下的方向，\n"
            "形状都是 (3,)，长度任意。返回姿态 R（机体到北东地），形状为 (3, 3)：第一个方向必须精确对上，第二个尽量接近。",
        ),
        signature="triad(first_body, second_body, first_ned, second_ned)",
        inputs=_direction_inputs,
        reference=aircraft.triad,
        hint=Text(
            "In each world: one axis along the first, one across both, one across these two. Is what you return orthogonal?",
            "在每套坐标里：一根轴沿第一个方向，一根垂直于两个方向，一根垂直于前两根。你返回的矩阵是正交的吗？",
        ),
        mistakes=(
            Mistake(
                "NED to body",
                Text("That is the transpose: from NED to body.", "这是转置：从北东地到机体。"),
                like(lambda right, *_: right.T),
            ),
            Mistake(
                "second one trusted",
                Text(
                    "The second direction is met exactly and the first is not. The first one is to be trusted.",
                    "精确对上的是第二个方向，而不是第一个。应当相信第一个。",
                ),
                like(lambda right, a, b, c, d: aircraft.triad(b, a, d, c)),
            ),
            Mistake(
                "both trusted alike",
                Text(
                    "The error is shared between both directions. Here the first one is to be met exactly.",
                    "误差被两个方向平分了。这里第一个方向必须精确对上。",
                ),
                like(
                    lambda right, a, b, c, d: aircraft.solve_wahba(torch.stack((a, b)), torch.stack((c, d))),
                    1e-7,
                ),
            ),
            Mistake(
                "axes not perpendicular",
                Text(
                    "It is no rotation. The measured directions do not have the exact angle between them: make perpendicular "
                    "axes of unit length first.",
                    "结果不是旋转。两个测得的方向之间的夹角并不准确：请先做成互相垂直的单位轴。",
                ),
                like(_no_axes, 1e-7),
            ),
        ),
    ),
    Exercise(
        number="7.5",
        title=Text("Euler's equation", "欧拉方程"),
        task=Text(
            "omega [rad/s], shape (3,), inertia [kg m^2], shape (3, 3), and torque [N m], shape (3,), all in body axes.\n"
            "Return the rate of omega [rad/s^2], shape (3,).",
            "omega 是角速度，形状为 (3,)，单位 rad/s；inertia 是惯量矩阵，形状为 (3, 3)，单位 kg m^2；torque 是力矩，\n"
            "形状为 (3,)，单位 N m；都在机体坐标下。返回 omega 的变化率，形状为 (3,)，单位 rad/s^2。",
        ),
        signature="angular_acceleration(omega, inertia, torque)",
        inputs=_spin_inputs,
        reference=_acceleration,
        hint=Text(
            "I domega/dt = torque - omega x (I omega). The inertia may have entries off the diagonal.",
            "I domega/dt = torque - omega x (I omega)。惯量矩阵的非对角元不一定是零。",
        ),
        mistakes=(
            Mistake(
                "gyroscopic torque missing",
                Text(
                    "The gyroscopic torque is missing: without it a free body would never tumble.",
                    "少了陀螺力矩：没有它，自由物体就不会翻滚。",
                ),
                like(lambda right, omega, inertia, torque: torch.linalg.solve(inertia, torque)),
            ),
            Mistake(
                "gyroscopic torque added",
                Text(
                    "The gyroscopic torque has the wrong sign.",
                    "陀螺力矩的符号反了。",
                ),
                like(
                    lambda right, omega, inertia, torque: torch.linalg.solve(
                        inertia, torque + _gyroscopic(omega, inertia)
                    )
                ),
            ),
            Mistake(
                "not divided by the inertia",
                Text(
                    "That is a torque. An acceleration is asked for: solve with the inertia.",
                    "这还是力矩。要的是角加速度：还要用惯量矩阵解方程。",
                ),
                like(lambda right, omega, inertia, torque: torque - _gyroscopic(omega, inertia)),
            ),
            Mistake(
                "diagonal alone",
                Text(
                    "Only the diagonal of the inertia was used. The other entries couple the axes.",
                    "只用了惯量矩阵的对角线。其余的元素使各轴互相耦合。",
                ),
                like(
                    lambda right, omega, inertia, torque: (
                        (torque - _gyroscopic(omega, torch.diag(inertia.diagonal()))) / inertia.diagonal()
                    )
                ),
            ),
        ),
    ),
)
