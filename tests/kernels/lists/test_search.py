"""One turn of the search loop at a time: what is taken, and how its books are kept."""

from __future__ import annotations

import numpy as np
from numba import njit

from diffkin import ik
from diffkin.kernels.ik import layout as ik_layout
from diffkin.kernels.lists import layout, program
from diffkin.kernels.lists.layout import open_block, open_call, open_desk
from diffkin.kernels.lists.search import search, verdict
from diffkin.kernels.lists.starts import rank_starts
from tests.kernels.lists.asked import NOTHING, ask

ELBOW = "lbr_iiwa_link_4"


@njit(error_model="numpy")
def run_verdict(reals, integers, rows):
    call = open_call(reals, integers)
    return verdict(call, open_block(rows, call.sizes))


def asked_of(iiwa, count=9, **changes):
    q = iiwa.sample(count, seed=1)
    tip, elbow = iiwa.forward_kinematics(q, links=["lbr_iiwa_link_7", ELBOW]).unbind(-3)
    return ask(iiwa, [ik.PoseTask(None, tip), ik.PositionTask(ELBOW, elbow[:, :3, 3])], count, **changes)


def test_verdict_takes_what_lowers_the_error_and_says_who_is_done(iiwa):
    asked = asked_of(iiwa)
    rows = layout.new_rows(asked.call.sizes)
    block = open_block(rows, asked.call.sizes)
    state = block.state
    state[ik_layout.RUNS] = 1.0
    state[ik_layout.ERROR], state[layout.TRIED] = [1.0, 1.0, 1e-3, 1.0], [1e-14, 4.0, 4e-4, np.nan]
    state[layout.TRIED_P], state[layout.TRIED_R] = [1e-14, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]
    state[ik_layout.GROWTH], state[ik_layout.SPENT] = [1.0, 1.0, 8.0, 8.0], [2.0, 2.0, 2.0, 6.0]
    state[ik_layout.PATIENT], state[ik_layout.MOST] = 7.0, 9.0
    block.trial[:] = 1.0
    assert run_verdict(asked.call.reals, asked.call.integers, rows)
    assert state[ik_layout.TAKEN].tolist() == [1, 0, 1, 0]  # what is no number is never taken
    assert state[ik_layout.CONVERGED].tolist() == [1, 0, 0, 0]
    assert state[ik_layout.DONE].tolist() == [1, 0, 0, 1]
    assert block.q[0].tolist() == [1, 0, 1, 0]
    assert state[ik_layout.GROWTH].tolist() == [1.0, 4.0, 4.0, 32.0]


def test_the_books_are_closed_when_all_is_done(iiwa):
    asked = asked_of(iiwa, starts=3)
    outputs = []
    for steps in (1, 10**6):
        out = np.zeros((9, 7)), NOTHING, np.zeros((9, 2), np.int64)
        rows, books, counts, answers = program._workspace(asked.call)
        ranked = rank_starts(asked.call.placed, asked.targets, asked.bases, 9)
        books[: ik_layout.CHUNK] = 0, 9, 0, 0
        turns = 0
        while search(
            steps, rows, books, counts, answers, asked.call.reals, asked.call.integers, ranked, np.zeros(0, np.bool_),
            asked.targets, asked.bases, NOTHING, *out,
        ):  # fmt: skip
            desk = open_desk(books, counts, answers)
            busy = desk.slots[:, layout.PROBLEM] >= 0
            assert desk.chunk[ik_layout.BUSY] == busy.sum()
            running = desk.lanes[:, ik_layout.SLOT]
            assert [(running == s).sum() for s in np.flatnonzero(busy)] == desk.slots[busy, ik_layout.RUNNING].tolist()
            ranks = desk.lanes[running >= 0, ik_layout.RANK]
            assert ((ranks >= 0) & (ranks <= 3)).all()
            turns += 1
        outputs.append(out)
    assert turns == 0
    for one, all_at_once in zip(*outputs, strict=True):
        assert np.array_equal(one, all_at_once)
    assert open_desk(books, counts, answers).chunk[ik_layout.BUSY] == 0


def test_memory_of_another_list_leaves_no_trace(iiwa):
    first = asked_of(iiwa)
    q = iiwa.sample(9, seed=1)
    tip, elbow = iiwa.forward_kinematics(q, links=["lbr_iiwa_link_7", ELBOW]).unbind(-3)
    tasks = [ik.PositionTask(ELBOW, elbow[:, :3, 3]), ik.PoseTask(None, tip)]  # the same sizes, zeros elsewhere
    second = ask(iiwa, tasks, 9)
    assert first.call.size == second.call.size

    def solved(asked):
        out = np.zeros((9, 7)), NOTHING, np.zeros((9, 2), np.int64)
        program.solve(asked.call, asked.targets, asked.bases, NOTHING, *out)
        return out[0]

    alone = solved(second)
    solved(first)
    assert np.array_equal(solved(second), alone)
