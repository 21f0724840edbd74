"""The result tells how many were solved."""

from __future__ import annotations

import torch

from diffkin.ik import IKResult


def test_a_result_says_how_much_was_solved():
    flags = torch.tensor([[True, False, True]])
    zero = torch.zeros(1, 3)
    result = IKResult(torch.zeros(1, 3, 7), flags, zero, zero, zero.long(), zero.long())
    assert repr(result) == "IKResult(solved 2 of 3, q (1, 3, 7))"
    assert result.base is None
    assert result.history is None
