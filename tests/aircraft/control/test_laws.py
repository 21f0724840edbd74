"""Controllers: against published formulas written out anew, and closing the loop."""

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from diffkin import aircraft, rotations
from diffkin.errors import OptionError, ShapeError

F = torch.float64
J = torch.tensor([[0.02, 0.001, -0.0005], [0.001, 0.03, 0.002], [-0.0005, 0.002, 0.04]], dtype=F)


def states(count: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(seed)
    R, Rd = rotations.random_rotation((count,), draw), rotations.random_rotation((count,), draw)
    rest = [torch.randn(count, 3, generator=draw, dtype=F) for _ in range(3)]
    return R, Rd, *rest


def test_geometric_pd_is_lees_equation_written_with_matrices() -> None:
    R, Rd, w, wd, ad = states(50)
    h = torch.tensor([0.01, -0.02, 0.03], dtype=F)
    torque = aircraft.geometric_pd(
        R, w, Rd, J, k_attitude=0.7, k_rate=0.2, omega_desired=wd, alpha_desired=ad, rotor_momentum=h
    )
    for i in range(50):
        skew = 0.5 * (Rd[i].T @ R[i] - R[i].T @ Rd[i])
        e_R = torch.stack([skew[2, 1], skew[0, 2], skew[1, 0]])
        e_W = w[i] - R[i].T @ Rd[i] @ wd[i]
        W = rotations.hat(w[i])
        expected = -0.7 * e_R - 0.2 * e_W + W @ (J @ w[i] + h)
        expected = expected - J @ (W @ R[i].T @ Rd[i] @ wd[i] - R[i].T @ Rd[i] @ ad[i])
        torch.testing.assert_close(torque[i], expected, rtol=0, atol=1e-14)


def test_log_pd_is_geometric_pd_for_small_errors_and_stronger_for_large() -> None:
    axis = torch.tensor([0.6, 0.0, 0.8], dtype=F)
    still = torch.zeros(3, dtype=F)
    for angle in (1e-3, 1.0, 3.0):
        R, Rd = rotations.rotvec_to_matrix(angle * axis), torch.eye(3, dtype=F)
        geometric = aircraft.geometric_pd(R, still, Rd, J, k_attitude=2.0, k_rate=1.0)
        log = aircraft.log_pd(R, still, Rd, J, k_attitude=2.0, k_rate=1.0)
        torch.testing.assert_close(geometric, -2.0 * math.sin(angle) * axis, rtol=0, atol=1e-13)
        torch.testing.assert_close(log, -2.0 * angle * axis, rtol=0, atol=1e-13)


def test_perfect_tracking_leaves_no_error() -> None:
    """Started on the reference, the feed-forward alone keeps the body on it."""
    keys = rotations.random_rotation((2,), 4)
    times = torch.tensor([0.0, 2.0], dtype=F)
    dt, steps = 0.002, 1000

    def torque(k: int, R: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        want = aircraft.attitude_reference(keys, times, torch.tensor((k + 0.5) * dt, dtype=F))
        return aircraft.geometric_pd(
            R, w, want.R, J, k_attitude=0.0, k_rate=0.0, omega_desired=want.omega, alpha_desired=want.alpha
        )

    R, w = aircraft.simulate_attitude(keys[0], torch.zeros(3, dtype=F), J, torque, dt=dt, steps=steps)
    assert float(rotations.angle_between(R[-1], keys[1])) < 1e-3
    assert float(w[-1].norm()) < 1e-3


@pytest.mark.parametrize("law", ["geometric_pd", "log_pd", "sqrt_cascade"])
def test_controllers_bring_random_attitudes_home(law: str) -> None:
    R, Rd, w, _, _ = states(40, seed=1)
    limit = torch.tensor([0.4, 0.4, 0.4], dtype=F)

    def torque(k: int, R: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        if law == "sqrt_cascade":
            tau = aircraft.sqrt_cascade(R, w, Rd, J, k_attitude=6.0, acceleration=6.0, k_rate=20.0)
        else:
            tau = getattr(aircraft, law)(R, w, Rd, J, k_attitude=1.0, k_rate=0.25)
        return aircraft.saturate(tau, limit)

    R, w = aircraft.simulate_attitude(R, w, J, torque, dt=0.01, steps=500)
    error = torch.rad2deg(rotations.angle_between(R[:, -1], Rd))
    assert int((error < 0.5).sum()) >= 39, error.max()


def test_sqrt_law_is_continuous_odd_and_brakes_in_time() -> None:
    x = torch.linspace(-3, 3, 2001, dtype=F)
    k, a = 4.0, 2.0
    rate = aircraft.sqrt_law(x, k, a)
    torch.testing.assert_close(rate, -aircraft.sqrt_law(-x, k, a))
    edge = a / k**2
    torch.testing.assert_close(
        aircraft.sqrt_law(torch.tensor([edge], dtype=F), k, a), torch.tensor([k * edge], dtype=F)
    )
    slope = torch.autograd.functional.jacobian(
        lambda e: aircraft.sqrt_law(e, k, a), torch.tensor([edge * (1 - 1e-9), edge * (1 + 1e-9)], dtype=F)
    ).diagonal()
    torch.testing.assert_close(slope, torch.full((2,), k, dtype=F), rtol=1e-6, atol=0)
    # on the law, dx/dt = -rate: the deceleration rate * d(rate)/dx is a beyond the edge
    far = torch.tensor([1.0, 2.0], dtype=F, requires_grad=True)
    speed = aircraft.sqrt_law(far, k, a)
    (grow,) = torch.autograd.grad(speed.sum(), far)
    torch.testing.assert_close((speed * grow).detach(), torch.full((2,), a, dtype=F))


def test_gradients_to_gains_and_states() -> None:
    R, Rd, w, wd, ad = states(2, seed=3)
    gains = torch.tensor([0.8, 1.1, 0.9], dtype=F, requires_grad=True)

    def torque(v: torch.Tensor, w: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        R_now = R @ rotations.rotvec_to_matrix(v)
        first = aircraft.geometric_pd(R_now, w, Rd, J, k_attitude=k, k_rate=0.3, omega_desired=wd, alpha_desired=ad)
        return first + aircraft.sqrt_cascade(R_now, w, Rd, J, k_attitude=k, acceleration=2.0, k_rate=k)

    v = torch.zeros(2, 3, dtype=F, requires_grad=True)
    w = w.requires_grad_()
    assert gradcheck(torque, (v, w, gains))
    assert gradgradcheck(torque, (v, w, gains))


def test_bad_input() -> None:
    R, w = torch.eye(3, dtype=F), torch.zeros(3, dtype=F)
    with pytest.raises(ShapeError, match="R_desired"):
        aircraft.geometric_pd(R, w, w, J, k_attitude=1.0, k_rate=1.0)
    with pytest.raises(ShapeError, match="inertia"):
        aircraft.geometric_pd(R, w, R, torch.ones(4, 3, dtype=F), k_attitude=1.0, k_rate=1.0)
    with pytest.raises(OptionError, match="acceleration"):
        aircraft.sqrt_cascade(R, w, R, J, k_attitude=1.0, acceleration=0.0, k_rate=1.0)
    with pytest.raises(OptionError, match="limit"):
        aircraft.saturate(w, -1.0)
