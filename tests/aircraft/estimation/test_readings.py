"""Readings that are absent, not numbers or unevenly spaced in time: what every filter makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from diffkin import aircraft, rotations
from diffkin.aircraft.estimation.readings import check_state, present, time_step
from diffkin.errors import NonFiniteError, OptionError, RotationError, ShapeError
from tests.aircraft.estimation.sensor_records import DT, records

F = torch.float64
NAN, INF = math.nan, math.inf


def _kalman(count: int) -> aircraft.MEKFState:
    return aircraft.initial_mekf_state(aircraft.initial_state((count,)).quat_xyzw)


def _two(count: int) -> aircraft.FilterState:
    return aircraft.initial_state((count,))


FILTERS: dict[str, tuple[Callable[..., Any], Any, Callable[[int], Any]]] = {
    "madgwick": (aircraft.madgwick_step, aircraft.MadgwickGains(0.5, 0.1), _two),
    "mahony": (aircraft.mahony_step, aircraft.MahonyGains(2.0, 1.0, 0.1), _two),
    "mekf": (aircraft.mekf_step, aircraft.MEKFNoise(0.01, 1e-3, 0.3, 0.05), _kalman),
}
every = pytest.mark.parametrize("name", FILTERS)


def _measured(count: int, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    _, _, _, gyro, accel, mag = records(count, steps, gyro=0.02, bias=0.05, accel=0.2, mag=0.02, seed=11)
    return gyro, accel, mag


def _slower(mag: Tensor) -> Tensor:
    """A magnetometer that speaks every other step of the first record, every third of the second, never in the last."""
    mag = mag.clone()
    mag[0, 1::2] = NAN
    mag[1, 0::3] = NAN
    mag[1, 1::3, 2] = NAN  # of a broken reading nothing is used
    mag[-1] = NAN
    return mag


@every
def test_an_absent_magnetometer_is_none_in_that_sample(name: str) -> None:
    step, gains, begin = FILTERS[name]
    gyro, accel, mag = _measured(3, 12)
    mag = _slower(mag)
    run = aircraft.run_filter(step, begin(3), gyro, accel, mag, DT, gains)
    for i in range(3):
        state = type(run)(*(part[i] for part in begin(3)))
        absent = 0
        for k in range(12):
            there = not bool(mag[i, k].isnan().any())
            absent += not there
            state = step(state, gyro[i, k], accel[i, k], mag[i, k] if there else None, DT, gains)
            for found, expected in zip(run, state, strict=True):
                torch.testing.assert_close(found[i, k], expected, rtol=0, atol=1e-14)
        assert absent >= 6


@every
def test_gradients_are_right_where_samples_are_absent(name: str) -> None:
    step, gains, begin = FILTERS[name]
    gyro, accel, mag = _measured(3, 4)
    mag = _slower(mag)
    gaps = mag.isnan()
    assert bool(gaps.any()) and not bool(gaps.all())

    def run(gyro: Tensor, accel: Tensor, known: Tensor, dt: Tensor) -> tuple[Tensor, ...]:
        field = torch.full_like(mag, NAN).masked_scatter(~gaps, known)
        return tuple(aircraft.run_filter(step, begin(3), gyro, accel, field, dt, gains))

    dt = DT * torch.tensor([1.0, 0.5, 2.0, 1.5], dtype=F)
    inputs = tuple(part.requires_grad_() for part in (gyro, accel, mag[~gaps], dt))
    assert gradcheck(run, inputs, fast_mode=True)

    field = mag.clone().requires_grad_()
    found = aircraft.run_filter(step, begin(3), gyro.detach(), accel.detach(), field, DT, gains)
    (gradient,) = torch.autograd.grad(found.quat_xyzw.square().cumsum(-1).sum(), field)
    whole = gaps.any(-1)
    assert float(gradient[whole].abs().max()) == 0.0
    assert float(gradient[~whole].abs().max()) > 0.0


@every
def test_transforms_see_absent_samples_too(name: str) -> None:
    """Inside a transform nothing can be checked by value, and NaN must not leak from the branch that is not taken."""
    step, gains, begin = FILTERS[name]
    gyro, accel, mag = _measured(3, 4)
    mag = _slower(mag)
    state = begin(1)
    start = type(state)(*(part[0] for part in state))

    def last(gyro: Tensor, accel: Tensor, mag: Tensor) -> Tensor:
        return aircraft.run_filter(step, start, gyro, accel, mag, DT, gains).quat_xyzw[-1]

    mapped = torch.func.vmap(last)(gyro, accel, mag)
    for i in range(3):
        torch.testing.assert_close(mapped[i], last(gyro[i], accel[i], mag[i]), rtol=0, atol=1e-13)
    for derive in (torch.func.jacrev, torch.func.jacfwd):
        of_gyro, of_mag = torch.func.vmap(derive(last, argnums=(0, 2)))(gyro, accel, mag)
        assert bool(of_gyro.isfinite().all()) and float(of_gyro.abs().max()) > 1e-3
        assert bool(of_mag.isfinite().all())
        absent = mag.isnan().any(-1)
        assert float(of_mag.movedim(1, -1)[absent].abs().max()) == 0.0
        for i in range(3):
            expected = torch.autograd.functional.jacobian(lambda w, i=i: last(w, accel[i], mag[i]), gyro[i])
            torch.testing.assert_close(of_gyro[i], expected, rtol=1e-9, atol=1e-12)


@every
@pytest.mark.parametrize("sensor", ["gyro", "accel"])
@pytest.mark.parametrize("bad", [NAN, INF])
def test_any_other_reading_that_is_no_number_is_named(name: str, sensor: str, bad: float) -> None:
    step, gains, begin = FILTERS[name]
    readings = dict(zip(("gyro", "accel", "mag"), _measured(3, 6), strict=True))
    readings[sensor] = readings[sensor].clone()
    readings[sensor][0, 5, 0] = readings[sensor][2, 4, 1] = bad
    with pytest.raises(
        NonFiniteError, match=rf"^{sensor} holds NaN or infinity at step 4 of batch element 2, in 2 of 18"
    ):
        aircraft.run_filter(step, begin(3), **readings, dt=DT, gains=gains)
    now = {kind: part[:, 5] for kind, part in readings.items()}
    with pytest.raises(NonFiniteError, match=rf"^{sensor} holds NaN or infinity at batch element 0"):
        step(begin(3), now["gyro"], now["accel"], now["mag"], DT, gains)
    alone = {kind: part[2] for kind, part in readings.items()}
    state = type(begin(1))(*(part[0] for part in begin(1)))
    with pytest.raises(NonFiniteError, match=rf"^{sensor} holds NaN or infinity at step 4,"):
        aircraft.run_filter(step, state, **alone, dt=DT, gains=gains)


@every
def test_an_infinite_field_is_an_error(name: str) -> None:
    step, gains, begin = FILTERS[name]
    gyro, accel, mag = _measured(2, 5)
    mag[1, 3, 0], mag[0, 2] = -INF, NAN
    with pytest.raises(NonFiniteError, match="^mag holds infinity at step 3 of batch element 1"):
        aircraft.run_filter(step, begin(2), gyro, accel, mag, DT, gains)
    with pytest.raises(NonFiniteError, match="^mag holds infinity at batch element 1"):
        step(begin(2), gyro[:, 3], accel[:, 3], mag[:, 3], DT, gains)


@every
@pytest.mark.parametrize("place", ["quat_xyzw", "bias", "covariance"])
def test_a_state_that_is_no_number_is_an_error(name: str, place: str) -> None:
    step, gains, begin = FILTERS[name]
    state = begin(2)
    if place not in state._fields:
        return
    broken = getattr(state, place).clone()
    broken[1] = NAN
    gyro, accel, mag = (part[:, 0] for part in _measured(2, 1))
    with pytest.raises(NonFiniteError, match=rf"^state.{place} holds NaN or infinity at batch element 1"):
        step(state._replace(**{place: broken}), gyro, accel, mag, DT, gains)


@every
def test_a_zero_quaternion_is_no_attitude(name: str) -> None:
    step, gains, begin = FILTERS[name]
    gyro, accel, mag = _measured(2, 3)
    quat = begin(2).quat_xyzw.clone()
    quat[1] = 0.0
    state = begin(2)._replace(quat_xyzw=quat)
    with pytest.raises(RotationError, match="state.quat_xyzw"):
        step(state, gyro[:, 0], accel[:, 0], mag[:, 0], DT, gains)
    with pytest.raises(RotationError, match="state.quat_xyzw"):
        aircraft.run_filter(step, state, gyro, accel, mag, DT, gains)


@every
def test_any_other_length_of_the_quaternion_is_the_same_attitude(name: str) -> None:
    step, gains, begin = FILTERS[name]
    gyro, accel, mag = _measured(2, 3)
    quat = rotations.matrix_to_quat_xyzw(rotations.random_rotation((2,), 1))
    runs = [
        aircraft.run_filter(step, begin(2)._replace(quat_xyzw=scale * quat), gyro, accel, mag, DT, gains)
        for scale in (1.0, 3.0, 1e-3)
    ]
    for run in runs[1:]:
        torch.testing.assert_close(tuple(run), tuple(runs[0]), rtol=0, atol=1e-13)


@every
def test_a_time_for_each_step(name: str) -> None:
    step, gains, begin = FILTERS[name]
    gyro, accel, mag = _measured(2, 5)
    draw = torch.rand(2, 5, generator=torch.Generator().manual_seed(2), dtype=F)
    for dt in (DT * (0.5 + draw), DT * (0.5 + draw[0])):
        run = aircraft.run_filter(step, begin(2), gyro, accel, mag, dt, gains)
        both = dt.expand(2, 5)
        for i in range(2):
            state = type(run)(*(part[i] for part in begin(2)))
            for k in range(5):
                state = step(state, gyro[i, k], accel[i, k], mag[i, k], float(both[i, k]), gains)
            for found, expected in zip(run, state, strict=True):
                torch.testing.assert_close(found[i, -1], expected, rtol=0, atol=1e-14)
    even = aircraft.run_filter(step, begin(2), gyro, accel, mag, DT, gains)
    for dt in (torch.tensor(DT, dtype=F), torch.full((5,), DT, dtype=F), [DT] * 5, torch.full((2, 1), DT, dtype=F)):
        torch.testing.assert_close(
            tuple(aircraft.run_filter(step, begin(2), gyro, accel, mag, dt, gains)), tuple(even), rtol=0, atol=1e-14
        )


@every
@pytest.mark.parametrize("bad", [0.0, -DT, NAN, INF, None, "a", True, [DT, -DT], 1j])
def test_times_that_are_none(name: str, bad: object) -> None:
    step, gains, begin = FILTERS[name]
    gyro, accel, mag = _measured(2, 2)
    with pytest.raises((OptionError, TypeError), match="dt") as caught:
        aircraft.run_filter(step, begin(2), gyro, accel, mag, bad, gains)
    assert type(caught.value).__module__ == "diffkin.errors"
    with pytest.raises((OptionError, TypeError), match="dt"):
        step(begin(2), gyro[:, 0], accel[:, 0], mag[:, 0], bad, gains)


def test_the_place_of_a_bad_time_is_named() -> None:
    like = torch.zeros(2, 4, dtype=F)
    dt = torch.full((2, 6), DT, dtype=F)
    dt[1, 4] = -1.0
    with pytest.raises(OptionError, match="got -1 at step 4 of batch element 1"):
        time_step(dt, like, (2,), 6)
    with pytest.raises(OptionError, match="got -1 at batch element 1"):
        time_step(dt[:, 4], like, (2,))
    with pytest.raises(OptionError, match="got inf at step 0"):
        time_step(torch.full((6,), INF, dtype=F), like, (2,), 6)
    with pytest.raises(ShapeError, match=r"\(7,\)"):
        time_step(torch.ones(7, dtype=F), like, (2,), 6)
    with pytest.raises(ShapeError, match="broadcast"):
        time_step(torch.ones(3, 6, dtype=F), like, (2,), 6)


@every
def test_a_run_that_leaves_the_numbers_says_where(name: str) -> None:
    step, gains, begin = FILTERS[name]
    gyro, accel, mag = (part.clone() for part in _measured(2, 4))
    gyro[1, 2] = 1e308
    with pytest.raises(NonFiniteError, match="left the range of numbers at step 2 of batch element 1"):
        aircraft.run_filter(step, begin(2), gyro, accel, mag, 100.0, gains)


def test_present_keeps_what_is_there() -> None:
    reading = torch.tensor([[1.0, 2.0, 3.0], [1.0, NAN, 3.0]], dtype=F)
    kept, there = present(reading)
    assert there.tolist() == [[True], [False]]
    assert kept.tolist() == [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]


def test_states_of_another_kind() -> None:
    state = aircraft.initial_state((2,))
    with pytest.raises(OptionError, match="MEKFState .*covariance"):
        check_state(state, aircraft.MEKFState)
    with pytest.raises(OptionError, match="state must be"):
        check_state(None, type(None))
    with pytest.raises(ShapeError, match="broadcast"):
        check_state(state._replace(bias=torch.zeros(3, 3, dtype=F)), aircraft.FilterState)
