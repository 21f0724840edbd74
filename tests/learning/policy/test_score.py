"""The cost and the figures of flights, by hand."""

import math

import pytest
import torch

from diffkin.learning.policy.craft import trial_craft
from diffkin.learning.policy.flight import held_out_starts
from diffkin.learning.policy.make import make_policy
from diffkin.learning.policy.score import cost, evaluate_policy, scores


def test_cost_by_hand():
    angle = torch.full((6, 1), 0.5)
    angle[-2:] = 0.1
    omega = torch.zeros(6, 3, 1)
    omega[1] = 2.0
    expected = (3 * 0.5 + 2 * 0.1) / 5 + 0.01 * 12.0 / 5 + 0.1
    assert float(cost(angle, omega, 0.1, terminal=0.2)) == pytest.approx(expected, rel=1e-6)


def test_scores_by_hand():
    angle = torch.full((41, 3), math.radians(1.0), dtype=torch.float64)
    angle[:10, 0] = 1.0  # settles at 1.0 s
    angle[:, 1] = 1.0  # never
    angle[30, 2] = 1.0  # leaves once more at 3.0 s
    found = scores(angle, torch.zeros(41, 3, 3, dtype=torch.float64), 0.1)
    assert found["settle_mean_s"] == pytest.approx((1.0 + 4.0 + 3.1) / 3)
    assert found["under_2_deg"] == pytest.approx(2 / 3)
    assert found["error_max_deg"] == pytest.approx(math.degrees(1.0))
    assert found["error_median_deg"] == pytest.approx(1.0)


def test_a_policy_that_pushes_away_never_settles():
    craft = trial_craft()

    class Away(torch.nn.Module):
        def forward(self, state, craft):
            return -make_policy("pd")(state, craft)

    found = evaluate_policy(Away(), craft, held_out_starts(craft, 50))
    assert found["under_2_deg"] < 0.1 and found["settle_mean_s"] > 3.5 and found["cost"] > 1.5
    good = evaluate_policy(make_policy("cascade"), craft, held_out_starts(craft, 50))
    assert good["under_2_deg"] > 0.95 and good["cost"] < 0.7
