"""Pairs for training and validation."""

import pytest
import torch
from torch import nn

import diffkin as dk
from diffkin.errors import OptionError
from diffkin.learning import FreshPairs, IKProblem, held_out, make_network


def test_fresh_pairs_are_true_and_never_the_same_twice():
    robot = dk.load_robot("scara")
    pairs, generator = FreshPairs(robot), torch.Generator().manual_seed(0)
    (q, T), (other, _) = pairs.draw(50, generator), pairs.draw(50, generator)
    torch.testing.assert_close(robot.forward_kinematics(q.double()).float(), T, atol=1e-6, rtol=0.0)
    assert not torch.equal(q, other)


def test_held_out_targets_stay_the_same_and_differ_by_seed():
    robot = dk.load_robot("xarm6")
    assert torch.equal(held_out(robot, 20)[0], held_out(robot, 20)[0])
    assert not torch.equal(held_out(robot, 20)[0], held_out(robot, 20, seed=1)[0])


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
