"""Scores of starts: perfect answers, hopeless ones, and counts that are known."""

import math

import pytest
import torch

import diffkin as dk
from diffkin.learning import branches_found, evaluate_network, held_out, make_network, mmd, one_descent


def test_solutions_need_no_iterations_and_far_starts_some():
    robot = dk.load_robot("kuka_iiwa")
    q, T = held_out(robot, 200)
    perfect, solutions = one_descent(robot, T, q)
    assert perfect["one_descent_success"] == 1.0 and perfect["one_descent_iterations"] <= 1.0
    torch.testing.assert_close(robot.forward_kinematics(solutions), T, atol=2e-6, rtol=0.0)
    far, solutions = one_descent(robot, T, robot.sample(200, seed=9))
    assert far["one_descent_success"] < 1.0 and far["one_descent_iterations"] > 3.0
    share = float(solutions.isfinite().all(-1).double().mean())
    assert share == far["one_descent_success"]


def test_branches_by_signs_and_by_distance():
    nan = math.nan
    iiwa = dk.load_robot("kuka_iiwa")
    q = torch.zeros(5, 7, dtype=torch.float64)
    q[:, 1], q[:, 3], q[:, 5] = torch.tensor([[1, 1, -1, -1, nan], [1, 1, 1, 1, 1], [1, 1, 1, -1, -1]])
    assert int(branches_found(iiwa, q)) == 3  # (+++), (-++), (-+-)
    xarm = dk.load_robot("xarm6")
    q = torch.zeros(4, 6, dtype=torch.float64)
    q[1, 0], q[2, 3], q[3] = 0.4, 1.0, nan
    assert int(branches_found(xarm, q)) == 2
    assert branches_found(xarm, q.expand(3, 4, 6)).tolist() == [2, 2, 2]


def test_mmd_is_zero_for_the_same_set_and_known_for_two_points():
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    assert float(mmd(x, x, torch.ones(4))) < 1e-3
    a, b = torch.zeros(1, 2), torch.tensor([[6.0, 0.0]])
    expected = math.sqrt(1.0 + 1.0 - 2.0 / (1.0 + 9.0))
    assert float(mmd(a, b, torch.tensor([2.0, 1.0]))) == pytest.approx(expected)


class Oracle:
    """Answers with what made the targets, as no network can."""

    def __init__(self, robot, network):
        self.network, self.settings = network, network.settings
        q, T = held_out(robot, 60)
        self.known = {tuple(pose[:3, 3].tolist()): each for pose, each in zip(T, q)}

    def sample(self, T, count=1, seed=0):
        q = torch.stack([self.known[tuple(pose[:3, 3].tolist())] for pose in T])
        return q[:, None].expand(-1, count, -1)

    def starts(self, T, best_of=8, seed=0):
        return self.sample(T).squeeze(1)


def test_figures_of_perfect_answers_and_the_baselines_beside_them():
    robot = dk.load_robot("kuka_iiwa")
    network = make_network(robot, {"name": "through_fk", "width": 8})
    results = evaluate_network(Oracle(robot, network), robot, targets=60, stored=2000, spread=3)
    assert results["raw_position_error_m_median"] < 1e-12
    assert results["raw_rotation_error_rad_median"] < 1e-6
    assert results["within_limits"] == results["one_descent_success"] == results["best_of_8_success"] == 1.0
    assert results["branches_found"] == 1.0
    for name in ("uniform", "mid_range", "nearest_sample"):
        baseline = results["baselines"][name]
        assert 0.4 < baseline["one_descent_success"] <= 1.0 and baseline["one_descent_iterations"] > 2.0
    assert results["baselines"]["uniform"]["branches_found"] > 2.0
    assert results["mmd_to_solutions"] > 2.0 * results["mmd_between_solutions"]  # one answer is no spread
