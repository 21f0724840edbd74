"""Learning inverse kinematics as a problem for the loop: its batches and its scores."""

import pytest
import torch
from torch import nn

import diffkin as dk
from diffkin.errors import OptionError
from diffkin.learning import IKProblem, held_out, make_network, pose_errors


def test_the_generator_alone_decides_a_batch_noise_included():
    problem = IKProblem(make_network(dk.load_robot("kuka_iiwa"), {"name": "chain_flow", "width": 8}))
    first, second = (problem.batch(16, torch.Generator().manual_seed(3)) for _ in range(2))
    torch.manual_seed(99)
    third = problem.batch(16, torch.Generator().manual_seed(3))
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(first, second, third))
    q, _, before = first
    noise = (before - q).abs()
    assert float(noise.min()) > 0.0 and float(noise.max()) < 6 * problem.network.settings.noise


def test_validation_is_repeatable_and_wants_one_of_ours():
    problem = IKProblem(make_network(dk.load_robot("planar_3r"), {"name": "chain_flow", "width": 8}))
    assert problem.validate(problem.network) == problem.validate(problem.network)
    with pytest.raises(OptionError, match="IKNetwork"):
        problem.validate(nn.Linear(2, 2))


def test_scores_are_those_of_held_out_targets():
    robot = dk.load_robot("planar_3r")
    network = make_network(robot, {"name": "through_fk", "width": 8})
    found = IKProblem(network, held_out_count=50).validate(network)
    q, T = held_out(network.single, 50)
    position, rotation = pose_errors(robot, T, network.sample(T).squeeze(-2))
    assert found["position_m"] == pytest.approx(float(position.median()))
    assert found["rotation_rad"] == pytest.approx(float(rotation.median()))
    assert found["loss"] == pytest.approx(float(network.loss(q, T).detach()))
