"""Integrators: against Jacobi's elliptic functions and PyBullet, their orders, and what they conserve."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.special import ellipj, ellipk

from diffkin import aircraft, rotations
from diffkin.aircraft.dynamics.integrators import INTEGRATORS as STEPS
from diffkin.aircraft.dynamics.integrators import Body, momentum, orthonormalize
from diffkin.kernels.attitude import constants

F = torch.float64
INTEGRATORS = ("rk4", "lie_midpoint", "bullet")
BODIES = {
    "slender": (0.5, 1.9, 2.0),
    "general": (1.0, 2.0, 2.5),
    "flat": (1.0, 1.4, 2.2),
}


def tumbling(moments: tuple[float, float, float], omega0: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Rates of a torque-free body in closed form (Landau and Lifshitz, Mechanics, section 37).

    In principal axes with ``I1 < I2 < I3``, started from a rate with no component along the middle axis.
    """
    i1, i2, i3 = moments
    energy = float((np.array(moments) * omega0**2).sum())  # twice the energy
    square = float(((np.array(moments) * omega0) ** 2).sum())  # squared angular momentum
    if square > energy * i2:  # about the axis of the largest moment
        a = math.sqrt((energy * i3 - square) / (i1 * (i3 - i1)))
        b = math.sqrt((energy * i3 - square) / (i2 * (i3 - i2)))
        c = math.sqrt((square - energy * i1) / (i3 * (i3 - i1)))
        pace = math.sqrt((i3 - i2) * (square - energy * i1) / (i1 * i2 * i3))
        m = (i2 - i1) * (energy * i3 - square) / ((i3 - i2) * (square - energy * i1))
        sn, cn, dn, _ = ellipj(pace * t, m)
        signs = np.sign(omega0[0]), 1.0, np.sign(omega0[2])
        w = np.stack([signs[0] * a * cn, b * sn, signs[2] * c * dn], -1)
    else:  # about the axis of the smallest: the same with axes 1 and 3 exchanged
        a = math.sqrt((energy * i3 - square) / (i1 * (i3 - i1)))
        b = math.sqrt((square - energy * i1) / (i2 * (i2 - i1)))
        c = math.sqrt((square - energy * i1) / (i3 * (i3 - i1)))
        pace = math.sqrt((i2 - i1) * (energy * i3 - square) / (i1 * i2 * i3))
        m = (i3 - i2) * (square - energy * i1) / ((i2 - i1) * (energy * i3 - square))
        sn, cn, dn, _ = ellipj(pace * t, m)
        signs = np.sign(omega0[0]), 1.0, np.sign(omega0[2])
        w = np.stack([signs[0] * a * dn, b * sn, signs[2] * c * cn], -1)
    # Euler's equation fixes the sign of the middle component: I2 dw2/dt = (I3 - I1) w3 w1
    w[:, 1] *= np.sign(omega0[0] * omega0[2])
    return w


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("omega0", [(0.3, 0.0, 0.9), (1.1, 0.0, -0.2)])
def test_torque_free_tumbling_against_elliptic_functions(name: str, omega0: tuple[float, ...]) -> None:
    """30 s at dt = 2 ms: rates to 1e-9 deg/s, and the attitude to 1e-8 deg."""
    moments, dt, steps = BODIES[name], 0.002, 15000
    start = np.array(omega0)
    exact = tumbling(moments, start, dt * np.arange(steps + 1))
    J = torch.tensor(moments, dtype=F)
    R, omega = aircraft.simulate_attitude(torch.eye(3, dtype=F), torch.tensor(start), J, dt=dt, steps=steps)
    assert float((omega - torch.tensor(exact)).abs().max()) < math.radians(1e-9)
    # Attitude: angular momentum is fixed in space, which settles two angles; the third, about it, turns at
    # the rate |L| (J1 w1^2 + J2 w2^2) / (J1^2 w1^2 + J2^2 w2^2), integrated here by Gauss quadrature.
    L = torch.tensor(exact) * J
    direction = (J * torch.tensor(start)) / (J * torch.tensor(start)).norm()
    fixed = (R @ L.unsqueeze(-1)).squeeze(-1) / L.norm(dim=-1, keepdim=True)
    assert float((fixed - direction).norm(dim=-1).max()) < math.radians(1e-8)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    ends = dt * np.arange(steps + 1)
    inside = (ends[:-1, None] + 0.5 * dt * (nodes + 1)).ravel()
    w = tumbling(moments, start, inside)
    size = float(L[0].norm())
    i1, i2, _ = moments
    rate = size * (i1 * w[:, 0] ** 2 + i2 * w[:, 1] ** 2) / ((i1 * w[:, 0]) ** 2 + (i2 * w[:, 1]) ** 2)
    angle = np.concatenate([[0.0], np.cumsum((rate.reshape(-1, 8) * weights).sum(1) * 0.5 * dt)])
    # The third body axis projected across L, at the start and later, is turned by that angle.
    axis = direction
    across = R[:, :, 2] - (R[:, :, 2] @ axis).unsqueeze(-1) * axis
    first = across[0] / across[0].norm()
    second = torch.linalg.cross(axis, first)
    found = torch.atan2(across @ second, across @ first)
    wrapped = torch.remainder(found - torch.tensor(angle) + math.pi, 2 * math.pi) - math.pi
    assert float(wrapped.abs().max()) < math.radians(1e-8)


