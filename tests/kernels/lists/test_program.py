"""Problems in, coordinates out: limits, seeds, first starts, threads."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin import ik
from diffkin.errors import OptionError
from diffkin.kernels.lists import program
from diffkin.kernels.threads import get_num_threads, set_num_threads
from tests.kernels.ik_robots import settings
from tests.kernels.lists.asked import NOTHING, ask

ELBOW = "lbr_iiwa_link_4"
COUNT = 300


def asked_of(iiwa, **changes):
    q = iiwa.sample(COUNT, seed=1)
    tip, elbow = iiwa.forward_kinematics(q, links=["lbr_iiwa_link_7", ELBOW]).unbind(-3)
    return ask(iiwa, [ik.PoseTask(None, tip), ik.PositionTask(ELBOW, elbow[:, :3, 3])], COUNT, **changes), q.numpy()


def solved(asked, q0=NOTHING):
    q, counts = np.zeros((COUNT, 7)), np.zeros((COUNT, 2), np.int64)
    program.solve(asked.call, asked.targets, asked.bases, q0, q, NOTHING, counts)
    errors, success = program.judge_all(asked.call, asked.targets, asked.bases, q)
    return q, counts, errors, success


def test_all_are_solved_within_limits(iiwa):
    asked, _ = asked_of(iiwa)
    q, counts, errors, success = solved(asked)
    assert success.all()
    assert errors.max() <= 1e-6
    assert (q >= iiwa.lower.numpy()).all()
    assert (q <= iiwa.upper.numpy()).all()
    assert (counts[:, 1] >= 1).all()


def test_threads_and_seeds(iiwa):
    asked, _ = asked_of(iiwa)
    before = get_num_threads()
    answers = []
    for threads in (1, 3):
        set_num_threads(threads)
        answers.append(solved(asked)[0])
    set_num_threads(before)
    assert np.array_equal(*answers)


def test_first_starts_come_first(iiwa):
    asked, q = asked_of(iiwa, has_q0=True)
    found, counts, _, success = solved(asked, q)
    assert success.all()
    assert not counts.any()
    assert np.array_equal(found, q)


def test_settings_are_checked(iiwa):
    asked, _ = asked_of(iiwa)
    ready = ik.list_route._make_ready(iiwa, asked.problem, False).whole
    with pytest.raises(OptionError, match="at least 1"):
        ready.call(settings(starts=0))
    assert ready.heaviest == 1.0
    assert ready.call(settings(seed=3)).integers.tolist() != ready.call(settings()).integers.tolist()


def test_interrupts_stop_all_threads(iiwa, monkeypatch):
    asked, _ = asked_of(iiwa)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "search", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solved(asked)
    monkeypatch.undo()
    assert solved(asked)[3].all()
