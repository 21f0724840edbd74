"""Complementary filters: against the published formulas in scalar form, convergence, gradients."""

import math

import pytest
import scipy.linalg
import torch
from torch.autograd import gradcheck

from diffkin import aircraft, rotations
from diffkin.errors import DtypeError, OptionError, ShapeError
from tests.aircraft.estimation.sensor_records import DT, records

F = torch.float64


def madgwick_printed(q, g, a, m, beta, dt):
    """The listing of Madgwick's report, scalar by scalar: q = (q1 scalar, q2, q3, q4), a points down at rest."""
    q1, q2, q3, q4 = q
    a = [v / math.sqrt(sum(u * u for u in a)) for v in a]
    m = [v / math.sqrt(sum(u * u for u in m)) for v in m]
    f = [
        2 * (q2 * q4 - q1 * q3) - a[0],
        2 * (q1 * q2 + q3 * q4) - a[1],
        2 * (0.5 - q2**2 - q3**2) - a[2],
    ]
    jac = [[-2 * q3, 2 * q4, -2 * q1, 2 * q2], [2 * q2, 2 * q1, 2 * q4, 2 * q3], [0, -4 * q2, -4 * q3, 0]]
    h = [
        2 * (m[0] * (0.5 - q3**2 - q4**2) + m[1] * (q2 * q3 - q1 * q4) + m[2] * (q2 * q4 + q1 * q3)),
        2 * (m[0] * (q2 * q3 + q1 * q4) + m[1] * (0.5 - q2**2 - q4**2) + m[2] * (q3 * q4 - q1 * q2)),
        2 * (m[0] * (q2 * q4 - q1 * q3) + m[1] * (q3 * q4 + q1 * q2) + m[2] * (0.5 - q2**2 - q3**2)),
    ]
    bx, bz = math.hypot(h[0], h[1]), h[2]
    f += [
        2 * bx * (0.5 - q3**2 - q4**2) + 2 * bz * (q2 * q4 - q1 * q3) - m[0],
        2 * bx * (q2 * q3 - q1 * q4) + 2 * bz * (q1 * q2 + q3 * q4) - m[1],
        2 * bx * (q1 * q3 + q2 * q4) + 2 * bz * (0.5 - q2**2 - q3**2) - m[2],
    ]
    jac += [
        [-2 * bz * q3, 2 * bz * q4, -4 * bx * q3 - 2 * bz * q1, -4 * bx * q4 + 2 * bz * q2],
        [-2 * bx * q4 + 2 * bz * q2, 2 * bx * q3 + 2 * bz * q1, 2 * bx * q2 + 2 * bz * q4, -2 * bx * q1 + 2 * bz * q3],
        [2 * bx * q3, 2 * bx * q4 - 4 * bz * q2, 2 * bx * q1 - 4 * bz * q3, 2 * bx * q2],
    ]
    grad = [sum(jac[i][j] * f[i] for i in range(6)) for j in range(4)]
    size = math.sqrt(sum(v * v for v in grad))
    dot = [
        0.5 * (-q2 * g[0] - q3 * g[1] - q4 * g[2]),
        0.5 * (q1 * g[0] + q3 * g[2] - q4 * g[1]),
        0.5 * (q1 * g[1] - q2 * g[2] + q4 * g[0]),
        0.5 * (q1 * g[2] + q2 * g[1] - q3 * g[0]),
    ]
    q = [v + dt * (d - beta * e / size) for v, d, e in zip(q, dot, grad)]
    size = math.sqrt(sum(v * v for v in q))
    return [v / size for v in q]


def test_madgwick_is_the_published_listing() -> None:
    draw = torch.Generator().manual_seed(3)
    quat = rotations.matrix_to_quat_xyzw(rotations.random_rotation((20,), draw))
    g, a, m = torch.randn(3, 20, 3, generator=draw, dtype=F)
    state = aircraft.FilterState(quat, torch.zeros(20, 3, dtype=F))
    got = aircraft.madgwick_step(state, g, -a, m, DT, aircraft.MadgwickGains(beta=0.3)).quat_xyzw
    for i in range(20):
        x, y, z, w = quat[i].tolist()
        w, x, y, z = madgwick_printed((w, x, y, z), g[i].tolist(), a[i].tolist(), m[i].tolist(), 0.3, DT)
        torch.testing.assert_close(got[i], torch.tensor([x, y, z, w], dtype=F), rtol=0, atol=1e-14)


