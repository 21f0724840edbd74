"""Usual wrong answers of lesson 2, each with the hint that it gets."""

from __future__ import annotations

import math

import pytest
import torch

from tests.course.answers import solutions, verdict

RIGHT = solutions(2)


def plain(q, lengths):
    return torch.stack(((lengths * q.cos()).sum(), (lengths * q.sin()).sum()))


def by_item(q, lengths):
    x = sum(length.item() * math.cos(angle) for length, angle in zip(lengths, q.cumsum(0).tolist()))
    y = sum(length.item() * math.sin(angle) for length, angle in zip(lengths, q.cumsum(0).tolist()))
    return torch.tensor([x, y])


def two_links(q, lengths):
    return RIGHT.tip_position(q[:2], lengths[:2])


def in_link_axes(q, lengths):
    c, s = q.sum().cos(), q.sum().sin()
    R = torch.stack((torch.stack((c, -s)), torch.stack((s, c))))  # base from link
    return R.T @ RIGHT.jacobian_by_formula(q, lengths)


def own_links(q, lengths):
    angles = q.cumsum(0)
    return torch.stack((-lengths * angles.sin(), lengths * angles.cos()))


def levers(q, lengths):
    J = RIGHT.jacobian_by_formula(q, lengths)
    return torch.stack((J[1], -J[0]))


def one_sided(f, q, h):
    return torch.stack([(f(q + step) - f(q)) / h for step in h * torch.eye(len(q))], dim=1)


def backward_sided(f, q, h):
    return one_sided(f, q, -h)


def together(f, q, h):
    return torch.stack([(f(q + h) - f(q - h)) / (2 * h)] * len(q), dim=1)


WRONG = [
    ("2.1", "angles not added up", plain),
    ("2.1", "x and y swapped", lambda q, lengths: RIGHT.tip_position(q, lengths).flip(0)),
    ("2.1", "angles in degrees", lambda q, lengths: RIGHT.tip_position(torch.deg2rad(q), lengths)),
    (
        "2.1",
        "angle from the vertical",
        lambda q, lengths: RIGHT.tip_position(torch.cat((q[:1] + math.pi / 2, q[1:])), lengths),
    ),
    ("2.1", "detached", by_item),
    ("2.1", "detached", lambda q, lengths: RIGHT.tip_position(q.detach(), lengths.detach())),
    ("2.1", "gradient", lambda q, lengths: RIGHT.tip_position(q, lengths.detach()) + 0 * lengths.sum()),
    ("2.1", "sample only", two_links),
    ("2.1", "constant", lambda q, lengths: torch.tensor([0.6, 0.5])),
    ("2.2", "transposed", lambda q, lengths: RIGHT.jacobian_by_formula(q, lengths).T),
    ("2.2", "wrong frame", in_link_axes),
    ("2.2", "own link only", own_links),
    ("2.2", "lever not turned", levers),
    (
        "2.2",
        "wrong way round",
        lambda q, lengths: RIGHT.jacobian_by_formula(q, lengths) * torch.tensor([[-1.0], [1.0]]),
    ),
    ("2.2", "shape", lambda q, lengths: torch.cat((RIGHT.jacobian_by_formula(q, lengths), torch.ones(1, len(q))))),
    ("2.3", "one-sided", one_sided),
    ("2.3", "one-sided", backward_sided),
    ("2.3", "divided by h", lambda f, q, h: 2 * RIGHT.jacobian_by_differences(f, q, h)),
    ("2.3", "all joints at once", together),
    ("2.3", "transposed", lambda f, q, h: RIGHT.jacobian_by_differences(f, q, h).T),
    ("2.3", "value", lambda f, q, h: RIGHT.jacobian_by_differences(f, q, 0.3)),
    ("2.4", "root forgotten", lambda J: torch.linalg.det(J @ J.T)),
    ("2.4", "wrong product", lambda J: torch.linalg.det(J.T @ J).sqrt()),
    ("2.4", "wrong product", lambda J: torch.linalg.det(J.T @ J).abs().sqrt()),
    ("2.4", "sum instead of product", lambda J: torch.linalg.svdvals(J).sum()),
    ("2.4", "sample only", lambda J: torch.linalg.det(J).abs()),
    ("2.4", "shape", lambda J: RIGHT.manipulability(J)[None]),
    ("2.5", "inverse instead of transpose", lambda J, F: torch.linalg.pinv(J) @ F),
    ("2.5", "holds against it", lambda J, F: -J.T @ F),
    ("2.5", "force components swapped", lambda J, F: J.T @ F.flip(0)),
    ("2.5", "constant", lambda J, F: torch.tensor([5.56, 1.05])),
    ("2.5", "raised", lambda J, F: J @ F),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text
