"""Reference attitudes: rates are the derivatives of the attitude, and the ends are met at rest."""

import pytest
import torch

from diffkin import aircraft, rotations
from diffkin.errors import OptionError, ShapeError

F = torch.float64


def test_minimum_jerk_profile() -> None:
    t = torch.linspace(-0.5, 2.5, 301, dtype=F)
    s, speed, acceleration = aircraft.minimum_jerk(t, 2.0)
    assert float(s[0]) == 0.0 and float(s[-1]) == 1.0
    assert float(speed[0]) == float(speed[-1]) == 0.0
    inside = t[60:240].clone().requires_grad_()
    first = torch.autograd.grad(aircraft.minimum_jerk(inside, 2.0)[0].sum(), inside)[0]
    second = torch.autograd.grad(aircraft.minimum_jerk(inside, 2.0)[1].sum(), inside)[0]
    torch.testing.assert_close(first, speed[60:240])
    torch.testing.assert_close(second, acceleration[60:240])
    # the integral of jerk squared is 720 for a unit step in unit time: the least there is
    fine = torch.linspace(0, 1, 20001, dtype=F, requires_grad=True)
    jerk = torch.autograd.grad(aircraft.minimum_jerk(fine, 1.0)[2].sum(), fine)[0]
    assert float(torch.trapezoid(jerk**2, fine.detach())) == pytest.approx(720, rel=1e-6)


def test_reference_passes_keys_and_its_rates_are_derivatives() -> None:
    keys = rotations.random_rotation((4,), 0)
    times = torch.tensor([0.0, 1.0, 2.5, 3.0], dtype=F)
    at_keys = aircraft.attitude_reference(keys, times, times)
    torch.testing.assert_close(at_keys.R, keys, rtol=0, atol=1e-12)
    assert float(at_keys.omega.abs().max()) == 0.0
    t = torch.tensor([0.2, 0.9, 1.7, 2.6], dtype=F)
    value = aircraft.attitude_reference(keys, times, t)
    rate = torch.func.vmap(torch.func.jacfwd(lambda t: aircraft.attitude_reference(keys, times, t).R))(t)
    torch.testing.assert_close(rotations.vee(value.R.mT @ rate), value.omega, rtol=0, atol=1e-11)
    rate = torch.func.vmap(torch.func.jacfwd(lambda t: aircraft.attitude_reference(keys, times, t).omega))(t)
    torch.testing.assert_close(rate, value.alpha, rtol=0, atol=1e-11)


def test_bad_input() -> None:
    keys, times = rotations.random_rotation((2,), 0), torch.tensor([1.0, 0.0], dtype=F)
    with pytest.raises(OptionError, match="rise"):
        aircraft.attitude_reference(keys, times, times)
    with pytest.raises(ShapeError, match="at least 2"):
        aircraft.attitude_reference(keys[:1], times[:1], times)
    with pytest.raises(OptionError, match="duration"):
        aircraft.minimum_jerk(times, 0.0)