def exp(matrix):
    return torch.as_tensor(scipy.linalg.expm(matrix.numpy()))


def test_mahony_is_the_published_observer() -> None:
    draw = torch.Generator().manual_seed(4)
    R = rotations.random_rotation((), draw)
    g, a, m, b = torch.randn(4, 3, generator=draw, dtype=F)
    state = aircraft.FilterState(rotations.matrix_to_quat_xyzw(R), b)
    got = aircraft.mahony_step(state, g, a, m, DT, aircraft.MahonyGains(1.3, 18.0, 0.06))
    v_a, v_m = -a / a.norm(), m / m.norm()
    R = R @ exp(rotations.hat(DT * (g - b)))
    h = R @ v_m
    expected_m = R.T @ torch.tensor([math.hypot(h[0], h[1]), 0.0, float(h[2])], dtype=F)
    w_mes = 1.3 * torch.linalg.cross(v_a, R.T @ torch.tensor([0.0, 0.0, 1.0], dtype=F))
    w_mes = w_mes + 18.0 * torch.linalg.cross(v_m, expected_m)
    turned = R @ exp(rotations.hat(DT * w_mes))
    torch.testing.assert_close(rotations.quat_xyzw_to_matrix(got.quat_xyzw), turned, rtol=0, atol=1e-14)
    torch.testing.assert_close(got.bias, b - DT * 0.06 * w_mes, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("step", "gains", "steps", "degrees"),
    [
        # 0.6 degrees of chatter (beta dt), one step of 0.02 s late at up to 1.7 rad/s, and a bias it is not to learn
        (aircraft.madgwick_step, aircraft.MadgwickGains(beta=0.5, zeta=0.0), 500, 3.5),
        (aircraft.mahony_step, aircraft.MahonyGains(3.0, 3.0, 0.3), 1800, 0.2),
    ],
)
def test_filters_converge_with_a_biased_gyroscope(step, gains, steps, degrees) -> None:
    _, R, bias, gyro, accel, mag = records(8, steps, bias=0.03, seed=5)
    with torch.no_grad():
        run = aircraft.run_filter(step, aircraft.initial_state((8,)), gyro, accel, mag, DT, gains)
    assert run.quat_xyzw.shape == (8, steps, 4)
    error = rotations.angle_between(rotations.quat_xyzw_to_matrix(run.quat_xyzw), R)
    first, last = error[:, 0].mean(), error[:, -100:].mean()
    assert float(first) > 0.5
    assert math.degrees(float(last)) < degrees
    if step is aircraft.mahony_step:
        assert float((run.bias[:, -1] - bias).abs().max()) < 0.003


def test_gradients_to_gains_states_and_measurements() -> None:
    _, _, _, gyro, accel, mag = records(2, 3, gyro=0.05, accel=0.3, mag=0.05, seed=7)
    quat = rotations.matrix_to_quat_xyzw(rotations.random_rotation((2,), 8)).requires_grad_()
    gains = torch.tensor([0.5, 0.7, 0.2], dtype=F, requires_grad=True)

    def mahony(quat, gains, gyro, accel, mag):
        state = aircraft.FilterState(quat / quat.norm(dim=-1, keepdim=True), torch.zeros(2, 3, dtype=F))
        return aircraft.run_filter(aircraft.mahony_step, state, gyro, accel, mag, DT, aircraft.MahonyGains(*gains))

    def madgwick(quat, gains, gyro, accel, mag):
        state = aircraft.FilterState(quat / quat.norm(dim=-1, keepdim=True), torch.zeros(2, 3, dtype=F))
        gains = aircraft.MadgwickGains(gains[0], gains[2])
        return aircraft.run_filter(aircraft.madgwick_step, state, gyro, accel, mag, DT, gains)

    def kalman(quat, gains, gyro, accel, mag):
        state = aircraft.initial_mekf_state(quat / quat.norm(dim=-1, keepdim=True))
        noise = aircraft.MEKFNoise(gains[0] * 0.1, 1e-3, gains[1], gains[2])
        return aircraft.run_filter(aircraft.mekf_step, state, gyro, accel, mag, DT, noise)

    inputs = (quat, gains, *(r.requires_grad_() for r in (gyro, accel, mag)))
    for run in (mahony, madgwick, kalman):
        assert gradcheck(run, inputs, fast_mode=True)


