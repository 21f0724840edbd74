"""Rigid bodies: which inertias can be, angular momentum and energy."""

import math

import pytest
import torch

from diffkin import aircraft, rotations
from diffkin.aircraft.dynamics.rigid_body import inertia_matrix
from diffkin.errors import AttitudeError, DtypeError, NonFiniteError, ShapeError

F = torch.float64
EYE = torch.eye(3, dtype=F)
FULL = torch.tensor([[0.02, 0.001, -0.0005], [0.001, 0.03, 0.002], [-0.0005, 0.002, 0.04]], dtype=F)


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F)


def test_energy_and_momentum_by_hand() -> None:
    R, omega = rotations.random_rotation((4,), 0), draw(4, 3)
    rotor = torch.tensor([0.1, 0.2, 0.3], dtype=F)
    for i in range(4):
        energy = 0.5 * omega[i] @ FULL @ omega[i]
        torch.testing.assert_close(aircraft.rotational_energy(omega, FULL)[i], energy)
        momentum = R[i] @ (FULL @ omega[i] + rotor)
        torch.testing.assert_close(aircraft.angular_momentum(R, omega, FULL, rotor)[i], momentum)


def test_energy_and_momentum_broadcast_and_have_gradients() -> None:
    omega, moments = draw(4, 1, 3), torch.tensor([0.01, 0.02, 0.025], dtype=F)
    assert aircraft.rotational_energy(omega, FULL.expand(5, 3, 3)).shape == (4, 5)
    by_moments = 0.5 * (moments * omega.square()).sum(-1)
    torch.testing.assert_close(aircraft.rotational_energy(omega, moments), by_moments)
    omega = omega.requires_grad_()
    (grad,) = torch.autograd.grad(aircraft.rotational_energy(omega, FULL).sum(), omega)
    torch.testing.assert_close(grad, (FULL @ omega.detach().unsqueeze(-1)).squeeze(-1))  # dE/dw = J w
    R = rotations.random_rotation((4, 1), 1)
    size = aircraft.angular_momentum(R, omega, FULL).norm(dim=-1)
    torch.testing.assert_close(size, grad.norm(dim=-1).expand_as(size))  # a turn changes no length


def test_bodies_that_can_be_pass() -> None:
    """Balls, plates (where the triangle inequality is an equation) and any sum of point masses."""
    for moments in ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]):
        given = torch.tensor(moments, dtype=F)
        assert torch.equal(aircraft.check_inertia(given), torch.diag(given))
    points = draw(50, 6, 3, seed=3)
    J = (points.square().sum(-1)[..., None, None] * EYE - points.unsqueeze(-1) * points.unsqueeze(-2)).sum(1)
    assert torch.equal(aircraft.check_inertia(J), J)
    assert aircraft.check_inertia(J[:0]).shape == (0, 3, 3)
    assert torch.equal(inertia_matrix(-given), -torch.diag(given))  # shapes alone are checked


@pytest.mark.parametrize(
    ("inertia", "error", "words"),
    [
        (torch.ones(2, dtype=F), ShapeError, r"must have shape \(\*batch, 3\)"),
        (torch.tensor(1.0, dtype=F), ShapeError, "wheel must have shape"),
        (torch.ones(4, 3, dtype=F), ShapeError, "diag_embed"),
        (torch.ones(3, dtype=torch.int64), DtypeError, "floating"),
        (torch.tensor([1.0, math.nan, 1.0], dtype=F), NonFiniteError, "wheel"),
        (torch.tensor([1.0, 1.0, 2.5], dtype=F), AttitudeError, r"triangle inequality.*\(1, 1, 2.5\)"),
        (torch.tensor([1.0, -1.0, 1.0], dtype=F), AttitudeError, "positive definite: .* -1"),
        (EYE + torch.tensor([[0, 0.1, 0], [0, 0, 0], [0, 0, 0]], dtype=F), AttitudeError, r"symmetric.* 0\.1\."),
        (torch.stack([EYE, torch.diag(torch.tensor([1.0, 1.0, 9.0], dtype=F))]), AttitudeError, "triangle"),
    ],
)
def test_bodies_that_cannot_be_raise(inertia: torch.Tensor, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        aircraft.check_inertia(inertia, "wheel")


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="omega"):
        aircraft.rotational_energy(torch.ones(4, dtype=F), FULL)
    with pytest.raises(ShapeError, match="R must"):
        aircraft.angular_momentum(torch.ones(3, dtype=F), torch.ones(3, dtype=F), FULL)
    with pytest.raises(ShapeError, match="rotor_momentum"):
        aircraft.angular_momentum(EYE, torch.ones(3, dtype=F), FULL, torch.ones(2, dtype=F))
