"""Usual wrong answers of lesson 12, each with the hint that it gets."""

from __future__ import annotations

import pytest
import torch

from tests.course.answers import solutions, verdict

RIGHT = solutions(12)


def euler(torque, command, lag, dt):
    return torque + dt * (command - torque) / lag


def start_included(angle, omega, dt):
    return (angle + 0.01 * (omega**2).sum(1)).mean(0) + angle[-round(0.5 / dt) :].mean(0)


def not_squared(angle, omega, dt):
    return (angle[1:] + 0.01 * omega[1:].norm(dim=1)).mean(0) + angle[-round(0.5 / dt) :].mean(0)


def summed(angle, omega, dt):
    return (angle[1:] + 0.01 * (omega[1:] ** 2).sum(1)).sum(0) + angle[-round(0.5 / dt) :].mean(0)


def once_only(angle, omega, dt):
    return (angle[1:] + 0.01 * (omega[1:] ** 2).sum(1)).mean(0)


def cut(step, state, gains, steps):
    gains = gains.detach().clone().requires_grad_()
    for _ in range(steps):
        state = step(state.detach(), gains)
        (state[0] ** 2).backward()
    return gains.grad


def last_alone(step, state, gains, steps):
    gains = gains.detach().clone().requires_grad_()
    for _ in range(steps):
        state = step(state, gains)
    return torch.autograd.grad(state[0] ** 2, gains)[0]


def twice(step, state, gains, steps):
    gains = gains.detach().clone().requires_grad_()
    for _ in range(steps):
        state = step(state, gains)
        (state[0] ** 2).backward()
    return gains.grad


def no_copy(step, state, gains, steps):
    gains.requires_grad_()
    total = 0.0
    for _ in range(steps):
        state = step(state, gains)
        total = total + state[0] ** 2
    total.backward()
    return gains.grad.clone()


def first_below(angle, dt, bound):
    return next((k for k in range(len(angle)) if angle[k] <= bound), 0) * torch.tensor(dt)


def last_above(angle, dt, bound):
    return (angle > bound).nonzero().max() * torch.tensor(dt)


WRONG = [
    ("12.1", "one Euler step", euler),
    ("12.1", "command and torque swapped", lambda t, c, lag, dt: RIGHT.motor_torque(c, t, lag, dt)),
    ("12.1", "lag and dt swapped", lambda t, c, lag, dt: RIGHT.motor_torque(t, c, dt, lag)),
    ("12.1", "no lag", lambda t, c, lag, dt: c + 0 * t),
    ("12.1", "torque at the start lost", lambda t, c, lag, dt: RIGHT.motor_torque(torch.zeros(3), c, lag, dt)),
    ("12.1", "detached", lambda t, c, lag, dt: RIGHT.motor_torque(t.detach(), c.detach(), lag, dt)),
    ("12.2", "end not counted again", once_only),
    ("12.2", "start included", start_included),
    ("12.2", "rate not squared", not_squared),
    ("12.2", "one number for all", lambda angle, omega, dt: RIGHT.flight_loss(angle, omega, dt).mean()),
    ("12.2", "summed over time", summed),
    ("12.2", "shape", lambda angle, omega, dt: angle[1:] + 0.01 * (omega[1:] ** 2).sum(1)),
    ("12.3", "graph cut at each step", cut),
    ("12.3", "last angle alone", last_alone),
    ("12.3", "mean over the steps", lambda f, x, g, n: RIGHT.gain_gradient(f, x, g, n) / n),
    ("12.3", "one step less", lambda f, x, g, n: RIGHT.gain_gradient(f, x, g, n - 1)),
    ("12.3", "raised", twice),
    ("12.3", "accumulated", no_copy),
    ("12.3", "sample only", lambda f, x, g, n: RIGHT.gain_gradient(f, x, g, 20)),
    ("12.4", "first time below", first_below),
    ("12.4", "last time above", last_above),
    ("12.4", "in steps", lambda angle, dt, bound: RIGHT.settling_time(angle, 1.0, bound)),
    ("12.4", "beyond the end", lambda angle, dt, bound: last_above(angle, dt, bound) + dt),
    ("12.4", "constant", lambda angle, dt, bound: torch.tensor(0.4)),
    ("12.4", "sample only", lambda angle, dt, bound: torch.tensor(4 * dt)),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text
