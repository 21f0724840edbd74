"""Policies by name: each within limits and for bodies of any size, and names that are not there."""

import pytest
import torch

from diffkin.errors import OptionError, UnknownNameError
from diffkin.learning.policy.craft import trial_craft
from diffkin.learning.policy.flight import draw_starts, flight
from diffkin.learning.policy.make import POLICIES, make_policy, settings_of
from diffkin.learning.policy.policy import Policy
from tests.learning.policy.states import states


@pytest.mark.parametrize("kind", POLICIES)
def test_torques_stay_within_limits(kind):
    state, craft = states(200)
    policy = make_policy(kind, seed=3)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.3)
    command = policy(state, craft)
    assert command.shape == (3, 200)
    assert bool((command.abs() <= craft.limit.unsqueeze(-1) * (1 + 1e-6)).all())


@pytest.mark.parametrize("kind", POLICIES)
def test_policies_do_the_same_with_a_scaled_body(kind):
    """A body ten times as heavy with ten times the torque turns alike."""
    craft = trial_craft()
    starts = draw_starts(craft, 8, torch.Generator().manual_seed(0))
    policy = make_policy(kind, seed=1)
    heavy = craft.scaled_to(10 * craft.inertia)
    first = flight(policy, starts, craft, 20)
    second = flight(policy, starts._replace(moments=10 * starts.moments), heavy, 20)
    assert torch.allclose(first.angle, second.angle, atol=1e-4)


def test_same_seed_same_policy_and_the_callers_randomness_is_left_alone():
    before = torch.get_rng_state()
    first, second, third = (make_policy("network", seed=seed).mlp[0].weight for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, second) and not torch.equal(first, third)


def test_settings_come_back():
    kind, settings = settings_of(make_policy("residual", {"width": 7, "cascade": {"k_rate": 11.0}}))
    assert (kind, settings.width, settings.cascade.k_rate) == ("residual", 7, 11.0)
    with pytest.raises(OptionError, match="got a Policy"):
        settings_of(Policy())


def test_mistakes():
    with pytest.raises(UnknownNameError, match="residual"):
        make_policy("residaul")
    with pytest.raises(UnknownNameError, match="k_rate"):
        make_policy("pd", {"k_rat": 3.0})
    with pytest.raises(UnknownNameError, match="braking"):
        make_policy("residual", {"cascade": {"brakin": 3.0}})
