"""Exercises of lesson 4: a KUKA from its URDF."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from diffkin import rotations, transforms
from diffkin.autograd import jacobian
from diffkin.course.exercise import Exercise, Mistake, Text, like

__all__ = ["EXERCISES"]

_Z = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _fixed(xyz: Tensor, rpy: Tensor) -> Tensor:
    return transforms.pose(rotations.euler_to_matrix(rpy, "xyz"), xyz)


def _turn(axis: Tensor, angle: Tensor) -> Tensor:
    return transforms.pose(rotations.rotvec_to_matrix(angle * axis), torch.zeros(3, dtype=torch.float64))


def _joint_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """The second joint of the KUKA first; then origins and axes of every direction."""
    first = (
        torch.tensor([0.0, 0.0, 0.2025], dtype=torch.float64),
        torch.tensor([math.pi / 2, 0.0, math.pi], dtype=torch.float64),
        _Z.clone(),
        torch.tensor(0.6, dtype=torch.float64),
    )
    drawn = []
    for k in range(3):
        axis = _draw(seed + 20 + k, 3)
        drawn.append(
            (0.3 * _draw(seed + k, 3), _draw(seed + 10 + k, 3), axis / axis.norm(), _draw(seed + 30 + k, 1)[0])
        )
    return [first, *drawn]


def _joint_pose(xyz: Tensor, rpy: Tensor, axis: Tensor, angle: Tensor) -> Tensor:
    return _fixed(xyz, rpy) @ _turn(axis, angle)


def _moving_axes(right: Tensor, xyz: Tensor, rpy: Tensor, axis: Tensor, angle: Tensor) -> Tensor:
    return transforms.pose(rotations.euler_to_matrix(rpy, "XYZ"), xyz) @ _turn(axis, angle)


def _chain_inputs(seed: int) -> list[tuple[list[Tensor], Tensor]]:
    """(origins, q): the first three joints of the KUKA and a tip, then chains of two to four joints."""
    half = math.pi / 2
    rows = (
        ((0.0, 0.0, 0.1575), (0.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.2025), (half, 0.0, math.pi)),
        ((0.0, 0.2045, 0.0), (half, 0.0, math.pi)),
        ((0.0, 0.0, 0.2155), (half, 0.0, 0.0)),
    )
    first = [
        _fixed(torch.tensor(xyz, dtype=torch.float64), torch.tensor(rpy, dtype=torch.float64)) for xyz, rpy in rows
    ]
    chains = [(first, torch.tensor([0.4, 0.6, -0.3], dtype=torch.float64))]
    for k, n in enumerate((2, 4, 3)):
        origins = [_fixed(0.4 * _draw(seed + 50 * k + i, 3), _draw(seed + 50 * k + 20 + i, 3)) for i in range(n + 1)]
        chains.append((origins, _draw(seed + 50 * k + 40, n)))
    return chains


def _forward(origins: list[Tensor], q: Tensor) -> Tensor:
    T = torch.eye(4, dtype=torch.float64)
    for origin, angle in zip(origins, q):
        T = T @ origin @ _turn(_Z, angle)
    return T @ origins[-1]


def _jacobian(origins: list[Tensor], q: Tensor) -> Tensor:
    """Differentiated: the place, and the rotation by the derivative of its entries, dR R^T."""
    R = _forward(origins, q)[:3, :3]
    linear = jacobian(lambda q: _forward(origins, q)[:3, 3], q)
    turned = jacobian(lambda q: _forward(origins, q)[:3, :3], q)
    angular = [rotations.vee(turned[:, :, j] @ R.T) for j in range(len(q))]
    return torch.cat((linear, torch.stack(angular, dim=1)))


def _columns(origins: list[Tensor], q: Tensor, wrong: str) -> Tensor:
    """The columns of the formula with one usual slip in them."""
    T, frames = torch.eye(4, dtype=torch.float64), []
    for origin, angle in zip(origins, q):
        T = T @ origin @ _turn(_Z, angle)
        frames.append(T)
    p = _forward(origins, q)[:3, 3]
    columns = []
    for frame in frames:
        z = _Z if wrong == "axis" else frame[:3, 2]
        lever = {"base": p, "joint": frame[:3, 3], "sign": frame[:3, 3] - p}.get(wrong, p - frame[:3, 3])
        columns.append(torch.cat((torch.linalg.cross(z, lever), z)))
    return torch.stack(columns, dim=1)


def _pose_inputs(seed: int) -> list[tuple[Tensor]]:
    """The KUKA's second joint first, whose rotation is no symmetric matrix; then any."""
    turned = _fixed(
        torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64), torch.tensor([0.5, 0.2, -0.9], dtype=torch.float64)
    )
    return [(turned,), *((_fixed(_draw(seed + k, 3), _draw(seed + 10 + k, 3)),) for k in range(3))]


