"""Attitude controllers trained by gradient through flights."""

from diffkin.learning.policy.classical import CascadePolicy, Gains, PDPolicy
from diffkin.learning.policy.craft import Craft, trial_craft
from diffkin.learning.policy.flight import (
    Flights,
    FlightStarts,
    FlightState,
    draw_starts,
    flight,
    flight_state,
    held_out_starts,
)
from diffkin.learning.policy.make import POLICIES, make_policy
from diffkin.learning.policy.networks import NetworkPolicy, ResidualPolicy
from diffkin.learning.policy.policy import Policy
from diffkin.learning.policy.policy_file import save_policy
from diffkin.learning.policy.score import cost, evaluate_policy, scores
from diffkin.learning.policy.train import PolicyProblem

__all__ = [
    "POLICIES",
    "CascadePolicy",
    "Craft",
    "FlightStarts",
    "FlightState",
    "Flights",
    "Gains",
    "NetworkPolicy",
    "PDPolicy",
    "Policy",
    "PolicyProblem",
    "ResidualPolicy",
    "cost",
    "draw_starts",
    "evaluate_policy",
    "flight",
    "flight_state",
    "held_out_starts",
    "make_policy",
    "save_policy",
    "scores",
    "trial_craft",
]
