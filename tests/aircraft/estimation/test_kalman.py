"""The Kalman filter: consistency of its covariance, Bayes' rule, and the propagation by Monte Carlo."""

import math

import pytest
import scipy.linalg
import torch

from diffkin import aircraft, rotations
from diffkin.errors import DtypeError, NonFiniteError, OptionError, ShapeError
from tests.aircraft.estimation.sensor_records import DT, FIELD, GRAVITY, records

F = torch.float64


def test_kalman_filter_is_consistent() -> None:
    """NEES over 60 flights: errors over the covariance claimed follow chi-square with 6 degrees of freedom."""
    count, steps = 60, 250
    noise = aircraft.MEKFNoise(gyro=0.01, bias=1e-9, accel=0.3, mag=0.05)
    R0, R, bias, gyro, accel, mag = records(count, steps, gyro=0.01, bias=0.02, accel=0.3, mag=0.05, seed=6)
    off = 0.2 * torch.randn(count, 3, generator=torch.Generator().manual_seed(9), dtype=F)
    wrong = R0 @ rotations.rotvec_to_matrix(-off)
    start = aircraft.initial_mekf_state(rotations.matrix_to_quat_xyzw(wrong), 0.2, 0.02)
    with torch.no_grad():
        run = aircraft.run_filter(aircraft.mekf_step, start, gyro, accel, mag, DT, noise)
    found = rotations.quat_xyzw_to_matrix(run.quat_xyzw)
    error = torch.cat([rotations.matrix_to_rotvec(found.mT @ R), bias[:, None] - run.bias], -1)
    nees = (error * torch.linalg.solve(run.covariance, error.unsqueeze(-1)).squeeze(-1)).sum(-1)
    # mean of 60 chi-square(6) variables: 6 +- 4 sqrt(12 / 60)
    for k in (20, 60, 120, 249):
        assert abs(float(nees[:, k].mean()) - 6.0) < 4 * math.sqrt(12 / count), (k, float(nees[:, k].mean()))
    assert math.degrees(float(error[:, -1, :3].norm(dim=-1).mean())) < 2.0


def test_kalman_update_is_bayes_rule_for_a_small_error() -> None:
    draw = torch.Generator().manual_seed(1)
    quat = rotations.matrix_to_quat_xyzw(rotations.random_rotation((), draw))
    A = torch.randn(6, 6, generator=draw, dtype=F)
    P = 1e-8 * (A @ A.T + torch.eye(6, dtype=F))
    state = aircraft.MEKFState(quat, torch.zeros(3, dtype=F), P)
    R = rotations.quat_xyzw_to_matrix(quat)
    truth = 1e-5 * torch.randn(3, generator=draw, dtype=F)
    reading = (R @ rotations.rotvec_to_matrix(truth)).T @ FIELD
    got = aircraft.mekf_update(state, reading, FIELD, 1e-4)
    # information form: P'^-1 = P^-1 + H^T H / s^2, mean = P' H^T r / s^2
    H = torch.cat(
        [
            torch.func.jacfwd(lambda e: (R @ rotations.rotvec_to_matrix(e)).T @ FIELD)(torch.zeros(3, dtype=F)),
            torch.zeros(3, 3, dtype=F),
        ],
        1,
    )
    after = torch.linalg.inv(torch.linalg.inv(P) + H.T @ H / 1e-8)
    mean = after @ H.T @ (reading - R.T @ FIELD) / 1e-8
    torch.testing.assert_close(got.covariance, after, rtol=1e-4, atol=1e-14)
    torch.testing.assert_close(got.bias, mean[3:], rtol=1e-6, atol=1e-12)
    moved = rotations.matrix_to_rotvec(R.T @ rotations.quat_xyzw_to_matrix(got.quat_xyzw))
    torch.testing.assert_close(moved, mean[:3], rtol=1e-6, atol=1e-12)


