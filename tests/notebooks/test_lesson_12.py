"""The twelfth lesson: gradients go through flights, a short horizon misleads, and the network flies in PyBullet."""

from __future__ import annotations

import math

import pytest
import torch

from tests.notebooks.running import run_lesson

pytest.importorskip("pybullet")


def test_gradient_goes_through_all_steps() -> None:
    names = run_lesson(12).names
    assert names["gains"].grad.allclose(torch.tensor(names["differences"], dtype=torch.float64), rtol=1e-6)


def test_short_horizon_learns_its_task_and_never_comes_to_rest() -> None:
    names = run_lesson(12).names
    assert sum(names["short_losses"][-10:]) / 10 < names["short_losses"][0] - 0.1
    assert math.degrees(names["restless"].angle[-1].median()) > 3
    assert names["restless"].omega[-1].norm(dim=0).median() > 0.2
    assert names["scores"]["network, 0.2 s"]["under_2_deg"] < 0.2


def test_long_horizon_beats_the_hand_set_controller_on_flights_held_out() -> None:
    scores = run_lesson(12).names["scores"]
    network, by_hand = scores["network, 2 s"], scores["PD by hand"]
    assert network["cost"] < 0.9 * by_hand["cost"]
    assert network["settle_mean_s"] < by_hand["settle_mean_s"]
    assert network["under_2_deg"] > 0.9


def test_network_flies_in_pybullet() -> None:
    names = run_lesson(12).names
    error = names["errors"]["network, 2 s"]
    assert error[:, 0].min() > 60 and error[:, 60:].max() < 5
    assert run_lesson(12).figures == 2
