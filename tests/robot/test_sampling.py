"""Samples: counts and seeds that can be, and those that cannot."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import ChangedError, OptionError


@pytest.mark.parametrize("count", [True, "a", "3", None, -1, 2.5, [3], 10**12, 10**30, torch.tensor(3.5)])
def test_counts_that_cannot_be(panda: dk.Robot, count: object) -> None:
    with pytest.raises(OptionError, match="count|samples"):
        panda.sample(count)


@pytest.mark.parametrize("seed", [None, True, "0", 1.5, 2**70, -(2**64), [0]])
def test_seeds_that_cannot_be(panda: dk.Robot, seed: object) -> None:
    with pytest.raises(OptionError, match="seed"):
        panda.sample(3, seed=seed)


def test_more_than_memory_says_how_to_go_on(panda: dk.Robot) -> None:
    with pytest.raises(OptionError, match="GiB.*seed=generator"):
        panda.sample(10**12)


@pytest.mark.parametrize("seed", [np.int64(7), np.uint8(7)])
def test_whole_numbers_of_numpy_are_whole_numbers(panda: dk.Robot, seed: np.integer) -> None:
    assert torch.equal(panda.sample(np.int32(3), seed=seed), panda.sample(3, seed=7))


def test_seeds_at_their_ends(panda: dk.Robot) -> None:
    assert not torch.equal(panda.sample(3, seed=2**64 - 1), panda.sample(3, seed=0))
    assert not torch.equal(panda.sample(3, seed=-1), panda.sample(3, seed=1))


def test_a_robot_that_was_changed_is_not_sampled() -> None:
    robot = dk.load_robot("planar_3r")
    robot.lower.mul_(0.3)
    with pytest.raises(ChangedError, match=r"robot\.replace"):
        robot.sample(3)


def test_robots_without_joints() -> None:
    assert dk.Robot.from_urdf('<robot name="r"><link name="a"/></robot>').sample(4).shape == (4, 0)