def test_prediction_is_the_exponential_of_the_error_dynamics() -> None:
    """``de/dt = -w x e - db`` over a step, by SciPy's matrix exponential; the noise by Van Loan's integral."""
    draw = torch.Generator().manual_seed(2)
    quat = rotations.matrix_to_quat_xyzw(rotations.random_rotation((), draw))
    gyro, bias = torch.tensor([1.0, -2.0, 0.5], dtype=F), torch.tensor([0.1, 0.0, -0.2], dtype=F)
    A = torch.randn(6, 6, generator=draw, dtype=F)
    state = aircraft.MEKFState(quat, bias, A @ A.T)
    noise = aircraft.MEKFNoise(gyro=0.3, bias=0.2)
    got = aircraft.mekf_predict(state, gyro, DT, noise)
    turned = rotations.quat_xyzw_to_matrix(quat) @ torch.tensor(
        scipy.linalg.expm(rotations.hat(DT * (gyro - bias)).numpy())
    )
    torch.testing.assert_close(rotations.quat_xyzw_to_matrix(got.quat_xyzw), turned, rtol=0, atol=1e-14)
    torch.testing.assert_close(got.bias, bias, rtol=0, atol=0)
    dynamics = torch.zeros(6, 6, dtype=F)
    dynamics[:3, :3], dynamics[:3, 3:] = -rotations.hat(gyro - bias), -torch.eye(3, dtype=F)
    drive = torch.diag(torch.tensor([0.3**2] * 3 + [0.2**2] * 3, dtype=F))
    phi = torch.tensor(scipy.linalg.expm((DT * dynamics).numpy()))
    quiet = aircraft.mekf_predict(state, gyro, DT, aircraft.MEKFNoise(gyro=0.0, bias=0.0))
    torch.testing.assert_close(quiet.covariance, phi @ state.covariance @ phi.T, rtol=1e-12, atol=1e-13)
    block = torch.cat([torch.cat([-dynamics, drive], 1), torch.cat([torch.zeros(6, 6, dtype=F), dynamics.T], 1)])
    loan = torch.tensor(scipy.linalg.expm((DT * block).numpy()))
    added = phi @ loan[:6, 6:]
    # the filter's noise leaves the turn within the step aside: right to the first power of the turn, 0.05 rad
    torch.testing.assert_close(got.covariance - quiet.covariance, added, rtol=0.05, atol=2e-5)
    torch.testing.assert_close((got.covariance - quiet.covariance).diagonal(), added.diagonal(), rtol=1e-3, atol=0)


def test_a_step_is_prediction_and_two_corrections() -> None:
    _, _, _, gyro, accel, mag = records(3, 1, gyro=0.02, accel=0.2, mag=0.02, seed=3)
    noise = aircraft.MEKFNoise()
    start = aircraft.initial_mekf_state(aircraft.initial_state((3,)).quat_xyzw)
    found = aircraft.mekf_step(start, gyro[:, 0], accel[:, 0], mag[:, 0], DT, noise)
    expected = aircraft.mekf_predict(start, gyro[:, 0], DT, noise)
    expected = aircraft.mekf_update(expected, accel[:, 0], -GRAVITY, noise.accel)
    half = aircraft.mekf_step(start, gyro[:, 0], accel[:, 0], None, DT, noise)
    torch.testing.assert_close(half, expected, rtol=0, atol=0)
    expected = aircraft.mekf_update(expected, mag[:, 0], FIELD, noise.mag)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert float((found.covariance - found.covariance.mT).abs().max()) == 0.0
    assert float(torch.linalg.eigvalsh(found.covariance).min()) > 0


def test_initial_covariance_is_diagonal() -> None:
    state = aircraft.initial_mekf_state(torch.tensor([[0.0, 0.0, 0.0, 1.0]] * 2, dtype=F), 0.3, 0.02)
    variances = torch.tensor([0.09] * 3 + [0.0004] * 3, dtype=F)
    torch.testing.assert_close(state.covariance, torch.diag(variances).expand(2, 6, 6), rtol=1e-15, atol=0)
    assert float(state.bias.abs().max()) == 0.0


def test_bad_input() -> None:
    state = aircraft.initial_mekf_state(aircraft.initial_state().quat_xyzw)
    three = torch.ones(3, dtype=F)
    with pytest.raises(OptionError, match="negative"):
        aircraft.initial_mekf_state(state.quat_xyzw, -1.0)
    with pytest.raises(OptionError, match="dt"):
        aircraft.mekf_step(state, three, three, None, -1.0, aircraft.MEKFNoise())
    with pytest.raises(ShapeError, match="mag"):
        aircraft.mekf_step(state, three, three, three[:2], DT, aircraft.MEKFNoise())


@pytest.mark.parametrize("name", ["accel", "mag"])
@pytest.mark.parametrize("bad", [0.0, -0.1, math.nan, math.inf, None, "0.1", True, torch.zeros(()), torch.tensor(-1.0)])
def test_readings_without_noise_are_refused(name: str, bad: object) -> None:
    _, _, _, gyro, accel, mag = records(2, 3, seed=3)
    state = aircraft.initial_mekf_state(aircraft.initial_state((2,)).quat_xyzw)
    noise = aircraft.MEKFNoise(**{name: bad})
    with pytest.raises((OptionError, NonFiniteError), match=rf"noise\.{name}"):
        aircraft.mekf_step(state, gyro[:, 0], accel[:, 0], mag[:, 0], DT, noise)
    with pytest.raises((OptionError, NonFiniteError), match=rf"noise\.{name}"):
        aircraft.run_filter(aircraft.mekf_step, state, gyro, accel, mag, DT, noise)
    with pytest.raises((OptionError, NonFiniteError), match="sigma"):
        aircraft.mekf_update(state, mag[:, 0], FIELD, bad)


