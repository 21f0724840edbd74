"""States of flights that policies are asked at in tests."""

import torch

from diffkin.learning.policy import draw_starts, flight_state, trial_craft


def states(count: int = 40, seed: int = 0):
    craft = trial_craft()
    starts = draw_starts(craft, count, torch.Generator().manual_seed(seed))
    torque = 0.05 * torch.randn(3, count, generator=torch.Generator().manual_seed(seed))
    return flight_state(starts.quat_xyzw, starts.omega, torque), craft
