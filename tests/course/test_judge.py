"""Every general reason, seen on one small exercise; the order of reasons; what a verdict says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from diffkin.course import Exercise, Mistake, Text, like
from diffkin.course.hints import REASONS
from diffkin.course.judge import judge, right_observations
from diffkin.course.observe import observe

TEXT = Text("title", "题目")


def matrix(x):
    return torch.outer(x, torch.arange(1.0, 4.0, dtype=x.dtype)) + x[0] ** 2


EXERCISE = Exercise(
    number="0.1",
    title=TEXT,
    task=TEXT,
    signature="matrix(x)",
    inputs=lambda seed: [(torch.tensor([1.0, -2.0], dtype=torch.float64) + k * (seed + 1),) for k in range(3)],
    reference=matrix,
    hint=Text("think", "想一想"),
    mistakes=(Mistake("first row only", Text("where is the rest", "其余的呢"), like(lambda right, x: right[0])),),
    gradient=True,
)


def reason(answer, exercise: Exercise = EXERCISE) -> str:
    cases = exercise.inputs(0)
    return judge(exercise, cases, [observe(answer, case, exercise.gradient) for case in cases]).reason


def bad_gradient(x):
    return matrix(x) + (torch.where(x > 100, (x * 0).sqrt(), 0.0 * x.sum())).sum()


COUNT = [0]


def counting(x):
    COUNT[0] += 1
    return matrix(x) + COUNT[0]


SEEN = [
    ("right", matrix),
    ("right", lambda x: list(matrix(x))),
    ("not answered", lambda x: (_ for _ in ()).throw(NotImplementedError)),
    ("raised", lambda x, y: x),
    ("raised", lambda x: x @ torch.ones(3)),
    ("nothing", lambda x: None),
    ("kind", lambda x: "matrix"),
    ("kind", lambda x: {"J": matrix(x)}),
    ("constant", lambda x: matrix(torch.tensor([1.0, -2.0], dtype=torch.float64))),
    ("constant", lambda x: 7.0),
    ("first row only", lambda x: matrix(x)[0]),
    ("shape", lambda x: matrix(x)[:, :2]),
    ("shape", lambda x: matrix(x)[None]),
    ("transposed", lambda x: matrix(x).T),
    ("dtype", lambda x: matrix(x).float()),
    ("dtype", lambda x: matrix(x).round().long()),
    ("not finite", lambda x: matrix(x) / 0.0),
    ("accumulated", counting),
    ("degrees", lambda x: torch.rad2deg(matrix(x))),
    ("sign", lambda x: -matrix(x)),
    ("factor", lambda x: 3.0 * matrix(x)),
    ("precision", lambda x: matrix(x) + 1e-6),
    ("sample only", lambda x: matrix(x) if x[0] == 1 else matrix(x) * x[0]),
    ("sample only", lambda x: matrix(x) if x[0] == 1 else x[7]),
    ("value", lambda x: matrix(x) + x[0]),
    ("detached", lambda x: matrix(x).detach()),
    ("detached", lambda x: np.array(matrix(x).tolist())),
    ("gradient not finite", bad_gradient),
    ("gradient", lambda x: matrix(x).detach() + 0 * x.sum()),
]


@pytest.mark.parametrize(("wanted", "answer"), SEEN)
def test_reasons(wanted: str, answer) -> None:
    COUNT[0] = 0
    assert reason(answer) == wanted


def test_changed_input_is_a_reason_of_its_own() -> None:
    def changing(x):
        result = matrix(x)
        x.zero_()
        return result

    plain = dataclasses.replace(EXERCISE, gradient=False)
    assert reason(changing, plain) in ("changed input", "accumulated")
    assert reason(lambda x: (matrix(x), x.sub_(0.5), x.add_(0.5))[0], plain) == "right"
    assert (
        reason(lambda x: (matrix(x), x.zero_())[0], dataclasses.replace(plain, accept=lambda v, r, x: True))
        == "changed input"
    )


def test_accept_decides_where_more_than_one_value_is_right() -> None:
    either = dataclasses.replace(
        EXERCISE, gradient=False, accept=lambda value, right, x: bool((value.abs() == right.abs()).all())
    )
    assert reason(lambda x: -matrix(x), either) == "right"
    assert reason(lambda x: matrix(x)[:1], either) == "shape"


def test_verdict_says_shape_and_kind_and_no_number() -> None:
    cases = EXERCISE.inputs(0)
    for language, expected, hint in (
        ("en", "expected: a tensor of shape (2, 3), float64, differentiable in its inputs", "think"),
        ("zh", "应返回：形状为 (2, 3) 的张量，float64，并且对输入可微", "想一想"),
    ):
        verdict = judge(EXERCISE, cases, [observe(lambda x: matrix(x) + x[0], case) for case in cases], language)
        assert expected in str(verdict) and verdict.hint == hint and not verdict.right
        assert str(verdict).startswith("0.1 ")
    right = judge(EXERCISE, cases, right_observations(EXERCISE, cases))
    assert right.right and right.hint == "" and str(right) == "0.1 right: title"


def test_broken_reference_is_not_the_students_fault() -> None:
    broken = dataclasses.replace(EXERCISE, reference=lambda x: x[9])
    with pytest.raises(RuntimeError, match="reference of exercise 0.1"):
        reason(matrix, broken)


def test_every_reason_is_shown_somewhere() -> None:
    elsewhere = {
        "not callable",
        "missing",
        "time",
        "crashed",
        "memory",
        "imports",
        "fenced",
        "not read",
        "changed input",
    }
    assert {wanted for wanted, _ in SEEN} | elsewhere == set(REASONS) | {"right", "value", "first row only"}