@pytest.mark.parametrize("name", ["gyro", "bias"])
def test_a_gyroscope_without_noise_is_one_and_a_negative_is_none(name: str) -> None:
    _, _, _, gyro, _, _ = records(2, 1, seed=3)
    state = aircraft.initial_mekf_state(aircraft.initial_state((2,)).quat_xyzw)
    found = aircraft.mekf_predict(state, gyro[:, 0], DT, aircraft.MEKFNoise(**{name: 0.0}))
    assert bool(found.covariance.isfinite().all())
    with pytest.raises(OptionError, match=rf"noise\.{name}"):
        aircraft.mekf_predict(state, gyro[:, 0], DT, aircraft.MEKFNoise(**{name: -1e-3}))


def test_vectors_of_the_noise_that_are_none() -> None:
    _, _, _, gyro, accel, mag = records(2, 1, seed=3)
    state = aircraft.initial_mekf_state(aircraft.initial_state((2,)).quat_xyzw)
    for name, bad, error in (
        ("gravity", (0.0, 9.8), ShapeError),
        ("field", (0.5, math.nan, 0.8), NonFiniteError),
        ("gravity", "down", DtypeError),
        ("field", None, NonFiniteError),
    ):
        with pytest.raises((error, ShapeError), match=rf"noise\.{name}"):
            aircraft.mekf_step(state, gyro[:, 0], accel[:, 0], mag[:, 0], DT, aircraft.MEKFNoise(**{name: bad}))
    with pytest.raises(OptionError, match="MEKFNoise"):
        aircraft.mekf_step(state, gyro[:, 0], accel[:, 0], mag[:, 0], DT, aircraft.MahonyGains())


@pytest.mark.parametrize("sigma", [0.1, 1e-3, 1e-5, 1e-7, (1e-4, 3e-3, 1e-2)])
def test_a_good_sensor_is_not_lost_in_float32(sigma: float | tuple[float, ...]) -> None:
    """The noise may be far below what the covariance makes of the reading: the gain stays that of float64."""
    R = rotations.random_rotation((200,), 1)
    quat = rotations.matrix_to_quat_xyzw(R)
    turn = 0.1 * torch.randn(200, 3, generator=torch.Generator().manual_seed(2), dtype=F)
    reading = -((R @ rotations.rotvec_to_matrix(turn)).mT @ GRAVITY)
    deviation = torch.tensor(sigma, dtype=F)
    exact = aircraft.mekf_update(aircraft.initial_mekf_state(quat), reading, -GRAVITY, deviation)
    start = aircraft.initial_mekf_state(quat.float())
    found = aircraft.mekf_update(start, reading.float(), -GRAVITY.float(), deviation.float())
    torch.testing.assert_close(found.quat_xyzw.double(), exact.quat_xyzw, rtol=0, atol=5e-6)
    torch.testing.assert_close(found.covariance.double(), exact.covariance, rtol=0, atol=1e-5)


def test_noise_by_axis_is_bayes_rule() -> None:
    """The information form, for a noise that differs from axis to axis."""
    draw = torch.Generator().manual_seed(5)
    quat = rotations.matrix_to_quat_xyzw(rotations.random_rotation((), draw))
    A = torch.randn(6, 6, generator=draw, dtype=F)
    state = aircraft.MEKFState(quat, torch.zeros(3, dtype=F), 1e-8 * (A @ A.T + torch.eye(6, dtype=F)))
    R, sigma = rotations.quat_xyzw_to_matrix(quat), torch.tensor([1e-4, 3e-4, 5e-5], dtype=F)
    H = torch.cat([rotations.hat(R.T @ FIELD), torch.zeros(3, 3, dtype=F)], 1)
    after = torch.linalg.inv(torch.linalg.inv(state.covariance) + H.T @ torch.diag(sigma**-2) @ H)
    got = aircraft.mekf_update(state, R.T @ FIELD, FIELD, sigma)
    torch.testing.assert_close(got.covariance, after, rtol=1e-9, atol=1e-18)


def test_noise_whose_square_vanishes_is_refused() -> None:
    state = aircraft.initial_mekf_state(torch.tensor([0.0, 0.0, 0.0, 1.0]), 0.5)
    with pytest.raises(OptionError, match="too small for the precision"):
        aircraft.mekf_update(state, torch.tensor([0.0, 0.0, 9.8]), torch.tensor([0.0, 0.0, 9.8]), 1e-30)


def test_each_body_may_have_its_own_start() -> None:
    quat = aircraft.initial_state((2,)).quat_xyzw
    found = aircraft.initial_mekf_state(quat, torch.tensor([0.1, 0.2], dtype=F, requires_grad=True), 0.0)
    assert found.covariance[1].diagonal().tolist() == pytest.approx([0.04] * 3 + [0.0] * 3)
    assert found.covariance.requires_grad
    for bad in ("a", None, math.nan, torch.full((3,), 0.1, dtype=F)):
        with pytest.raises((OptionError, ShapeError), match="attitude_sigma"):
            aircraft.initial_mekf_state(quat, bad)
