"""Our integrators of attitude dynamics beside PyBullet's own step."""

from __future__ import annotations

import pytest
import torch

from diffkin import rotations
from diffkin.aircraft import load_airframe
from diffkin.errors import AttitudeError, ShapeError

pytest.importorskip("pybullet")

from diffkin.simulation.free_bodies import (  # noqa: E402
    BULLET_DAMPING,
    compare_bullet_integrator,
    compare_integrators,
    difference_ratio,
    step_free_bodies,
)


def bodies(name: str, count: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inertia = load_airframe(name).mass_properties().inertia
    rate = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return rotations.random_rotation(count, seed=generator), rate, inertia


@pytest.mark.parametrize("damping", [0.0, BULLET_DAMPING])
def test_bullet_integrator_is_bullets_step(damping: float) -> None:
    R0, omega0, inertia = bodies("fixed_wing", 2)  # with products of inertia
    generator = torch.Generator().manual_seed(1)
    torque = torch.randn(2, 2400, 3, generator=generator, dtype=torch.float64) * inertia.diagonal()
    assert compare_bullet_integrator(R0, omega0, inertia, torque, damping=damping) < 1e-10


@pytest.mark.parametrize("integrator", ["rk4", "lie_midpoint"])
def test_difference_from_bullet_halves_with_the_step(integrator: str) -> None:
    ratio = difference_ratio(*bodies("quadrotor"), integrator=integrator)
    assert ratio == pytest.approx(2.0, abs=0.05)


def test_all_integrators_at_once() -> None:
    found = compare_integrators(load_airframe("fixed_wing").mass_properties().inertia, seed=3)
    assert found["bullet_integrator_difference_rad"] < 1e-10
    assert found["rk4_difference_ratio"] == pytest.approx(2.0, abs=0.05)
    assert found["lie_difference_ratio"] == pytest.approx(2.0, abs=0.05)


def test_bad_input() -> None:
    R0, omega0, inertia = bodies("quadrotor")
    with pytest.raises(ShapeError, match="one n"):
        step_free_bodies(R0, omega0[:1], inertia, None, steps=2)
    with pytest.raises(AttitudeError, match="triangle"):
        step_free_bodies(R0, omega0, torch.diag(torch.tensor([1.0, 1.0, 3.0], dtype=torch.float64)), None, steps=2)
