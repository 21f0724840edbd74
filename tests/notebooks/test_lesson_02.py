"""The second lesson: three Jacobians agree, differences have their best step, and the singularity surprises."""

from __future__ import annotations

import torch

import diffkin as dk
from tests.notebooks.running import run_lesson


def test_three_jacobians_agree() -> None:
    names = run_lesson(2).names
    reference = dk.load_robot("planar_2r").jacobian(names["q"])[:2]
    for name in ("J_seeds", "J_formula"):
        assert torch.allclose(names[name], reference, atol=1e-15, rtol=0)
    best = int(names["errors"].argmin())
    assert names["errors"][best] < 1e-10
    assert names["errors"][0] > 1e4 * names["errors"][best] < names["errors"][-1]
    assert 1e-7 < names["steps"][best] < 1e-3


def test_singularity_asks_for_endless_speed() -> None:
    names = run_lesson(2).names
    speeds = names["speeds"]
    assert all(9 < later / earlier < 11 for earlier, later in zip(speeds, speeds[1:]))
    assert speeds[-1] > 400
    assert "singular" in names["singular"]
    assert torch.allclose(names["values"], 0.2 * names["bends"].sin().abs(), atol=1e-12)
    assert run_lesson(2).figures == 3
