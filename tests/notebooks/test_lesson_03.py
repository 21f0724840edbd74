"""The third lesson: each trap is real, and the way out of it works."""

from __future__ import annotations

import math

import torch

from tests.notebooks.running import run_lesson


def test_signs_of_quaternions_ruin_a_mean() -> None:
    names = run_lesson(3).names
    error = names["error_deg"]
    assert max(error(q) for q in names["measured"]) < 5
    assert error(names["naive"]) > 30
    assert error(names["good"]) < 1.5


def test_euler_rates_race_at_the_pole() -> None:
    names = run_lesson(3).names
    assert names["rates"].abs().max() > 25  # 1 / sin(0.03) = 33
    assert names["rates"].abs().max() < 1 / math.sin(0.03) + 1e-6
    jump = (names["angles"][200:210, 0].max() - names["angles"][190:200, 0].min()).abs()
    assert jump > 1


def test_gradient_by_trace_is_nan_and_by_distance_is_not() -> None:
    gradients = run_lesson(3).names["gradients"]
    assert torch.isnan(gradients["trace"][-1]).any()
    assert torch.isfinite(gradients["distance"]).all()
    assert torch.allclose(gradients["distance"][:3, 2], torch.ones(3, dtype=torch.float64), atol=1e-9)
    assert gradients["distance"][-1].norm() <= 1


def test_shortest_turn_is_the_shortest() -> None:
    names = run_lesson(3).names
    lengths = names["lengths_of_way"]
    assert lengths["Euler angles"] > 1.05 * lengths["shortest turn"]
    assert names["ways"]["matrix entries"].norm(dim=1).min() < 0.9
    assert run_lesson(3).figures == 2
