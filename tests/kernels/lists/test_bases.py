"""Steps of a base against the torch formulas of ``diffkin.ik.bases``."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numba import njit

from diffkin import rotations, transforms
from diffkin.ik.bases import BASES
from diffkin.kernels.lists.bases import moved, turned_about_up, turned_by_cube
from diffkin.kernels.vectors.strict import W
from tests.ik.tasks.differences import randn

BASE = transforms.pose(rotations.random_rotation(W, seed=1, dtype=torch.float64), randn(W, 3, seed=2))


@njit(error_model="numpy")
def run_moved(base, move, world, out):
    moved(base, move, world, np.zeros((9, W)), out)


@njit
def run_turned(base, u, up):
    for l in range(W):
        if up:
            turned_about_up(l, base, u[0])
        else:
            turned_by_cube(l, base, u[0], u[1], u[2])


def lanes(poses):
    return np.ascontiguousarray(np.swapaxes(poses.numpy()[:, :3], 1, 2).reshape(W, 12).T)


@pytest.mark.parametrize("free", ["pose", "rotation", "planar"])
@pytest.mark.parametrize("size", [1e-8, 1e-3, 1.0])
def test_steps(free, size):
    kind = BASES[free]
    step = size * randn(W, kind.count, seed=3)
    move, out = np.zeros((6, W)), np.zeros((12, W))
    for k, row in enumerate([*kind.shifts, *(3 + axis for axis in kind.turns)]):
        move[row] = step[:, k]
    run_moved(lanes(BASE), move, kind.world, out)
    np.testing.assert_allclose(out, lanes(kind.moved(BASE, step)), atol=1e-14)


def test_turns_of_later_starts():
    base = lanes(BASE)
    run_turned(base, np.array([0.3, 0.7, 0.2]), False)
    turn = base[:9].reshape(3, 3, W).transpose(2, 1, 0)
    np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (W, 3, 3)), atol=1e-14)
    relative = BASE[:, :3, :3].mT.numpy() @ turn
    np.testing.assert_allclose(relative, np.broadcast_to(relative[0], (W, 3, 3)), atol=1e-14)  # about its own axes
    np.testing.assert_allclose(base[9:], lanes(BASE)[9:])
    about = lanes(BASE)
    run_turned(about, np.array([1.2, 0.0, 0.0]), True)
    step = torch.tensor([[0.0, 0.0, 1.2]], dtype=torch.float64).expand(W, 3)
    np.testing.assert_allclose(about, lanes(BASES["planar"].moved(BASE, step)), atol=1e-14)
