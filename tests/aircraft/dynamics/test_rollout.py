"""Rollouts: all states in order, and the same gradients with and without segments."""

import pytest
import torch
from torch.autograd import gradcheck

from diffkin.aircraft.dynamics.rollout import CHECKPOINT_FROM, rollout

F = torch.float64


def step(k: int, x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x + 0.1 * v, v - 0.1 * torch.sin(x) + 0.01 * k


def start() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, generator=draw, dtype=F), torch.randn(1, generator=draw, dtype=F).expand(2, 3)


@pytest.mark.parametrize("segments", [None, False, True])
@pytest.mark.parametrize("steps", [0, 1, 2, 9, 10])
def test_every_state_in_its_place(steps: int, segments: bool | None) -> None:
    x, v = (part.clone().requires_grad_() for part in start())
    all_x, all_v = rollout(step, (x, v), steps, segments)
    assert all_x.shape == all_v.shape == (steps + 1, 2, 3)
    for k in range(steps + 1):
        assert torch.equal(all_x[k], x)
        assert torch.equal(all_v[k], v)
        x, v = step(k, x, v)


def test_segments_change_no_gradient_and_run_each_step_twice() -> None:
    asked: list[int] = []

    def counted(k: int, x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(k)
        return step(k, x, v)

    found = []
    for segments, times in ((False, 1), (True, 2)):
        x, v = (part.clone().requires_grad_() for part in start())
        asked.clear()
        runs = rollout(counted, (x, v), 30, segments)
        assert asked == list(range(30))
        found.append(torch.autograd.grad(sum(run.square().sum() for run in runs), (x, v)))
        assert sorted(asked) == sorted(list(range(30)) * times)
    torch.testing.assert_close(found[0], found[1], rtol=1e-13, atol=0)


def test_segments_begin_by_themselves_only_where_a_gradient_is_needed() -> None:
    kept: list[int] = []
    sizes = {}
    for steps in (CHECKPOINT_FROM - 1, CHECKPOINT_FROM):
        kept.clear()
        x, v = (part.clone().requires_grad_() for part in start())
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            rollout(step, (x, v), steps)
        sizes[steps] = sum(kept)
    assert sizes[CHECKPOINT_FROM] < 0.3 * sizes[CHECKPOINT_FROM - 1]
    with torch.no_grad():
        plain = rollout(step, start(), CHECKPOINT_FROM, True)
    assert plain[0].shape == (CHECKPOINT_FROM + 1, 2, 3)


def test_second_derivatives_and_transforms() -> None:
    x, v = (part.clone().requires_grad_() for part in start())
    assert gradcheck(lambda x, v: rollout(step, (x, v), 4, True), (x, v))
    fixed = start()
    by_rows = torch.func.jacrev(lambda x: rollout(step, (x, fixed[1]), 5, True)[0])(fixed[0])
    by_columns = torch.func.jacfwd(lambda x: rollout(step, (x, fixed[1]), 5)[0])(fixed[0])
    torch.testing.assert_close(by_rows, by_columns, rtol=0, atol=1e-14)
