"""The books of a search: which start answers, when a slot goes on, whole turns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from diffkin.kernels.ik import books, layout
from diffkin.kernels.ik.hope import ROUND
from diffkin.kernels.ik.layout import Workspace, open_desk
from diffkin.kernels.vectors.strict import W

STARTS, WANTED = 20, 2


@njit
def file_start(l, state, desk, wanted):
    return books.file_start(l, state, desk, wanted)


@njit
def pick_slot(desk, starts, limit):
    return books.pick_slot(desk, starts, limit)


@njit
def begin_start(l, s, state, desk, settings, own, starts):
    return books.begin_start(l, s, state, desk, settings, own, starts)


@njit
def close_slot(s, desk, pick):
    return books.close_slot(s, desk, pick)


@njit
def go_on(s, desk, starts, wanted, hope2):
    books.go_on(s, desk, starts, wanted, hope2)


@njit
def nearest_turn(v, reference, lower, upper, farthest):
    return books.nearest_turn(v, reference, lower, upper, farthest)


@pytest.fixture
def desk():
    workspace = Workspace(3, 2, 4, STARTS, WANTED)
    workspace.take(0, 2 * W)
    desk = open_desk(*workspace.arrays[1:])
    desk.lanes[:, layout.SLOT] = -1
    desk.slots[:, layout.TARGET] = -1
    return desk


def run(desk, state, rank, converged, error=1.0, lane=0):
    """Begin the next start of the only slot, of that rank, and file what it came to."""
    settings = np.ones(layout.SETTINGS)
    assert begin_start(lane, 0, state, desk, settings, 0, STARTS) == rank
    state[layout.SPENT, lane], state[layout.CONVERGED, lane], state[layout.ERROR, lane] = rank, converged, error
    return file_start(lane, state, desk, WANTED)


def test_the_lowest_ranks_answer(desk):
    state = np.zeros((layout.NUMBERS, W))
    slot = pick_slot(desk, STARTS, STARTS)
    desk.slots[[0, slot]] = desk.slots[[slot, 0]]
    assert run(desk, state, 0, False, 0.5) == WANTED
    assert run(desk, state, 1, False, 0.9) == -1  # no better
    assert run(desk, state, 2, True) == 0
    assert run(desk, state, 3, True) == 1
    assert desk.slots[0, layout.BOUND] == 3
    assert desk.slots[0, layout.RUNNING] == 0
    assert run(desk, state, 4, True) == -1
    assert close_slot(0, desk, 0) == (2, 0 + 1 + 2 + 3)
    assert desk.chunk[layout.BUSY] == 0
    assert desk.slots[0, layout.TARGET] == -1


@pytest.mark.parametrize(("error", "hope2", "proven", "on"), [(1.0, math.inf, 0, True), (1.0, 1.0, 0, False), (1e-9, 1.0, 0, True), (1e-9, 1.0, 1, False)])  # fmt: skip
def test_slots_go_on_while_there_is_hope(desk, error, hope2, proven, on):
    slot = pick_slot(desk, STARTS, ROUND)
    line = desk.slots[slot]
    line[layout.NEXT], line[layout.PROVEN] = ROUND, proven
    desk.answers[slot, WANTED, layout.VALUE] = error
    go_on(slot, desk, STARTS, WANTED, hope2)
    assert (line[layout.LIMIT], line[layout.NEXT]) == ((2 * ROUND, ROUND) if on else (ROUND, STARTS))


def test_problems_are_taken_up_in_turn(desk):
    taken = [pick_slot(desk, STARTS, STARTS) for _ in range(W)]
    assert len(set(taken)) == 1  # while no lane runs it, it goes first
    desk.slots[taken[0], layout.RUNNING] = 1
    second = pick_slot(desk, STARTS, STARTS)
    assert second != taken[0]
    assert desk.slots[[taken[0], second], layout.TARGET].tolist() == [0, 1]


def test_whole_turns_lead_near():
    assert nearest_turn(0.5, 7.0, -10.0, 10.0, 100.0) == pytest.approx(0.5 + 2 * math.pi)
    assert nearest_turn(0.5, 7.0, -10.0, 6.0, 100.0) == 0.5
    assert nearest_turn(0.5, 60.0, -100.0, 100.0, 20.0) == pytest.approx(0.5 + 6 * math.pi)
