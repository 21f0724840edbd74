"""Usual wrong answers of lesson 11, each with the hint that it gets."""

from __future__ import annotations

import pytest
import torch

from tests.course.answers import solutions, verdict

RIGHT = solutions(11)


def to_joints(f, x, q):
    q = q.clone().requires_grad_()
    y = f(x, q).flatten()
    return torch.stack([torch.autograd.grad(y, q, seed, retain_graph=True)[0].flatten() for seed in torch.eye(len(y))])


def ones(f, x, q):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x, q).sum(), x)[0]


def coarse(f, x, q):
    return torch.stack([(f(x + h, q) - f(x - h, q)).flatten() / 2e-3 for h in 1e-3 * torch.eye(len(x))], 1)


def accumulated(f, x, q):
    x = x.requires_grad_()
    y = f(x, q).flatten()
    rows = []
    for seed in torch.eye(len(y)):
        y.backward(seed, retain_graph=True)
        rows.append(x.grad.clone())
    return torch.stack(rows)


def by_coordinates(f, x, q):
    J = RIGHT.parameter_jacobian(f, x, q)
    return torch.cat((J[0::2], J[1::2]))


def damped(J, r):
    return torch.linalg.inv(J.T @ J + 1e-3 * torch.eye(J.shape[1])) @ J.T @ r


def normal_equations(J, r):
    return torch.linalg.inv(J.T @ J) @ J.T @ r


def last_dropped(J, r):
    return torch.cat((torch.linalg.pinv(J[:, :-1]) @ r, torch.zeros(1)))


def first_dropped(J, r):
    return torch.cat((torch.zeros(1), torch.linalg.pinv(J[:, 1:]) @ r))


def direction(J, change):
    unseen = RIGHT.unseen_part(J, change)
    return unseen / unseen.norm()


WRONG = [
    ("11.1", "to the joints", to_joints),
    ("11.1", "one pass alone", ones),
    ("11.1", "rows in another order", by_coordinates),
    ("11.1", "not flattened", lambda f, x, q: RIGHT.parameter_jacobian(f, x, q).reshape(len(q), 2, -1)),
    ("11.1", "transposed", lambda f, x, q: RIGHT.parameter_jacobian(f, x, q).T),
    ("11.1", "accumulated", accumulated),
    ("11.1", "precision", coarse),
    ("11.2", "gradient step", lambda J, r: J.T @ r),
    ("11.2", "sign", lambda J, r: -RIGHT.smallest_step(J, r)),
    ("11.2", "raised", normal_equations),
    ("11.2", "one of the two left out", last_dropped),
    ("11.2", "one of the two left out", first_dropped),
    ("11.2", "damped", damped),
    ("11.2", "shape", lambda J, r: RIGHT.smallest_step(J, r)[:, None]),
    ("11.3", "the part that is seen", lambda J, change: change - RIGHT.unseen_part(J, change)),
    ("11.3", "change of the measurements", lambda J, change: J @ change),
    ("11.3", "nothing unseen", lambda J, change: change - torch.linalg.lstsq(torch.eye(len(change)), change).solution),
    ("11.3", "unit direction", direction),
    ("11.3", "unit direction", lambda J, change: -direction(J, change)),
    ("11.3", "sign", lambda J, change: -RIGHT.unseen_part(J, change)),
    ("11.4", "not in units of the noise", lambda e, s, k: RIGHT.reduced_chi_square(e, torch.ones_like(s), k)),
    ("11.4", "directions not subtracted", lambda e, s, k: ((e / s) ** 2).mean()),
    ("11.4", "root taken", lambda e, s, k: RIGHT.reduced_chi_square(e, s, k).sqrt()),
    ("11.4", "not divided", lambda e, s, k: ((e / s) ** 2).sum()),
    ("11.4", "sigma not squared", lambda e, s, k: (e**2 / s).sum() / (e.numel() - k)),
    ("11.4", "sample only", lambda e, s, k: ((e / s) ** 2).sum() / 5),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text
