"""Usual wrong answers of lesson 6, each with the hint that it gets."""

from __future__ import annotations

import pytest
import torch

from diffkin.course import find_exercise
from tests.course.answers import solutions, verdict

RIGHT = solutions(6)
PINV = torch.linalg.pinv


def volume(J):
    return torch.linalg.det(J @ J.T).sqrt()


def room(q, dq, lower, upper):
    return torch.where(dq == 0, torch.inf, torch.where(dq > 0, upper - q, lower - q) / dq)


def divides_by_zero(q, dq, lower, upper):
    return torch.maximum((upper - q) / dq, (lower - q) / dq).min().clamp(max=1.0)


def infinite(limits, sign):
    return torch.full_like(limits, sign * torch.inf)


def turned_twice(x, y, phi, lengths):
    first = RIGHT.both_solutions(x, y, phi, lengths)[0]
    return torch.stack((first, first + 2 * torch.pi))


def absolute_third(x, y, phi, lengths):
    rows = RIGHT.both_solutions(x, y, phi, lengths)
    rows[:, 2] = phi
    return rows


def no_third(x, y, phi, lengths):
    shorter = torch.stack((lengths[0], lengths[1], 0 * lengths[2]))
    return RIGHT.both_solutions(x, y, phi, shorter)


def third_added(x, y, phi, lengths):
    return RIGHT.both_solutions(x, y, phi, torch.stack((lengths[0], lengths[1], -lengths[2])))


def mirrored_elbow(x, y, phi, lengths):
    first = RIGHT.both_solutions(x, y, phi, lengths)[0]
    return torch.stack((first, first * torch.tensor([1.0, -1.0, 1.0])))


def turned(solutions, q0):
    return solutions + 2 * torch.pi * torch.round((q0 - solutions) / (2 * torch.pi))


def nearest(rows, q0):
    return rows[(rows - q0).norm(dim=-1).argmin()]


def row_first(solutions, q0, lower, upper):
    return RIGHT.nearest_solution(nearest(solutions, q0)[None], q0, lower, upper)


WRONG = [
    ("6.1", "row space", lambda J: PINV(J) @ J),
    ("6.1", "transpose instead of inverse", lambda J: torch.eye(J.shape[1]) - J.T @ J),
    ("6.1", "space of the hand", lambda J: torch.eye(J.shape[0]) - J @ PINV(J)),
    ("6.1", "nothing left", lambda J: torch.zeros(J.shape[1], J.shape[1])),
    ("6.1", "shape", lambda J: torch.linalg.svd(J)[2][-1]),
    ("6.1", "sample only", lambda J: torch.eye(J.shape[1]) - J.T @ torch.linalg.solve(J @ J.T, J)),
    ("6.2", "wish not projected", lambda J, e, z: PINV(J) @ e + z),
    ("6.2", "wish left out", lambda J, e, z: PINV(J) @ e),
    ("6.2", "hand left out", lambda J, e, z: RIGHT.null_space_projector(J) @ z),
    ("6.2", "wish turned round", lambda J, e, z: RIGHT.redundant_step(J, e, -z)),
    ("6.2", "transpose instead of inverse", lambda J, e, z: J.T @ e + RIGHT.null_space_projector(J) @ z),
    ("6.2", "sign", lambda J, e, z: -RIGHT.redundant_step(J, e, z)),
    ("6.3", "gradient of the logarithm", lambda J, H: RIGHT.manipulability_gradient(J, H) / volume(J)),
    ("6.3", "gradient of the square", lambda J, H: RIGHT.manipulability_gradient(J, H) * 2 * volume(J)),
    ("6.3", "indices of H swapped", lambda J, H: RIGHT.manipulability_gradient(J, H.mT)),
    ("6.3", "transpose instead of inverse", lambda J, H: volume(J) * torch.einsum("rj,rjk->k", J, H)),
    ("6.3", "factor", lambda J, H: 2 * RIGHT.manipulability_gradient(J, H)),
    ("6.3", "nothing", lambda J, H: None),
    ("6.4", "more than the whole step", lambda *case: room(*case).min()),
    ("6.4", "upper limits alone", lambda q, dq, low, high: RIGHT.allowed_fraction(q, dq, infinite(low, -1), high)),
    ("6.4", "lower limits alone", lambda q, dq, low, high: RIGHT.allowed_fraction(q, dq, low, infinite(high, 1))),
    ("6.4", "constant", lambda *case: room(*case).max().clamp(max=1.0)),
    ("6.4", "one for each joint", lambda *case: room(*case).clamp(max=1.0)),
    ("6.4", "all or nothing", lambda *case: (RIGHT.allowed_fraction(*case) >= 1).double()),
    ("6.4", "not finite", divides_by_zero),
    ("6.5", "same solution twice", turned_twice),
    ("6.5", "direction of the third link", absolute_third),
    ("6.5", "third link forgotten", no_third),
    ("6.5", "third link added", third_added),
    ("6.5", "one of two", mirrored_elbow),
    ("6.5", "shape", lambda *case: RIGHT.both_solutions(*case)[0]),
    ("6.6", "no whole turns", lambda solutions, q0, *_: nearest(solutions, q0)),
    ("6.6", "limits ignored", lambda solutions, q0, *_: nearest(turned(solutions, q0), q0)),
    ("6.6", "clamped", lambda s, q0, lower, upper: nearest(turned(s, q0), q0).clamp(lower, upper)),
    ("6.6", "row chosen first", row_first),
    ("6.6", "shape", lambda *case: RIGHT.nearest_solution(*case)[None]),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text


def test_order_and_whole_turns_of_both_solutions_are_free() -> None:
    def answer(*case):
        return RIGHT.both_solutions(*case).flip(0) + 2 * torch.pi * torch.tensor([[0.0, 1, 0], [-1, 0, 0]])

    assert verdict("6.5", answer, seed=4).right


def test_the_nearest_solution_is_that_of_trying_all_turns() -> None:
    for case in find_exercise("6.6").inputs(5):
        solutions, q0, lower, upper = case
        turns = 2 * torch.pi * torch.cartesian_prod(*[torch.arange(-2.0, 3.0)] * len(q0)).reshape(-1, len(q0))
        every = (solutions[:, None] + turns).flatten(0, 1)
        inside = every[((every >= lower) & (every <= upper)).all(dim=-1)]
        torch.testing.assert_close(RIGHT.nearest_solution(*case), nearest(inside, q0))
