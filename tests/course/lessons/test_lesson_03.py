"""Usual wrong answers of lesson 3, each with the hint that it gets."""

from __future__ import annotations

import pytest
import torch

from tests.course.answers import solutions, verdict

RIGHT = solutions(3)


def divides_by_zero(r):
    angle = r.norm()
    K = RIGHT.hat(r / angle)
    return torch.eye(3) + angle.sin() * K + (1 - angle.cos()) * K @ K


def where_alone(r):
    angle = r.norm()
    K = RIGHT.hat(r)
    a = torch.where(angle > 0, angle.sin() / angle, 1.0)
    b = torch.where(angle > 0, (1 - angle.cos()) / angle**2, 0.5)
    return torch.eye(3) + a * K + b * K @ K


def packed(r):
    return torch.tensor(RIGHT.rotvec_to_matrix(r).tolist())


def no_gradient_at_zero(r):
    if r.norm() == 0:
        return torch.eye(3)
    return RIGHT.rotvec_to_matrix(r)


def fixed_axes(angles):
    yaw, pitch, roll = angles
    return RIGHT.about(0, roll) @ RIGHT.about(1, pitch) @ RIGHT.about(2, yaw)


def long_way(p, q):
    return 2 * torch.acos(p @ q)


def sine(R0, R1, dt):
    R = R1 @ R0.T
    return torch.stack((R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1])) / 2 / dt


def in_body(R0, R1, dt):
    return R0.T @ RIGHT.angular_velocity(R0, R1, dt)


WRONG = [
    ("3.1", "not finite", divides_by_zero),
    ("3.1", "gradient not finite", where_alone),
    ("3.1", "detached", packed),
    ("3.1", "detached", no_gradient_at_zero),
    ("3.1", "turned the other way", lambda r: RIGHT.rotvec_to_matrix(-r)),
    ("3.1", "vector in degrees", lambda r: RIGHT.rotvec_to_matrix(torch.deg2rad(r))),
    ("3.1", "half the angle", lambda r: RIGHT.rotvec_to_matrix(r / 2)),
    ("3.1", "first order only", lambda r: torch.eye(3) + RIGHT.hat(r)),
    ("3.1", "constant", lambda r: torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])),
    ("3.2", "w first", lambda q: RIGHT.quat_xyzw_to_matrix(q.roll(-1))),
    ("3.2", "turned the other way", lambda q: RIGHT.quat_xyzw_to_matrix(q).T),
    ("3.2", "w lost", lambda q: torch.eye(3) + 2 * RIGHT.hat(q[:3]) @ RIGHT.hat(q[:3])),
    ("3.2", "dtype", lambda q: RIGHT.quat_xyzw_to_matrix(q).float()),
    ("3.2", "shape", lambda q: torch.block_diag(RIGHT.quat_xyzw_to_matrix(q), torch.ones(1, 1))),
    ("3.3", "sign of q", long_way),
    ("3.3", "angle in four dimensions", lambda p, q: RIGHT.angle_between(p, q) / 2),
    ("3.3", "angle in four dimensions", lambda p, q: torch.acos(p @ q)),
    ("3.3", "length of the difference", lambda p, q: (p - q).norm()),
    ("3.3", "degrees", lambda p, q: torch.rad2deg(RIGHT.angle_between(p, q))),
    ("3.4", "multiplied the other way", fixed_axes),
    ("3.4", "turned the other way", lambda angles: RIGHT.euler_zyx_to_matrix(angles).T),
    ("3.4", "angles swapped", lambda angles: RIGHT.euler_zyx_to_matrix(angles.flip(0))),
    ("3.4", "Euler angles in degrees", lambda angles: RIGHT.euler_zyx_to_matrix(torch.deg2rad(angles))),
    ("3.4", "detached", lambda angles: RIGHT.euler_zyx_to_matrix(torch.tensor(angles.tolist()))),
    ("3.5", "wrong frame", in_body),
    ("3.5", "not divided by dt", lambda R0, R1, dt: RIGHT.angular_velocity(R0, R1, 1.0)),
    ("3.5", "from R1 to R0", lambda R0, R1, dt: RIGHT.angular_velocity(R1, R0, dt)),
    ("3.5", "sine instead of angle", sine),
    ("3.5", "sample only", lambda R0, R1, dt: RIGHT.angular_velocity(R0, R1, 0.1)),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text
