"""Attitude controllers trained by gradient through flights."""

from diffkin.learning.policy.classical import (
    POLICIES,
    CascadePolicy,
    Gains,
    NetworkPolicy,
    PDPolicy,
    Policy,
    ResidualPolicy,
    make_policy,
    settings_of,
)
from diffkin.learning.policy.flight import (
    Craft,
    Flight,
    FlightState,
    Starts,
    advance,
    cost,
    draw_starts,
    flight,
    flight_state,
    scores,
)
from diffkin.learning.policy.train import PolicyProblem, evaluate_policy, policy_of, save_policy, trial_craft

__all__ = [
    "CascadePolicy",
    "Craft",
    "Flight",
    "FlightState",
    "Gains",
    "NetworkPolicy",
    "PDPolicy",
    "POLICIES",
    "Policy",
    "PolicyProblem",
    "ResidualPolicy",
    "Starts",
    "advance",
    "cost",
    "draw_starts",
    "evaluate_policy",
    "flight",
    "flight_state",
    "make_policy",
    "policy_of",
    "save_policy",
    "scores",
    "settings_of",
    "trial_craft",
]
