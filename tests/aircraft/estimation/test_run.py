"""The run of any filter: its steps one after another, checkpoints, and what it refuses."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from diffkin import aircraft, rotations
from diffkin.errors import DtypeError, OptionError, ShapeError
from tests.aircraft.estimation.sensor_records import DT, records

F = torch.float64


def test_a_run_is_its_steps_one_after_another() -> None:
    _, _, _, gyro, accel, mag = records(2, 5, gyro=0.02, accel=0.2, seed=4)
    gains = aircraft.MahonyGains(2.0, 1.0, 0.1)
    run = aircraft.run_filter(aircraft.mahony_step, aircraft.initial_state(), gyro, accel, mag, DT, gains)
    assert isinstance(run, aircraft.FilterState)
    state = aircraft.initial_state((2,))
    for k in range(5):
        state = aircraft.mahony_step(state, gyro[:, k], accel[:, k], mag[:, k], DT, gains)
        torch.testing.assert_close(run.quat_xyzw[:, k], state.quat_xyzw, rtol=0, atol=0)
        torch.testing.assert_close(run.bias[:, k], state.bias, rtol=0, atol=0)


def test_checkpointing_changes_no_gradient() -> None:
    _, R, _, gyro, accel, mag = records(3, 40, accel=0.3, seed=2)
    found = []
    for checkpoint in (False, True):
        gain = torch.tensor(1.5, dtype=F, requires_grad=True)
        run = aircraft.run_filter(
            aircraft.mahony_step,
            aircraft.initial_state((3,)),
            gyro,
            accel,
            mag,
            DT,
            aircraft.MahonyGains(gain, 2.0, 0.1),
            checkpoint=checkpoint,
        )
        loss = (rotations.quat_xyzw_to_matrix(run.quat_xyzw) - R).square().sum()
        found.append(torch.autograd.grad(loss, gain)[0])
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=0)
    assert float(found[0].abs()) > 0


class Memory(NamedTuple):
    """A state of a caller's own."""

    quat_xyzw: Tensor
    bias: Tensor
    spread: Tensor


def test_a_filter_of_the_callers_own() -> None:
    _, _, _, gyro, accel, mag = records(2, 5, seed=4)
    seen = []

    def step(state: Memory, gyro: Tensor, accel: Tensor, mag: Tensor, dt: float, gains: str) -> Memory:
        seen.append((dt, gains))
        after = aircraft.mahony_step((state.quat_xyzw, state.bias), gyro, accel, mag, dt, aircraft.MahonyGains())
        return Memory(*after, state.spread + 1.0)

    start = Memory(*aircraft.initial_state((2,)), torch.zeros(2, 7, 8, dtype=F))
    run = aircraft.run_filter(step, start, gyro, accel, mag, DT, "mine")
    plain = aircraft.run_filter(
        aircraft.mahony_step, aircraft.initial_state((2,)), gyro, accel, mag, DT, aircraft.MahonyGains()
    )
    assert isinstance(run, Memory) and run.spread.shape == (2, 5, 7, 8)
    assert run.spread[0, :, 0, 0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    torch.testing.assert_close(run.quat_xyzw, plain.quat_xyzw, rtol=0, atol=0)
    assert seen == [(DT, "mine")] * 5


def test_no_samples_give_no_states() -> None:
    nothing = torch.zeros(2, 0, 3, dtype=F)
    for step, state, gains in (
        (aircraft.mahony_step, aircraft.initial_state((2,)), aircraft.MahonyGains()),
        (aircraft.mekf_step, aircraft.initial_mekf_state(aircraft.initial_state((2,)).quat_xyzw), aircraft.MEKFNoise()),
    ):
        run = aircraft.run_filter(step, state, nothing, nothing, nothing, DT, gains)
        assert run.quat_xyzw.shape == (2, 0, 4)


def test_bad_input() -> None:
    state, gains = aircraft.initial_state(), aircraft.MahonyGains()
    many = torch.ones(5, 3, dtype=F)
    with pytest.raises(ShapeError, match="mag"):
        aircraft.run_filter(aircraft.mahony_step, state, many, many, many[:4], DT, gains)
    wide = aircraft.initial_state((3,))
    with pytest.raises(ShapeError, match="do not broadcast: gyro .*state"):
        aircraft.run_filter(aircraft.mahony_step, wide, many.expand(2, 5, 3), many, None, DT, gains)
    with pytest.raises(ShapeError, match="gyro"):
        aircraft.run_filter(aircraft.mahony_step, state, many[0], many, None, DT, gains)
    with pytest.raises(DtypeError, match="gyro"):
        aircraft.run_filter(aircraft.mahony_step, state, None, many, None, DT, gains)
    with pytest.raises(OptionError, match="step must be a function"):
        aircraft.run_filter("mahony", state, many, many, None, DT, gains)
    with pytest.raises(OptionError, match="gains must be MahonyGains, got NoneType"):
        aircraft.run_filter(aircraft.mahony_step, state, many, many, None, DT, None)
    with pytest.raises(OptionError, match="mekf_step needs a state of the kind MEKFState, got FilterState"):
        aircraft.run_filter(aircraft.mekf_step, state, many, many, None, DT, aircraft.MEKFNoise())
    with pytest.raises(OptionError, match="state must be"):
        aircraft.run_filter(aircraft.mahony_step, None, many, many, None, DT, gains)
