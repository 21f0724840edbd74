"""The torch route: steps of the integrators one after another, its derivatives of any order, other dtypes."""

import pytest
import torch
from torch.autograd import gradcheck

from diffkin import rotations
from diffkin.aircraft.dynamics.by_torch import simulate_by_torch
from diffkin.aircraft.dynamics.integrators import INTEGRATORS, Body

F = torch.float64
FULL = torch.tensor([[0.02, 0.001, -0.0005], [0.001, 0.03, 0.002], [-0.0005, 0.002, 0.04]], dtype=F)


def body(damping: float = 0.1) -> Body:
    return Body(FULL, torch.linalg.inv(FULL), torch.tensor([0.01, 0.0, -0.02], dtype=F), damping)


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F)


@pytest.mark.parametrize("integrator", list(INTEGRATORS))
@pytest.mark.parametrize("per_step", [False, True])
def test_history_is_the_steps_one_after_another(integrator: str, per_step: bool) -> None:
    R, omega = rotations.random_rotation((2, 3), 0), draw(2, 3, 3)
    torque = draw(3, 5, 3, scale=0.1, seed=1) if per_step else draw(3, 3, scale=0.1, seed=1)
    all_R, all_omega = simulate_by_torch(R, omega, body(), torque, per_step, 0.02, integrator, 5)
    assert all_R.shape == (2, 3, 6, 3, 3)
    assert all_omega.shape == (2, 3, 6, 3)
    for k in range(5):
        torch.testing.assert_close(all_R[..., k, :, :], R, rtol=0, atol=0)
        R, omega = INTEGRATORS[integrator](R, omega, torque[:, k] if per_step else torque, body(), 0.02)
    torch.testing.assert_close(all_omega[..., 5, :], omega, rtol=0, atol=0)


def test_half_precision_and_third_derivatives() -> None:
    """What no kernel does."""
    R, omega = rotations.random_rotation((4,), 0), draw(4, 3)
    torque = torch.zeros(3, dtype=F)
    exact, _ = simulate_by_torch(R, omega, body(), torque, False, 0.02, "rk4", 5)
    small = Body(*(part.bfloat16() for part in body()[:3]), 0.1)
    rough, _ = simulate_by_torch(R.bfloat16(), omega.bfloat16(), small, torque.bfloat16(), False, 0.02, "rk4", 5)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.double(), exact, rtol=0, atol=0.1)

    def curvature(w: torch.Tensor) -> torch.Tensor:
        return torch.func.hessian(
            lambda w: simulate_by_torch(R[0], w, body(), torque, False, 0.1, "lie_midpoint", 2)[0][-1, 0, 1]
        )(w)

    assert gradcheck(curvature, (omega[0].clone().requires_grad_(),))
