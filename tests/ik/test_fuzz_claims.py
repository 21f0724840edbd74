"""A short run of the search for false claims, and its judge against Pinocchio itself."""

from __future__ import annotations

import numpy as np
import pytest

import diffkin as dk
from tests.ik.fuzz_claims import Case, judged, run, targets_of
from tests.ik.fuzz_mechanisms import judge_of, pinocchio_pose, texts


def test_no_false_claim_and_no_violation_in_five_thousand_targets():
    counts, bad = run(5000, seed=7)
    assert bad == []
    assert len(counts) == len(texts()) * 4
    assert sum(row["targets"] for row in counts.values()) >= 5000
    for name in texts():
        for dtype in ("float64", "float32"):
            assert sum(counts[name, dtype, route]["claims"] for route in ("kernel", "torch")) > 100, (name, dtype)
    assert sum(row["claims"] for (_, _, route), row in counts.items() if route == "torch") > 50


@pytest.mark.parametrize("name", texts())
def test_the_judge_is_pinocchio_and_finds_what_is_false(name):
    urdf, tip = texts()[name]
    judge = judge_of(urdf, tip, tuple(dk.load_robot(urdf, tip=tip).joint_names))
    draw = np.random.default_rng(0)
    q = judge.sample(20, draw)
    R, p = judge.poses(q)
    T = np.tile(np.eye(4), (20, 1, 1))
    T[:, :3, :3], T[:, :3, 3] = R, p
    for k in range(20):
        np.testing.assert_allclose(T[k], pinocchio_pose(urdf, tip, judge, q[k]), atol=1e-11)
    case = Case(name, "float64", "kernel", "pose", 1e-9, 1e-9, False, 1, 0, 0)
    claimed = np.ones(20, bool)
    false, outside = judged(judge, case, q, T, claimed)
    assert not false.any() and not outside.any()
    T[3, :3, 3] += 1.0001e-9 / np.sqrt(3)
    T[4, :3, 3] += 0.9999e-9 / np.sqrt(3)
    c, s = np.cos(1.001e-9), np.sin(1.001e-9)
    T[5, :3, :3] = T[5, :3, :3] @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    if np.isfinite(judge.upper[0]):
        q[6, 0] = np.nextafter(judge.upper[0], np.inf)
        false, outside = judged(judge, case, q, T, claimed & (np.arange(20) != 6))
        assert outside.nonzero()[0].tolist() == [6]
    else:
        false, outside = judged(judge, case, q, T, claimed)
    assert false.nonzero()[0].tolist() == [3, 5]


def test_targets_of_both_kinds():
    urdf, tip = texts()["planar_3r"]
    judge = judge_of(urdf, tip, tuple(dk.load_robot(urdf, tip=tip).joint_names))
    T, reachable = targets_of(judge, 1000, np.random.default_rng(0))
    assert 50 < (~reachable).sum() < 150
    assert (np.abs(T[~reachable, 2, 3]) > 1e-6).all()  # the arm lies in a plane
