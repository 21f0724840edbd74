"""The eighth lesson: labels teach the mean, which is no answer; forward kinematics teaches answers; both make starts."""

from __future__ import annotations

import torch

from tests.notebooks.running import run_lesson


def test_squared_loss_learns_the_mean_which_is_no_answer() -> None:
    names = run_lesson(8).names
    miss, p_test = names["miss"], names["p_test"]
    assert miss(names["regression"]).median() > 0.2
    assert miss(names["wide"]).median() > 0.2
    up, down = names["up"], names["down"]
    p = torch.tensor([0.45, 0.3], dtype=torch.float64)
    for q in (up, down):
        assert (names["tips"](q[None])[0] - p).norm() < 1e-5
    assert abs(up[1] + down[1]) < 1e-4
    assert (names["said"] - names["mean"]).abs().max() < 0.1
    assert names["regression"](p_test)[:, 1].abs().median() < 0.2  # a straight arm nearly everywhere


def test_one_elbow_and_forward_kinematics_teach_answers() -> None:
    names = run_lesson(8).names
    miss = names["miss"]
    assert miss(names["one_elbow"]).median() < 0.06
    through = miss(names["through"])
    assert through.median() < 0.04
    assert through.mean() > 2 * through.median()  # the seam
    assert (names["elbows"].abs() > 0.3).double().mean() > 0.7
    package = names["package_miss"]
    assert package["through_fk"] < 0.5 * package["regression"]


def test_network_is_a_better_start() -> None:
    table = run_lesson(8).names["table"]
    for other in ("a random q", "a bent elbow"):
        assert table["the network"][0] > table[other][0] + 0.05
        assert table["the network"][1] < table[other][1] - 1
    assert run_lesson(8).figures == 2
