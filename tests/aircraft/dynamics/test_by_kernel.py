"""The kernel route beside the torch route: values, gradients, what goes round it, bodies of which a clamp acted."""

import pytest
import torch
from torch.autograd import gradcheck

from diffkin import aircraft, rotations
from diffkin.aircraft.dynamics import by_kernel, simulate
from diffkin.aircraft.dynamics.by_kernel import simulate_by_kernel
from diffkin.aircraft.dynamics.by_torch import simulate_by_torch
from diffkin.aircraft.dynamics.integrators import Body, orthonormalize

F = torch.float64
INTEGRATORS = ("rk4", "lie_midpoint", "bullet")
FULL = torch.tensor([[0.02, 0.001, -0.0005], [0.001, 0.03, 0.002], [-0.0005, 0.002, 0.04]], dtype=F)
EYE = torch.eye(3, dtype=F)


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F)


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("damping", [0.0, 0.2])
def test_kernels_and_torch_agree_with_their_gradients(integrator: str, per_step: bool, damping: float) -> None:
    steps = 23
    torque = draw(11, steps, 3, scale=0.05) if per_step else draw(11, 3, scale=0.05)
    inputs = (rotations.random_rotation((11,), 2), draw(11, 3, scale=2.0), FULL, torque, draw(3, scale=0.02))
    found = []
    for backend in (None, "reference"):
        R0, omega0, inertia, tau, rotor = (x.clone().requires_grad_() for x in inputs)
        R, omega = aircraft.simulate_attitude(
            R0,
            omega0,
            inertia,
            tau,
            dt=0.03,
            steps=steps,
            integrator=integrator,
            damping=damping,
            rotor_momentum=rotor,
            backend=backend,
        )
        loss = (R * draw(*R.shape, seed=5)).sum() + (omega * draw(*omega.shape, seed=6)).sum()
        found.append((R, omega, *torch.autograd.grad(loss, (R0, omega0, inertia, tau, rotor))))
    for kernel, reference in zip(*found, strict=True):
        torch.testing.assert_close(kernel, reference, rtol=1e-12, atol=1e-12)


def test_forward_mode_goes_round_the_kernel() -> None:
    omega0, tangent = draw(3), draw(3, seed=1)
    run = lambda w: aircraft.simulate_attitude(EYE, w, FULL, dt=0.1, steps=4)[0]  # noqa: E731
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(omega0, tangent)
        out = torch.autograd.forward_ad.unpack_dual(run(dual)).tangent
    torch.testing.assert_close(out, torch.func.jvp(run, (omega0,), (tangent,))[1])


@pytest.mark.parametrize("backend", [None, "reference"])
def test_gradients_where_bullets_clamps_act(backend: str | None) -> None:
    omega0 = torch.tensor([[150.0, 20.0, -120.0], [1.0, 2.0, 3.0]], dtype=F, requires_grad=True)
    tau = torch.tensor([0.1, 0.2, -0.1], dtype=F, requires_grad=True)
    J = torch.tensor([0.01, 0.011, 0.012], dtype=F)

    def run(omega0: torch.Tensor, tau: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return aircraft.simulate_attitude(
            rotations.random_rotation((), 7), omega0, J, tau, dt=0.02, steps=3, integrator="bullet", backend=backend
        )

    assert gradcheck(run, (omega0, tau))


@pytest.mark.parametrize("own", [False, True])
def test_what_all_bodies_share_and_what_each_has_of_its_own(own: bool) -> None:
    """Inertia, rotor and torque shared by all or one for each body, over two leading axes: the gradients add up."""
    shape = (2, 3) if own else ()
    inputs = (
        rotations.random_rotation((2, 3), 1),
        draw(2, 3, 3),
        FULL.expand(*shape, 3, 3) * (1 + 0.1 * torch.arange(6.0, dtype=F).reshape(2, 3, 1, 1) if own else 1),
        draw(*shape, 3, scale=0.02),
        draw(*shape, 5, 3, scale=0.05, seed=2),
    )
    found = []
    for route in (simulate_by_kernel, simulate_by_torch):
        R, omega, J, rotor, torque = (x.clone().requires_grad_() for x in inputs)
        body = Body(J, torch.linalg.inv(J), rotor, 0.1)
        runs = route(orthonormalize(R), omega, body, torque, True, 0.02, "rk4", 5)
        loss = sum((run * draw(*run.shape, seed=9)).sum() for run in runs)
        found.append((*runs, *torch.autograd.grad(loss, (R, omega, J, rotor, torque))))
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_which_calls_take_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(*args) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(1)
        return simulate_by_kernel(*args)

    monkeypatch.setattr(simulate, "simulate_by_kernel", counted)

    def run(w: torch.Tensor, **options) -> torch.Tensor:
        like = {"R0": EYE.to(w.dtype), "omega0": w, "inertia": FULL.to(w.dtype)}
        return aircraft.simulate_attitude(**like, dt=0.1, steps=3, **options)[0]

    omega = draw(2, 3)
    for call, times in (
        (lambda: run(omega), 1),
        (lambda: run(omega.float()), 1),
        (lambda: run(omega.clone().requires_grad_()), 1),
        (lambda: run(omega, torque=lambda k, R, w: -w), 3),  # once a step
        (lambda: run(omega, backend="reference"), 0),
        (lambda: run(omega[:0]), 0),
        (lambda: torch.func.vmap(run)(omega), 0),
        (lambda: torch.func.jacfwd(run)(omega), 0),
    ):
        asked.clear()
        call()
        assert len(asked) == times


def test_only_the_clamped_bodies_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(R, *args):
        sizes.append(len(R))
        return simulate_by_torch(R, *args)

    monkeypatch.setattr(by_kernel, "simulate_by_torch", counted)
    omega0 = draw(6, 3)
    omega0[[1, 4]] *= 1e3  # beyond 100 rad/s
    omega0 = omega0.requires_grad_()
    R, _ = aircraft.simulate_attitude(EYE, omega0, FULL, dt=0.01, steps=4, integrator="bullet")
    assert sizes == []
    torch.autograd.grad(R.sum(), omega0)
    assert sizes == [2]
