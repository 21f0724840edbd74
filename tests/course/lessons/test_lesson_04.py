"""Usual wrong answers of lesson 4, each with the hint that it gets."""

from __future__ import annotations

import pytest
import torch

from tests.course.answers import solutions, verdict

RIGHT = solutions(4)


def moving_axes(xyz, rpy, axis, angle):
    x, y, z = torch.eye(3)
    R = RIGHT.about(x, rpy[0]) @ RIGHT.about(y, rpy[1]) @ RIGHT.about(z, rpy[2])
    return RIGHT.pose(R, xyz) @ RIGHT.turn(axis, angle)


def turned_first(xyz, rpy, axis, angle):
    return RIGHT.turn(axis, angle) @ RIGHT.joint_pose(xyz, rpy, axis, torch.tensor(0.0))


def packed(origins, q):
    return RIGHT.forward_kinematics(origins, torch.tensor(q.tolist()))


def three_joints(origins, q):
    z, T = torch.eye(3)[2], torch.eye(4)
    for k in range(3):
        T = T @ origins[k] @ RIGHT.turn(z, q[k])
    return T @ origins[3]


def turned_before_placed(origins, q):
    z, T = torch.eye(3)[2], torch.eye(4)
    for origin, angle in zip(origins, q):
        T = T @ RIGHT.turn(z, angle) @ origin
    return T @ origins[-1]


def columns(origins, q, axis, lever):
    frames = RIGHT.joint_frames(origins, q)
    p = RIGHT.forward_kinematics(origins, q)[:3, 3]
    found = [torch.cat((torch.linalg.cross(axis(T), lever(T, p)), axis(T))) for T in frames]
    return torch.stack(found, dim=1)


def rows(J, R):
    return torch.cat((R @ J[:3], R @ J[3:]))


def local(origins, q):
    return rows(RIGHT.geometric_jacobian(origins, q), RIGHT.forward_kinematics(origins, q)[:3, :3].T)


def spatial(origins, q):
    J = RIGHT.geometric_jacobian(origins, q)
    return torch.cat((J[:3] + RIGHT.hat(RIGHT.forward_kinematics(origins, q)[:3, 3]) @ J[3:], J[3:]))


def forgets_the_axis(T):
    return torch.tensor([0.0, 0.0, 1.0])


def z_of(T):
    return T[:3, 2]


ALIKE = {"axis": z_of, "lever": lambda T, p: p - T[:3, 3]}
WRONG = [
    ("4.1", "rpy about moving axes", moving_axes),
    ("4.1", "yaw first in rpy", lambda xyz, rpy, axis, angle: RIGHT.joint_pose(xyz, rpy.flip(0), axis, angle)),
    ("4.1", "turned before placed", turned_first),
    ("4.1", "joint not turned", lambda xyz, rpy, axis, angle: RIGHT.joint_pose(xyz, rpy, axis, 0 * angle)),
    ("4.1", "axis taken for z", lambda xyz, rpy, axis, angle: RIGHT.joint_pose(xyz, rpy, torch.eye(3)[2], angle)),
    ("4.1", "shape", lambda *joint: RIGHT.joint_pose(*joint)[:3]),
    ("4.2", "tip left out", lambda origins, q: RIGHT.joint_frames(origins, q)[-1]),
    ("4.2", "turned before placed", turned_before_placed),
    ("4.2", "turned the other way", lambda origins, q: RIGHT.forward_kinematics(origins, -q)),
    ("4.2", "base in the tip", lambda origins, q: RIGHT.invert_pose(RIGHT.forward_kinematics(origins, q))),
    ("4.2", "joint angles in degrees", lambda origins, q: RIGHT.forward_kinematics(origins, torch.deg2rad(q))),
    ("4.2", "gradient", packed),
    ("4.2", "sample only", three_joints),
    ("4.3", "angular rows first", lambda origins, q: RIGHT.geometric_jacobian(origins, q).roll(3, 0)),
    ("4.3", "axes of the tip", local),
    ("4.3", "lever from the base", lambda *at: columns(*at, **(ALIKE | {"lever": lambda T, p: p}))),
    ("4.3", "lever to the joint", lambda *at: columns(*at, **(ALIKE | {"lever": lambda T, p: T[:3, 3]}))),
    ("4.3", "cross product turned round", lambda *at: columns(*at, **(ALIKE | {"lever": lambda T, p: T[:3, 3] - p}))),
    ("4.3", "axis not turned", lambda *at: columns(*at, **(ALIKE | {"axis": forgets_the_axis}))),
    ("4.3", "spatial Jacobian", spatial),
    ("4.3", "transposed", lambda origins, q: RIGHT.geometric_jacobian(origins, q).T),
    ("4.4", "whole matrix transposed", lambda T: T.T),
    ("4.4", "translation not turned", lambda T: RIGHT.pose(T[:3, :3].T, -T[:3, 3])),
    ("4.4", "translation kept", lambda T: RIGHT.pose(T[:3, :3].T, T[:3, 3])),
    ("4.4", "translation turned the other way", lambda T: RIGHT.pose(T[:3, :3].T, -T[:3, :3] @ T[:3, 3])),
    ("4.4", "minus sign lost", lambda T: RIGHT.pose(T[:3, :3].T, T[:3, :3].T @ T[:3, 3])),
    ("4.4", "dtype", lambda T: RIGHT.invert_pose(T).float()),
    ("4.5", "point not turned", lambda J, T, point: RIGHT.jacobian_of_point(J, torch.eye(4), point)),
    ("4.5", "cross product turned round", lambda J, T, point: RIGHT.jacobian_of_point(J, T, -point)),
    ("4.5", "way from the base", lambda J, T, point: RIGHT.jacobian_of_point(J, T, point + T[:3, :3].T @ T[:3, 3])),
    ("4.5", "axes of the hand", lambda J, T, point: rows(RIGHT.jacobian_of_point(J, T, point), T[:3, :3].T)),
    ("4.5", "point ignored", lambda J, T, point: J),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text
