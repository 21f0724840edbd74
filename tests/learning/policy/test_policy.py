"""What policies share: the feed-forward of the body's spin, and torques within limits."""

import torch

from diffkin import aircraft
from diffkin.learning.policy.policy import gyroscopic, saturated
from tests.learning.policy.states import states


def test_the_feed_forward_holds_a_spinning_body_at_its_rate():
    """With ``t = w x J w`` Euler's equations leave the rate as it is."""
    state, craft = states()
    torque = gyroscopic(state, craft).T.double()
    omega = state.omega.T.double()
    inertia = torch.diag(craft.moments.double())
    _, rates = aircraft.simulate_attitude(
        torch.eye(3).double().expand(40, 3, 3), omega, inertia, torque, dt=1e-3, steps=50
    )
    assert float(omega.norm(dim=-1).min()) > 0.1
    assert float((rates[:, -1] - omega).abs().max()) < 1e-5
    _, free = aircraft.simulate_attitude(torch.eye(3).double().expand(40, 3, 3), omega, inertia, dt=1e-3, steps=50)
    assert float((free[:, -1] - omega).abs().max()) > 1e-2


def test_torques_are_cut_at_the_limits_as_in_the_package():
    _, craft = states()
    torque = 0.3 * torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    cut = saturated(torque, craft)
    assert torch.equal(cut.T, aircraft.saturate(torque.T, craft.limit))
    assert bool((cut != torque).any()) and bool((cut == torque).any())
