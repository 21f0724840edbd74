"""Policies with networks: how they start, what they see, and the goal as an equilibrium."""

import pytest
import torch

from diffkin.errors import OptionError
from diffkin.learning.policy.craft import trial_craft
from diffkin.learning.policy.flight import draw_starts, flight, flight_state
from diffkin.learning.policy.make import make_policy
from diffkin.learning.policy.networks import state_features
from tests.learning.policy.states import states


def test_residual_starts_as_its_cascade_and_its_network_learns():
    state, craft = states()
    gains = {"k_attitude": 6.0, "braking": 0.7, "k_rate": 15.0}
    residual = make_policy("residual", {"cascade": gains, "learn_gains": True})
    assert torch.equal(residual(state, craft), make_policy("cascade", gains)(state, craft))
    starts = draw_starts(craft, 16, torch.Generator().manual_seed(0))
    flight(residual, starts, craft, 10).angle.sum().backward()
    assert float(residual.mlp[-1].weight.grad.abs().max()) > 0
    assert float(residual.cascade.gains.theta.grad.abs().max()) > 0
    assert not make_policy("residual").cascade.gains.theta.requires_grad


def test_the_residual_keeps_the_goal_an_equilibrium():
    craft = trial_craft()
    policy = make_policy("residual", seed=4)
    with torch.no_grad():
        for parameter in policy.mlp.parameters():
            parameter.add_(0.2)
    quat = torch.tensor([0.0, 0.0, 0.0, 1.0]).reshape(4, 1)
    still = torch.zeros(3, 1)
    assert float(policy(flight_state(quat, still, still), craft).detach().abs().max()) < 1e-7
    moving = flight_state(quat, still + 1.0, still)
    assert not torch.allclose(policy(moving, craft), policy.cascade(moving, craft), atol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_a_new_network_hardly_acts(seed):
    """From torques of a tenth of the limits, half of the seeds tried never learned to turn the body."""
    state, craft = states(200)
    share = make_policy("network", seed=seed)(state, craft) / craft.limit.unsqueeze(-1)
    assert 0.0 < float(share.detach().abs().mean()) < 0.05


def test_features_of_the_body_at_rest_at_the_goal():
    quat, still = torch.tensor([0.0, 0.0, 0.0, 1.0]).reshape(4, 1), torch.zeros(3, 1)
    seen = state_features(flight_state(quat, still, still), trial_craft())
    torch.testing.assert_close(seen, make_policy("residual").goal, atol=1e-6, rtol=0.0)
    state, craft = states()
    seen = state_features(state, craft)
    assert seen.shape == (40, 13)
    torch.testing.assert_close(seen[:, 10:] * craft.limit, state.torque.T)


def test_sizes_that_cannot_be():
    with pytest.raises(OptionError, match="width"):
        make_policy("network", {"width": 0})
    with pytest.raises(OptionError, match="depth"):
        make_policy("residual", {"depth": 0})