def test_closed_form_solves_eulers_equations() -> None:
    """The oracle itself: its derivative in time obeys J dw/dt = (J w) x w, and its period is 4 K(m)."""
    moments, start = BODIES["general"], np.array((0.3, 0.0, 0.9))
    t, h = np.linspace(0.1, 9, 50), 1e-4
    w = tumbling(moments, start, t)
    slope = (tumbling(moments, start, t + h) - tumbling(moments, start, t - h)) / (2 * h)
    np.testing.assert_allclose(np.array(moments) * slope, np.cross(np.array(moments) * w, w), rtol=0, atol=1e-8)
    i1, i2, i3 = moments
    energy, square = (np.array(moments) * start**2).sum(), ((np.array(moments) * start) ** 2).sum()
    pace = math.sqrt((i3 - i2) * (square - energy * i1) / (i1 * i2 * i3))
    period = 4 * ellipk((i2 - i1) * (energy * i3 - square) / ((i3 - i2) * (square - energy * i1))) / pace
    np.testing.assert_allclose(tumbling(moments, start, np.array([period]))[0], start, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("integrator", "order"), [("rk4", 4), ("lie_midpoint", 2), ("bullet", 1)])
def test_order_of_convergence(integrator: str, order: int) -> None:
    """With products of inertia, rotors, damping and a torque: halving dt divides the error by 2^order."""
    J = torch.tensor([[0.02, 0.001, -0.0005], [0.001, 0.03, 0.002], [-0.0005, 0.002, 0.04]], dtype=F)
    R0, omega0 = rotations.random_rotation((), 3), torch.tensor([1.0, -2.0, 1.5], dtype=F)
    rotor, tau = torch.tensor([0.01, 0.02, -0.01], dtype=F), torch.tensor([0.02, -0.01, 0.03], dtype=F)

    def end(steps: int, which: str = integrator) -> tuple[torch.Tensor, torch.Tensor]:
        R, omega = aircraft.simulate_attitude(
            R0, omega0, J, tau, dt=1.0 / steps, steps=steps, integrator=which, damping=0.3, rotor_momentum=rotor
        )
        return R[-1], omega[-1]

    exact = end(4000, "rk4")
    counts = (40, 80, 160) if order == 4 else (200, 400, 800)
    errors = [
        (float(rotations.angle_between(R, exact[0])), float((omega - exact[1]).norm())) for R, omega in map(end, counts)
    ]
    for coarse, fine in zip(errors, errors[1:], strict=False):
        for a, b in zip(coarse, fine, strict=True):
            assert math.log2(a / b) == pytest.approx(order, abs=0.15), errors


