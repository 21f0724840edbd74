"""Usual wrong answers of lesson 8, each with the hint that it gets."""

from __future__ import annotations

import math

import pytest
import torch

import diffkin as dk
from diffkin.course import find_exercise
from tests.course.answers import solutions, verdict

RIGHT = solutions(8)


def tips(q, lengths):
    angles = q.cumsum(1)
    return torch.stack(((lengths * angles.cos()).sum(1), (lengths * angles.sin()).sum(1)), dim=1)


def gaps(q, targets, lengths):
    return tips(q, lengths) - targets


def own_angles(q, targets, lengths):
    found = torch.stack(((lengths * q.cos()).sum(1), (lengths * q.sin()).sum(1)), dim=1)
    return (found - targets).norm(dim=1).mean()


def by_rows(q, targets, lengths):
    return torch.tensor([gap.norm().item() for gap in gaps(q, targets, lengths)]).mean()


def two_links(q, targets, lengths):
    return RIGHT.loss_through_fk(q[:, :2], targets, lengths[:2])


def clamped(raw, lower, upper):
    return torch.minimum(torch.maximum(raw, lower), upper)


def direction_first(p, lengths):
    found = RIGHT.both_elbows(p, lengths)
    return torch.stack((torch.atan2(p[1], p[0]).repeat(2), found[:, 1]), dim=1)


def other_way(p, lengths):
    l_1, l_2 = lengths
    q_2 = RIGHT.both_elbows(p, lengths)[:, 1]
    q_1 = torch.atan2(p[1], p[0]) + torch.atan2(l_2 * q_2.sin(), l_1 + l_2 * q_2.cos())
    return torch.stack((q_1, q_2), dim=1)


def inner(p, lengths):
    found = RIGHT.both_elbows(p, lengths).clone()
    found[:, 1] = torch.stack((math.pi - found[0, 1], found[0, 1] - math.pi))
    return found


def plain_arctangent(p, lengths):
    found = RIGHT.both_elbows(p, lengths).clone()
    found[:, 0] += torch.atan(p[1] / p[0]) - torch.atan2(p[1], p[0])
    return found


def folded(p, lengths):
    return (lengths[0] - lengths[1]) * p / p.norm()


def half_square(J, tip, target):
    return J.T @ (tip - target)


WRONG = [
    ("8.1", "squared distance", lambda q, t, lengths: gaps(q, t, lengths).square().sum(1).mean()),
    ("8.1", "mean over coordinates", lambda q, t, lengths: torch.nn.functional.mse_loss(tips(q, lengths), t)),
    ("8.1", "mean over coordinates", lambda q, t, lengths: torch.nn.functional.l1_loss(tips(q, lengths), t)),
    ("8.1", "one norm of all", lambda q, t, lengths: gaps(q, t, lengths).norm()),
    ("8.1", "one norm of all", lambda q, t, lengths: gaps(q, t, lengths).square().sum(1).mean().sqrt()),
    ("8.1", "sum instead of mean", lambda q, t, lengths: gaps(q, t, lengths).norm(dim=1).sum()),
    ("8.1", "angles not added up", own_angles),
    ("8.1", "detached", by_rows),
    ("8.1", "sample only", two_links),
    ("8.1", "shape", lambda q, t, lengths: gaps(q, t, lengths).norm(dim=1)),
    ("8.2", "clamped", clamped),
    ("8.2", "symmetric limits", lambda raw, lower, upper: upper * raw.tanh()),
    ("8.2", "symmetric limits", lambda raw, lower, upper: (upper - lower) / 2 * raw.tanh()),
    ("8.2", "whole width", lambda raw, lower, upper: (lower + upper) / 2 + (upper - lower) * raw.tanh()),
    ("8.2", "from lower on", lambda raw, lower, upper: lower + (upper - lower) * raw.tanh()),
    ("8.2", "sigmoid", lambda raw, lower, upper: lower + (upper - lower) * raw.sigmoid()),
    ("8.2", "detached", lambda raw, lower, upper: RIGHT.within_limits(raw.detach(), lower.detach(), upper.detach())),
    ("8.3", "rows swapped", lambda p, lengths: RIGHT.both_elbows(p, lengths).flip(0)),
    ("8.3", "one elbow only", lambda p, lengths: RIGHT.both_elbows(p, lengths)[[0, 0]]),
    ("8.3", "first angle is the direction", direction_first),
    ("8.3", "turned the wrong way", other_way),
    ("8.3", "inner angle", inner),
    ("8.3", "angles in degrees", lambda p, lengths: torch.rad2deg(RIGHT.both_elbows(p, lengths))),
    ("8.3", "sample only", plain_arctangent),
    ("8.3", "shape", lambda p, lengths: RIGHT.both_elbows(p, lengths)[0]),
    ("8.4", "mean of the tips", lambda p, lengths: p * 1),
    ("8.4", "direction only", lambda p, lengths: p / p.norm()),
    ("8.4", "added to the target", lambda p, lengths: RIGHT.tip_of_the_mean(p, lengths) - p),
    ("8.4", "folded arm", folded),
    ("8.4", "x and y exchanged", lambda p, lengths: RIGHT.tip_of_the_mean(p, lengths).flip(0)),
    ("8.4", "sign", lambda p, lengths: -RIGHT.tip_of_the_mean(p, lengths)),
    ("8.4", "constant", lambda p, lengths: torch.tensor([0.7488, 0.4992])),
    ("8.5", "downhill", lambda J, tip, target: J.T @ (target - tip) / (target - tip).norm()),
    ("8.5", "not a unit vector", half_square),
    ("8.5", "gradient of the square", lambda J, tip, target: 2 * half_square(J, tip, target)),
    ("8.5", "inverse instead of transpose", lambda J, tip, target: torch.linalg.pinv(J) @ (tip - target)),
    ("8.5", "seed is the target", lambda J, tip, target: J.T @ target),
    ("8.5", "raised", lambda J, tip, target: J @ (tip - target)[:, None].T),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text


def test_whole_turns_are_right_and_references_reach_the_target() -> None:
    assert verdict("8.3", lambda p, lengths: RIGHT.both_elbows(p, lengths) + 2 * math.pi).right
    exercise = find_exercise("8.3")
    for p, lengths in exercise.inputs(9):
        rows = torch.stack([lengths, *[torch.zeros(2, dtype=torch.float64)] * 3], dim=-1)
        q = exercise.reference(p, lengths)
        reached = dk.Robot.from_dh(rows).forward_kinematics(q)[:, :2, 3]
        assert torch.allclose(reached, p.expand(2, 2), atol=1e-12)
        assert q[0, 1] > 0 > q[1, 1]
