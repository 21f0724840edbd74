"""simulate_attitude: shapes and torques, gradients by every route, bad input."""

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from diffkin import aircraft, rotations
from diffkin.errors import (
    AttitudeError,
    DtypeError,
    NonFiniteError,
    OptionError,
    RotationError,
    ShapeError,
    UnknownNameError,
)

F = torch.float64
INTEGRATORS = ("rk4", "lie_midpoint", "bullet")
FULL = torch.tensor([[0.02, 0.001, -0.0005], [0.001, 0.03, 0.002], [-0.0005, 0.002, 0.04]], dtype=F)
EYE = torch.eye(3, dtype=F)


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F)


# -- shapes and meaning -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", [None, "reference"])
def test_shapes_broadcast_and_first_row_is_the_start(backend: str | None) -> None:
    R0, omega0 = rotations.random_rotation((4, 1), 1), draw(5, 3)
    inertia = FULL.expand(4, 5, 3, 3) * (1 + torch.arange(4, dtype=F)[:, None, None, None])
    R, omega = aircraft.simulate_attitude(
        R0, omega0, inertia, draw(4, 5, 7, 3)[0], dt=0.01, steps=7, rotor_momentum=draw(5, 3), backend=backend
    )
    assert R.shape == (4, 5, 8, 3, 3)
    assert omega.shape == (4, 5, 8, 3)
    torch.testing.assert_close(R[:, :, 0], R0.expand(4, 5, 3, 3), rtol=0, atol=1e-15)
    torch.testing.assert_close(omega[:, :, 0], omega0.expand(4, 5, 3), rtol=0, atol=0)
    one, rate = aircraft.simulate_attitude(
        R0[2, 0],
        omega0[3],
        inertia[2, 3],
        draw(4, 5, 7, 3)[0][3],
        dt=0.01,
        steps=7,
        rotor_momentum=draw(5, 3)[3],
        backend="reference",
    )
    torch.testing.assert_close(R[2, 3], one, rtol=0, atol=1e-13)
    torch.testing.assert_close(omega[2, 3], rate, rtol=0, atol=1e-12)


