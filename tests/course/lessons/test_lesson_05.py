"""Usual wrong answers of lesson 5, each with the hint that it gets."""

from __future__ import annotations

import pytest
import torch

from tests.course.answers import solutions, verdict

RIGHT = solutions(5)


def in_hand(T, T_target):
    e = RIGHT.pose_error(T, T_target)
    return torch.cat((e[:3], T[:3, :3].T @ e[3:]))


def all_in_hand(T, T_target):
    e = RIGHT.pose_error(T, T_target)
    return torch.cat((T[:3, :3].T @ e[:3], T[:3, :3].T @ e[3:]))


def turned_back(T, T_target):
    e = RIGHT.pose_error(T, T_target)
    return torch.cat((e[:3], -e[3:]))


def sine_of_the_turn(T, T_target):
    R = T_target[:3, :3] @ T[:3, :3].T
    sine = torch.stack((R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1])) / 2
    return torch.cat((T_target[:3, 3] - T[:3, 3], sine))


def divides_by_zero(T, T_target):
    R = T_target[:3, :3] @ T[:3, :3].T
    axis = torch.stack((R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]))
    angle = torch.acos(((R.trace() - 1) / 2).clamp(-1, 1))
    return torch.cat((T_target[:3, 3] - T[:3, 3], (angle / (0 * angle if angle < 1e-6 else 2 * angle.sin())) * axis))


def whole_loss(f, q, rate, steps):
    for _ in range(steps):
        q = q.detach().clone().requires_grad_()
        (f(q) ** 2).sum().backward()
        q = q - rate * q.grad
    return q.detach()


def never_emptied(f, q, rate, steps):
    q = q.detach().clone().requires_grad_()
    for _ in range(steps):
        (0.5 * f(q) ** 2).sum().backward()
        q.data -= rate * q.grad
    return q.detach()


def only_the_start(f, q, rate, steps):
    g = RIGHT.gradient(f, q)
    for _ in range(steps):
        q = q - rate * g
    return q


def changes_its_input(f, q, rate, steps):
    for _ in range(steps):
        q -= rate * RIGHT.gradient(f, q)
    return q.clone()


def adam_without(f, q, rate, steps, correct=True, root=True, momentum=True):
    m, v = torch.zeros_like(q), torch.zeros_like(q)
    for k in range(1, steps + 1):
        g = RIGHT.gradient(f, q)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        a, b = (m / (1 - 0.9**k), v / (1 - 0.999**k)) if correct else (m, v)
        q = q - rate * (a if momentum else g) / ((b.sqrt() if root else b) + 1e-8)
    return q


def counts_from_zero(f, q, rate, steps):
    m, v = torch.zeros_like(q), torch.zeros_like(q)
    for k in range(steps):
        g = RIGHT.gradient(f, q)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        a, b = m / torch.tensor(1 - 0.9**k), v / torch.tensor(1 - 0.999**k)
        q = q - rate * a / (b.sqrt() + 1e-8)
    return q


def swapped(f, q, rate, steps):
    m, v = torch.zeros_like(q), torch.zeros_like(q)
    for k in range(1, steps + 1):
        g = RIGHT.gradient(f, q)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        q = q - rate * (m / (1 - 0.999**k)) / ((v / (1 - 0.9**k)).sqrt() + 1e-8)
    return q


def newton_with(f, q, steps, inverse, sign=-1.0):
    for _ in range(steps):
        q = q + sign * inverse(RIGHT.jacobian(f, q)) @ f(q)
    return q


def same_jacobian(f, q, steps):
    inverse = torch.linalg.pinv(RIGHT.jacobian(f, q))
    for _ in range(steps):
        q = q - inverse @ f(q)
    return q


def constant_damping(f, q, steps):
    for _ in range(steps):
        J = RIGHT.jacobian(f, q)
        q = q - torch.linalg.solve(J.T @ J + 20 * torch.eye(len(q)), J.T @ f(q))
    return q


PINV = torch.linalg.pinv
WRONG = [
    ("5.1", "axes of the hand", in_hand),
    ("5.1", "all in the axes of the hand", all_in_hand),
    ("5.1", "turned the other way", turned_back),
    ("5.1", "sine instead of angle", sine_of_the_turn),
    ("5.1", "rotation first", lambda T, T_target: RIGHT.pose_error(T, T_target).roll(3)),
    ("5.1", "sign", lambda T, T_target: -RIGHT.pose_error(T, T_target)),
    ("5.1", "not finite", divides_by_zero),
    ("5.2", "half left out", whole_loss),
    ("5.2", "uphill", lambda f, q, rate, steps: RIGHT.gradient_descent(f, q, -rate, steps)),
    ("5.2", "one step", lambda f, q, rate, steps: RIGHT.gradient_descent(f, q, rate, 1)),
    ("5.2", "gradient kept from step to step", never_emptied),
    ("5.2", "gradient of the start", only_the_start),
    ("5.2", "sample only", lambda f, q, rate, steps: RIGHT.gradient_descent(f, q, 0.1, 5)),
    ("5.2", "accumulated", changes_its_input),
    ("5.3", "no correction of the start", lambda *case: adam_without(*case, correct=False)),
    ("5.3", "uphill", lambda f, q, rate, steps: RIGHT.adam(f, q, -rate, steps)),
    ("5.3", "no root", lambda *case: adam_without(*case, root=False)),
    ("5.3", "no momentum", lambda *case: adam_without(*case, momentum=False)),
    ("5.3", "value", swapped),
    ("5.3", "one step", lambda f, q, rate, steps: RIGHT.adam(f, q, rate, 1)),
    ("5.3", "not finite", counts_from_zero),
    ("5.4", "uphill", lambda f, q, steps: newton_with(f, q, steps, PINV, sign=1.0)),
    ("5.4", "transpose instead of inverse", lambda f, q, steps: newton_with(f, q, steps, lambda J: J.T)),
    ("5.4", "one step", lambda f, q, steps: RIGHT.gauss_newton(f, q, 1)),
    ("5.4", "Jacobian of the start", same_jacobian),
    ("5.4", "one step too many", lambda f, q, steps: RIGHT.gauss_newton(f, q, steps + 1)),
    ("5.4", "sample only", lambda f, q, steps: newton_with(f, q, steps, torch.linalg.inv)),
    ("5.5", "nothing moved", lambda f, q, steps: q),
    ("5.5", "residual grew", lambda f, q, steps: newton_with(f, q, steps, PINV)),
    ("5.5", "on the way", constant_damping),
    ("5.5", "on the way", lambda f, q, steps: RIGHT.levenberg_marquardt(f, q, 3)),
    ("5.5", "value", lambda f, q, steps: newton_with(f, q, 3, PINV)),
    ("5.5", "shape", lambda f, q, steps: torch.stack((q, q))),
    ("5.5", "kind", lambda f, q, steps: "arrived"),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text


@pytest.mark.parametrize("factor", [2, 3, 10])
@pytest.mark.parametrize("seed", range(2))
def test_any_sound_damping_is_right(factor: float, seed: int) -> None:
    def answer(f, q, steps):
        damping = 1.0
        for _ in range(steps):
            J, r = RIGHT.jacobian(f, q), f(q)
            if r.norm() < 1e-11:
                break
            tried = q - torch.linalg.solve(J.T @ J + damping * torch.eye(len(q)), J.T @ r)
            better = f(tried).norm() < r.norm()
            q, damping = (tried, max(damping / factor, 1e-12)) if better else (q, damping * factor)
        return q

    assert verdict("5.5", answer, seed=seed).right