def test_lie_midpoint_keeps_momentum_and_rk4_nearly() -> None:
    J = torch.tensor([0.01, 0.02, 0.025], dtype=F)
    omega0 = torch.tensor([0.2, 3.0, -0.3], dtype=F)
    rotor = torch.tensor([0.01, 0.0, 0.02], dtype=F)
    drift, energy = {}, {}
    for integrator in INTEGRATORS:
        R, omega = aircraft.simulate_attitude(
            torch.eye(3, dtype=F), omega0, J, dt=0.01, steps=3000, integrator=integrator, rotor_momentum=rotor
        )
        L = aircraft.angular_momentum(R, omega, J, rotor)
        drift[integrator] = float((L - L[0]).norm(dim=-1).max() / L[0].norm())
        E = aircraft.rotational_energy(omega, J)
        energy[integrator] = float((E / E[0] - 1).abs().max())
    assert drift["lie_midpoint"] < 1e-12
    assert drift["rk4"] < 1e-6
    assert energy["rk4"] < 1e-6
    assert energy["lie_midpoint"] < 0.02
    assert energy["bullet"] > 0.02  # Bullet's gyroscopic term is explicit: energy grows


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("backend", [None, "reference"])
def test_attitude_stays_a_rotation(integrator: str, backend: str | None) -> None:
    steps = 100_000 if backend is None else 1500
    J = torch.tensor([0.01, 0.02, 0.025], dtype=F)
    R, _ = aircraft.simulate_attitude(
        rotations.random_rotation((2,), 0),
        torch.tensor([1.0, 2.0, 3.0], dtype=F),
        J,
        torch.tensor([1e-3, -1e-3, 5e-4], dtype=F),
        dt=0.004,
        steps=steps,
        integrator=integrator,
        damping=0.05,
        backend=backend,
    )
    assert float((R.mT @ R - torch.eye(3, dtype=F)).abs().max()) < 1e-12
    assert float((torch.linalg.det(R) - 1).abs().max()) < 1e-12


def bullet_steps(moments, R0, omega_body, torque, damping, dt, steps):
    """The same body in PyBullet: attitudes and rates in body axes after each step."""
    p = pytest.importorskip("pybullet")  # there is none for Python 3.12 and later
    client = p.connect(p.DIRECT)
    try:
        p.setGravity(0, 0, 0, physicsClientId=client)
        p.setTimeStep(dt, physicsClientId=client)
        body = p.createMultiBody(1.0, physicsClientId=client)
        p.changeDynamics(
            body,
            -1,
            localInertiaDiagonal=list(moments),
            linearDamping=0,
            angularDamping=damping,
            physicsClientId=client,
        )
        quat = Rotation.from_matrix(R0).as_quat()
        p.resetBasePositionAndOrientation(body, [0, 0, 0], quat, physicsClientId=client)
        p.resetBaseVelocity(body, [0, 0, 0], list(R0 @ omega_body), physicsClientId=client)
        attitudes, rates = [], []
        for k in range(steps + 1):
            R = Rotation.from_quat(p.getBasePositionAndOrientation(body, physicsClientId=client)[1]).as_matrix()
            attitudes.append(R)
            rates.append(R.T @ np.array(p.getBaseVelocity(body, physicsClientId=client)[1]))
            if k < steps:
                p.applyExternalTorque(body, -1, list(torque), p.LINK_FRAME, physicsClientId=client)
                p.stepSimulation(physicsClientId=client)
    finally:
        p.disconnect(client)
    return np.array(attitudes), np.array(rates)


