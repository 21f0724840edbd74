"""Usual wrong answers of lesson 7, each with the hint that it gets."""

from __future__ import annotations

import pytest
import torch

from tests.course.answers import solutions, verdict

RIGHT = solutions(7)


def turn_zyx(angles):
    (a, b, c), (sa, sb, sc) = angles.cos(), angles.sin()
    one, zero = torch.ones_like(a), torch.zeros_like(a)
    z = torch.stack((a, -sa, zero, sa, a, zero, zero, zero, one)).reshape(3, 3)
    y = torch.stack((b, zero, sb, zero, one, zero, -sb, zero, b)).reshape(3, 3)
    x = torch.stack((one, zero, zero, zero, c, -sc, zero, sc, c)).reshape(3, 3)
    return z @ y @ x


def inverse_map(angles, omega):
    """Euler rates to body rates, applied to omega."""
    matrix = torch.stack([RIGHT.euler_rates(angles, unit) for unit in torch.eye(3)], -1)
    return torch.linalg.inv(matrix) @ omega


def no_roll_coupling(angles, omega):
    return torch.stack((omega[2] / angles[1].cos(), omega[1], omega[0]))


def quotient(position, target):
    north, east, down = target - position
    return torch.stack((torch.atan(east / north), torch.atan2(-down, torch.hypot(north, east))))


def shared(a, b, c, d):
    """The best fit of both with equal weights: orthogonal Procrustes."""
    unit = [v / v.norm() for v in (a, b, c, d)]
    U, _, V = torch.linalg.svd(torch.outer(unit[2], unit[0]) + torch.outer(unit[3], unit[1]))
    return U @ torch.diag(torch.tensor([1.0, 1.0, float(torch.linalg.det(U @ V))])) @ V


def oblique(first, second):
    first, second = first / first.norm(), second / second.norm()
    return torch.stack((first, second, torch.linalg.cross(first, second)), -1)


def one_axis(first_body, second_body, first_ned, second_ned):
    """The shortest turn from the first to its partner; nothing of the second."""
    a, b = first_body / first_body.norm(), first_ned / first_ned.norm()
    K = RIGHT.hat(torch.linalg.cross(a, b))
    return torch.eye(3) + K + K @ K / (1 + a @ b)


WRONG = [
    ("7.1", "gyroscope taken for Euler rates", lambda angles, omega: omega.flip(0)),
    ("7.1", "gyroscope taken for Euler rates", lambda angles, omega: omega + 0 * angles),
    ("7.1", "rates to omega", inverse_map),
    ("7.1", "order of the rates", lambda angles, omega: RIGHT.euler_rates(angles, omega).flip(0)),
    ("7.1", "omega in NED axes", lambda angles, omega: RIGHT.euler_rates(angles, turn_zyx(angles).T @ omega)),
    ("7.1", "Euler angles in degrees", lambda angles, omega: RIGHT.euler_rates(torch.deg2rad(angles), omega)),
    ("7.1", "detached", lambda angles, omega: torch.tensor(RIGHT.euler_rates(angles, omega).tolist())),
    ("7.1", "value", no_roll_coupling),
    ("7.2", "sign", lambda R, p: R @ RIGHT.hat(p)),
    ("7.2", "in body axes", lambda R, p: -RIGHT.hat(p)),
    ("7.2", "turned about NED axes", lambda R, p: -RIGHT.hat(R @ p)),
    ("7.2", "multiplied the other way", lambda R, p: -RIGHT.hat(p) @ R),
    ("7.2", "R turned round", lambda R, p: -R.T @ RIGHT.hat(p)),
    ("7.2", "transposed", lambda R, p: RIGHT.point_jacobian(R, p).T),
    ("7.2", "shape", lambda R, p: R @ p),
    ("7.3", "down taken for up", lambda position, target: RIGHT.aim_nose(position, target) * torch.tensor([1.0, -1.0])),
    ("7.3", "yaw from the east", lambda p, t: RIGHT.aim_nose(p[[1, 0, 2]], t[[1, 0, 2]])),
    ("7.3", "from the target", lambda position, target: RIGHT.aim_nose(target, position)),
    ("7.3", "half of the compass", quotient),
    ("7.3", "degrees", lambda position, target: torch.rad2deg(RIGHT.aim_nose(position, target))),
    ("7.3", "detached", lambda position, target: RIGHT.aim_nose(position.detach(), target.detach())),
    ("7.4", "NED to body", lambda a, b, c, d: RIGHT.triad(a, b, c, d).T),
    ("7.4", "second one trusted", lambda a, b, c, d: RIGHT.triad(b, a, d, c)),
    ("7.4", "both trusted alike", shared),
    ("7.4", "axes not perpendicular", lambda a, b, c, d: oblique(c, d) @ torch.linalg.inv(oblique(a, b))),
    ("7.4", "value", one_axis),
    ("7.5", "gyroscopic torque missing", lambda w, J, t: torch.linalg.inv(J) @ t),
    ("7.5", "gyroscopic torque added", lambda w, J, t: torch.linalg.inv(J) @ (t + torch.linalg.cross(w, J @ w))),
    ("7.5", "not divided by the inertia", lambda w, J, t: J @ RIGHT.angular_acceleration(w, J, t)),
    ("7.5", "diagonal alone", lambda w, J, t: RIGHT.angular_acceleration(w, torch.diag(J.diagonal()), t)),
    ("7.5", "constant", lambda w, J, t: torch.zeros(3)),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text
