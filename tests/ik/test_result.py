"""The result tells how many were solved, which were not, and what may be known of why."""

from __future__ import annotations

import torch

import diffkin as dk
from diffkin.ik import IKResult


def test_a_result_says_how_much_was_solved():
    flags = torch.tensor([[True, False, True]])
    zero = torch.zeros(1, 3)
    result = IKResult(torch.zeros(1, 3, 7), flags, zero, zero, zero.long(), zero.long())
    assert repr(result) == "IKResult(solved 2 of 3, q (1, 3, 7), errors up to 0 m and 0 rad, failed: (0, 1))"
    assert result.base is None
    assert result.history is None


def test_a_result_names_the_failed_and_the_far(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(20))
    T[::2, :3, 3] += 5.0
    for backend in (None, "reference"):
        for target in (T, dk.ik.PoseTask(None, T)):
            said = repr(dk.solve_ik(iiwa, target, backend=backend, max_restarts=2))
            assert "failed: 0, 2, 4, 6, 8, 10, 12, 14 and 2 more" in said
            assert "out of reach: 0, 2" in said
    assert repr(dk.solve_ik(iiwa, T[0], max_restarts=0)).endswith("failed: this one, out of reach: this one)")
    empty = dk.solve_ik(iiwa, T[:0])
    assert repr(empty) == "IKResult(solved 0 of 0, q (0, 7))"
