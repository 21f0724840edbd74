"""Classical laws as policies, against those of the aircraft package."""

import dataclasses

import pytest
import torch

from diffkin import aircraft, rotations
from diffkin.errors import OptionError
from diffkin.learning.policy.classical import Gains
from diffkin.learning.policy.make import make_policy
from tests.learning.policy.states import states


def as_controller_arguments(state, craft):
    R = rotations.quat_xyzw_to_matrix(state.quat_xyzw.T)
    return R, state.omega.T, torch.eye(3), craft.inertia


def test_pd_is_log_pd_of_the_package():
    state, craft = states()
    ours = make_policy("pd", {"k_attitude": [30.0, 20.0, 10.0], "k_rate": 7.0})(state, craft)
    theirs = aircraft.log_pd(
        *as_controller_arguments(state, craft),
        k_attitude=craft.moments * torch.tensor([30.0, 20.0, 10.0]),
        k_rate=7.0 * craft.moments,
    )
    assert torch.allclose(ours.T, aircraft.saturate(theirs, craft.limit), atol=2e-6)


def test_cascade_is_that_of_the_package():
    state, craft = states()
    ours = make_policy("cascade", {"k_attitude": 5.0, "braking": [0.4, 0.5, 0.6], "k_rate": 11.0})(state, craft)
    theirs = aircraft.sqrt_cascade(
        *as_controller_arguments(state, craft),
        k_attitude=5.0,
        acceleration=torch.tensor([0.4, 0.5, 0.6]) * craft.limit / craft.moments,
        k_rate=11.0,
    )
    assert torch.allclose(ours.T, aircraft.saturate(theirs, craft.limit), atol=2e-6)


def test_products_of_inertia_are_in_the_feed_forward():
    state, craft = states()
    inertia = craft.inertia.clone()
    inertia[0, 2] = inertia[2, 0] = 0.002
    other = dataclasses.replace(craft, inertia=inertia)
    R, omega, goal, _ = as_controller_arguments(state, craft)
    theirs = aircraft.log_pd(
        R, omega, goal, inertia, k_attitude=36.0 * craft.moments, k_rate=9.0 * craft.moments
    )  # fmt: skip
    ours = make_policy("pd")(state, other)
    assert torch.allclose(ours.T, aircraft.saturate(theirs, craft.limit), atol=2e-6)


def test_gains_have_names_and_one_number_for_each_axis():
    gains = Gains(k_rate=3.0, k_attitude=[1.0, 2.0, 4.0])
    rate, attitude = gains()
    assert rate.shape == attitude.shape == (3, 1)
    assert gains.table() == {"k_rate": [3.0] * 3, "k_attitude": [1.0, 2.0, 4.0]}
    with pytest.raises(OptionError, match="k_rate must be a finite number above 0"):
        Gains(k_rate=-3.0)