@pytest.mark.parametrize(
    ("torque", "damping", "dt"),
    [
        ((0.0, 0.0, 0.0), 0.0, 1 / 240),
        ((0.01, -0.02, 0.015), 0.0, 1 / 240),
        ((0.01, -0.02, 0.015), float(np.float32(0.04)), 1 / 240),
        ((0.2, -0.03, 0.05), 0.0, 1 / 240),  # reaches the clamp at 100 rad/s
        ((0.2, -0.03, 0.05), 0.0, 1 / 30),  # and turns of more than pi/4 in a step
    ],
)
@pytest.mark.parametrize("backend", [None, "reference"])
def test_bullet_integrator_is_pybullets_step(torque, damping, dt, backend) -> None:
    # equal moments where the clamps act: a clamped body with unequal ones is chaotic and multiplies rounding
    moments = (0.01, 0.012, 0.02) if damping or torque[0] < 0.1 else (0.01, 0.01, 0.01)
    R0 = rotations.random_rotation((), 1).numpy()
    omega0 = np.array([1.0, 2.0, -3.0])
    attitudes, rates = bullet_steps(moments, R0, omega0, torque, damping, dt, 2400)
    R, omega = aircraft.simulate_attitude(
        *(torch.tensor(a, dtype=F) for a in (R0, omega0, moments, torque)),
        dt=dt,
        steps=2400,
        integrator="bullet",
        damping=damping,
        backend=backend,
    )
    if torque[0] == 0.2:
        assert np.abs(rates).max() > 99
    assert float(rotations.angle_between(R, torch.tensor(attitudes)).max()) < 1e-10
    np.testing.assert_allclose(omega.numpy(), rates, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("integrator", ["rk4", "lie_midpoint"])
def test_difference_from_pybullet_halves_with_the_step(integrator: str) -> None:
    moments, torque, omega0 = (0.01, 0.012, 0.02), (0.01, -0.02, 0.015), np.array([1.0, 2.0, -3.0])
    R0 = rotations.random_rotation((), 1).numpy()
    gaps = []
    for steps in (480, 960):
        attitudes, _ = bullet_steps(moments, R0, omega0, torque, 0.0, 2.0 / steps, steps)
        R, _ = aircraft.simulate_attitude(
            *(torch.tensor(a, dtype=F) for a in (R0, omega0, moments, torque)),
            dt=2.0 / steps,
            steps=steps,
            integrator=integrator,
        )
        gaps.append(float(rotations.angle_between(R[-1], torch.tensor(attitudes[-1]))))
    assert gaps[0] > 1e-4
    assert gaps[0] / gaps[1] == pytest.approx(2.0, abs=0.1)


def test_integrators_are_those_of_the_kernels() -> None:
    assert tuple(STEPS) == constants.INTEGRATORS == INTEGRATORS
    assert list(range(3)) == [constants.RK4, constants.LIE_MIDPOINT, constants.BULLET]


def test_one_step_by_hand() -> None:
    """Spinning about a principal axis, every integrator turns by the rate it should, and leaves R a rotation."""
    J = torch.diag(torch.tensor([0.01, 0.02, 0.025], dtype=F))
    body = Body(J, torch.linalg.inv(J), torch.zeros(3, dtype=F), 0.0)
    R, w, dt = rotations.random_rotation((), 2), torch.tensor([0.0, 0.0, 2.0], dtype=F), 0.01
    tau = torch.tensor([0.0, 0.0, 0.05], dtype=F)
    faster = 2.0 + 0.05 / 0.025 * dt
    turns = {
        "rk4": 2.0 * dt + 0.05 / 0.025 * dt**2 / 2,
        "lie_midpoint": 0.5 * (2.0 + faster) * dt,
        "bullet": faster * dt,
    }
    for name, step in STEPS.items():
        after, rate = step(R, w, tau, body, dt)
        exact = R @ rotations.rotvec_to_matrix(torch.tensor([0.0, 0.0, turns[name]], dtype=F))
        torch.testing.assert_close(after, exact, rtol=0, atol=1e-10)
        torch.testing.assert_close(rate, torch.tensor([0.0, 0.0, faster], dtype=F), rtol=0, atol=1e-13)
    torch.testing.assert_close(momentum(w, body), torch.tensor([0.0, 0.0, 0.05], dtype=F))


def test_orthonormalize_squares_the_distance_and_keeps_the_derivative_of_the_nearest() -> None:
    R = rotations.random_rotation((20,), 3)
    off = R + 1e-5 * torch.randn(20, 3, 3, generator=torch.Generator().manual_seed(0), dtype=F)
    nearest = rotations.nearest_rotation(off)
    far, near = ((matrix - nearest).norm(dim=(-2, -1)) for matrix in (off, orthonormalize(off)))
    assert float(far.min()) > 5e-6
    assert bool((near <= 1.5 * far.square() + 1e-15).all())
    change = torch.randn(20, 3, 3, generator=torch.Generator().manual_seed(1), dtype=F)
    ours = torch.func.jvp(orthonormalize, (R,), (change,))[1]
    theirs = torch.func.jvp(rotations.nearest_rotation, (R,), (change,))[1]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
