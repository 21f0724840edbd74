"""Proofs that problems have no solution: points that are wanted too far apart."""

from __future__ import annotations

import numpy as np

from diffkin.kernels.lists.reach import Ends, pack_ends, prove

NOTHING = np.zeros((0, 0))


def test_points_are_carried_by_rotations_and_along_directions():
    turned = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # columns x, y, z, one a row
    targets = np.concatenate([turned.reshape(-1), [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])[None]
    ends = {
        "origin": (Ends(9, -1, False, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0, 0.0), 1.0),
        "rotation": (Ends(9, 0, False, (1.0, 0.0, 0.0), (2.0, 0.0, 0.5), 0.0, 0.0), np.hypot(2.0, 0.5)),
        "direction": (Ends(9, 12, True, (1.0, 0.0, 0.0), (-3.0, 0.0, 0.0), 0.0, 0.0), 3.0),
    }
    base = np.array([[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
    for one, distance in ends.values():
        for least, most, impossible in ((0.0, 9.0, False), (distance + 1e-3, 9.0, True), (0.0, distance - 1e-3, True)):
            packed = pack_ends([one._replace(least=least, most=most)], 1e-6, 1e-6)
            assert prove(packed, targets, NOTHING).tolist() == [impossible]
    shifted = Ends(9, -1, False, (0.0, 0.0, 1.0), (0.0, 0.0, 0.0), 0.0, 1e-3)  # in the base, whose z is the world's y
    packed = pack_ends([shifted], 1e-6, 1e-6)
    base[0, 9:] = 1.0, -1.0, 0.0
    assert prove(packed, targets, base).tolist() == [False]
    assert prove(packed, targets, NOTHING).tolist() == [True]


def test_tolerances_leave_room():
    one = Ends(0, -1, False, (0.0, 0.0, 0.0), (0.0, 0.0, 2.0), 0.0, 1.0, spread=0.1)
    targets = np.array([[1.1, 0.0, 0.0], [1.5, 0.0, 0.0]])
    assert prove(pack_ends([one], 1e-6, 1e-6), targets, NOTHING).tolist() == [False, True]


def test_nothing_known_proves_nothing():
    assert prove(pack_ends([], 1e-6, 1e-6), np.ones((3, 3)), NOTHING).shape == (0,)