def test_principal_moments_are_a_diagonal_matrix() -> None:
    moments = torch.tensor([0.01, 0.02, 0.025], dtype=F)
    runs = [
        aircraft.simulate_attitude(EYE, draw(3), J, dt=0.01, steps=20) for J in (moments, torch.diag_embed(moments))
    ]
    torch.testing.assert_close(runs[0], runs[1], rtol=0, atol=0)


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_constant_torque_is_the_same_torque_each_step_and_by_feedback(integrator: str) -> None:
    omega0, tau, asked = draw(2, 3), draw(2, 3, scale=0.1), []

    def feedback(k: int, R: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
        asked.append(k)
        assert R.shape == (2, 3, 3)
        return tau

    runs = [
        aircraft.simulate_attitude(EYE, omega0, FULL, torque, dt=0.01, steps=30, integrator=integrator, damping=0.1)
        for torque in (tau, tau[:, None].expand(2, 30, 3), feedback)
    ]
    assert asked == list(range(30))
    for run in runs[1:]:
        torch.testing.assert_close(run, runs[0], rtol=0, atol=1e-13)


def test_axes_of_omega0_tell_constant_torque_from_one_per_step() -> None:
    tau = draw(3, 3, scale=0.1)
    per_step = aircraft.simulate_attitude(EYE, draw(3), FULL, tau, dt=0.01, steps=3)[0]
    assert per_step.shape == (4, 3, 3)
    constant = aircraft.simulate_attitude(EYE, draw(3, 3), FULL, tau, dt=0.01, steps=3)[0]
    assert constant.shape == (3, 4, 3, 3)
    shared = aircraft.simulate_attitude(EYE, draw(2, 3), FULL, tau[0], dt=0.01, steps=3)[0]
    assert shared.shape == (2, 4, 3, 3)


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_damping_is_a_torque(integrator: str) -> None:
    """Spinning about a principal axis, dw/dt = -w (d + d |w|) has the solution 1 / (e^(d t) (1 + 1/w0) - 1)."""
    d, w0, t = 0.2, 3.0, 2.0
    R, omega = aircraft.simulate_attitude(
        EYE,
        torch.tensor([0.0, 0.0, w0], dtype=F),
        torch.tensor([0.01, 0.02, 0.025], dtype=F),
        dt=1e-3,
        steps=2000,
        integrator=integrator,
        damping=d,
    )
    expected = 1 / (math.exp(d * t) * (1 + 1 / w0) - 1)
    tolerance = {"rk4": 1e-12, "lie_midpoint": 1e-6, "bullet": 1e-3}[integrator]
    assert float(omega[-1, 2]) == pytest.approx(expected, abs=tolerance)


def test_rotor_makes_a_gyroscope() -> None:
    """A body with a fast rotor precesses: about its spin axis the transverse rate turns at h / J - w3 (J - J3) / J."""
    h, J, J3, w3 = 0.05, 0.02, 0.03, 0.4
    pace = (h + (J3 - J) * w3) / J
    t = 0.005 * torch.arange(601, dtype=F)
    _, omega = aircraft.simulate_attitude(
        EYE,
        torch.tensor([0.1, 0.0, w3], dtype=F),
        torch.tensor([J, J, J3], dtype=F),
        dt=0.005,
        steps=600,
        rotor_momentum=torch.tensor([0.0, 0.0, h], dtype=F),
    )
    expected = torch.stack([0.1 * torch.cos(pace * t), 0.1 * torch.sin(pace * t), torch.full_like(t, w3)], -1)
    torch.testing.assert_close(omega, expected, rtol=0, atol=1e-9)


def test_no_steps_give_the_start() -> None:
    for torque in (None, lambda k, R, omega: omega):
        R, omega = aircraft.simulate_attitude(EYE, draw(2, 3), FULL, torque, dt=0.1, steps=0)
        assert R.shape == (2, 1, 3, 3)
        torch.testing.assert_close(omega[:, 0], draw(2, 3))


def test_empty_batch() -> None:
    R, omega = aircraft.simulate_attitude(EYE, torch.empty(0, 3, dtype=F), FULL, dt=0.1, steps=4)
    assert R.shape == (0, 5, 3, 3) and omega.shape == (0, 5, 3)


def test_attitude_off_by_rounding_is_made_a_rotation() -> None:
    R0 = rotations.random_rotation((3,), 0).float().double()
    R, _ = aircraft.simulate_attitude(R0, draw(3, 3), FULL, dt=0.01, steps=5)
    assert float((R.mT @ R - EYE).abs().max()) < 1e-14
    torch.testing.assert_close(R[:, 0], rotations.nearest_rotation(R0), rtol=0, atol=1e-14)


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("backend", [None, "reference"])
def test_float32_follows_float64(integrator: str, backend: str | None) -> None:
    R0, omega0 = rotations.random_rotation((5,), 0), draw(5, 3)
    args = {"dt": 0.01, "steps": 60, "integrator": integrator, "backend": backend, "damping": 0.1}
    R, omega = aircraft.simulate_attitude(R0, omega0, FULL, **args)
    small = aircraft.simulate_attitude(R0.float(), omega0.float(), FULL.float(), **args)
    assert small[0].dtype == small[1].dtype == torch.float32
    torch.testing.assert_close(small[0].double(), R, rtol=0, atol=1e-5)
    torch.testing.assert_close(small[1].double(), omega, rtol=0, atol=1e-5)
    mixed = aircraft.simulate_attitude(R0, omega0.float(), FULL.float(), **args)
    assert mixed[0].dtype == F


# -- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("backend", [None, "reference"])
def test_first_and_second_derivatives(integrator: str, backend: str | None) -> None:
    def run(v: torch.Tensor, omega0: torch.Tensor, J: torch.Tensor, tau: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return aircraft.simulate_attitude(
            rotations.rotvec_to_matrix(v),
            omega0,
            0.5 * (J + J.mT),
            tau,
            dt=0.2,
            steps=3,
            integrator=integrator,
            damping=0.1,
            backend=backend,
        )

    inputs = (draw(3), draw(3), FULL.clone(), draw(3, 3, scale=0.05, seed=3))
    for tensor in inputs:
        tensor.requires_grad_()
    assert gradcheck(run, inputs)
    assert gradgradcheck(run, inputs, fast_mode=True)


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_gradient_at_rest_is_finite_and_right(integrator: str) -> None:
    inputs = (torch.zeros(3, dtype=F, requires_grad=True), torch.zeros(3, dtype=F, requires_grad=True))

    def run(omega0: torch.Tensor, tau: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return aircraft.simulate_attitude(EYE, omega0, FULL, tau, dt=0.1, steps=3, integrator=integrator, damping=0.5)

    # |w| has a kink at rest in its second derivative only
    assert gradcheck(run, inputs, eps=1e-7, atol=1e-4)
    (grad,) = torch.autograd.grad(run(*inputs)[1].sum(), inputs[0])
    assert bool(torch.isfinite(grad).all())


def test_gradient_to_raw_entries_is_that_of_the_projection() -> None:
    R0 = rotations.random_rotation((2,), 4).requires_grad_()
    for backend in (None, "reference"):
        assert gradcheck(
            lambda R0, b=backend: aircraft.simulate_attitude(R0, draw(2, 3), FULL, dt=0.1, steps=3, backend=b)[0], R0
        )


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_torch_func_transforms(integrator: str) -> None:
    def run(omega0: torch.Tensor) -> torch.Tensor:
        return aircraft.simulate_attitude(EYE, omega0, FULL, dt=0.1, steps=4, integrator=integrator, damping=0.1)[0]

    omega0 = draw(3, 3)
    rows = torch.func.vmap(torch.func.jacrev(run))(omega0)
    columns = torch.func.vmap(torch.func.jacfwd(run))(omega0)
    torch.testing.assert_close(rows, columns, rtol=0, atol=1e-12)
    seeds = torch.autograd.functional.jacobian(run, omega0[1])
    torch.testing.assert_close(rows[1], seeds, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.func.vmap(run)(omega0), run(omega0), rtol=0, atol=1e-13)
    curved = torch.func.hessian(lambda w: run(w)[-1, 0, 1])(omega0[0])
    torch.testing.assert_close(curved, curved.mT, rtol=0, atol=1e-12)
    small = torch.func.jacrev(torch.func.jacfwd(lambda w: run32(w, integrator)))(omega0[0].float())
    assert small.dtype == torch.float32


def run32(omega0: torch.Tensor, integrator: str) -> torch.Tensor:
    return aircraft.simulate_attitude(
        EYE.float(), omega0, FULL.float(), dt=0.1, steps=2, integrator=integrator, damping=0.1
    )[1]


def test_feedback_parameters_get_gradients_in_bounded_memory() -> None:
    """Closures and modules; segments change no gradient and hold far fewer tensors alive."""
    gain = torch.tensor([0.5, 0.6, 0.7], dtype=F, requires_grad=True)
    net = torch.nn.Linear(3, 3, dtype=F)
    target = rotations.random_rotation((), 3)

    def feedback(k: int, R: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
        return aircraft.geometric_pd(R, omega, target, FULL, k_attitude=gain, k_rate=0.2) + 0.01 * net(omega)

    held, grads, sizes = [], [], []
    for checkpoint in (False, True, None):
        held.clear()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: held.append(t.numel()) or t, lambda t: t):
            R, omega = aircraft.simulate_attitude(
                EYE, draw(2, 3), FULL, feedback, dt=0.01, steps=300, checkpoint=checkpoint
            )
        sizes.append(sum(held))
        loss = (R[:, 1:] - target).square().sum() + omega.square().sum()
        grads.append(torch.autograd.grad(loss, [gain, *net.parameters()]))
    for other in grads[1:]:
        torch.testing.assert_close(other, grads[0], rtol=1e-12, atol=1e-12)
    assert sizes[1] < sizes[0] / 10
    assert sizes[2] == sizes[1]


def test_tuned_gain_lowers_the_cost() -> None:
    target, J = rotations.random_rotation((8,), 5), torch.tensor([0.01, 0.012, 0.02], dtype=F)
    gains = torch.tensor([0.3, 0.02], dtype=F).log().requires_grad_()
    optimiser = torch.optim.Adam([gains], lr=0.1)
    costs = []
    for _ in range(6):
        k_attitude, k_rate = gains.exp()
        R, _ = aircraft.simulate_attitude(
            EYE,
            torch.zeros(8, 3, dtype=F),
            J,
            lambda k, R, w, a=k_attitude, b=k_rate: aircraft.log_pd(R, w, target, J, k_attitude=a, k_rate=b),
            dt=0.02,
            steps=60,
        )
        cost = rotations.angle_between(R[:, 1:], target[:, None]).mean()
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        costs.append(float(cost.detach()))
    assert costs[-1] < 0.95 * costs[0]


def test_long_runs_have_gradients_through_thousands_of_steps() -> None:
    """A linear case with an answer: about a principal axis the angle is w0 t + (tau / J) t^2 / 2."""
    J = torch.tensor([0.01, 0.02, 0.025], dtype=F, requires_grad=True)
    omega0 = torch.tensor([0.0, 0.0, 0.01], dtype=F, requires_grad=True)
    tau = torch.tensor([0.0, 0.0, 1e-5], dtype=F, requires_grad=True)
    R, _ = aircraft.simulate_attitude(EYE, omega0, J, tau, dt=1e-3, steps=20_000)
    angle = torch.atan2(R[-1, 1, 0], R[-1, 0, 0])
    grads = torch.autograd.grad(angle, (omega0, J, tau))
    t = 20.0
    assert float(grads[0][2]) == pytest.approx(t, rel=1e-9)
    assert float(grads[1][2]) == pytest.approx(-1e-5 / 0.025**2 * t**2 / 2, rel=1e-9)
    assert float(grads[2][2]) == pytest.approx(t**2 / 2 / 0.025, rel=1e-9)


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"integrator": "rk5"}, UnknownNameError, "rk4"),
        ({"backend": "torch"}, UnknownNameError, "reference"),
        ({"dt": -0.1}, OptionError, "dt"),
        ({"dt": 0.0}, OptionError, "positive"),
        ({"dt": math.nan}, OptionError, "dt"),
        ({"steps": -1}, OptionError, "steps"),
        ({"steps": 2.0}, OptionError, "whole number"),
        ({"damping": -0.1}, OptionError, "damping"),
        ({"R0": 2 * EYE}, RotationError, "no|not a rotation"),
        ({"R0": torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=F))}, RotationError, "reflection"),
        ({"omega0": torch.zeros(4, dtype=F)}, ShapeError, "omega0"),
        ({"omega0": torch.zeros(3, dtype=torch.int64)}, DtypeError, "floating"),
        ({"omega0": torch.full((3,), math.nan, dtype=F)}, NonFiniteError, "omega0"),
        ({"omega0": torch.zeros(2, 3, dtype=F), "R0": EYE.expand(3, 3, 3)}, ShapeError, "broadcast"),
        ({"inertia": torch.ones(2, dtype=F)}, ShapeError, "inertia"),
        ({"inertia": torch.tensor([1.0, 1.0, 2.5], dtype=F)}, AttitudeError, "triangle"),
        ({"torque": torch.zeros(5, 3, dtype=F)}, ShapeError, "torque"),
        ({"torque": torch.zeros(1, 4, 3, dtype=F)}, ShapeError, "torque"),
        ({"torque": 1.0}, OptionError, "torque"),
        ({"torque": lambda k, R, omega: torch.zeros(2, dtype=F)}, ShapeError, "feedback"),
        ({"rotor_momentum": torch.zeros(2, dtype=F)}, ShapeError, "rotor_momentum"),
        ({"dt": None}, OptionError, "dt"),
        ({"dt": "0.1"}, OptionError, "dt"),
        ({"dt": True}, OptionError, "dt"),
        ({"dt": torch.full((2,), 0.1)}, OptionError, "dt"),
        ({"steps": True}, OptionError, "steps"),
        ({"steps": None}, OptionError, "steps"),
        ({"steps": "4"}, OptionError, "steps"),
        ({"damping": "a"}, OptionError, "damping"),
        ({"integrator": None}, UnknownNameError, "rk4"),
        ({"integrator": ["rk4"]}, UnknownNameError, "rk4"),
        ({"torque": "a"}, OptionError, "torque"),
        ({"torque": lambda k, R, omega: omega.sum()}, ShapeError, "feedback function returned"),
        ({"torque": lambda k, R, omega: omega[:1]}, ShapeError, "feedback function returned"),
        ({"torque": lambda k, R, omega: 0.0}, DtypeError, "feedback function"),
        ({"torque": lambda k, R, omega: None}, DtypeError, "feedback function"),
        ({"torque": lambda k, R, omega: omega.to("meta")}, DtypeError, "feedback function on meta"),
        ({"omega0": torch.zeros(3, dtype=F, device="meta")}, DtypeError, "omega0 on meta"),
    ],
)
def test_bad_input(change: dict, error: type[Exception], words: str) -> None:
    given = {"R0": EYE, "omega0": torch.zeros(3, dtype=F), "inertia": FULL, "torque": None, "dt": 0.1, "steps": 4}
    with pytest.raises(error, match=words):
        aircraft.simulate_attitude(**{**given, **change})