def _point_inputs(seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    cases = []
    for k, (origins, q) in enumerate(_chain_inputs(seed)):
        point = torch.tensor([0.0, 0.1, 0.2], dtype=torch.float64) if k == 0 else 0.3 * _draw(seed + 300 + k, 3)
        cases.append((_jacobian(origins, q), _forward(origins, q), point))
    return cases


def _moved(J: Tensor, arm: Tensor) -> Tensor:
    """A Jacobian taken from one point to another, ``arm`` away in the axes of its rows."""
    return torch.cat((J[:3] - rotations.hat(arm) @ J[3:], J[3:]))


def _turned_rows(J: Tensor, R: Tensor) -> Tensor:
    return torch.cat((R @ J[:3], R @ J[3:]))


EXERCISES = (
    Exercise(
        number="4.1",
        title=Text("The pose of a child link", "子连杆的位姿"),
        task=Text(
            "A joint of a URDF sits at xyz (3,) [m], rpy (3,) [rad] in its parent, and turns about axis (3,), a unit vector\n"
            "in the frame of the joint, by angle (one number) [rad]. Return the pose of the child in the parent, shape (4, 4).",
            "URDF 里的一个关节在父连杆中位于 xyz（形状 (3,)，单位 m）、rpy（形状 (3,)，单位 rad），绕关节坐标系中的单位向量\n"
            "axis（形状 (3,)）转过 angle（一个数，单位 rad）。返回子连杆在父连杆中的位姿，形状为 (4, 4)。",
        ),
        signature="joint_pose(xyz, rpy, axis, angle)",
        inputs=_joint_inputs,
        reference=_joint_pose,
        hint=Text(
            "Two factors: what the file says, then the turn about the axis. Set all angles but one to zero and look.",
            "两个因子：先是文件里的位姿，再是绕轴的转动。只留一个角，其余设为零，看看结果。",
        ),
        mistakes=(
            Mistake(
                "rpy about moving axes",
                Text(
                    "Roll, pitch and yaw were taken about axes that move along. Those of a URDF are about the fixed axes "
                    "of the parent.",
                    "把 rpy 当成绕随动轴的转动了。URDF 的 rpy 绕的是父连杆的固定轴。",
                ),
                like(_moving_axes),
            ),
            Mistake(
                "yaw first in rpy",
                Text(
                    "The three angles were read as yaw, pitch, roll. Roll comes first.",
                    "把三个角按偏航、俯仰、滚转读了。滚转在最前面。",
                ),
                like(lambda right, xyz, rpy, axis, angle: _fixed(xyz, rpy.flip(0)) @ _turn(axis, angle)),
            ),
            Mistake(
                "turned before placed",
                Text(
                    "The turn stands on the wrong side: the axis is given in the frame of the joint, not in the parent.",
                    "转动乘错了一边：轴是在关节坐标系中给出的，不是在父连杆中。",
                ),
                like(lambda right, xyz, rpy, axis, angle: _turn(axis, angle) @ _fixed(xyz, rpy)),
            ),
            Mistake(
                "joint not turned",
                Text("The angle of the joint is not used.", "没有用到关节角。"),
                like(lambda right, xyz, rpy, axis, angle: _fixed(xyz, rpy)),
            ),
            Mistake(
                "axis taken for z",
                Text("It turns about z, whatever the axis is.", "不管 axis 是什么，都绕 z 转了。"),
                like(lambda right, xyz, rpy, axis, angle: _fixed(xyz, rpy) @ _turn(_Z, angle)),
            ),
        ),
    ),
    Exercise(
        number="4.2",
        title=Text("Forward kinematics of a chain", "运动链的正运动学"),
        task=Text(
            "origins: list of n + 1 poses, each (4, 4): of joint 1 in the base, of each next joint in the link before, and\n"
            "last of the tip in the last link. Every joint turns about the z axis of its own frame by q[j], q of shape\n"
            "(n,) [rad]. Return the pose of the tip in the base, shape (4, 4). Gradients must flow to q.",
            "origins：n + 1 个位姿的列表，每个形状为 (4, 4)：关节 1 在基座中的，其后每个关节在前一根连杆中的，最后是末端在\n"
            "最后一根连杆中的。每个关节绕自己坐标系的 z 轴转过 q[j]，q 的形状为 (n,)，单位 rad。\n"
            "返回末端在基座中的位姿，形状为 (4, 4)。梯度必须能传到 q。",
        ),
        signature="forward_kinematics(origins, q)",
        inputs=_chain_inputs,
        reference=_forward,
        gradient=True,
        hint=Text(
            "Start at the base and multiply on the right: pose of the joint, its turn, pose of the next one, and so on.",
            "从基座开始，一直在右边乘：关节的位姿，关节的转动，下一个关节的位姿，依此类推。",
        ),
        mistakes=(
            Mistake(
                "tip left out",
                Text(
                    "It ends at the last joint. The tip has a pose in the last link, the last entry of origins.",
                    "只算到了最后一个关节。末端在最后一根连杆中还有一个位姿，就是 origins 的最后一项。",
                ),
                like(lambda right, origins, q: right @ transforms.inverse(origins[-1])),
            ),
            Mistake(
                "turned before placed",
                Text(
                    "Each joint turns before it is placed: q acts in the joint's own frame, after its origin.",
                    "每个关节先转后装了：q 作用在关节自己的坐标系里，应在 origin 之后。",
                ),
                like(
                    lambda right, origins, q: (
                        _forward([torch.eye(4, dtype=torch.float64), *origins[:-1]], q) @ origins[-1]
                    )
                ),
            ),
            Mistake(
                "turned the other way",
                Text("All joints turn the other way.", "所有关节都转反了。"),
                like(lambda right, origins, q: _forward(origins, -q)),
            ),
            Mistake(
                "base in the tip",
                Text("That is the pose of the base in the tip: the inverse.", "这是基座在末端中的位姿，也就是逆。"),
                like(lambda right, *_: transforms.inverse(right)),
            ),
            Mistake(
                "joint angles in degrees",
                Text(
                    "The angles were taken as degrees. They are radians already.", "把角当成了角度制。它们已经是弧度。"
                ),
                like(lambda right, origins, q: _forward(origins, torch.deg2rad(q))),
            ),
        ),
    ),
    Exercise(
        number="4.3",
        title=Text("The geometric Jacobian of a chain", "运动链的几何雅可比矩阵"),
        task=Text(
            "For the same origins and q return the Jacobian of the tip, shape (6, n): rows 0 to 2 the velocity of the tip's\n"
            "origin, rows 3 to 5 its angular velocity, both in the axes of the base. Columns: joints.",
            "同样的 origins 和 q，返回末端的雅可比矩阵，形状为 (6, n)：第 0 到 2 行是末端原点的速度，第 3 到 5 行是角速度，\n"
            "都在基座坐标轴下。列：各关节。",
        ),
        signature="geometric_jacobian(origins, q)",
        inputs=_chain_inputs,
        reference=_jacobian,
        hint=Text(
            "A column needs the axis of the joint in the base, and the way from the joint to the tip.",
            "一列需要两样东西：关节轴在基座中的方向，以及从关节到末端的向量。",
        ),
        mistakes=(
            Mistake(
                "angular rows first",
                Text(
                    "The angular rows come first. Linear ones are asked for first.",
                    "角速度放在了前面。这里要求线速度在前。",
                ),
                like(lambda right, *_: right.roll(3, 0)),
            ),
            Mistake(
                "axes of the tip",
                Text(
                    "The numbers are in the axes of the tip. Those of the base are asked for.",
                    "这些数是在末端坐标轴下的。要的是基座坐标轴下的。",
                ),
                like(lambda right, origins, q: _turned_rows(right, _forward(origins, q)[:3, :3].T)),
            ),
            Mistake(
                "lever from the base",
                Text(
                    "The lever reaches from the base to the tip. It must begin at the joint.",
                    "力臂是从基座量到末端的。它应当从关节量起。",
                ),
                like(lambda right, origins, q: _columns(origins, q, "base")),
            ),
            Mistake(
                "lever to the joint",
                Text(
                    "The lever reaches from the base to the joint. It must reach from the joint to the tip.",
                    "力臂是从基座量到关节的。它应当从关节量到末端。",
                ),
                like(lambda right, origins, q: _columns(origins, q, "joint")),
            ),
            Mistake(
                "cross product turned round",
                Text(
                    "The linear rows have the wrong sign: a cross product is turned round.",
                    "线速度的符号反了：叉乘的次序颠倒了。",
                ),
                like(lambda right, origins, q: _columns(origins, q, "sign")),
            ),
            Mistake(
                "axis not turned",
                Text(
                    "The same axis for every joint: (0, 0, 1) is the axis in the joint's own frame, not in the base.",
                    "每个关节都用了同一根轴：(0, 0, 1) 是关节自己坐标系中的轴，不是基座中的。",
                ),
                like(lambda right, origins, q: _columns(origins, q, "axis")),
            ),
            Mistake(
                "spatial Jacobian",
                Text(
                    "The linear rows are the velocity of the point that is passing the origin of the base. The tip's origin is "
                    "asked for.",
                    "线速度取的是此刻经过基座原点的那一点。要的是末端的原点。",
                ),
                like(lambda right, origins, q: _moved(right, -_forward(origins, q)[:3, 3])),
            ),
        ),
    ),
    Exercise(
        number="4.4",
        title=Text("The inverse of a pose", "位姿的逆"),
        task=Text(
            "T is the pose of frame b in frame a, shape (4, 4). Return the pose of a in b, shape (4, 4), from R and p,\n"
            "without solving equations.",
            "T 是坐标系 b 在坐标系 a 中的位姿，形状为 (4, 4)。由 R 和 p 直接写出 a 在 b 中的位姿，形状为 (4, 4)，不解方程。",
        ),
        signature="invert_pose(T)",
        inputs=_pose_inputs,
        reference=transforms.inverse,
        hint=Text(
            "T times its inverse is the identity: what does that say about the last column?",
            "T 乘以它的逆等于单位矩阵：由此，最后一列应该是什么？",
        ),
        mistakes=(
            Mistake(
                "whole matrix transposed",
                Text(
                    "The transpose of T is no pose: only rotations are inverted by transposing.",
                    "T 的转置不是位姿：只有旋转矩阵的逆才等于转置。",
                ),
                like(lambda right, T: T.T),
            ),
            Mistake(
                "translation not turned",
                Text(
                    "The place is -p, still in the axes of a. It must be in those of b.",
                    "位置写成了 -p，还是在 a 的坐标轴下。它应当在 b 的坐标轴下。",
                ),
                like(lambda right, T: transforms.pose(T[:3, :3].T, -T[:3, 3])),
            ),
            Mistake(
                "translation kept",
                Text("Only the rotation was inverted.", "只对旋转求了逆。"),
                like(lambda right, T: transforms.pose(T[:3, :3].T, T[:3, 3])),
            ),
            Mistake(
                "translation turned the other way",
                Text(
                    "The place was turned by R. Which way leads into the axes of b?",
                    "位置用 R 转了。怎样才能转到 b 的坐标轴下？",
                ),
                like(lambda right, T: transforms.pose(T[:3, :3].T, -T[:3, :3] @ T[:3, 3])),
            ),
            Mistake(
                "minus sign lost",
                Text("The sign of the place is turned round.", "位置的符号反了。"),
                like(lambda right, T: transforms.pose(T[:3, :3].T, T[:3, :3].T @ T[:3, 3])),
            ),
        ),
    ),
    Exercise(
        number="4.5",
        title=Text("The Jacobian of a tool", "工具的雅可比矩阵"),
        task=Text(
            "J is the Jacobian of a hand at its origin, shape (6, n), linear rows first, in the axes of the base; T its pose\n"
            "in the base, shape (4, 4). point is the tip of a tool in the axes of the hand, shape (3,) [m]. Return the\n"
            "Jacobian of that point, shape (6, n), in the axes of the base.",
            "J 是末端原点的雅可比矩阵，形状为 (6, n)，线速度在前，在基座坐标轴下；T 是末端在基座中的位姿，形状为 (4, 4)。\n"
            "point 是工具尖端，在末端坐标轴下，形状为 (3,)，单位 m。返回这一点的雅可比矩阵，形状为 (6, n)，在基座坐标轴下。",
        ),
        signature="jacobian_of_point(J, T, point)",
        inputs=_point_inputs,
        reference=lambda J, T, point: _moved(J, T[:3, :3] @ point),
        hint=Text(
            "The velocities of two points of a rigid body differ by a cross product of the angular velocity and a vector.",
            "刚体上两点的速度之差，是角速度与两点间向量的叉乘。",
        ),
        mistakes=(
            Mistake(
                "point not turned",
                Text(
                    "The point was used as it came, in the axes of the hand. J is in the axes of the base.",
                    "直接用了末端坐标轴下的 point。J 却是在基座坐标轴下的。",
                ),
                like(lambda right, J, T, point: _moved(J, point)),
            ),
            Mistake(
                "cross product turned round",
                Text("The change of the linear rows has the wrong sign.", "线速度的修正量符号反了。"),
                like(lambda right, J, T, point: _moved(J, -T[:3, :3] @ point)),
            ),
            Mistake(
                "way from the base",
                Text(
                    "The way was taken from the base to the point. It begins at the hand's origin, where J already is.",
                    "向量是从基座量到这一点的。它应当从末端原点量起，J 本来就是那里的。",
                ),
                like(lambda right, J, T, point: _moved(J, T[:3, :3] @ point + T[:3, 3])),
            ),
            Mistake(
                "axes of the hand",
                Text("The result is in the axes of the hand.", "结果在末端坐标轴下了。"),
                like(lambda right, J, T, point: _turned_rows(right, T[:3, :3].T)),
            ),
            Mistake(
                "point ignored",
                Text("That is still the Jacobian of the hand's origin.", "这还是末端原点的雅可比矩阵。"),
                like(lambda right, J, T, point: J),
            ),
        ),
    ),
)
