"""Giving up: the farther the best of the starts is, the sooner, and only where all of a round are through."""

from __future__ import annotations

import math

import numpy as np
import torch

from diffkin.kernels.ik.hope import HOPE, PROVEN_STARTS, ROUND, hopeless


def test_the_nearer_the_longer():
    square = torch.tensor([4.0, 1.0, 0.04, 1e-9])
    lasts = [
        next((k for k in range(1, 1000) if bool(hopeless(k, square[i], HOPE**2))), None) for i in range(len(square))
    ]
    expected = [ROUND * math.ceil(HOPE / math.sqrt(value) / ROUND) for value in square[:3].tolist()]
    assert lasts[0] in (expected[0], expected[0] + ROUND)  # on the threshold itself there is hope left
    assert lasts[1:3] == expected[1:3]
    assert lasts[3] is None


def test_numbers_arrays_and_tensors_are_told_alike():
    values = [3.0, 0.1, 400.0]
    for tried in (1, ROUND, 3 * ROUND + 1, 4 * ROUND):
        one = [bool(hopeless(tried, value, HOPE**2)) for value in values]
        assert hopeless(tried, np.array(values), HOPE**2).tolist() == one
        assert hopeless(tried, torch.tensor(values), HOPE**2).tolist() == one
    assert not hopeless(ROUND, np.array(values), math.inf).any()
    assert 0 < PROVEN_STARTS < ROUND