@pytest.mark.parametrize("steps", [np.int64(4), np.uint8(4), torch.tensor(4)])
def test_whole_numbers_of_other_libraries_are_steps(steps: object) -> None:
    R, _ = aircraft.simulate_attitude(EYE, draw(3), FULL, dt=np.float32(0.5), steps=steps)
    torch.testing.assert_close(R, aircraft.simulate_attitude(EYE, draw(3), FULL, dt=0.5, steps=4)[0], rtol=0, atol=0)


@pytest.mark.parametrize("torque", [None, lambda k, R, omega: -omega])
@pytest.mark.parametrize(("dtype", "size"), [(F, 8), (torch.float32, 4)])
def test_histories_that_cannot_fit_are_refused_with_their_size(torque: object, dtype: torch.dtype, size: int) -> None:
    omega0 = torch.zeros(5, 3, dtype=dtype)
    count = (10**12 + 1) * 5 * 12 * (2 if torque else 1) * size
    with pytest.raises(OptionError, match=rf"1000000000000 steps of the batch \(5,\) would take {count} bytes"):
        aircraft.simulate_attitude(EYE.to(dtype), omega0, FULL.to(dtype), torque, dt=0.1, steps=10**12)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_feedback_function_may_change_what_it_gets(backend: str | None, checkpoint: bool) -> None:
    """What it is given is its own: neither the caller's tensors nor the run change."""

    def quiet(k: int, R: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
        return -0.01 * omega

    def rough(k: int, R: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
        R.zero_()
        return omega.mul_(-0.01)

    R0, omega0 = rotations.random_rotation((2,), 1), draw(2, 3)
    kept = R0.clone(), omega0.clone()
    gain = omega0.clone().requires_grad_()
    runs = []
    for torque in (quiet, rough):
        run = aircraft.simulate_attitude(
            R0, gain * 1.0, FULL, torque, dt=0.1, steps=5, backend=backend, checkpoint=checkpoint
        )
        runs.append((*run, torch.autograd.grad(run[1].square().sum() + run[0][..., 0, 1].sum(), gain)[0]))
        aircraft.simulate_attitude(R0, omega0, FULL, torque, dt=0.1, steps=5, backend=backend, checkpoint=checkpoint)
        assert torch.equal(R0, kept[0]) and torch.equal(omega0, kept[1])
    torch.testing.assert_close(runs[1], runs[0], rtol=0, atol=0)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_torque_that_is_no_number_is_named(backend: str | None, bad: float) -> None:
    def feedback(k: int, R: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
        tau = torch.zeros_like(omega)
        tau[1] = bad if k >= 3 else 0.0
        return tau

    with pytest.raises(NonFiniteError, match="The torque of the feedback function at step 3 .* at batch element 1"):
        aircraft.simulate_attitude(EYE, draw(2, 3), FULL, feedback, dt=0.1, steps=6, backend=backend)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("torque", [None, lambda k, R, omega: 0.0 * omega])
def test_steps_far_too_large_say_so(backend: str | None, torque: object) -> None:
    fast = torch.stack([draw(3) * 0.0, draw(3) + 10.0])
    with pytest.raises(
        NonFiniteError, match=r"left the range of numbers at step \d+ of batch element 1: dt = 1e\+06 s"
    ):
        aircraft.simulate_attitude(EYE, fast, FULL, torque, dt=1e6, steps=40, backend=backend)
    inside = torch.func.vmap(lambda w: aircraft.simulate_attitude(EYE, w, FULL, torque, dt=1e6, steps=40)[1])(fast)
    assert not bool(inside[1].isfinite().all())  # nothing can be looked at inside a transform
