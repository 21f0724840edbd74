"""Sliding along solutions: what moves, where it ends, and that lanes do not know of each other."""

from __future__ import annotations

import numpy as np
import torch

from diffkin import ik
from diffkin.ik.solvers.priority import KEPT, STILL, SelfMotion
from diffkin.kernels.lists import program
from diffkin.kernels.lists.slide import Manner
from tests.kernels.lists.asked import NOTHING, ask

COUNT = 11
METHOD = SelfMotion()
MANNER = Manner(METHOD.max_iterations, METHOD.damping, METHOD.patience, STILL, KEPT)


def asked_of(iiwa):
    """Poses that are met at q, with another posture preferred."""
    q = iiwa.sample(COUNT, seed=1)
    tasks = [ik.PoseTask(None, iiwa.forward_kinematics(q)), ik.PostureTask(0.8 * q)]
    return ask(iiwa, tasks, COUNT, every=True), q


def slid(asked, q, rows=slice(None), manner=MANNER):
    found, whole = q.numpy()[rows].copy(), np.zeros((len(q[rows]), 2), np.int64)
    program.slide(asked.call, manner, asked.targets[rows], asked.bases, NOTHING, found, NOTHING, whole)
    return torch.from_numpy(found), whole[:, 1]


def test_the_own_cost_falls_and_what_comes_before_stays(iiwa):
    asked, q = asked_of(iiwa)
    found, slides = slid(asked, q)
    torch.testing.assert_close(iiwa.forward_kinematics(found), iiwa.forward_kinematics(q), rtol=0, atol=2e-6)
    before, after = ((part - 0.8 * q).square().sum(-1) for part in (q, found))
    assert (after < before).all()
    assert (slides >= 1).all()
    assert (slides <= METHOD.max_iterations).all()
    again, _ = slid(asked, found)
    torch.testing.assert_close(again, found, rtol=0, atol=1e-5)


def test_what_does_not_meet_the_first_level_is_left(iiwa):
    asked, q = asked_of(iiwa)
    off = q.clone()
    off[3] += 0.01
    found, slides = slid(asked, off)
    assert torch.equal(found[3], off[3])
    assert slides[3] == 0
    kept, _ = slid(asked, q)
    others = torch.arange(COUNT) != 3
    assert torch.equal(found[others], kept[others])


def test_answers_do_not_depend_on_what_else_is_there(iiwa):
    asked, q = asked_of(iiwa)
    together, _ = slid(asked, q)
    alone = torch.cat([slid(asked, q, slice(k, k + 1))[0] for k in range(COUNT)])
    assert torch.equal(together, alone)


def test_slides_are_counted_and_end(iiwa):
    asked, q = asked_of(iiwa)
    _, slides = slid(asked, q, manner=MANNER._replace(most=2.0))
    assert (slides == 2).all()
