"""The seventh lesson: gyroscope, wing tip, camera, sensors and integrators behave as it says."""

from __future__ import annotations

import math

import pytest
import torch

from tests.notebooks.running import run_lesson

pytest.importorskip("pybullet")


def test_adding_up_a_gyroscope_points_a_level_aircraft_at_the_sky() -> None:
    names = run_lesson(7).names
    assert math.degrees(names["wrong"][1]) > 120
    assert torch.rad2deg(names["right"]).allclose(torch.tensor([180.0, 0.0, 60.0], dtype=torch.float64), atol=1e-6)
    assert names["R_turn"][:, 0].allclose(torch.tensor([-1.0, 0.0, 0.0], dtype=torch.float64), atol=1e-9)


def test_wing_tip_moves_the_same_by_every_route_and_in_pybullet() -> None:
    names = run_lesson(7).names
    for other in ("J_by_hand", "by_autograd"):
        assert names["J_angles"].allclose(names[other], atol=1e-12)
    assert names["J_turn"].allclose(names["library"], atol=1e-12)
    assert names["tip_in_bullet"].allclose(names["R"] @ names["p"], atol=1e-9)


def test_camera_stays_on_its_place() -> None:
    names = run_lesson(7).names
    assert names["found"].success.all()
    assert names["miss"].max() < 1e-6
    assert names["view"].std() > 10  # PyBullet drew something


def test_wahba_uses_the_poor_sensor_without_harm() -> None:
    errors = run_lesson(7).names["errors"]
    best, good = errors["Wahba, 1 / sigma^2"], errors["TRIAD, the best two"]
    assert best < good < errors["Wahba, equal weights"] < errors["TRIAD, the worst two"]
    assert best > 0.5 * good


def test_bullet_makes_energy_and_our_copy_of_its_step_agrees() -> None:
    table = run_lesson(7).names["table"]
    assert table["Bullet itself"][0] > 5e-3 > 1e-5 > table["lie_midpoint"][0] > table["rk4"][0]
    assert table["bullet"][3] < 1e-5
    assert table["rk4"][2] < 1e-3 < table["lie_midpoint"][2] < 0.1 < table["Bullet itself"][2]
    assert run_lesson(7).figures == 2
