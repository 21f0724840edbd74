"""Pairs for training, and those that no training draws."""

import torch

import diffkin as dk
from diffkin.learning import FreshPairs, held_out


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
