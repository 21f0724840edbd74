"""Tasks that pick by problem from other than one target a problem are told."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

import diffkin as dk
from diffkin.errors import ShapeError
from diffkin.ik.tasks.picked import Picked


@pytest.mark.parametrize(
    "pick",
    [
        lambda t, p: t[p],
        lambda t, p: t[p, :2],
        lambda t, p: t.index_select(0, p),
        lambda t, p: torch.index_select(t, 0, p),
    ],
)
def test_picks_are_seen(pick):
    problem = torch.zeros(1, dtype=torch.long)
    target = torch.rand(4, 3)
    with Picked("Mine", problem, 4):
        assert torch.equal(pick(target, problem), pick(target, torch.tensor([0])))
        target[torch.tensor([0])], target[:, 0], target[2]
    with Picked("Mine", problem, 1), pytest.raises(ShapeError, match="Mine picks by problem"):
        pick(target, problem)


@dataclass(frozen=True, eq=False, kw_only=True)
class Undeclared(dk.ik.Task):
    target: torch.Tensor
    links = (None,)

    def residual(self, poses, q, problem):
        return poses[:, 0, :3, 3] - self.target[problem]


def test_a_batch_that_is_not_declared_is_refused(iiwa):
    points = iiwa.forward_kinematics(iiwa.sample(3))[:, :3, 3]
    with pytest.raises(ShapeError, match="batched"):
        dk.solve_ik(iiwa, Undeclared(target=points))
    with pytest.raises(ShapeError, match="batched"):
        dk.solve_ik(iiwa, Undeclared(target=points[:1]), q0=iiwa.sample(3))
    assert dk.solve_ik(iiwa, Undeclared(target=points), q0=iiwa.sample(3)).success.all()
    assert dk.solve_ik(iiwa, Undeclared(target=points[:1])).success.all()