def test_silent_sensors_are_ignored_without_nan() -> None:
    quat = rotations.matrix_to_quat_xyzw(rotations.random_rotation((), 1))
    zero = torch.zeros(3, dtype=F, requires_grad=True)
    state = aircraft.FilterState(quat, torch.zeros(3, dtype=F))
    for step, gains in (
        (aircraft.madgwick_step, aircraft.MadgwickGains(0.5)),
        (aircraft.mahony_step, aircraft.MahonyGains(1.0, 1.0, 0.1)),
    ):
        after = step(state, torch.zeros(3, dtype=F), zero, zero, DT, gains)
        torch.testing.assert_close(after.quat_xyzw.detach(), quat, rtol=0, atol=1e-15)
        (grad,) = torch.autograd.grad(after.quat_xyzw.sum(), zero)
        assert float(grad.abs().max()) == 0.0


def test_tiny_readings_are_readings() -> None:
    """Only zero is silence: a direction counts whatever the unit, float32 and 1e-15 included."""
    quat = rotations.matrix_to_quat_xyzw(rotations.random_rotation((), 1)).float()
    state = aircraft.FilterState(quat, torch.zeros(3))
    gyro, accel, mag = torch.zeros(3), torch.tensor([1.0, 2.0, -9.0]), torch.tensor([0.4, 0.1, 0.7])
    for step, gains in (
        (aircraft.madgwick_step, aircraft.MadgwickGains(0.5)),
        (aircraft.mahony_step, aircraft.MahonyGains(1.0, 1.0, 0.1)),
    ):
        whole = step(state, gyro, accel, mag, DT, gains)
        assert not torch.equal(whole.quat_xyzw, quat)
        tiny = step(state, gyro, 1e-15 * accel, 1e-15 * mag, DT, gains)
        torch.testing.assert_close(tiny.quat_xyzw, whole.quat_xyzw, rtol=0, atol=1e-6)


def test_initial_state_is_level_and_north() -> None:
    state = aircraft.initial_state((2, 3), dtype=torch.float32)
    assert state.quat_xyzw.shape == (2, 3, 4) and state.bias.shape == (2, 3, 3)
    assert state.quat_xyzw.dtype == state.bias.dtype == torch.float32
    R = rotations.quat_xyzw_to_matrix(state.quat_xyzw)
    assert torch.equal(R, torch.eye(3).expand(2, 3, 3, 3))
    assert float(state.bias.abs().max()) == 0.0


def test_bad_input() -> None:
    state = aircraft.initial_state()
    three = torch.ones(3, dtype=F)
    with pytest.raises(OptionError, match="dt"):
        aircraft.mahony_step(state, three, three, None, 0.0, aircraft.MahonyGains())
    with pytest.raises(ShapeError, match="accel"):
        aircraft.madgwick_step(state, three, three[:2], None, DT, aircraft.MadgwickGains())
    with pytest.raises(OptionError, match="gains must be MadgwickGains, got MahonyGains"):
        aircraft.madgwick_step(state, three, three, None, DT, aircraft.MahonyGains())
    with pytest.raises(ShapeError, match=r"gains\.beta"):
        aircraft.madgwick_step(state, three, three, None, DT, aircraft.MadgwickGains(beta=torch.ones(2, dtype=F)))
    with pytest.raises(OptionError, match=r"gains\.integral must be a finite number"):
        aircraft.mahony_step(state, three, three, None, DT, aircraft.MahonyGains(integral=math.nan))


@pytest.mark.parametrize("bad", [None, "a", 5, (2.0,), (-1,), (True,), (10**14,)])
def test_batches_of_a_start_that_are_none(bad: object) -> None:
    with pytest.raises(OptionError, match="batch"):
        aircraft.initial_state(bad)


def test_a_start_of_no_dtype_or_device() -> None:
    for bad in (torch.int64, "float64", None):
        with pytest.raises(DtypeError, match="dtype"):
            aircraft.initial_state(dtype=bad)
    with pytest.raises(OptionError, match="device"):
        aircraft.initial_state(device="nowhere")
