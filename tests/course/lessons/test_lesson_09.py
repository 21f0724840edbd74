"""Usual wrong answers of lesson 9, each with the hint that it gets."""

from __future__ import annotations

import pytest
import torch

from diffkin.course import find_exercise
from diffkin.ik.solutions import synergies
from tests.course.answers import solutions, verdict

RIGHT = solutions(9)


def patterns(q, columns, weights=(1, 2, 4)):
    return (q[:, columns] > 0).long() @ torch.tensor(weights)


def counted_once(clusters, labels):
    groups = [labels[clusters == k] for k in clusters.unique()]
    return torch.tensor([(group == group.mode().values).double().mean() for group in groups]).mean()


def shares(variances):
    return variances / variances.sum()


def singular(q):
    return torch.linalg.svdvals(q - q.mean(0))


WRONG = [
    ("9.1", "counted from one", lambda q: patterns(q, [2, 4, 6])),
    ("9.1", "first three joints", lambda q: patterns(q, [0, 1, 2])),
    ("9.1", "weights turned round", lambda q: patterns(q, [1, 3, 5], (4, 2, 1))),
    ("9.1", "negative counts", lambda q: (q[:, [1, 3, 5]] < 0).long() @ torch.tensor([1, 2, 4])),
    ("9.1", "number of positive joints", lambda q: (q[:, [1, 3, 5]] > 0).sum(1)),
    ("9.1", "dtype", lambda q: RIGHT.sign_label(q).double()),
    ("9.1", "shape", lambda q: q[:, [1, 3, 5]] > 0),
    ("9.2", "clusters and labels exchanged", lambda clusters, labels: RIGHT.purity(labels, clusters)),
    ("9.2", "numbers compared", lambda clusters, labels: (clusters == labels).double().mean()),
    ("9.2", "every cluster counted once", counted_once),
    ("9.2", "number instead of share", lambda clusters, labels: RIGHT.purity(clusters, labels) * len(labels)),
    ("9.2", "impurity", lambda clusters, labels: 1 - RIGHT.purity(clusters, labels)),
    ("9.2", "constant", lambda clusters, labels: torch.tensor(0.75)),
    ("9.3", "not of length 1", lambda J: 2 * RIGHT.self_motion_direction(J)),
    ("9.3", "reduced decomposition", lambda J: torch.linalg.svd(J, full_matrices=False)[2][-1]),
    ("9.3", "column instead of row", lambda J: torch.linalg.svd(J)[2][:, -1]),
    ("9.3", "strongest direction", lambda J: torch.linalg.svd(J)[2][0]),
    ("9.3", "shape", lambda J: torch.linalg.svd(J)[0][-1]),
    ("9.3", "nothing", lambda J: None),
    ("9.4", "not centred", lambda q: shares(torch.linalg.svdvals(q) ** 2)),
    ("9.4", "singular values not squared", lambda q: shares(singular(q))),
    ("9.4", "smallest first", lambda q: shares(torch.linalg.eigvalsh(q.T.cov()))),
    ("9.4", "not divided by the sum", lambda q: torch.linalg.eigvalsh(q.T.cov()).flip(0)),
    ("9.4", "not divided by the sum", lambda q: singular(q) ** 2),
    ("9.4", "joints instead of components", lambda q: shares(q.var(0))),
    ("9.4", "running sum", lambda q: RIGHT.variance_shares(q).cumsum(0)),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text


def test_either_sign_of_a_direction_is_right_and_the_reference_leaves_the_hand() -> None:
    assert verdict("9.3", lambda J: -RIGHT.self_motion_direction(J)).right
    exercise = find_exercise("9.3")
    for (J,) in exercise.inputs(4):
        assert (J @ exercise.reference(J)).norm() < 1e-9


def test_reference_shares_are_those_of_synergies() -> None:
    exercise = find_exercise("9.4")
    for (q,) in exercise.inputs(7):
        assert torch.allclose(exercise.reference(q), synergies(q)[0], atol=1e-12)
